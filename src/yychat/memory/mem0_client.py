"""What Mem0Memory asks of mem0, in this process or anywhere else; and what comes back."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from .base import Turn


class Fact(msgspec.Struct, frozen=True):
    """One memory of mem0's. ``job`` is the turn it was extracted from, ``at`` when that was
    answered (Unix time)."""

    id: str
    text: str
    owner: str
    at: float
    job: str = ""
    score: float = 0.0


class Mem0Client(Protocol):
    """Facts by owner; *owner* is always an ``Owner.key``, and nothing a caller wrote.

    Raises ``StoreError`` and nothing else. Every call ends by itself.
    """

    async def search(self, owner: str, query: str, limit: int) -> Sequence[Fact]:
        """The facts that bear on *query*, best first."""
        ...

    async def listing(self, owner: str) -> Sequence[Fact]:
        """All facts, in no order."""
        ...

    async def add(self, owner: str, tenant: str, turn: Turn, *, since: float) -> None:
        """Extract facts from *turn* and store all of them or none; no word that was said before
        *since* takes part."""
        ...

    async def has(self, owner: str, job: str) -> bool:
        """Whether facts of that turn are stored."""
        ...

    async def delete(self, owner: str, job: str | None = None) -> int:
        """Forget the facts of one turn, or all, and what they were extracted from; of how many
        turns they were."""
        ...

    async def delete_tenant(self, tenant: str) -> int:
        """Forget all facts of all owners of a tenant; of how many turns they were."""
        ...

    async def probe(self) -> None:
        """Raises where something would keep the others from working."""
        ...

    async def close(self) -> None: ...


def fact(row: Any) -> Fact:
    """A row of mem0's results. Raises ``TypeError``, ``KeyError`` or ``ValueError`` for others."""
    ours = row.get("metadata") or {}
    return Fact(
        id=str(row["id"]),
        text=str(row["memory"]),
        owner=str(row["user_id"]),
        at=float(ours["at"]),
        job=str(ours["job"]),
        score=float(row.get("score") or 0.0),
    )
