"""Received alerts in the local SQLite file."""

import sqlite3
from collections.abc import Sequence

import msgspec

from ..sqlite import Database
from .inbox import KEPT, Entry, entry_of

_PUT = "INSERT OR REPLACE INTO alerts (id, received, entry) VALUES (?, ?, ?)"
_FORGET = """
DELETE FROM alerts WHERE id IN (
    SELECT id FROM alerts ORDER BY received DESC, id DESC LIMIT -1 OFFSET ?
)
"""
_NEWEST = "SELECT entry FROM alerts ORDER BY received DESC, id DESC LIMIT ?"


class SqliteInbox:
    """See ``Inbox`` for the promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, entries: Sequence[Entry]) -> None:
        rows = [(entry.id, entry.received, msgspec.json.encode(entry)) for entry in entries]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(_PUT, rows)
            connection.execute(_FORGET, (KEPT,))

        await self._database.write(work)

    async def newest(self, limit: int) -> list[Entry]:
        rows = await self._database.read(lambda c: c.execute(_NEWEST, (limit,)).fetchall())
        found = (entry_of(stored) for (stored,) in rows)
        return [entry for entry in found if entry is not None]
