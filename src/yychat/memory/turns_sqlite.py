"""Native turns in the local SQLite file."""

import sqlite3
import time
import zlib
from collections.abc import Callable
from typing import Any

import msgspec

from ..owner import Owner
from ..sqlite import Database
from .base import Turn
from .outbox_sqlite import pending_turns
from .turns import Look, StoredTurn, Vectors

KIND = "native"
TRIM_EVERY = 8  # turns, on average; an owner may exceed its bound by a few times as many
STRIDE = 500  # turns that expire in one transaction
COLUMNS = "seq, id, at, user, assistant, engine, vectors"


class SqliteTurns:
    """Turns as rows; an owner's epoch counts its erasures. See ``TurnStore`` for the promises."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database, self._clock = database, clock

    async def look(self, owner: Owner, *, epoch: int, after: int, mark: int = 0) -> Look:
        return await self._database.read(lambda c: _look(c, owner, epoch, after, mark))

    async def append(self, owner: Owner, turn: Turn, vectors: Vectors | None, *, keep: int) -> None:
        await self._database.write(lambda c: _append(c, owner, turn, vectors, keep))

    async def expire(self, before: float) -> int:
        expired = 0
        while True:  # in strides: a writer that has long work lets answers wait
            gone = await self._database.write(lambda c: _expire(c, before))
            expired += gone
            if gone < STRIDE:
                return expired

    async def newest(self, owner: Owner, limit: int) -> list[Turn]:
        return await self._database.read(lambda c: _newest(c, owner, limit))

    async def erase(self, owner: Owner) -> int:
        now = self._clock()
        return await self._database.write(lambda c: _erase(c, owner.tenant, [owner.key], now))

    async def erase_tenant(self, tenant: str) -> int:
        now = self._clock()
        return await self._database.write(lambda c: _erase_tenant(c, tenant, now))


def _look(connection: sqlite3.Connection, owner: Owner, epoch: int, after: int, mark: int) -> Look:
    connection.execute("BEGIN")  # one snapshot: a turn leaving the outbox is seen on one side
    try:
        current = _epoch(connection, owner)
        if current != epoch:
            after = mark = 0
        rows = connection.execute(
            f"SELECT {COLUMNS} FROM turns WHERE owner = ? AND seq > ? ORDER BY seq",
            (owner.key, after),
        )
        turns = [_stored(row) for row in rows]
        waiting = pending_turns(connection, owner, KIND, after=mark)
    finally:
        connection.execute("COMMIT")
    turns += [StoredTurn(turn, seq=None) for _, turn in waiting]
    return Look(epoch=current, turns=turns, mark=waiting[-1][0] if waiting else mark)


def _expire(connection: sqlite3.Connection, before: float) -> int:
    return connection.execute(
        "DELETE FROM turns WHERE seq IN (SELECT seq FROM turns WHERE at < ? LIMIT ?)",
        (before, STRIDE),
    ).rowcount


def _epoch(connection: sqlite3.Connection, owner: Owner) -> int:
    row = connection.execute("SELECT epoch FROM erasures WHERE owner = ?", (owner.key,)).fetchone()
    return row[0] if row else 0


def _append(
    connection: sqlite3.Connection, owner: Owner, turn: Turn, vectors: Vectors | None, keep: int
) -> None:
    inserted = connection.execute(
        "INSERT OR IGNORE INTO turns"
        " (id, tenant, owner, at, user, assistant, engine, vectors, vector_model)"
        " SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS"
        " (SELECT 1 FROM erasures WHERE owner = ? AND at >= ?)",
        (
            turn.id,
            owner.tenant,
            owner.key,
            turn.at,
            turn.user,
            turn.assistant,
            turn.engine,
            msgspec.msgpack.encode(vectors) if vectors else None,
            vectors.model if vectors else None,
            owner.key,
            turn.at,
        ),
    )
    # Counting an owner's rows for every turn would cost more than storing it. The turn's id
    # decides: by seq, an owner that takes turns with another might never have its own.
    if not inserted.rowcount or zlib.crc32(turn.id.encode()) % TRIM_EVERY:
        return
    connection.execute(
        "DELETE FROM turns WHERE owner = ? AND seq <= coalesce("
        "(SELECT seq FROM turns WHERE owner = ? ORDER BY seq DESC LIMIT 1 OFFSET ?), 0)",
        (owner.key, owner.key, keep),
    )


def _newest(connection: sqlite3.Connection, owner: Owner, limit: int) -> list[Turn]:
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM turns WHERE owner = ? ORDER BY seq DESC LIMIT ?", (owner.key, limit)
    )
    stored = [_stored(row).turn for row in rows]
    known = {turn.id for turn in stored}
    pending = pending_turns(connection, owner, KIND)
    waiting = [turn for _, turn in pending if turn.id not in known]
    # By time, not by place: a dead letter would be the newest for ever.
    return sorted(waiting[::-1] + stored, key=lambda turn: turn.at, reverse=True)[:limit]


def _erase(connection: sqlite3.Connection, tenant: str, owners: list[str], now: float) -> int:
    erased = 0
    for owner in owners:
        ids = connection.execute(
            "SELECT id FROM turns WHERE owner = :o UNION SELECT id FROM outbox WHERE owner = :o",
            {"o": owner},
        ).fetchall()
        connection.execute("DELETE FROM turns WHERE owner = ?", (owner,))
        connection.execute("DELETE FROM outbox WHERE owner = ?", (owner,))
        connection.execute(
            "INSERT INTO erasures (owner, tenant, at, epoch) VALUES (?, ?, ?, 1)"
            " ON CONFLICT (owner) DO UPDATE SET at = excluded.at, epoch = epoch + 1",
            (owner, tenant, now),
        )
        erased += len(ids)
    return erased


def _erase_tenant(connection: sqlite3.Connection, tenant: str, now: float) -> int:
    rows = connection.execute(
        "SELECT DISTINCT owner FROM turns WHERE tenant = :t"
        " UNION SELECT DISTINCT owner FROM outbox WHERE tenant = :t",
        {"t": tenant},
    )
    return _erase(connection, tenant, [row[0] for row in rows], now)


def _stored(row: tuple[Any, ...]) -> StoredTurn:
    seq, turn_id, at, user, assistant, engine, vectors = row
    return StoredTurn(
        turn=Turn(id=turn_id, at=at, user=user, assistant=assistant, engine=engine),
        seq=seq,
        vectors=msgspec.msgpack.decode(vectors, type=Vectors) if vectors else None,
    )
