"""Buckets in this process: all there is without Redis, and the stand-in while it is away."""

import time
from collections.abc import Callable, Sequence

from .budget import DEEPEST, Draw, Levels, leaked

Bucket = tuple[str, str]


class LocalBuckets:
    """There are as many buckets as keys with limits, two at most for each."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[Bucket, tuple[float, float]] = {}  # level, and when it stood there

    def draw(self, name: str, draws: Sequence[Draw]) -> Levels:
        now = self._clock()
        levels = [self._level(name, draw, now) for draw in draws]
        admitted = not any(d.wait(level) for d, level in zip(draws, levels, strict=True))
        if admitted:
            levels = [
                min(level + d.take, float(d.limit * DEEPEST))
                for d, level in zip(draws, levels, strict=True)
            ]
        self.follow(name, draws, levels)
        return Levels(admitted, levels)

    def follow(self, name: str, draws: Sequence[Draw], levels: Sequence[float]) -> None:
        """Take over how the buckets stand elsewhere, so as to go on from there."""
        now = self._clock()
        for draw, level in zip(draws, levels, strict=True):
            self._buckets[name, draw.kind] = (level, now)

    def _level(self, name: str, draw: Draw, now: float) -> float:
        level, at = self._buckets.get((name, draw.kind), (0.0, now))
        return leaked(level, draw.limit, now - at)
