"""What a key may take per minute, and how it stands.

A limit is a bucket that leaks: what is taken is poured in, a minute's worth leaks out per minute,
and where it would run over is refused. So a rested key may take a minute's worth at once, and
after that as much as has leaked. Tokens are poured in when they are known, after the answer: the
bucket may then stand above its rim, and is refused from until that has leaked too.
"""

import math
from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

Kind = Literal["requests", "tokens"]

MINUTE = 60.0
# Minutes a bucket takes to run empty at most: an upstream that reports nonsense must not lock a
# key out for days.
DEEPEST = 60
CLOSE = 1e-9  # what sums of fractions may be off by


class Draw(msgspec.Struct, frozen=True):
    """Pour *take* into the bucket of one limit, if it stands no higher than *most* before."""

    kind: Kind
    limit: int
    take: float
    most: float = math.inf

    def wait(self, level: float) -> float:
        """Seconds until a bucket that stands at *level* has leaked enough."""
        over = level - self.most
        return 0.0 if over <= CLOSE else over * MINUTE / self.limit


class Budget(msgspec.Struct, frozen=True):
    """The limits of one key, per minute; None is no limit. ``name`` is the key's id."""

    name: str
    requests: int | None = None
    tokens: int | None = None

    def admission(self) -> list[Draw]:
        """What it takes to begin a request: one request, and a token left, whatever is to come."""
        draws = []
        if self.requests:
            draws.append(Draw("requests", self.requests, take=1, most=self.requests - 1))
        if self.tokens:
            draws.append(Draw("tokens", self.tokens, take=0, most=self.tokens - 1))
        return draws


class Standing(msgspec.Struct, frozen=True):
    """How one limit of a key stands; ``reset`` is seconds until nothing of it is used."""

    kind: Kind
    limit: int
    used: float

    @property
    def remaining(self) -> int:
        return max(0, math.floor(self.limit - self.used + CLOSE))

    @property
    def reset(self) -> float:
        return self.used * MINUTE / self.limit


class Levels(msgspec.Struct, frozen=True):
    """How high the buckets stand after a draw, in its order; nothing was poured if refused."""

    admitted: bool
    levels: Sequence[float]


class Buckets(Protocol):
    """Where buckets are kept. All draws of a call are made, or none. Raises ``StoreError``."""

    async def draw(self, name: str, draws: Sequence[Draw]) -> Levels: ...


def leaked(level: float, limit: int, seconds: float) -> float:
    """Where a bucket stands *seconds* later; a clock set back leaks nothing."""
    return max(0.0, level - max(0.0, seconds) * limit / MINUTE)
