"""The outbox in the local SQLite file."""

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import msgspec

from ..owner import Kind, Owner
from ..sqlite import Database
from .base import Turn
from .erasures_sqlite import new_epoch, stays_erased
from .outbox import Backlog, Job

COLUMNS = "kind, tenant, owner_kind, owner, turn, attempts"
OF_KIND = "(:kind IS NULL OR kind = :kind)"


class SqliteOutbox:
    """Jobs as rows; a claim is a lease on a row. See ``Outbox`` for the promises."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float] = time.time,
        *,
        kind: str | None = None,
    ) -> None:
        self._database, self._clock, self._kind = database, clock, kind

    async def put(self, job: Job) -> None:
        now = self._clock()
        await self._database.write(lambda c: _put(c, job, now))

    async def claim(self, worker: str, limit: int, lease: float) -> Sequence[Job]:
        now, kind = self._clock(), self._kind
        if not await self._database.read(lambda c: _any_due(c, kind, worker, now)):
            return ()
        until = now + lease
        return await self._database.write(lambda c: _claim(c, kind, worker, limit, now, until))

    async def done(self, jobs: Iterable[Job]) -> None:
        ids = [(job.id,) for job in jobs]
        if ids:
            await self._database.write(
                lambda c: c.executemany("DELETE FROM outbox WHERE id = ?", ids)
            )

    async def retry(self, jobs: Sequence[Job], delay: float) -> None:
        due = self._clock() + delay
        rows = [(due, job.attempts, job.id) for job in jobs]
        if rows:
            await self._database.write(
                lambda c: c.executemany(
                    "UPDATE outbox SET due_at = ?, attempts = ?, lease_ends = 0 WHERE id = ?", rows
                )
            )

    async def bury(self, job: Job) -> None:
        await self._database.write(
            lambda c: c.execute(
                "UPDATE outbox SET dead = 1, lease_ends = 0 WHERE id = ?", (job.id,)
            )
        )

    async def renew(self, worker: str, lease: float) -> None:
        now = self._clock()
        await self._database.write(
            lambda c: c.execute(
                "UPDATE outbox SET lease_ends = :until"
                f" WHERE claimed_by = :worker AND lease_ends >= :now AND {OF_KIND}",
                {"until": now + lease, "worker": worker, "now": now, "kind": self._kind},
            )
        )

    async def backlog(self) -> Backlog:
        now = self._clock()
        waiting, dead, oldest = await self._database.read(
            lambda c: c.execute(
                "SELECT coalesce(sum(dead = 0), 0), coalesce(sum(dead), 0),"
                f" min(CASE WHEN dead = 0 THEN put_at END) FROM outbox WHERE {OF_KIND}",
                {"kind": self._kind},
            ).fetchone()
        )
        age = max(0.0, now - oldest) if oldest is not None else 0.0
        return Backlog(pending=waiting, dead=dead, oldest_seconds=age)

    async def dead_letters(self) -> Sequence[Job]:
        rows = await self._database.read(
            lambda c: c.execute(
                f"SELECT {COLUMNS} FROM outbox WHERE dead AND {OF_KIND}", {"kind": self._kind}
            ).fetchall()
        )
        return sorted(map(_job, rows), key=lambda job: job.turn.at)

    async def revive(self, job: Job) -> None:
        now = self._clock()
        await self._database.write(lambda c: _revive(c, job.id, now))

    async def drop(self, job: Job) -> None:
        await self._database.write(lambda c: _drop(c, job))


def pending_turns(
    connection: sqlite3.Connection, owner: Owner, kind: str, after: int = 0
) -> list[tuple[int, Turn]]:
    """The turns of *owner* that have not reached the memory *kind* yet, dead ones included, with
    their places in the outbox; only those behind place *after*."""
    rows = connection.execute(
        "SELECT seq, turn FROM outbox WHERE owner = ? AND seq > ? AND kind = ? ORDER BY seq",
        (owner.key, after, kind),
    )
    return [(seq, msgspec.msgpack.decode(turn, type=Turn)) for seq, turn in rows]


def _put(connection: sqlite3.Connection, job: Job, now: float) -> None:
    owner, turn = job.owner, job.turn
    if stays_erased(connection, owner, turn.at):
        return
    packed = msgspec.msgpack.encode(turn)
    connection.execute(
        "INSERT OR IGNORE INTO outbox"
        " (id, kind, tenant, owner_kind, owner, at, turn, put_at, due_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (job.id, job.kind, owner.tenant, owner.kind, owner.key, turn.at, packed, now, now),
    )


def _any_due(connection: sqlite3.Connection, kind: str | None, worker: str, now: float) -> bool:
    found = connection.execute(
        "SELECT 1 FROM outbox WHERE dead = 0 AND due_at <= :now"
        f" AND (lease_ends < :now OR claimed_by = :worker) AND {OF_KIND} LIMIT 1",
        {"worker": worker, "now": now, "kind": kind},
    )
    return found.fetchone() is not None


def _claim(
    connection: sqlite3.Connection,
    kind: str | None,
    worker: str,
    limit: int,
    now: float,
    until: float,
) -> list[Job]:
    """Due jobs that no earlier job of the same owner and memory stands before.

    A worker has one batch at a time, so what it still holds when it asks is a batch it lost.
    """
    rows = connection.execute(
        f"""
        UPDATE outbox SET claimed_by = :worker, lease_ends = :until, attempts = attempts + 1
        WHERE seq IN (
            SELECT seq FROM outbox AS job
            WHERE dead = 0 AND due_at <= :now AND (lease_ends < :now OR claimed_by = :worker)
              AND {OF_KIND}
              AND NOT EXISTS (
                SELECT 1 FROM outbox AS earlier
                WHERE earlier.owner = job.owner AND earlier.kind = job.kind
                  AND earlier.seq < job.seq AND earlier.dead = 0
                  AND (earlier.due_at > :now
                       OR (earlier.lease_ends >= :now AND earlier.claimed_by <> :worker)))
            ORDER BY seq LIMIT :limit)
        RETURNING seq, {COLUMNS}
        """,
        {"worker": worker, "until": until, "now": now, "limit": limit, "kind": kind},
    ).fetchall()
    return [_job(row[1:]) for row in sorted(rows)]


def _revive(connection: sqlite3.Connection, job_id: str, now: float) -> None:
    """As a new row: in its old place it would come before what may be in a worker's hands."""
    dead = connection.execute(
        "DELETE FROM outbox WHERE id = ? AND dead"
        " RETURNING id, kind, tenant, owner_kind, owner, at, turn",
        (job_id,),
    ).fetchone()
    if dead:
        connection.execute(
            "INSERT INTO outbox (id, kind, tenant, owner_kind, owner, at, turn, put_at, due_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*dead, now, now),
        )


def _drop(connection: sqlite3.Connection, job: Job) -> None:
    gone = connection.execute("DELETE FROM outbox WHERE id = ? AND dead", (job.id,)).rowcount
    if gone:
        new_epoch(connection, job.owner.key)


def _job(row: tuple[Any, ...]) -> Job:
    kind, tenant, owner_kind, owner, turn, attempts = row
    return Job(
        kind=kind,
        owner=Owner(tenant=tenant, kind=cast(Kind, owner_kind), digest=owner[1:]),
        turn=msgspec.msgpack.decode(turn, type=Turn),
        attempts=attempts,
    )
