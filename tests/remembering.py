"""Turns, owners and clocks for the tests of memory."""

import itertools
from collections.abc import Sequence

import numpy as np

from yychat.errors import UpstreamUnreachable
from yychat.memory.base import Turn
from yychat.memory.embedder import Vector
from yychat.memory.outbox import Job
from yychat.owner import Kind, Owner, Owners

OWNERS = Owners(b"a secret that tests share")
_numbers = itertools.count(1)


class Clock:
    """Time that passes when a test says so."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


class Colours:
    """An embedder that knows three colours by their letters; ``down`` makes it fail."""

    def __init__(self, model: str = "colours") -> None:
        self.model, self.down = model, False

    async def embed(self, questions: Sequence[str], answers: Sequence[str] = ()) -> list[Vector]:
        if self.down:
            raise UpstreamUnreachable("the embedder is away")
        return [self._vector(text) for text in (*questions, *answers)]

    def _vector(self, text: str) -> Vector:
        hints = ("rot crimson", "gruen emerald", "blau azure")
        seen = [float(any(word in text for word in hint.split())) for hint in hints]
        return np.asarray([*seen, 0.1], dtype=np.float32)


def owner(given_id: str = "anna", *, tenant: str = "acme", kind: Kind = "user") -> Owner:
    return OWNERS.owner(tenant, kind, given_id)


def turn(
    user: str = "hello", assistant: str = "hi", *, at: float = 100.0, id: str | None = None
) -> Turn:
    """A turn of its own: every call gives another id."""
    given = id or f"turn-{next(_numbers)}"
    return Turn(id=given, at=at, user=user, assistant=assistant, engine="chat_engine")


def job(about: Turn, of: Owner | None = None, *, kind: str = "native") -> Job:
    return Job(kind=kind, owner=of or owner(), turn=about)


def ids(turns: Sequence[Turn]) -> list[str]:
    return [each.id for each in turns]
