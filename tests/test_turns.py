"""The store of turns in SQLite keeps what every store promises."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from remembering import Clock
from store_promises import StorePromises
from yychat.memory.outbox_sqlite import SqliteOutbox
from yychat.memory.turns_sqlite import SqliteTurns
from yychat.sqlite import Database


class TestSqliteTurns(StorePromises):
    @pytest.fixture
    def database(self, tmp_path: Path) -> Iterator[Database]:
        database = Database(tmp_path / "yychat.db")
        yield database
        database.close()

    @pytest.fixture
    def store(self, database: Database, clock: Clock) -> SqliteTurns:
        return SqliteTurns(database, clock)

    @pytest.fixture
    def outbox(self, database: Database, clock: Clock) -> SqliteOutbox:
        return SqliteOutbox(database, clock)
