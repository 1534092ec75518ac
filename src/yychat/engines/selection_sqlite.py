"""The selection in the local SQLite file: shared by its processes, or the last one known of Redis.

The two never mix: an instance that joins others must not bring along what it alone had decided.
"""

import sqlite3
from typing import Literal

import msgspec

from ..sqlite import Database
from .selection import KEPT, Selection, stored_selection

Place = Literal["local", "redis"]

_PUT = "INSERT OR REPLACE INTO selections (place, revision, selection) VALUES (?, ?, ?)"
_NEWEST = (
    "SELECT revision, selection FROM selections WHERE place = ? ORDER BY revision DESC LIMIT ?"
)
_FORGET = "DELETE FROM selections WHERE place = ? AND revision <= ?"


class SqliteSelections:
    """See ``SelectionStore`` and ``LastKnown`` for the promises; processes find out by asking."""

    def __init__(self, database: Database, place: Place = "local") -> None:
        self._database, self._place = database, place

    async def read(self) -> Selection | None:
        return next(iter(await self.history(1)), None)

    async def propose(self, selection: Selection) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            newest = connection.execute(_NEWEST, (self._place, 1)).fetchone()
            if newest and newest[0] >= selection.revision:
                return False
            self._put(connection, selection)
            return True

        return await self._database.write(work)

    async def keep(self, selection: Selection) -> None:
        await self._database.write(lambda connection: self._put(connection, selection))

    async def history(self, limit: int) -> list[Selection]:
        rows = await self._database.read(
            lambda connection: connection.execute(_NEWEST, (self._place, limit)).fetchall()
        )
        found = (stored_selection(selection) for _, selection in rows)
        return [selection for selection in found if selection is not None]

    def _put(self, connection: sqlite3.Connection, selection: Selection) -> None:
        row = (self._place, selection.revision, msgspec.json.encode(selection))
        connection.execute(_PUT, row)
        connection.execute(_FORGET, (self._place, selection.revision - KEPT))
