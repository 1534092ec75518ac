"""Memory in mem0: facts that a model extracts from turns, and until then the turns themselves."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from ..cache.base import Cache
from ..cache.memory import MemoryCache
from ..cache.tiered import Cached
from ..errors import StoreError
from ..owner import Owner
from .base import Recollection, Record, Turn
from .mem0_client import Fact, Mem0Client
from .mem0_erasing import erased, erased_tenant
from .mem0_ledger import KIND, Ledger

ENGINE = "mem0_proxy"
LONGEST_QUERY = 6_000  # characters; embedders refuse what is much longer
NEWEST = 3  # turns not extracted yet that a recall offers as they were said
SEARCH_WITHIN = 15.0  # seconds; a search that its asker left goes on, and has to end

Facts = tuple[Fact, ...]
Speaker = Literal["user", "assistant"]


def recalled_facts(
    l1: Cache | None = None, l2: Cache | None = None, *, ttl: float
) -> Cached[Facts]:
    """The cache of what mem0 found; *ttl* is in seconds."""
    return Cached(
        "mem0",
        encode=msgspec.msgpack.encode,
        decode=lambda raw: msgspec.msgpack.decode(raw, type=Facts),
        ttl=ttl,
        l1=MemoryCache() if l1 is None else l1,
        l2=l2,
    )


class Mem0Memory:
    """See ``Memory`` for the promises.

    mem0 is asked for one owner at a time, and what it gives is looked at again: ``strangers``
    counts what was somebody else's, and is dropped. What was erased stays so, whichever of mem0
    and the erasure came first.
    """

    name = KIND

    def __init__(self, client: Mem0Client, ledger: Ledger, cache: Cached[Facts]) -> None:
        self._client, self._ledger, self._cache = client, ledger, cache
        self.strangers = 0

    async def recall(self, owner: Owner, query: str, limit: int) -> Recollection:
        standing = await self._ledger.look(owner)
        degraded = standing.degraded
        facts: Sequence[Fact] = ()
        try:
            facts = await self._found(owner, query[:LONGEST_QUERY], limit, standing.generation)
        except StoreError:
            if not standing.waiting:
                raise
            degraded = True
        facts = [fact for fact in facts if fact.at > standing.erased_at]
        fresh = _fresh(standing.waiting, facts, (limit + 1) // 2)
        records = (*fresh, *map(_record, facts))[:limit]
        return Recollection(records=records, degraded=degraded)

    async def remember(self, owner: Owner, *turns: Turn) -> None:
        for turn in turns:
            await self._remember(owner, turn)

    async def _remember(self, owner: Owner, turn: Turn) -> None:
        since = await self._ledger.erased_at(owner)
        if turn.at <= since:
            return
        if not await self._client.has(owner.key, turn.id):
            await self._client.add(owner.key, owner.tenant, turn, since=since)
        if turn.at <= await self._ledger.erased_at(owner):  # while mem0 was at it
            await self._client.delete(owner.key, turn.id)
        await self._ledger.changed(owner)

    async def listing(self, owner: Owner, limit: int) -> list[Record]:
        standing = await self._ledger.look(owner)
        facts = self._own(owner, await self._client.listing(owner.key))
        kept = [fact for fact in facts if fact.at > standing.erased_at]
        records = [*map(_record, kept), *_unless_extracted(standing.waiting, kept)]
        return sorted(records, key=lambda record: record.at, reverse=True)[:limit]

    async def erase(self, owner: Owner) -> int:
        return await erased(self._ledger, self._client, owner)

    async def erase_tenant(self, tenant: str) -> int:
        """The same for everybody of *tenant*."""
        return await erased_tenant(self._ledger, self._client, tenant)

    async def probe(self) -> None:
        """Raises ``StoreError`` where mem0 could not be used; makes it ready where it is not."""
        await self._client.probe()

    async def close(self) -> None:
        await self._cache.close()
        await self._client.close()

    async def _found(self, owner: Owner, query: str, limit: int, generation: int) -> Facts:
        async def load() -> Facts:
            try:
                async with asyncio.timeout(SEARCH_WITHIN):
                    found = await self._client.search(owner.key, query, limit)
            except TimeoutError as error:
                raise StoreError("mem0 did not answer in time") from error
            return tuple(self._own(owner, found))

        if not generation:
            return await load()
        key = (owner.key, query, str(limit))
        return await self._cache.get(key, load, generation=generation)

    def _own(self, owner: Owner, facts: Iterable[Fact]) -> list[Fact]:
        given = list(facts)
        own = [fact for fact in given if fact.owner == owner.key]
        self.strangers += len(given) - len(own)
        return own


def _fresh(waiting: Sequence[Turn], facts: Sequence[Fact], limit: int) -> list[Record]:
    newest = sorted(waiting, key=lambda turn: turn.at)[-NEWEST:]
    return _unless_extracted(newest, facts)[::-1][:limit]


def _unless_extracted(turns: Sequence[Turn], facts: Sequence[Fact]) -> list[Record]:
    """The turns as records, without those whose facts are there before the outbox knows it."""
    extracted = {fact.job for fact in facts}
    return [record for turn in turns if turn.id not in extracted for record in _spoken(turn)]


def _spoken(turn: Turn) -> list[Record]:
    said: list[tuple[Speaker, str]] = [("user", turn.user), ("assistant", turn.assistant)]
    return [
        Record(id=f"{turn.id}.{role}", text=text, at=turn.at, engine=turn.engine, role=role)
        for role, text in said
        if text
    ]


def _record(fact: Fact) -> Record:
    return Record(id=fact.id, text=fact.text, at=fact.at, engine=ENGINE, score=fact.score)
