"""Native turns in Redis, shared by all instances."""

import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import msgspec

from ..errors import StoreError
from ..owner import Owner
from ..redis_link import RedisLink
from . import redis_layout as layout
from .base import Turn
from .outbox import Job
from .turns import Look, NewTurn, StoredTurn, Vectors

log = logging.getLogger(__name__)

PATIENT = 5.0  # seconds for what no chat request waits for: erasing, listing


class _Stored(msgspec.Struct):
    turn: Turn
    vectors: Vectors | None = None


class RedisTurns:
    """Turns as hash fields, ordered by a sorted set. See ``TurnStore`` for the promises.

    A look costs one short script; it answers with two numbers where nothing has changed.
    """

    def __init__(self, link: RedisLink, clock: Callable[[], float] = time.time) -> None:
        self._link, self._clock = link, clock

    async def look(self, owner: Owner, *, epoch: int, after: int, mark: int = 0) -> Look:
        keys = [layout.of_owner(what, owner.key) for what in ("meta", "turns", "order", "pending")]
        answer = await self._link.run(layout.LOOK, keys, [epoch, mark, after])
        return _look(answer)

    async def append(self, owner: Owner, *new: NewTurn, keep: int) -> None:
        keys = [layout.of_owner(what, owner.key) for what in ("meta", "turns", "order")]
        keys.append(layout.erased(layout.partition_of(owner.key)))

        async def both(redis: Any) -> None:
            pipeline = redis.pipeline(transaction=False)
            pipeline.sadd(layout.owners(owner.tenant), owner.key)
            for turn, vectors in new:
                stored = msgspec.msgpack.encode(_Stored(turn, vectors))
                arguments = [turn.id, stored, turn.at, keep, seed(), owner.tenant]
                pipeline.eval(layout.APPEND, len(keys), *keys, *arguments)
            if -1 in (await pipeline.execute())[1:]:
                tell_dropped(owner)

        await self._link.ask(both, within=PATIENT)

    async def expire(self, before: float) -> int:
        gone = 0
        async for owner in self._owners():
            keys = [layout.of_owner(what, owner) for what in ("meta", "turns", "order")]
            gone += int(await self._link.run(layout.EXPIRE, keys, [before], within=PATIENT))
        return gone + await self._expire_dead(before)

    async def _expire_dead(self, before: float) -> int:
        gone = 0
        for partition in range(layout.PARTITIONS):
            dead = layout.dead(partition)
            letters = await self._link.ask(lambda r, key=dead: r.hvals(key), within=PATIENT)  # type: ignore[misc]
            for job in map(stored_job, letters):
                if job.turn.at < before:
                    owner = job.owner.key
                    keys = [dead, *(layout.of_owner(what, owner) for what in ("pending", "meta"))]
                    gone += int(await self._link.run(layout.DROP, keys, [job.id], within=PATIENT))
        return gone

    async def newest(self, owner: Owner, limit: int) -> list[Turn]:
        look = await self.look(owner, epoch=-1, after=0)
        turns = {stored.turn.id: stored.turn for stored in look.turns}
        return sorted(turns.values(), key=lambda turn: turn.at, reverse=True)[:limit]

    async def erase(self, owner: Owner) -> int:
        return await self._erase(layout.ERASE, owner.key, self._clock())

    async def erase_tenant(self, tenant: str) -> int:
        now = self._clock()
        await self._link.ask(partial(_mark, tenant, now), within=PATIENT)
        owners = await self.owners_of(tenant)
        return sum([await self._erase(layout.ERASE, owner, now) for owner in owners])

    async def owners_of(self, tenant: str) -> list[str]:
        """The keys of all owners of *tenant* of whom something was ever stored."""
        members = await self._link.ask(lambda r: r.smembers(layout.owners(tenant)), within=PATIENT)
        return [_text(member) for member in members]

    async def erase_again(self, owner: str, at: float) -> int:
        """Erase what the owner's erasure at that time had reached, if anything brought it back."""
        return await self._erase(layout.ERASE_AGAIN, owner, at)

    async def _erase(self, script: str, owner: str, at: float) -> int:
        partition = layout.partition_of(owner)
        keys = [layout.of_owner(what, owner) for what in ("meta", "turns", "order", "pending")]
        keys += [layout.outbox(partition), layout.dead(partition), layout.states(partition)]
        return int(await self._link.run(script, keys, [at, seed(), layout.GROUP], within=PATIENT))

    async def _owners(self) -> AsyncIterator[str]:
        """Everybody of whom something is stored, a few hundred at a time."""
        cursor = 0
        while True:
            cursor, keys = await self._link.ask(
                lambda r, at=cursor: r.scan(at, match=layout.of_any("order"), count=500),  # type: ignore[misc]
                within=PATIENT,
            )
            for key in keys:
                yield _text(key).rpartition(":")[2]
            if cursor == 0:
                return


def seed() -> int:
    """Where a fresh owner's counters begin."""
    return secrets.randbelow(2**40) + 2**20


def tell_dropped(owner: Owner) -> None:
    """Clocks can be wrong: an operator has to be able to see it."""
    log.warning("a turn of %s is dropped: an erasure is later than its answer", owner.key)


async def _mark(tenant: str, now: float, redis: Any) -> None:
    pipeline = redis.pipeline(transaction=False)
    for partition in range(layout.PARTITIONS):
        pipeline.hset(layout.erased(partition), tenant, now)
    await pipeline.execute()


def stored_job(raw: bytes) -> Job:
    """Raises ``StoreError`` for anything that is no job."""
    try:
        return msgspec.msgpack.decode(raw, type=Job)
    except msgspec.DecodeError as error:
        raise StoreError("Redis holds something else where a job should be") from error


def _look(answer: Any) -> Look:
    if not isinstance(answer, list):
        raise StoreError("Redis holds something else where turns should be")
    try:
        epoch, mark = int(answer[0]), int(answer[1])
        if len(answer) == 2:
            return Look(epoch=epoch, turns=(), mark=mark)
        stored = [
            StoredTurn(turn=row.turn, seq=int(float(seq)), vectors=row.vectors)
            for seq, row in zip(answer[2], map(_row, answer[3]), strict=True)
        ]
        waiting = [StoredTurn(turn=turn, seq=None) for turn in map(_turn, answer[4])]
    except (msgspec.DecodeError, TypeError, ValueError, IndexError) as error:
        raise StoreError("Redis holds something else where turns should be") from error
    waiting.sort(key=lambda stored: stored.turn.at)
    return Look(epoch=epoch, turns=[*stored, *waiting], mark=mark)


def _row(raw: bytes) -> _Stored:
    return msgspec.msgpack.decode(raw, type=_Stored)


def _turn(raw: bytes) -> Turn:
    return msgspec.msgpack.decode(raw, type=Turn)


def _text(raw: Any) -> str:
    return raw.decode() if isinstance(raw, bytes) else str(raw)
