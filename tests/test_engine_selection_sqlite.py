"""The selection in the local file keeps what every store of it promises."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from selection_promises import SelectionPromises, selection
from yychat.engines.selection_sqlite import SqliteSelections
from yychat.sqlite import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "yychat.db")
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> SqliteSelections:
    return SqliteSelections(database)


class TestSqliteSelections(SelectionPromises):
    @pytest.fixture
    def other(self, tmp_path: Path, store: SqliteSelections) -> Iterator[SqliteSelections]:
        database = Database(tmp_path / "yychat.db")
        yield SqliteSelections(database)
        database.close()


async def test_what_was_decided_alone_is_not_what_redis_said(
    database: Database, store: SqliteSelections
) -> None:
    noted = SqliteSelections(database, "redis")
    await store.propose(selection(9))
    assert await noted.read() is None
    await noted.keep(selection(2))
    assert (await store.read(), await noted.read()) == (selection(9), selection(2))


async def test_the_note_of_a_revision_is_what_was_known_last(database: Database) -> None:
    noted = SqliteSelections(database, "redis")
    await noted.keep(selection(2, by="lost its race"))
    await noted.keep(selection(2, by="won"))
    assert await noted.read() == selection(2, by="won")


async def test_it_outlives_the_process(tmp_path: Path) -> None:
    first = Database(tmp_path / "of-two.db")
    await SqliteSelections(first).propose(selection(3))
    first.close()
    second = Database(tmp_path / "of-two.db")
    assert await SqliteSelections(second).read() == selection(3)
    second.close()


async def test_what_another_version_wrote_and_nobody_can_read_counts_as_nothing(
    database: Database, store: SqliteSelections
) -> None:
    row = ("local", 4, b"{}")
    await database.write(lambda c: c.execute("INSERT INTO selections VALUES (?, ?, ?)", row))
    assert await store.read() is None
    assert await store.propose(selection(5))
    assert await store.history(10) == [selection(5)]
