"""The registered processes in the local SQLite file: those of one data folder."""

import sqlite3
import time
from collections.abc import Callable

import msgspec

from ..sqlite import Database
from .registry import DEAD_AFTER, Instance, Registration, registration_of

_KNOWN = "SELECT registration, seen FROM instances WHERE instance = ?"
_PUT = "INSERT OR REPLACE INTO instances (instance, registration, seen) VALUES (?, ?, ?)"
_LEAVE = "DELETE FROM instances WHERE instance = ? AND registration = ?"
_FORGET = "DELETE FROM instances WHERE instance = ?"
_EVERYBODY = "SELECT registration, seen FROM instances ORDER BY instance"


class SqliteInstances:
    """See ``InstanceRegistry`` for the promises."""

    def __init__(
        self,
        database: Database,
        *,
        dead_after: float = DEAD_AFTER,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database, self._dead_after, self._clock = database, dead_after, clock

    async def beat(self, registration: Registration) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            now = self._clock()
            known = connection.execute(_KNOWN, (registration.instance,)).fetchone()
            if known and now - known[1] < self._dead_after:
                other = registration_of(known[0])
                if other is not None and other.address != registration.address:
                    return False
            stored = msgspec.json.encode(registration)
            connection.execute(_PUT, (registration.instance, stored, now))
            return True

        return await self._database.write(work)

    async def leave(self, registration: Registration) -> None:
        row = (registration.instance, msgspec.json.encode(registration))
        await self._database.write(lambda connection: connection.execute(_LEAVE, row).rowcount)

    async def forget(self, instance: str) -> bool:
        return await self._database.write(
            lambda connection: connection.execute(_FORGET, (instance,)).rowcount > 0
        )

    async def everybody(self) -> list[Instance]:
        rows = await self._database.read(lambda c: c.execute(_EVERYBODY).fetchall())
        now = self._clock()
        read = ((registration_of(stored), max(0.0, now - seen)) for stored, seen in rows)
        return [Instance(known, silent) for known, silent in read if known is not None]
