"""The local SQLite file: many writers, failures that stay where they are, and schemas."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from yychat.errors import ConfigurationError, StoreError
from yychat.sqlite import BACKLOG, GROUP, GROWN, MIGRATIONS, READERS, Database, Work


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "yychat.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = Database(path)
    yield database
    database.close()


async def erased(database: Database) -> list[str]:
    """The owners in the table of erasures, which serves here as a place for rows."""
    rows = await database.read(
        lambda c: c.execute("SELECT whose FROM erasures ORDER BY at, whose").fetchall()
    )
    return [row[0] for row in rows]


def note(owner: str, at: float = 0.0) -> "Insert":
    return Insert(owner, at)


class Insert:
    """A write: one row; it returns the owner's name."""

    def __init__(self, owner: str, at: float) -> None:
        self._row = (owner, at, 1)

    def __call__(self, connection: sqlite3.Connection) -> str:
        connection.execute("INSERT INTO erasures VALUES (?, ?, ?)", self._row)
        return self._row[0]


def nothing(_connection: sqlite3.Connection) -> None:
    """A write that changes nothing."""


class Held:
    """A write that stays in the writer's hands until it is let go."""

    def __init__(self) -> None:
        self.begun, self._go = threading.Event(), threading.Event()

    def __call__(self, _connection: sqlite3.Connection) -> None:
        self.begun.set()
        assert self._go.wait(30)

    def let_go(self) -> None:
        self._go.set()


async def hold(database: Database) -> tuple[Held, "asyncio.Task[None]"]:
    """Everything written from now on waits until the returned write is let go."""
    held = Held()
    task = asyncio.create_task(database.write(held))
    await asyncio.to_thread(held.begun.wait, 30)
    return held, task


async def test_a_write_returns_what_its_work_returns(database: Database) -> None:
    assert await database.write(note("anna")) == "anna"


async def test_what_a_write_returned_for_is_seen_by_another_process(
    database: Database, path: Path
) -> None:
    await database.write(note("anna"))
    other = Database(path)
    try:
        assert await erased(other) == ["anna"]
    finally:
        other.close()


async def test_many_writes_at_once_each_get_their_own_result(database: Database) -> None:
    names = [f"user {n}" for n in range(3 * GROUP)]
    results = await asyncio.gather(*(database.write(note(name)) for name in names))
    assert results == names
    assert sorted(await erased(database)) == sorted(names)


async def test_writes_that_wait_together_are_done_in_their_order(database: Database) -> None:
    held, task = await hold(database)
    order: list[int] = []

    def noting(number: int) -> Callable[[sqlite3.Connection], None]:
        return lambda _connection: order.append(number)

    writes = [asyncio.create_task(database.write(noting(n))) for n in range(600)]
    await asyncio.sleep(0)
    held.let_go()
    await asyncio.gather(task, *writes)
    assert order == list(range(600))


async def test_writes_that_wait_together_share_a_commit(database: Database, path: Path) -> None:
    held, task = await hold(database)
    first = asyncio.create_task(database.write(note("first")))
    seen: list[list[str]] = []
    second = asyncio.create_task(database.write(lambda _: seen.append(outside(path))))
    await asyncio.sleep(0)
    held.let_go()
    await asyncio.gather(task, first, second)
    assert seen == [[]]  # in the middle of the second, the first was not yet committed


def outside(path: Path) -> list[str]:
    """What a connection of its own sees."""
    connection = sqlite3.connect(path)
    try:
        return [row[0] for row in connection.execute("SELECT whose FROM erasures")]
    finally:
        connection.close()


async def test_a_failing_write_does_not_undo_its_neighbours(database: Database) -> None:
    held, task = await hold(database)

    def spoil(connection: sqlite3.Connection) -> None:
        note("half done")(connection)
        note("anna")(connection)  # she is there already

    works: list[Work[object]] = [note("anna"), spoil, note("bob")]
    writes = [asyncio.create_task(database.write(work)) for work in works]
    await asyncio.sleep(0)
    held.let_go()
    await task
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert isinstance(results[1], StoreError)
    assert (results[0], results[2]) == ("anna", "bob")
    assert await erased(database) == ["anna", "bob"]


async def test_a_log_that_has_grown_reaches_the_file_though_nobody_writes_any_more(
    database: Database, path: Path
) -> None:
    await asyncio.gather(*(database.write(note(f"owner {n}")) for n in range(GROWN)))
    async with asyncio.timeout(10):
        while not in_file(path, b"owner 0"):  # noqa: ASYNC110 - files have no events
            await asyncio.sleep(0.01)


