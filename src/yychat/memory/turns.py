"""Where native turns are kept: the port, and what a look at it brings."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from ..owner import Owner
from .base import Turn


class Vectors(msgspec.Struct, frozen=True):
    """The embeddings of a turn's two texts: float16, ``user`` first; empty text, empty bytes."""

    model: str
    user: bytes
    assistant: bytes


NewTurn = tuple[Turn, Vectors | None]


class StoredTurn(msgspec.Struct, frozen=True):
    """A turn and its place: ``seq`` grows in the order of storing; None while in the outbox."""

    turn: Turn
    seq: int | None
    vectors: Vectors | None = None


class Look(msgspec.Struct, frozen=True):
    """What is new since the last look. Another ``epoch`` means an erasure: start over.

    ``mark`` is the store's own note of how far this look reached beyond the stored turns; the
    next look gives it back and is spared what it saw. ``degraded`` says that the shared store was
    away: this is what is known locally.
    """

    epoch: int
    turns: Sequence[StoredTurn]
    mark: int = 0
    degraded: bool = False


class TurnStore(Protocol):
    """Verbatim turns by owner. Raises ``StoreError`` and nothing else."""

    async def look(self, owner: Owner, *, epoch: int, after: int, mark: int = 0) -> Look:
        """Turns stored after seq *after*, then those that came into the outbox after *mark*; all
        of both if the owner's epoch is not *epoch* any more."""
        ...

    async def append(self, owner: Owner, *new: NewTurn, keep: int) -> None:
        """Store turns, each once and in this order, and keep about the owner's newest *keep*; a
        turn answered before the last erasure of the owner or its tenant is dropped. Where this
        raises, the first ones may be stored."""
        ...

    async def expire(self, before: float) -> int:
        """Delete everybody's turns answered before *before* (Unix time), dead letters included;
        how many. What still waits is not touched, and what was erased stays so."""
        ...

    async def newest(self, owner: Owner, limit: int) -> list[Turn]:
        """The newest turns, newest first, those in the outbox included."""
        ...

    async def erase(self, owner: Owner) -> int:
        """Delete the owner's turns and queued jobs in one step; how many turns that were."""
        ...

    async def erase_tenant(self, tenant: str) -> int:
        """The same for everything a tenant has."""
        ...
