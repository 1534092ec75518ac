"""Marks of erasures in the local SQLite file: what was answered before one stays erased."""

import logging
import sqlite3

from ..owner import Owner

log = logging.getLogger(__name__)

EVERYBODY = ""  # whose mark keeps the last epoch of those that were dropped

# With IN, SQLite would make a table of the two or three and drop it again, for every turn.
_OF = "coalesce((SELECT {} FROM erasures WHERE whose = ?), {})"
_EPOCH = f"SELECT max({', '.join([_OF.format('epoch', 0)] * 3)})"
_ERASED_AT = f"SELECT max({', '.join([_OF.format('at', -1)] * 2)})"


def marks_tenant(tenant: str) -> str:
    """Whose mark that is; owners' keys begin with another letter."""
    return f"t{tenant}"


def tenant_of(whose: str) -> str | None:
    """The tenant whose mark that is; None for an owner's."""
    return whose[1:] if whose.startswith("t") else None


def epoch(connection: sqlite3.Connection, owner: Owner) -> int:
    """Another one after every erasure that reached *owner*, and never one it had before."""
    whose = (owner.key, marks_tenant(owner.tenant), EVERYBODY)
    (latest,) = connection.execute(_EPOCH, whose).fetchone()
    return int(latest)


def erased_at(connection: sqlite3.Connection, owner: Owner) -> float:
    """When *owner* was last erased, in Unix time; before all times if never."""
    whose = (owner.key, marks_tenant(owner.tenant))
    (latest,) = connection.execute(_ERASED_AT, whose).fetchone()
    return float(latest)


def stays_erased(connection: sqlite3.Connection, owner: Owner, at: float) -> bool:
    """Whether a turn answered at *at* came before an erasure; says so, as clocks can be wrong."""
    return came_before(erased_at(connection, owner), owner, at)


def came_before(erasure: float, owner: Owner, at: float) -> bool:
    """The same for who knows when *owner*'s last erasure was."""
    if at <= erasure:
        log.warning("a turn of %s is dropped: an erasure is later than its answer", owner.key)
    return at <= erasure


def mark(connection: sqlite3.Connection, whose: str, now: float) -> None:
    connection.execute(
        "INSERT INTO erasures (whose, at, epoch)"
        " VALUES (?, ?, (SELECT coalesce(max(epoch), 0) + 1 FROM erasures))"
        " ON CONFLICT (whose) DO UPDATE SET at = excluded.at, epoch = excluded.epoch",
        (whose, now),
    )


def new_epoch(connection: sqlite3.Connection, whose: str) -> None:
    """Make warm indexes start over without erasing anything: nothing was answered before 0."""
    connection.execute(
        "INSERT INTO erasures (whose, at, epoch)"
        " VALUES (?, 0, (SELECT coalesce(max(epoch), 0) + 1 FROM erasures))"
        " ON CONFLICT (whose) DO UPDATE SET epoch = excluded.epoch",
        (whose,),
    )


def drop_marks(connection: sqlite3.Connection, before: float) -> None:
    """Let marks older than *before* go. Their last epoch becomes everybody's: an index that
    did not look since would else take the owner for one who never erased."""
    old = "FROM erasures WHERE at < ? AND whose <> ?"
    (last,) = connection.execute(f"SELECT max(epoch) {old}", (before, EVERYBODY)).fetchone()
    if last is None:
        return
    connection.execute(f"DELETE {old}", (before, EVERYBODY))
    connection.execute(
        "INSERT INTO erasures (whose, at, epoch) VALUES (?, 0, ?)"
        " ON CONFLICT (whose) DO UPDATE SET epoch = max(epoch, excluded.epoch)",
        (EVERYBODY, last),
    )