def in_file(path: Path, text: bytes) -> bool:
    return text in path.read_bytes()


async def test_an_error_of_the_work_itself_reaches_who_waits_for_it(database: Database) -> None:
    def fail(_connection: sqlite3.Connection) -> None:
        raise LookupError("not there")

    with pytest.raises(LookupError, match="not there"):
        await database.write(fail)
    assert await database.write(note("anna")) == "anna"


async def test_more_writes_than_may_wait_are_refused_at_once(database: Database) -> None:
    held, task = await hold(database)
    writes = [asyncio.create_task(database.write(nothing)) for _ in range(BACKLOG)]
    await asyncio.sleep(0)
    with pytest.raises(StoreError, match="too many"):
        await database.write(note("one too many"))
    held.let_go()
    await asyncio.gather(task, *writes)
    assert await erased(database) == []


async def test_a_write_whose_waiter_left_is_done_all_the_same(database: Database) -> None:
    held, task = await hold(database)
    left = asyncio.create_task(database.write(note("left")))
    await asyncio.sleep(0)
    stayed = asyncio.create_task(database.write(note("stayed", at=1.0)))
    await asyncio.sleep(0)
    left.cancel()
    held.let_go()
    await task
    async with asyncio.timeout(10):
        assert await stayed == "stayed"
    assert await erased(database) == ["left", "stayed"]


async def test_reads_do_not_wait_for_writes(database: Database) -> None:
    await database.write(note("anna"))
    held, task = await hold(database)
    assert await erased(database) == ["anna"]
    held.let_go()
    await task


async def hold_readers(database: Database) -> tuple[list[Held], list["asyncio.Task[None]"]]:
    """Everything read from now on waits until the returned reads are let go."""
    held = [Held() for _ in range(READERS)]
    tasks = [asyncio.create_task(database.read(each)) for each in held]
    for each in held:
        await asyncio.to_thread(each.begun.wait, 30)
    return held, tasks


async def test_a_read_whose_waiter_left_before_it_began_is_not_made(database: Database) -> None:
    held, tasks = await hold_readers(database)
    made: list[str] = []
    left = asyncio.create_task(database.read(lambda _: made.append("left")))
    stayed = asyncio.create_task(database.read(lambda _: made.append("stayed")))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.sleep(0)
    for each in held:
        each.let_go()
    await asyncio.gather(stayed, *tasks)
    assert made == ["stayed"]


async def test_an_error_of_a_read_reaches_who_waits_for_it(database: Database) -> None:
    def fail(_connection: sqlite3.Connection) -> None:
        raise LookupError("not there")

    with pytest.raises(LookupError, match="not there"):
        await database.read(fail)
    with pytest.raises(StoreError, match="SQLITE_ERROR"):
        await database.read(lambda c: c.execute("SELECT nothing FROM nowhere"))
    assert await erased(database) == []


async def test_a_loop_that_went_away_does_not_hurt_the_next_one(database: Database) -> None:
    def leave() -> None:
        async def write_and_go() -> None:
            task = asyncio.create_task(database.write(note("gone")))
            await asyncio.sleep(0)
            task.cancel()

        asyncio.run(write_and_go())

    held, task = await hold(database)
    await asyncio.to_thread(leave)
    held.let_go()
    await task
    assert await database.write(note("here")) == "here"


async def test_closing_finishes_what_waits(path: Path) -> None:
    database = Database(path)
    writes = [asyncio.create_task(database.write(note(f"{n}"))) for n in range(1_000)]
    await asyncio.sleep(0)
    database.close()
    assert len(await asyncio.gather(*writes)) == 1_000
    assert len(outside(path)) == 1_000


async def test_closing_finishes_the_reads_that_wait(path: Path) -> None:
    database = Database(path)
    await database.write(note("anna"))
    reads = [asyncio.create_task(erased(database)) for _ in range(100)]
    await asyncio.sleep(0)
    database.close()
    assert await asyncio.gather(*reads) == [["anna"]] * 100


async def test_a_closed_store_says_so(path: Path) -> None:
    database = Database(path)
    database.close()
    database.close()
    with pytest.raises(StoreError, match="closed"):
        await database.write(note("late"))
    with pytest.raises(StoreError, match="closed"):
        await erased(database)


# What was deleted


async def test_what_somebody_still_reads_is_scrubbed_once_they_are_done(
    database: Database, path: Path
) -> None:
    await database.write(note("anna"))
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN")
        other.execute("SELECT * FROM erasures").fetchall()
        await database.write(lambda c: c.execute("DELETE FROM erasures"), scrub=True)
        assert b"anna" in on_disk(path)
        assert await database.write(note("bob")) == "bob"  # nobody waits for that
        other.execute("COMMIT")
    finally:
        other.close()
    async with asyncio.timeout(10):
        while b"anna" in on_disk(path):  # noqa: ASYNC110 - files have no events
            await asyncio.sleep(0.01)


