"""The store of turns in SQLite keeps what every store promises."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from remembering import Clock, job, owner, turn
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

    @pytest.mark.parametrize("how", ["an owner", "a tenant", "an age"])
    async def test_erased_and_expired_words_are_on_the_disk_no_more(
        self, store: SqliteTurns, outbox: SqliteOutbox, tmp_path: Path, how: str
    ) -> None:
        for n in range(20):
            about = turn(f"my lamp {n} is crimson", "crimson " * 500 * (n % 3))
            await outbox.put(job(about))
            await outbox.put(job(turn("my hat is crimson")))
            (claimed, *_) = await outbox.claim("worker", 1, 30.0)
            await store.append(owner(), (about, None), keep=5)
            await outbox.bury(claimed)
        assert b"crimson" in written(tmp_path)
        if how == "an owner":
            await store.erase(owner())
        elif how == "a tenant":
            await store.erase_tenant("acme")
        else:
            while claimed_ := await outbox.claim("worker", 100, 30.0):
                for each in claimed_:
                    await outbox.bury(each)
            await store.expire(before=1_000.0)
        assert b"crimson" not in written(tmp_path)

    async def test_old_marks_of_erasures_do_not_pile_up(
        self, store: SqliteTurns, database: Database, clock: Clock
    ) -> None:
        for n in range(50):
            await store.erase(owner(f"stranger {n}"))
        clock.pass_(2 * 86_400.0)
        await store.erase(owner())
        await store.expire(before=0.0)
        (marks,) = await database.read(
            lambda c: c.execute("SELECT count(*) FROM erasures").fetchone()
        )
        assert marks == 2  # the young one, and one for all that went


def written(folder: Path) -> bytes:
    """All that is on the disk."""
    return b"".join(path.read_bytes() for path in folder.iterdir())
