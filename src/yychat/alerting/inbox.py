"""The alerts that were received, and the port they are kept behind."""

import logging
from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

log = logging.getLogger(__name__)

KEPT = 1_000  # entries

Result = Literal["done", "would", "refused"]


class Rollback(msgspec.Struct, frozen=True):
    """What an alert that asks for one came to, and why. ``weights`` are the shares that are or
    would be in force, ``revision`` the selection that was or would be changed."""

    result: Result
    engine: str
    why: str
    revision: int | None = None
    weights: dict[str, int] | None = None


class Entry(msgspec.Struct, frozen=True):
    """An alert as it was received last. ``id`` stays the same while nothing else came of it.
    Times are Unix time in seconds; ``ended`` is None while it fires."""

    id: str
    name: str
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    summary: str
    began: float
    ended: float | None
    received: float
    rollback: Rollback | None = None


class Inbox(Protocol):
    """About the last ``KEPT`` entries. Raises ``StoreError`` and nothing else."""

    async def put(self, entries: Sequence[Entry]) -> None:
        """Keep *entries*, each in the place of the one with its id."""
        ...

    async def newest(self, limit: int) -> list[Entry]:
        """The last *limit* that were received, newest first."""
        ...


def entry_of(stored: bytes) -> Entry | None:
    """What a store had; something else than an entry counts as nothing."""
    try:
        return msgspec.json.decode(stored, type=Entry)
    except msgspec.MsgspecError:
        log.error("a stored alert cannot be read")  # noqa: TRY400 - its text may quote it
        return None
