"""Requests and tokens per minute: shared where there is a store for it, else in this process."""

import math
import time
from collections.abc import Callable, Sequence

from ..errors import RateLimited, StoreError
from .budget import DEEPEST, Buckets, Budget, Draw, Levels, Standing
from .headers import rate_headers
from .rates_local import LocalBuckets


class Rates:
    """Decides by *shared*; while that is away by this process alone, and fails nobody for it.

    ``local_decisions`` counts those: meanwhile each process goes on from where the shared buckets
    stood when it last asked, so several together may give more than the limit.
    """

    def __init__(
        self, shared: Buckets | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._shared, self._local = shared, LocalBuckets(clock)
        self.local_decisions = 0

    async def admit(self, budget: Budget) -> list[Standing]:
        """Take one request. Raises ``RateLimited``; then nothing is taken."""
        draws = budget.admission()
        if not draws:
            return []
        drawn = await self._draw(budget.name, draws)
        pairs = list(zip(draws, drawn.levels, strict=True))
        standings = [Standing(draw.kind, draw.limit, level) for draw, level in pairs]
        if not drawn.admitted:
            raise _refused(pairs, standings)
        return standings

    async def book(self, budget: Budget, tokens: int) -> None:
        """Count *tokens* that an answer has cost, over the limit or not."""
        if budget.tokens and tokens > 0:
            take = min(tokens, budget.tokens * DEEPEST)
            await self._draw(budget.name, [Draw("tokens", budget.tokens, take=take)])

    async def _draw(self, name: str, draws: Sequence[Draw]) -> Levels:
        if self._shared is None:
            return self._local.draw(name, draws)
        try:
            drawn = await self._shared.draw(name, draws)
        except StoreError:
            self.local_decisions += 1
            return self._local.draw(name, draws)
        self._local.follow(name, draws, drawn.levels)
        return drawn


def _refused(pairs: Sequence[tuple[Draw, float]], standings: Sequence[Standing]) -> RateLimited:
    wait, draw = max(((d.wait(level), d) for d, level in pairs), key=lambda found: found[0])
    return RateLimited(
        f"this key may use {draw.limit} {draw.kind} per minute;"
        f" come back in {max(1, math.ceil(wait))} s",
        retry_after=wait,
        headers=rate_headers(standings),
    )
