"""The one SQLite file of an instance: a writer thread with group commit, readers, and migrations.

Kill -9 loses nothing that ``write`` returned for (WAL). Power loss can take the last
commits with ``synchronous=normal`` and none with ``full``
(https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

import asyncio
import math
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, cast

from .errors import ConfigurationError, StoreError

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

BUSY = 5.0  # seconds to wait for another process
SCRUB_BUSY = 0.2  # seconds to wait for readers before the log is emptied; answers wait as well
SCRUB_AGAIN = 1.0  # seconds until that is tried again
GROUP = 256  # the most writes that share one commit
BACKLOG = 20_000  # the most writes that may wait; beyond it the store counts as unavailable
READERS = 2
GROWN = 500  # rows changed, after which the log is brought into the file beside the writing
LONGEST_LOG = 4_000  # pages; beyond it the writer does that itself, and answers wait

MIGRATIONS: Sequence[str] = (
    """
    CREATE TABLE turns (
        seq          INTEGER PRIMARY KEY AUTOINCREMENT,
        id           TEXT NOT NULL UNIQUE,
        tenant       TEXT NOT NULL,
        owner        TEXT NOT NULL,
        at           REAL NOT NULL,
        user         TEXT NOT NULL,
        assistant    TEXT NOT NULL,
        engine       TEXT NOT NULL,
        vectors      BLOB,
        vector_model TEXT
    );
    CREATE INDEX turns_by_owner ON turns (owner, seq);
    CREATE INDEX turns_by_tenant ON turns (tenant);
    CREATE INDEX turns_by_age ON turns (at);
    CREATE TABLE erasures (
        whose TEXT PRIMARY KEY,
        at    REAL NOT NULL,
        epoch INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX erasures_by_epoch ON erasures (epoch);
    CREATE TABLE outbox (
        seq        INTEGER PRIMARY KEY AUTOINCREMENT,
        id         TEXT NOT NULL UNIQUE,
        kind       TEXT NOT NULL,
        tenant     TEXT NOT NULL,
        owner_kind TEXT NOT NULL,
        owner      TEXT NOT NULL,
        at         REAL NOT NULL,
        turn       BLOB NOT NULL,
        put_at     REAL NOT NULL,
        due_at     REAL NOT NULL,
        attempts   INTEGER NOT NULL DEFAULT 0,
        claimed_by TEXT,
        lease_ends REAL NOT NULL DEFAULT 0,
        dead       INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX outbox_by_owner ON outbox (owner, seq);
    """,
    """
    CREATE TABLE selections (
        place     TEXT NOT NULL,
        revision  INTEGER NOT NULL,
        selection BLOB NOT NULL,
        PRIMARY KEY (place, revision)
    ) WITHOUT ROWID;
    """,
    # Counts the changes of what mem0 has of an owner. It was made when first needed, once.
    """
    CREATE TABLE IF NOT EXISTS mem0_generations (
        owner      TEXT PRIMARY KEY,
        generation INTEGER NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE instances (
        instance     TEXT PRIMARY KEY,
        registration BLOB NOT NULL,
        seen         REAL NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE alerts (
        id       TEXT PRIMARY KEY,
        received REAL NOT NULL,
        entry    BLOB NOT NULL
    ) WITHOUT ROWID;
    """,
)


class Database:
    """Runs small functions on connections, off the event loop.

    Writes queue for one thread, which runs as many as are waiting inside one transaction; one
    that fails does not undo its neighbours, which may be run a second time for that. Nothing
    returns before the commit. Raises ``StoreError`` for everything SQLite can raise, and once
    closed.
    """

    def __init__(self, path: Path, *, synchronous: Literal["normal", "full"] = "normal") -> None:
        self._path = path
        self._synchronous = synchronous
        # Not queue.Queue, whose locks cost the event loop more than all else about a write does.
        self._waiting: queue.SimpleQueue[_Asked[Any] | None] = queue.SimpleQueue()
        self._reads: queue.SimpleQueue[_Asked[Any] | None] = queue.SimpleQueue()
        self._grown: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._opened: list[sqlite3.Connection] = []
        self._closed = False
        self._scrub_at = math.inf
        try:
            with suppress(OSError):  # there already, or SQLite says what is wrong with it
                path.touch(mode=0o600, exist_ok=False)  # its log gets the same mode
            self._writer = self._connect()
            _migrate(self._writer, path)
        except (StoreError, ConfigurationError):
            self._let_go()
            raise
        self._threads = [_thread("sqlite-write", self._write_forever)]
        self._threads += [_thread("sqlite-checkpoint", self._checkpoint_forever)]
        self._threads += [_thread(f"sqlite-read-{n}", self._read_forever) for n in range(READERS)]

    async def write(self, work: Work[T], *, scrub: bool = False) -> T:
        """Run *work* in the next group commit and return its result once that is durable.

        With *scrub*, what it deletes leaves the disk as well: at once, or as soon as nobody reads
        an older state. Cancelling the wait does not undo the work.
        """
        self._check_open()
        if self._waiting.qsize() >= BACKLOG:
            raise StoreError("the local store has too many writes waiting")
        write: _Asked[T] = _Asked(work, scrub=scrub)
        self._waiting.put(write)
        return await write.future

    async def scrub(self) -> None:
        """Let what earlier writes deleted leave the disk; see ``write``."""
        await self.write(lambda _: None, scrub=True)

    async def read(self, work: Work[T]) -> T:
        """Run *work* on a read connection."""
        self._check_open()
        read: _Asked[T] = _Asked(work)
        self._reads.put(read)
        return await read.future

    def close(self) -> None:
        """Commit what is waiting, then let go of the file. Blocks briefly; call it last."""
        if self._closed:
            return
        self._closed = True
        self._waiting.put(None)
        self._grown.put(False)
        for _ in range(READERS):
            self._reads.put(None)
        for thread in self._threads:
            thread.join(timeout=10)
        self._let_go()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("the local store is closed")

    def _let_go(self) -> None:
        for connection in self._opened:
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        with translated():
            connection = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False, timeout=BUSY
            )
            try:
                self._prepare(connection)
            except sqlite3.Error:
                connection.close()
                raise
        self._opened.append(connection)
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        _patiently(connection, "PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {LONGEST_LOG}")
        connection.execute("PRAGMA cache_size = -1024")
        connection.execute("PRAGMA secure_delete = ON")  # erased is erased

    def _read_forever(self) -> None:
        connection: sqlite3.Connection | None = None
        while (read := self._reads.get()) is not None:
            if not read.future.cancelled():
                try:
                    connection = connection or self._connect()
                except StoreError as error:
                    read.error = error
                else:
                    read.run(connection)
                _settle(read.loop, [read])
            del read  # with what it found: the next one may be long in coming

    def _checkpoint_forever(self) -> None:
        """A checkpoint waits for the disk twice; done by a commit, it lets an answer wait."""
        connection: sqlite3.Connection | None = None
        while self._grown.get():
            with suppress(StoreError, sqlite3.Error):  # the writer does it, sooner or later
                connection = connection or self._connect()
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def _write_forever(self) -> None:
        last, checkpointed = False, 0
        while not last:
            group, last = self._gather()
            if group:
                self._commit(group)
            if any(write.scrub for write in group):
                self._scrub_at = 0.0
            if self._scrub_at <= time.monotonic() or (last and self._scrub_at < math.inf):
                self._scrub(BUSY if last else SCRUB_BUSY)
            for loop in {write.loop for write in group}:
                _settle(loop, [write for write in group if write.loop is loop])
            if self._writer.total_changes - checkpointed >= GROWN:
                checkpointed = self._writer.total_changes
                self._grown.put(True)

    def _gather(self) -> tuple[list["_Asked[Any]"], bool]:
        """What waits, after waiting for something; and whether that is the last."""
        group: list[_Asked[Any]] = []
        with suppress(queue.Empty):
            write = self._waiting.get(timeout=None if self._scrub_at == math.inf else SCRUB_AGAIN)
            while write is not None:
                group.append(write)
                if len(group) == GROUP:
                    return group, False
                write = self._waiting.get_nowait()
            return group, True
        return group, False

    def _commit(self, group: list["_Asked[Any]"]) -> None:
        try:
            with translated():
                self._writer.execute("BEGIN IMMEDIATE")
                if not all(write.run(self._writer) for write in group):
                    self._writer.execute("ROLLBACK")
                    self._writer.execute("BEGIN IMMEDIATE")
                    for write in group:
                        _in_savepoint(self._writer, write)
                self._writer.execute("COMMIT")
        except StoreError as error:
            for write in group:
                write.error = error
            with suppress(sqlite3.Error):  # a full disk may have rolled it back already
                self._writer.execute("ROLLBACK")

    def _scrub(self, wait: float) -> None:
        """Empty the log, whose older pages still have what was deleted; again later if somebody
        reads it for longer than *wait* seconds."""
        busy = 1
        self._writer.execute(f"PRAGMA busy_timeout = {wait * 1000:.0f}")
        with suppress(sqlite3.Error):
            busy = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        self._writer.execute(f"PRAGMA busy_timeout = {BUSY * 1000:.0f}")
        self._scrub_at = time.monotonic() + SCRUB_AGAIN if busy else math.inf


class _Asked(Generic[T]):
    """A read or a write on its way: the work, who waits for it, and how it ended."""

    def __init__(self, work: Work[T], *, scrub: bool = False) -> None:
        self.work, self.scrub = work, scrub
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[T] = self.loop.create_future()
        self.result: T | None = None
        self.error: Exception | None = None

    def run(self, connection: sqlite3.Connection) -> bool:
        """Whether it went well."""
        try:
            self.result, self.error = self.work(connection), None
        except Exception as error:  # noqa: BLE001 - not handled here: handed to the one who waits
            self.error = error
        return self.error is None

    def settle(self) -> None:
        if self.future.done():  # its waiter was cancelled meanwhile
            return
        if isinstance(self.error, sqlite3.Error):
            self.error = _store_error(self.error)
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(cast(T, self.result))


def _thread(name: str, work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


def _in_savepoint(connection: sqlite3.Connection, write: _Asked[Any]) -> None:
    """So that it can fail alone. Not what is tried first: every page it changes is copied."""
    connection.execute("SAVEPOINT one")
    if not write.run(connection):
        connection.execute("ROLLBACK TO one")
    connection.execute("RELEASE one")


def _settle(loop: asyncio.AbstractEventLoop, asked: list[_Asked[Any]]) -> None:
    def settle_all() -> None:
        for each in asked:
            each.settle()

    with suppress(RuntimeError):  # the loop is gone, and with it everybody who waited
        loop.call_soon_threadsafe(settle_all)


@contextmanager
def translated() -> Iterator[None]:
    """Let no SQLite exception out of this module."""
    try:
        yield
    except sqlite3.Error as error:
        raise _store_error(error) from error


def _store_error(error: sqlite3.Error) -> StoreError:
    # The error's own text can quote values; its symbolic name cannot.
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return StoreError(f"the local store could not be used ({name})")


def _patiently(connection: sqlite3.Connection, statement: str) -> None:
    """For what SQLite refuses at once while other processes open or close the file."""
    ends = time.monotonic() + BUSY
    while True:
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > ends:
                raise
            time.sleep(0.01)
        else:
            return


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    with translated():
        _patiently(connection, "BEGIN IMMEDIATE")  # several processes may start at once
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise ConfigurationError(
                f"{path} was written by a newer version (schema {version}, "
                f"this one knows {len(MIGRATIONS)}); it is left untouched"
            )
        for script in MIGRATIONS[version:]:
            for statement in script.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
