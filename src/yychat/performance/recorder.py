"""Takes records off the requests' path and brings them to where all instances see them."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

import msgspec

from ..errors import StoreError
from ..telemetry.spans import Ended
from .record import Record, record_of
from .ring import Ring
from .statistics import Statistics, statistics
from .store import RecordStore, Seen, newest_first

Scope = Literal["all", "this"]

EVERY = 0.5  # seconds between two batches
BATCH = 200
WAITING = 2_000  # records that may wait for Redis; more push the oldest out
LEARN_EVERY = 5.0  # seconds until others' erasures are known here as well
CLOSE_WITHIN = 1.0  # seconds
SHORTEST = 0.001  # seconds that rates are counted over at least


class Found(msgspec.Struct, frozen=True):
    """Records, newest first, of ``all`` instances or of ``this`` one. From ``begins`` on, in Unix
    time, none is missing; ``until`` is when they were looked for."""

    records: list[Record]
    begins: float
    until: float
    instances: Scope


class Recorder:
    """Keeps the records of this process, *instance*, in *ring*, and brings them to *shared* where
    there is one.

    While *shared* is away its records wait, at most ``WAITING`` of them; *dropped* is told how many
    that bound has cost. Reading goes on with this instance's own.
    """

    def __init__(
        self,
        shared: RecordStore | None = None,
        *,
        instance: str = "",
        ring: Ring | None = None,
        dropped: Callable[[int], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._shared, self._dropped, self._clock = shared, dropped, clock
        self._instance = instance
        self._ring = ring or Ring(clock=clock)
        self._spans: deque[Ended] = deque()
        self._waiting: deque[Record] = deque()
        self._sending, self._counting = asyncio.Lock(), asyncio.Lock()

    def ended(self, span: Ended) -> None:
        """A server span has ended. Never waits, and does next to nothing: any thread may call."""
        if len(self._spans) < WAITING:
            self._spans.append(span)
        else:
            self._dropped(1)

    def _take(self) -> None:
        """Make records of what has ended."""
        while self._spans:
            record = record_of(self._spans.popleft(), self._instance)
            if record is not None:
                self.put(record)

    def put(self, record: Record) -> None:
        self._ring.put(record)
        if self._shared is not None:
            self._waiting.append(record)
            self._bound()

    async def run(self) -> None:
        """Bring what waits, now and then; until cancelled."""
        learnt = 0.0
        while True:
            await asyncio.sleep(EVERY)
            await self.flush()
            if self._clock() - learnt >= LEARN_EVERY:
                learnt = self._clock()
                await self.learn()

    async def flush(self) -> None:
        """Bring what waits, as far as that is possible now."""
        self._take()
        if self._shared is None:
            return
        async with self._sending:
            with suppress(StoreError):
                while self._waiting:
                    await self._send(self._shared)

    async def learn(self) -> None:
        """Let what others have erased be forgotten here as well."""
        if self._shared is not None:
            with suppress(StoreError):
                await self._ring.learn(await self._shared.erasures())

    async def close(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN):
                await self.flush()
        if self._waiting:
            self._dropped(len(self._waiting))

    async def newest(self, count: int, tenant: str | None = None) -> Found:
        found, instances = await self._newest(count, tenant)
        return Found(found, found[-1].at if found else 0.0, self._clock(), instances)

    async def since(self, at: float, tenant: str | None = None) -> Found:
        await self.flush()
        until = self._clock()
        if self._shared is not None:
            with suppress(StoreError):
                window = await self._shared.since(at, tenant)
                records = self._with_waiting(window.records, tenant, at)
                return Found(records, window.begins, until, "all")
        window = await self._ring.since(at, tenant)
        return Found(window.records, window.begins, until, "this")

    async def statistics(
        self, window: float, tenant: str | None = None
    ) -> tuple[Statistics, Scope]:
        """Of the last *window* seconds, and of whose requests."""
        async with self._counting:  # one at a time: ten thousand records are some work
            found = await self.since(self._clock() - window, tenant)
            covered = min(window, max(SHORTEST, found.until - found.begins))
            # In a thread: answers go on meanwhile.
            counted = await asyncio.to_thread(statistics, found.records, window, covered)
            return counted, found.instances

    async def erase(self, tenant: str | None = None) -> int:
        """Forget everything, or what belongs to *tenant*; how many records that were. Raises
        ``StoreError``, and has erased nothing where it could not be reached at all."""
        await self.flush()
        async with self._sending:
            count = 0 if self._shared is None else await self._shared.erase(tenant)
            # Before the ring, which is waited for: what comes meanwhile is not of before.
            self._waiting = deque(r for r in self._waiting if tenant not in (None, r.tenant))
            mine = await self._ring.erase(tenant)
            return mine if self._shared is None else count

    async def _newest(self, count: int, tenant: str | None) -> tuple[list[Record], Scope]:
        await self.flush()
        if self._shared is not None:
            with suppress(StoreError):
                found = await self._shared.newest(count, tenant)
                return self._with_waiting(found, tenant, 0.0)[:count], "all"
        return await self._ring.newest(count, tenant), "this"

    def _with_waiting(self, found: list[Record], tenant: str | None, at: float) -> list[Record]:
        """Redis can be full: then it tells, and takes nothing."""
        if not self._waiting:
            return found
        return newest_first(Seen({}, tenant, at).new([*found, *self._waiting]))

    async def _send(self, shared: RecordStore) -> None:
        batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        sent = False
        try:
            await shared.add(batch)
            sent = True
        finally:
            if not sent:  # perhaps it was after all: a record is shown once all the same
                self._waiting.extendleft(reversed(batch))
                self._bound()

    def _bound(self) -> None:
        too_many = len(self._waiting) - WAITING
        if too_many > 0:
            for _ in range(too_many):
                self._waiting.popleft()
            self._dropped(too_many)
