"""Native turns in the local SQLite file."""

import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from ..owner import Owner
from ..sqlite import Database
from .base import Turn
from .erasures_sqlite import (
    EVERYBODY,
    came_before,
    drop_marks,
    epoch,
    erased_at,
    mark,
    marks_tenant,
)
from .outbox_sqlite import pending_turns
from .turns import Look, NewTurn, StoredTurn, Vectors

KIND = "native"
TRIM_EVERY = 8  # turns, on average; an owner may exceed its bound by a few times as many
STRIDE = 500  # turns that expire in one transaction
MARKED = 86_400.0  # seconds; no delivery is later than that
COLUMNS = "seq, id, at, user, assistant, engine, vectors"


class SqliteTurns:
    """Turns as rows. See ``TurnStore`` for the promises."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database, self._clock = database, clock

    async def look(self, owner: Owner, *, epoch: int, after: int, mark: int = 0) -> Look:
        return await self._database.read(lambda c: _look(c, owner, epoch, after, mark))

    async def append(self, owner: Owner, *new: NewTurn, keep: int) -> None:
        await self._database.write(lambda c: _append(c, owner, new, keep))

    async def expire(self, before: float) -> int:
        marked = self._clock() - MARKED
        await self._database.write(lambda c: drop_marks(c, marked))
        expired = 0
        while True:  # in strides: a writer that has long work lets answers wait
            gone = await self._database.write(lambda c: _expire(c, before))
            expired += gone
            if not gone:
                break
        if expired:
            await self._database.scrub()
        return expired

    async def newest(self, owner: Owner, limit: int) -> list[Turn]:
        return await self._database.read(lambda c: _newest(c, owner, limit))

    async def erase(self, owner: Owner) -> int:
        return await self._erase("owner", owner.key, marked=owner.key)

    async def erasures(self) -> list[tuple[str, float]]:
        """The log of erasures, oldest first: whose (``marks_tenant`` for a tenant) and when."""
        return await self._database.read(
            lambda c: c.execute(
                "SELECT whose, at FROM erasures WHERE whose <> ? AND at > 0 ORDER BY at",
                (EVERYBODY,),
            ).fetchall()
        )

    async def erase_tenant(self, tenant: str) -> int:
        return await self._erase("tenant", tenant, marked=marks_tenant(tenant))

    async def _erase(self, column: str, value: str, *, marked: str) -> int:
        now = self._clock()

        def work(connection: sqlite3.Connection) -> int:
            mark(connection, marked, now)
            return _erased(connection, column, value)

        return await self._database.write(work, scrub=True)


@contextmanager
def _snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is read is of one moment: a turn leaving the outbox is seen on one side."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")


def _look(connection: sqlite3.Connection, owner: Owner, seen: int, after: int, place: int) -> Look:
    with _snapshot(connection):
        current = epoch(connection, owner)
        if current != seen:
            after = place = 0
        rows = connection.execute(
            f"SELECT {COLUMNS} FROM turns WHERE owner = ? AND seq > ? ORDER BY seq",
            (owner.key, after),
        )
        turns = [_stored(row) for row in rows]
        waiting = pending_turns(connection, owner, KIND, after=place)
    turns += [StoredTurn(turn, seq=None) for _, turn in waiting]
    return Look(epoch=current, turns=turns, mark=waiting[-1][0] if waiting else place)


def _expire(connection: sqlite3.Connection, before: float) -> int:
    turns = connection.execute(
        "DELETE FROM turns WHERE seq IN (SELECT seq FROM turns WHERE at < ? LIMIT ?)",
        (before, STRIDE),
    )
    letters = connection.execute(
        "DELETE FROM outbox WHERE seq IN"
        " (SELECT seq FROM outbox WHERE dead = 1 AND at < ? LIMIT ?)",
        (before, STRIDE),
    )
    return turns.rowcount + letters.rowcount


def _append(
    connection: sqlite3.Connection, owner: Owner, new: Sequence[NewTurn], keep: int
) -> None:
    erasure = erased_at(connection, owner)
    kept = [_row(owner, each) for each in new if not came_before(erasure, owner, each[0].at)]
    connection.executemany(
        "INSERT OR IGNORE INTO turns"
        " (id, tenant, owner, at, user, assistant, engine, vectors, vector_model)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        kept,
    )
    # Counting an owner's rows for every turn would cost more than storing it. The turn's id
    # decides: by seq, an owner that takes turns with another might never have its own.
    if not any(zlib.crc32(row[0].encode()) % TRIM_EVERY == 0 for row in kept):
        return
    connection.execute(
        "DELETE FROM turns WHERE owner = ? AND seq <= coalesce("
        "(SELECT seq FROM turns WHERE owner = ? ORDER BY seq DESC LIMIT 1 OFFSET ?), 0)",
        (owner.key, owner.key, keep),
    )


def _row(owner: Owner, new: NewTurn) -> tuple[Any, ...]:
    turn, vectors = new
    return (
        turn.id,
        owner.tenant,
        owner.key,
        turn.at,
        turn.user,
        turn.assistant,
        turn.engine,
        msgspec.msgpack.encode(vectors) if vectors else None,
        vectors.model if vectors else None,
    )


def _newest(connection: sqlite3.Connection, owner: Owner, limit: int) -> list[Turn]:
    with _snapshot(connection):
        rows = connection.execute(
            f"SELECT {COLUMNS} FROM turns WHERE owner = ? ORDER BY seq DESC LIMIT ?",
            (owner.key, limit),
        )
        stored = [_stored(row).turn for row in rows]
        pending = pending_turns(connection, owner, KIND)
    known = {turn.id for turn in stored}
    waiting = [turn for _, turn in pending if turn.id not in known]
    # By time, not by place: a dead letter would be the newest for ever.
    return sorted(waiting[::-1] + stored, key=lambda turn: turn.at, reverse=True)[:limit]


def _erased(connection: sqlite3.Connection, column: str, value: str) -> int:
    (count,) = connection.execute(
        f"SELECT count(*) FROM (SELECT id FROM turns WHERE {column} = :value"
        f" UNION SELECT id FROM outbox WHERE {column} = :value AND kind = :kind)",
        {"value": value, "kind": KIND},
    ).fetchone()
    connection.execute(f"DELETE FROM turns WHERE {column} = ?", (value,))
    connection.execute(f"DELETE FROM outbox WHERE {column} = ? AND kind = ?", (value, KIND))
    return int(count)


def _stored(row: tuple[Any, ...]) -> StoredTurn:
    seq, turn_id, at, user, assistant, engine, vectors = row
    return StoredTurn(
        turn=Turn(id=turn_id, at=at, user=user, assistant=assistant, engine=engine),
        seq=seq,
        vectors=msgspec.msgpack.decode(vectors, type=Vectors) if vectors else None,
    )
