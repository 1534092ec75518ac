"""When to try again, and when to stop asking: backoff and a circuit breaker."""

import random
import time
from collections.abc import Callable
from typing import Literal

import msgspec

State = Literal["closed", "half_open", "open"]


class Backoff(msgspec.Struct, frozen=True):
    """Exponential pauses with full jitter over their upper half, in seconds."""

    retries: int = 2
    first: float = 0.25
    most: float = 4.0

    def pause(self, attempt: int, retry_after: float | None) -> float:
        """How long to wait after failed attempt number *attempt* (from 0). What the upstream
        asked for is kept, a little later rather than earlier."""
        if retry_after is not None:
            return retry_after * random.uniform(1.0, 1.1)
        return min(self.most, self.first * 2.0**attempt) * random.uniform(0.5, 1.0)


class Breaker:
    """Opens after *threshold* failures in a row and lets one probe through every *pause* seconds.

    A cooldown is the milder form: the upstream said when to come back, or has just failed, so
    others are asked first while there are others.
    """

    def __init__(
        self,
        *,
        threshold: int = 8,
        pause: float = 5.0,
        cooldown: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._threshold, self._pause, self._cooldown, self._clock = (
            threshold,
            pause,
            cooldown,
            clock,
        )
        self._failures = 0
        self._open_until = 0.0
        self._cool_until = 0.0

    @property
    def state(self) -> State:
        if self._failures < self._threshold:
            return "closed"
        return "open" if self._clock() < self._open_until else "half_open"

    @property
    def cooling(self) -> bool:
        return self._clock() < self._cool_until

    @property
    def cools_for(self) -> float:
        """Seconds until this one is a first choice again."""
        return max(0.0, self._cool_until - self._clock())

    @property
    def reopens_in(self) -> float:
        """Seconds until the next probe may go; 0 when asking is allowed."""
        return max(0.0, self._open_until - self._clock()) if self.state == "open" else 0.0

    def admit(self) -> bool:
        """Whether this request may go. In half-open state one may, and the next waits its turn."""
        state = self.state
        if state == "half_open":
            self._open_until = self._clock() + self._pause
        return state != "open"

    def succeeded(self) -> None:
        self._failures = 0
        self._cool_until = 0.0

    def failed(self) -> None:
        self._failures += 1
        self._cool_until = self._clock() + self._cooldown
        if self._failures >= self._threshold:
            self._open_until = self._clock() + self._pause

    def limited(self, retry_after: float | None) -> None:
        """It is well and asked for a pause: no failure, but others first."""
        self._failures = 0
        self._cool_until = self._clock() + (retry_after or self._cooldown)
