"""What is known of an owner beside mem0 itself: what still waits, what was erased, what changed."""

import sqlite3
import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from ..owner import Owner
from ..sqlite import Database
from .base import Turn
from .erasures_sqlite import erased_at, mark, marks_tenant
from .outbox_sqlite import pending_turns

KIND = "mem0"


class Standing(msgspec.Struct, frozen=True):
    """How an owner stands. ``generation`` is another one after every change of what mem0 has, and 0
    where that is not known: then nothing is to be cached. ``waiting`` has not reached mem0 yet, the
    oldest first. Nothing answered until ``erased_at`` (Unix time) may be seen again.

    ``degraded``: the shared store was away, and this is what is known locally.
    """

    generation: int
    waiting: tuple[Turn, ...] = ()
    erased_at: float = 0.0
    degraded: bool = False


class Ledger(Protocol):
    """Raises ``StoreError`` and nothing else."""

    async def look(self, owner: Owner) -> Standing: ...

    async def erased_at(self, owner: Owner) -> float:
        """When the owner or its tenant was last erased; 0 for never."""
        ...

    async def changed(self, owner: Owner) -> None:
        """Note that what mem0 has of *owner* is another now."""
        ...

    async def erase(self, owner: Owner) -> int:
        """Note an erasure and forget what waits; how many turns that were."""
        ...

    async def erase_tenant(self, tenant: str) -> int:
        """The same for all owners of a tenant."""
        ...


class SqliteLedger:
    """In the instance's file."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database, self._clock = database, clock

    async def look(self, owner: Owner) -> Standing:
        return await self._database.read(lambda c: _look(c, owner))

    async def erased_at(self, owner: Owner) -> float:
        return await self._database.read(lambda c: erased_at(c, owner))

    async def changed(self, owner: Owner) -> None:
        await self._database.write(
            lambda c: c.execute(
                "INSERT INTO mem0_generations (owner, generation) VALUES (?, 1)"
                " ON CONFLICT (owner) DO UPDATE SET generation = generation + 1",
                (owner.key,),
            )
        )

    async def erase(self, owner: Owner) -> int:
        return await self._erase("owner", owner.key, marked=owner.key)

    async def erase_tenant(self, tenant: str) -> int:
        return await self._erase("tenant", tenant, marked=marks_tenant(tenant))

    async def _erase(self, column: str, value: str, *, marked: str) -> int:
        now = self._clock()

        def work(connection: sqlite3.Connection) -> int:
            mark(connection, marked, now)
            return connection.execute(
                f"DELETE FROM outbox WHERE {column} = ? AND kind = ?", (value, KIND)
            ).rowcount

        return await self._database.write(work, scrub=True)


def _look(connection: sqlite3.Connection, owner: Owner) -> Standing:
    found = connection.execute(
        "SELECT generation FROM mem0_generations WHERE owner = ?", (owner.key,)
    ).fetchone()
    return Standing(
        generation=found[0] if found else 0,
        waiting=tuple(turn for _, turn in pending_turns(connection, owner, KIND)),
        erased_at=erased_at(connection, owner),
    )
