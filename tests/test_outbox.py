"""The outbox in SQLite keeps what every outbox promises."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from outbox_promises import OutboxPromises
from remembering import Clock
from yychat.memory.outbox_sqlite import SqliteOutbox
from yychat.sqlite import Database


class TestSqliteOutbox(OutboxPromises):
    @pytest.fixture
    def outbox(self, tmp_path: Path, clock: Clock) -> Iterator[SqliteOutbox]:
        database = Database(tmp_path / "yychat.db")
        yield SqliteOutbox(database, clock)
        database.close()

    @pytest.fixture
    def reopened(
        self, outbox: SqliteOutbox, tmp_path: Path, clock: Clock
    ) -> Iterator[SqliteOutbox]:
        database = Database(tmp_path / "yychat.db")
        yield SqliteOutbox(database, clock)
        database.close()
