"""The outbox: what must still reach a memory, and the worker that brings it there.

A turn is put before the answer's last byte leaves, and leaves the outbox only
once the memory has it. Delivery is at least once; memories know a turn by its id.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal, Protocol

import msgspec
from msgspec.structs import replace

from ..background import place_of
from ..errors import YYChatError
from ..owner import Owner
from .base import Turn

log = logging.getLogger(__name__)


class Job(msgspec.Struct, frozen=True):
    """One turn on its way to the memory called ``kind``; ``attempts`` counts the one under way."""

    kind: str
    owner: Owner
    turn: Turn
    attempts: int = 0

    @property
    def id(self) -> str:
        return self.turn.id


class Backlog(msgspec.Struct, frozen=True):
    """How far the outbox is behind; ``oldest_seconds`` is the age of the first waiting job."""

    pending: int
    dead: int
    oldest_seconds: float


class OutboxDoor(Protocol):
    """The side of an outbox that engines see. Raises ``StoreError`` and nothing else."""

    async def put(self, job: Job) -> None:
        """Durable when it returns; a job with a known id changes nothing, and neither does a turn
        answered before the owner's last erasure."""
        ...

    async def backlog(self) -> Backlog: ...


class Outbox(OutboxDoor, Protocol):
    """Jobs that survive a crash: the side of the worker. Raises ``StoreError`` and nothing else.

    One made for a ``kind`` shows jobs for that memory alone, so that each memory can have a worker
    of its own and none waits for a slower one; made for none, it shows all.
    """

    async def claim(self, worker: str, limit: int, lease: float) -> Sequence[Job]:
        """Take due jobs for *lease* seconds: oldest first, and never two of one owner for the same
        memory at once in different hands, so that an owner's turns arrive in order. Counts as an
        attempt. What *worker* held already is given to it again."""
        ...

    async def done(self, jobs: Iterable[Job]) -> None:
        """Forget delivered jobs."""
        ...

    async def retry(self, jobs: Sequence[Job], delay: float) -> None:
        """Give claimed jobs back with the attempts they bear, to be taken again after *delay*
        seconds."""
        ...

    async def bury(self, job: Job) -> None:
        """Make a job a dead letter: kept, never taken again by itself."""
        ...

    async def renew(self, worker: str, lease: float) -> None:
        """Hold what *worker* has claimed for *lease* more seconds."""
        ...


class DeadLetters(Protocol):
    """Jobs that were given up: the side of the operator. Raises ``StoreError`` and nothing else.
    What is no dead letter (any more) is left as it is."""

    async def dead_letters(self) -> Sequence[Job]:
        """All of them, the oldest turn first."""
        ...

    async def revive(self, job: Job) -> None:
        """Deliver it after all, at once and with no attempt counted; behind what waits already."""
        ...

    async def drop(self, job: Job) -> None:
        """Forget it: it is not recalled any more either."""
        ...


class Receiver(Protocol):
    """Where a worker takes jobs of one kind: a memory, or the outbox behind a spool. Raises
    ``YYChatError`` where it has to be tried again."""

    async def remember(self, owner: Owner, *turns: Turn) -> None:
        """In this order; a turn with a known id changes nothing. Where this raises, the first ones
        may have arrived."""
        ...


Notice = Callable[[str, Literal["done", "retried", "dead"]], None]
"""Told the kind of every job, and what its delivery came to."""


class Woken:
    """An outbox that tells its worker of every put, so that it need not wait for a poll."""

    def __init__(self, outbox: Outbox, wake: Callable[[], None]) -> None:
        self._outbox, self._wake = outbox, wake

    async def put(self, job: Job) -> None:
        await self._outbox.put(job)
        self._wake()

    async def backlog(self) -> Backlog:
        return await self._outbox.backlog()


