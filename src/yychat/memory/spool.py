"""Around a Redis that may be away: what cannot be put there waits in the local SQLite file.

The spool is an ordinary SQLite outbox whose worker delivers into the Redis outbox, in order per
owner, as soon as Redis is back. While anything of it is left, new turns queue behind it. Each
memory has a spool of its own, by the kind of its jobs, in one file.
"""

import asyncio
import logging
from collections.abc import Callable

from ..errors import StoreError
from ..owner import Owner
from ..redis_link import RedisLink
from .base import Turn
from .erasures_sqlite import tenant_of
from .outbox import Backlog, Job, Outbox, OutboxDoor, OutboxWorker
from .turns import Look, NewTurn
from .turns_redis import RedisTurns
from .turns_sqlite import SqliteTurns

log = logging.getLogger(__name__)


class SpooledOutbox:
    """Puts into *shared*, or while that is not possible into *spool*. See ``OutboxDoor``."""

    def __init__(self, shared: OutboxDoor, spool: Outbox) -> None:
        self._shared, self._spool = shared, spool
        self._behind = True  # what an earlier process left behind is not known yet
        self._putting = 0

    @property
    def behind(self) -> bool:
        """There are, or may be, turns in the spool."""
        return self._behind

    async def put(self, job: Job) -> None:
        if not self._behind:
            try:
                await self._shared.put(job)
            except StoreError:
                self._behind = True
            else:
                return
        self._putting += 1
        try:
            await self._spool.put(job)
        finally:
            self._putting -= 1

    async def backlog(self) -> Backlog:
        return await self._shared.backlog()

    def before(self, shared: OutboxDoor) -> None:
        """Put through *shared*, the same outbox by another door, from now on."""
        self._shared = shared

    async def replay(
        self,
        worker: OutboxWorker,
        link: RedisLink,
        turns: "SpooledTurns | None" = None,
        every: float = 0.5,
    ) -> None:
        """Empty the spool with *worker* whenever Redis is there, and with *turns* tell a Redis that
        has come back what was erased; until cancelled."""
        told = -1
        while True:
            try:
                if not link.degraded:
                    if told != link.transitions:
                        told = link.transitions
                        if turns is not None:
                            await turns.replay_erasures()
                    while await worker.deliver():
                        pass
                    await self._settle()
            except StoreError as error:
                log.debug("the spool waits: %s", error)
            await asyncio.sleep(every)

    async def _settle(self) -> None:
        """See whether the spool is empty, with nobody about to fill it."""
        if not self._putting and not (await self._spool.backlog()).pending:
            self._behind = self._putting > 0


class Resend:
    """Where a spool's worker takes its jobs: into the shared outbox. See ``Receiver``."""

    def __init__(self, kind: str, outbox: OutboxDoor) -> None:
        self._kind, self._outbox = kind, outbox

    async def remember(self, owner: Owner, *turns: Turn) -> None:
        for turn in turns:
            await self._outbox.put(Job(kind=self._kind, owner=owner, turn=turn))


class SpooledTurns:
    """Turns in *shared*, and those still in this instance's *spool*. See ``TurnStore``.

    While *shared* is away a look brings what the spool has and says ``degraded``. An erasure is
    noted locally as well: the log is replayed into a Redis that was restored from a backup.
    """

    def __init__(self, shared: RedisTurns, spool: SqliteTurns, behind: Callable[[], bool]) -> None:
        self._shared, self._spool, self._behind = shared, spool, behind

    async def look(self, owner: Owner, *, epoch: int, after: int, mark: int = 0) -> Look:
        # The spool first: a turn on its way from there to Redis is then seen at least once.
        waiting = (await self._spool.look(owner, epoch=-1, after=0)).turns if self._behind() else ()
        try:
            look = await self._shared.look(owner, epoch=epoch, after=after, mark=mark)
        except StoreError:
            return Look(epoch=epoch, turns=waiting, mark=mark, degraded=True)
        return Look(epoch=look.epoch, turns=[*look.turns, *waiting], mark=look.mark)

    async def append(self, owner: Owner, *new: NewTurn, keep: int) -> None:
        await self._shared.append(owner, *new, keep=keep)

    async def expire(self, before: float) -> int:
        return await self._shared.expire(before)

    async def newest(self, owner: Owner, limit: int) -> list[Turn]:
        both = await self._shared.newest(owner, limit) + await self._spool.newest(owner, limit)
        unique = {turn.id: turn for turn in both}
        return sorted(unique.values(), key=lambda turn: turn.at, reverse=True)[:limit]

    async def erase(self, owner: Owner) -> int:
        return await self._spool.erase(owner) + await self._shared.erase(owner)

    async def erase_tenant(self, tenant: str) -> int:
        return await self._spool.erase_tenant(tenant) + await self._shared.erase_tenant(tenant)

    async def replay_erasures(self) -> int:
        """Erase again in *shared* what this instance has ever erased; how many turns came back."""
        again = 0
        for whose, at in await self._spool.erasures():
            tenant = tenant_of(whose)
            owners = [whose] if tenant is None else await self._shared.owners_of(tenant)
            again += sum([await self._shared.erase_again(owner, at) for owner in owners])
        return again
