"""The ledger that instances share, in Redis; and around it what an instance's spool still has.

The generation is the field ``mem0`` of an owner's ``meta``; see redis_layout.py.
"""

import time
from collections.abc import Callable
from typing import Any

import msgspec

from ..errors import StoreError
from ..owner import Owner
from ..redis_link import RedisLink
from . import redis_layout as layout
from .base import Turn
from .mem0_ledger import Ledger, Standing
from .outbox_redis import MEM0
from .turns_redis import PATIENT, seed

_turn = msgspec.msgpack.Decoder(Turn)


class RedisLedger:
    """See ``Ledger`` for the promises."""

    def __init__(self, link: RedisLink, clock: Callable[[], float] = time.time) -> None:
        self._link, self._clock = link, clock

    async def look(self, owner: Owner) -> Standing:
        async def ask(redis: Any) -> list[Any]:
            pipeline = redis.pipeline(transaction=True)
            _ask_marks(pipeline, owner)
            pipeline.hgetall(MEM0.pending(owner.key))
            answers: list[Any] = await pipeline.execute()
            return answers

        (generation, own), tenants, pending = await self._link.ask(ask)
        erased_at = _latest(own, tenants)
        waiting = _waiting(pending, erased_at)
        return Standing(int(generation or 0), waiting, erased_at)

    async def erased_at(self, owner: Owner) -> float:
        async def ask(redis: Any) -> list[Any]:
            pipeline = redis.pipeline(transaction=False)
            _ask_marks(pipeline, owner)
            answers: list[Any] = await pipeline.execute()
            return answers

        (_, own), tenants = await self._link.ask(ask, within=PATIENT)
        return _latest(own, tenants)

    async def changed(self, owner: Owner) -> None:
        meta = layout.of_owner("meta", owner.key)

        async def both(redis: Any) -> None:
            pipeline = redis.pipeline(transaction=True)
            # From a random number on: were Redis emptied, a count could come a second time.
            pipeline.hsetnx(meta, "mem0", seed())
            pipeline.hincrby(meta, "mem0", 1)
            await pipeline.execute()

        await self._link.ask(both, within=PATIENT)

    async def erase(self, owner: Owner) -> int:
        return await self._erase(owner.key, self._clock())

    async def erase_tenant(self, tenant: str) -> int:
        now = self._clock()

        async def mark(redis: Any) -> Any:
            pipeline = redis.pipeline(transaction=False)
            for partition in range(layout.PARTITIONS):
                pipeline.hset(layout.erased(partition), tenant, now)
            pipeline.smembers(layout.owners(tenant))
            return (await pipeline.execute())[-1]

        owners = await self._link.ask(mark, within=PATIENT)
        return sum([await self._erase(owner.decode(), now) for owner in owners])

    async def _erase(self, owner: str, at: float) -> int:
        partition = layout.partition_of(owner)
        keys = [
            layout.of_owner("meta", owner),
            MEM0.of_owner("turns", owner),  # there are none: mem0 has them
            MEM0.of_owner("order", owner),
            MEM0.pending(owner),
            MEM0.outbox(partition),
            MEM0.dead(partition),
            MEM0.states(partition),
        ]
        arguments: list[float | str] = [at, seed(), layout.GROUP]
        return int(await self._link.run(layout.ERASE, keys, arguments, within=PATIENT))


class SpooledLedger:
    """*shared*, and what this instance's *spool* still has while *behind*. An erasure is noted in
    both; while *shared* is away, what the spool knows is all there is."""

    def __init__(self, shared: Ledger, spool: Ledger, behind: Callable[[], bool]) -> None:
        self._shared, self._spool, self._behind = shared, spool, behind

    async def look(self, owner: Owner) -> Standing:
        # The spool first: a turn on its way from there to Redis is then seen at least once.
        local = await self._spool.look(owner)
        waiting = local.waiting if self._behind() else ()
        try:
            shared = await self._shared.look(owner)
        except StoreError:
            return Standing(0, waiting, local.erased_at, degraded=True)
        both = {turn.id: turn for turn in (*shared.waiting, *waiting)}
        at = max(shared.erased_at, local.erased_at)
        return Standing(
            generation=shared.generation,
            waiting=tuple(turn for turn in both.values() if turn.at > at),
            erased_at=at,
        )

    async def erased_at(self, owner: Owner) -> float:
        return max(await self._spool.erased_at(owner), await self._shared.erased_at(owner))

    async def changed(self, owner: Owner) -> None:
        await self._shared.changed(owner)

    async def erase(self, owner: Owner) -> int:
        return await self._spool.erase(owner) + await self._shared.erase(owner)

    async def erase_tenant(self, tenant: str) -> int:
        return await self._spool.erase_tenant(tenant) + await self._shared.erase_tenant(tenant)


def _ask_marks(pipeline: Any, owner: Owner) -> None:
    pipeline.hmget(layout.of_owner("meta", owner.key), "mem0", "erased_at")
    pipeline.hget(layout.erased(layout.partition_of(owner.key)), owner.tenant)


def _latest(*marks: bytes | None) -> float:
    return max(float(mark or 0.0) for mark in marks)


def _waiting(pending: dict[bytes, bytes], erased_at: float) -> tuple[Turn, ...]:
    """The turns in a hash of pending jobs, which names their places in the stream as well."""
    turns = [_turn.decode(raw) for job, raw in pending.items() if not job.startswith(b"@")]
    return tuple(turn for turn in turns if turn.at > erased_at)
