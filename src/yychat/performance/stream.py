"""Records of all instances, in one capped stream of Redis that expires when nobody adds to it.

yychat:v1:{performance}:records  stream  record (msgpack), about the last ten thousand
yychat:v1:{performance}:erased   hash    tenant, or * -> up to when its records were erased
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from ..redis_link import RedisLink
from .record import Record
from .store import EVERYBODY, KEEP, MOST, Seen, Window, newest_first

if TYPE_CHECKING:
    import redis.asyncio as redis

RECORDS = "yychat:v1:{performance}:records"
ERASED = "yychat:v1:{performance}:erased"

WITHIN = 1.0  # seconds for a question; no chat request waits for it
PAGE = 1_000
SKEW = 60.0  # seconds that Redis' clock may be behind an instance's

Entry = tuple[bytes, Mapping[bytes, bytes] | None]
Question = Callable[["redis.Redis"], Awaitable[Any]]

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)


class RedisRecords:
    """See ``RecordStore`` for the promises."""

    def __init__(
        self, link: RedisLink, *, most: int = MOST, clock: Callable[[], float] = time.time
    ) -> None:
        self._link, self._most, self._clock = link, most, clock

    async def add(self, records: Sequence[Record]) -> None:
        encoded = [_encoder.encode(record) for record in records]

        async def added(r: "redis.Redis") -> None:
            async with r.pipeline(transaction=True) as pipe:
                for record in encoded:
                    pipe.xadd(RECORDS, {"record": record}, maxlen=self._most, approximate=True)
                pipe.expire(RECORDS, KEEP)
                await pipe.execute()

        await self._ask(added)

    async def newest(self, count: int, tenant: str | None = None) -> list[Record]:
        seen = Seen(await self.erasures(), tenant, self._clock() - KEEP)
        found: list[Record] = []
        last = "+"
        while len(found) < count and (page := await self._page(last, "-")):
            found += seen.new(_records(page))
            last = _before(page)
        return newest_first(found)[:count]

    async def since(self, at: float, tenant: str | None = None) -> Window:
        at = max(at, self._clock() - KEEP)
        seen = Seen(await self.erasures(), tenant, at)
        found: list[Record] = []
        first, last = f"{max(0, int((at - SKEW) * 1000))}", "+"
        while page := await self._page(last, first):
            found += seen.new(_records(page))
            last = _before(page)
        return Window(newest_first(found), max(at, await self._oldest()))

    async def erase(self, tenant: str | None = None) -> int:
        await self._mark(EVERYBODY if tenant is None else tenant)
        return await (self._erase_all() if tenant is None else self._erase_of(tenant))

    async def erasures(self) -> Mapping[str, float]:
        stored = await self._ask(lambda r: r.hgetall(ERASED))
        return {whose.decode(): _moment(at) for whose, at in stored.items()}

    async def _erase_all(self) -> int:
        count: int = await self._ask(lambda r: r.xlen(RECORDS))
        await self._ask(lambda r: r.delete(RECORDS))
        return count

    async def _erase_of(self, tenant: str) -> int:
        last, count = "+", 0
        while page := await self._page(last, "-"):
            if theirs := [entry[0] for entry in page if _is_of(tenant, entry)]:
                count += await self._ask(partial(_delete, theirs))
            last = _before(page)
        return count

    async def _mark(self, whose: str) -> None:
        async def marked(r: "redis.Redis") -> None:
            async with r.pipeline(transaction=True) as pipe:
                pipe.hset(ERASED, whose, repr(self._clock()))
                pipe.expire(ERASED, KEEP)  # what is older is not shown anyhow
                await pipe.execute()

        await self._ask(marked)

    async def _page(self, last: str, first: str) -> list[Entry]:
        """The newest entries from *last* down to *first*."""
        found = await self._ask(lambda r: r.xrevrange(RECORDS, last, first, count=PAGE))
        return list(found or ())

    async def _oldest(self) -> float:
        """From when on all are there, in Unix time; 0 while none had to make room."""
        if await self._ask(lambda r: r.xlen(RECORDS)) < self._most:
            return 0.0
        entries = await self._ask(lambda r: r.xrange(RECORDS, count=1))
        return int(entries[0][0].partition(b"-")[0]) / 1000 if entries else 0.0

    async def _ask(self, question: Question) -> Any:
        return await self._link.ask(question, within=WITHIN)


async def _delete(ids: Sequence[bytes], r: "redis.Redis") -> int:
    return await r.xdel(RECORDS, *ids)


def _records(entries: Sequence[Entry]) -> list[Record]:
    """What can be read of them; a newer version's may say more, somebody else's nothing."""
    return [record for entry in entries if (record := _record(entry)) is not None]


def _record(entry: Entry) -> Record | None:
    try:
        return _decoder.decode((entry[1] or {}).get(b"record", b""))
    except msgspec.MsgspecError:
        return None


def _is_of(tenant: str, entry: Entry) -> bool:
    record = _record(entry)
    return record is not None and record.tenant == tenant


def _before(page: Sequence[Entry]) -> str:
    return f"({page[-1][0].decode()}"


def _moment(stored: bytes) -> float:
    try:
        return float(stored)
    except ValueError:
        return 0.0
