"""Records in this process: all there are without Redis, and what is shown while Redis is away."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from .record import Record
from .store import EVERYBODY, KEEP, MOST, Seen, Window, newest_first

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Any, ...]).decode


class Ring:
    """See ``RecordStore`` for the promises; nothing of it outlives the process.

    Records are kept packed, in a third of the room; ten thousand are unpacked in a thread.
    """

    def __init__(self, most: int = MOST, clock: Callable[[], float] = time.time) -> None:
        self._packed: deque[bytes] = deque(maxlen=most)
        self._most, self._clock = most, clock
        self._erased: dict[str, float] = {}

    def put(self, record: Record) -> None:
        self._packed.append(_pack(record))

    async def learn(self, erasures: Mapping[str, float]) -> None:
        """Others have erased."""
        for whose, at in erasures.items():
            if at > self._erased.get(whose, 0.0):
                self._erased[whose] = at
                await self._forget(None if whose == EVERYBODY else whose, at)

    async def add(self, records: Sequence[Record]) -> None:
        self._packed.extend(map(_pack, records))

    async def newest(self, count: int, tenant: str | None = None) -> list[Record]:
        records = await self._records()
        seen = Seen(self._erased, tenant, self._clock() - KEEP)
        return newest_first(seen.new(records))[:count]

    async def since(self, at: float, tenant: str | None = None) -> Window:
        records = await self._records()
        at = max(at, self._clock() - KEEP)
        found = newest_first(Seen(self._erased, tenant, at).new(records))
        full = len(records) == self._most
        return Window(found, max(at, min(record.at for record in records)) if full else at)

    async def erase(self, tenant: str | None = None) -> int:
        at = self._clock()
        self._erased[EVERYBODY if tenant is None else tenant] = at
        return await self._forget(tenant, at)

    async def erasures(self) -> Mapping[str, float]:
        return dict(self._erased)

    async def _records(self) -> list[Record]:
        packed = list(self._packed)
        return await asyncio.to_thread(lambda: list(map(_unpack, packed)))

    async def _forget(self, tenant: str | None, at: float) -> int:
        def goes(record: Record) -> bool:
            return record.at <= at and tenant in (None, record.tenant)

        packed = list(self._packed)
        gone = await asyncio.to_thread(lambda: {each for each in packed if goes(_unpack(each))})
        before, kept = len(self._packed), [each for each in self._packed if each not in gone]
        self._packed = deque(kept, maxlen=self._most)  # with what has come meanwhile
        return before - len(kept)


def _pack(record: Record) -> bytes:
    return _encode(msgspec.structs.astuple(record))


def _unpack(packed: bytes) -> Record:
    return Record(*_decode(packed))