class OutboxWorker:
    """Takes jobs from an outbox to the memories they are for, by their kind.

    It lets jobs gather for *gather* seconds: a batch costs little more than one. Where more than
    *batch* are waiting, it goes on at once.
    Failures are retried with jittered, growing pauses; after *attempts* of them a job is buried.
    *notice* is told of each.
    """

    def __init__(
        self,
        outbox: Outbox,
        memories: Mapping[str, Receiver],
        *,
        name: str,
        attempts: int = 12,
        lease: float = 30.0,
        poll: float = 1.0,
        gather: float = 0.0,
        longest_pause: float = 60.0,
        batch: int = 64,
        notice: Notice = lambda _kind, _result: None,
    ) -> None:
        self._outbox, self._memories, self._name = outbox, memories, name
        self._attempts, self._lease, self._poll, self._batch = attempts, lease, poll, batch
        self._gather, self._longest_pause = gather, longest_pause
        self._notice = notice
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something was put: look at once instead of at the next poll."""
        self._wake.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            self._wake.clear()
            try:
                delivered = await self.deliver()
            except YYChatError as error:
                log.warning("outbox cannot be read: %s", error)
                delivered = 0
            if not delivered:
                await self._rest()
            elif delivered < self._batch:  # what was put meanwhile is little yet
                await asyncio.sleep(self._gather)

    async def flush(self, within: float) -> None:
        """Deliver what is waiting now, for at most *within* seconds."""
        try:
            async with asyncio.timeout(within):
                while await self.deliver():
                    pass
        except (TimeoutError, YYChatError) as error:
            log.warning("outbox left for the next start: %s", str(error) or "no time left")

    async def deliver(self) -> int:
        """Take one batch where it belongs; how many jobs were delivered or given back."""
        jobs = await self._outbox.claim(self._name, self._batch, self._lease)
        if not jobs:
            return 0
        lines: dict[tuple[str, str], list[Job]] = {}
        for job in jobs:
            lines.setdefault((job.kind, job.owner.key), []).append(job)
        with _heartbeat(lambda: self._outbox.renew(self._name, self._lease), self._lease / 3):
            return sum(await asyncio.gather(*map(self._deliver_line, lines.values())))

    async def _deliver_line(self, jobs: Sequence[Job]) -> int:
        """One owner's jobs; no other owner's have to wait for them to be acknowledged."""
        delivered = await self._deliver_in_order(jobs)
        try:
            await self._outbox.done(delivered)
        except YYChatError as error:  # the next claim gives them again
            log.warning("delivered jobs were not acknowledged: %s", error)
            return 0
        for job in delivered:
            self._notice(job.kind, "done")
        return len(jobs)

    async def _deliver_in_order(self, jobs: Sequence[Job]) -> list[Job]:
        """All at once, which costs little more than one; where that fails, one by one to see
        which it is."""
        if len(jobs) > 1 and await self._delivered(*jobs) is None:
            return list(jobs)
        delivered: list[Job] = []
        for position, job in enumerate(jobs):
            trouble = await self._delivered(job)
            if trouble is not None:
                await self._give_back(job, jobs[position + 1 :], trouble)
                break
            delivered.append(job)
        return delivered

    async def _delivered(self, job: Job, *more: Job) -> str | None:
        """Give jobs of one owner to their memory; None, or what went wrong, without any text of
        the turns'."""
        memory = self._memories.get(job.kind)
        if memory is None:
            return f"there is no memory called {job.kind} here"
        try:
            await memory.remember(job.owner, job.turn, *(other.turn for other in more))
        except YYChatError as error:
            return error.message
        except Exception as error:  # noqa: BLE001 - a bug that one turn meets is not its neighbours'
            if not more:
                log.error("a bug met job %s: %s", job.id, place_of(error))  # noqa: TRY400
            return "a bug"
        return None

    async def _give_back(self, failed: Job, untried: Sequence[Job], trouble: str) -> None:
        try:
            await self._returned(failed, untried, trouble)
        except YYChatError as error:  # they come back by themselves when the lease ends
            log.warning("undelivered jobs were not given back: %s", error)

    async def _returned(self, failed: Job, untried: Sequence[Job], trouble: str) -> None:
        pause = min(self._longest_pause, 0.2 * 2**failed.attempts) * random.uniform(0.5, 1.0)
        if failed.attempts >= self._attempts:
            log.error("job %s is now a dead letter: %s", failed.id, trouble)
            await self._outbox.bury(failed)
            self._notice(failed.kind, "dead")
            pause = 0.0
        else:
            await self._outbox.retry([failed], pause)
            self._notice(failed.kind, "retried")
        await self._outbox.retry([replace(j, attempts=j.attempts - 1) for j in untried], pause)

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._poll):
                await self._wake.wait()
        except TimeoutError:
            return
        await asyncio.sleep(self._gather)


@contextmanager
def _heartbeat(beat: Callable[[], Awaitable[None]], every: float) -> Iterator[None]:
    """Most deliveries end before the first beat is due: then there is no task for it."""

    async def keep_beating() -> None:
        while True:
            try:
                await beat()
            except YYChatError as error:
                log.warning("a lease on outbox jobs was not renewed: %s", error)
            await asyncio.sleep(every)

    beating: list[asyncio.Task[None]] = []
    first = asyncio.get_running_loop().call_later(
        every, lambda: beating.append(asyncio.create_task(keep_beating()))
    )
    try:
        yield
    finally:
        first.cancel()
        for task in beating:
            task.cancel()