def on_disk(path: Path) -> bytes:
    return path.read_bytes() + path.with_name(f"{path.name}-wal").read_bytes()


# When the file cannot be used


def put_a_diary_in_place_of(path: Path) -> None:
    for file in list(path.parent.iterdir()):
        file.rename(file.with_name(f"moved-{file.name}"))
    path.write_text("this is somebody's diary" * 100)


async def test_a_new_file_is_for_nobody_else_to_read(database: Database, path: Path) -> None:
    await database.write(note("anna"))
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {f"yychat.db{part}": 0o600 for part in ("", "-wal", "-shm")}


async def test_a_connection_that_fails_is_not_left_open(database: Database, path: Path) -> None:
    put_a_diary_in_place_of(path)
    held = len(os.listdir("/dev/fd"))
    for _ in range(20):
        with pytest.raises(StoreError):
            await erased(database)
    assert len(os.listdir("/dev/fd")) == held


def test_a_file_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="CANTOPEN"):
        Database(tmp_path / "no such folder" / "yychat.db")


def test_a_file_that_is_no_database_is_a_store_error_and_left_alone(path: Path) -> None:
    path.write_text("this is somebody's diary" * 100)
    with pytest.raises(StoreError, match="NOTADB"):
        Database(path)
    assert path.read_text() == "this is somebody's diary" * 100


async def test_a_store_without_permission_to_write_is_a_store_error(
    database: Database,
) -> None:
    await database.write(lambda c: c.execute("PRAGMA query_only = 1"))
    with pytest.raises(StoreError, match="READONLY"):
        await database.write(note("anna"))


async def test_a_full_disk_is_a_store_error_that_quotes_nobody(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(database)
    with pytest.raises(StoreError) as caught:
        await database.write(note("my secret" * 100_000))
    assert "my secret" not in f"{caught.value!r}{caplog.text}"


async def test_a_full_disk_fails_the_writes_that_need_room_and_tells_each(
    database: Database,
) -> None:
    await fill(database)
    held, task = await hold(database)
    works = [note("x" * 1_000_000), note("y" * 1_000_000), note("small")]
    writes = [asyncio.create_task(database.write(work)) for work in works]
    await asyncio.sleep(0)
    held.let_go()
    await asyncio.wait([task])
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert [isinstance(each, StoreError) for each in results[:2]] == [True, True]
    told = [each for each in results if not isinstance(each, BaseException)]
    assert await erased(database) == told  # nobody hears of success without having it


async def test_a_store_works_again_once_there_is_room(database: Database) -> None:
    await fill(database)
    with pytest.raises(StoreError):
        await database.write(note("x" * 1_000_000))
    await database.write(lambda c: c.execute("PRAGMA max_page_count = 1000000"))
    await database.write(note("x" * 1_000_000))
    assert len(await erased(database)) == 1


async def test_a_store_that_another_process_holds_too_long_is_a_store_error(
    database: Database, path: Path
) -> None:
    await database.write(lambda c: c.execute("PRAGMA busy_timeout = 1"))
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="BUSY"):
            await database.write(note("anna"))
        other.execute("ROLLBACK")
        assert await database.write(note("anna")) == "anna"
    finally:
        other.close()


async def fill(database: Database) -> None:
    """Leave room for next to nothing more."""
    await database.write(
        lambda c: c.execute(
            f"PRAGMA max_page_count = {c.execute('PRAGMA page_count').fetchone()[0] + 4}"
        )
    )


# Schemas


def test_a_new_file_has_the_newest_schema(database: Database, path: Path) -> None:
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
    connection.close()


async def test_opening_again_keeps_what_is_there(path: Path) -> None:
    for name in ("anna", "bob"):
        database = Database(path)
        await database.write(note(name))
        database.close()
    assert outside(path) == ["anna", "bob"]


def test_a_newer_schema_is_refused_and_left_untouched(path: Path) -> None:
    Database(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="newer version"):
        Database(path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_processes_that_start_together_on_an_empty_file_all_come_up(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from yychat.sqlite import Database;"
        " print('ready', flush=True); sys.stdin.readline(); Database(Path(sys.argv[1])).close()"
    )
    starting = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in starting:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in starting:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in starting:
        process.communicate(timeout=30)
    assert [process.returncode for process in starting] == [0, 0, 0, 0]
