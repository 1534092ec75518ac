"""How fast a server may talk: a burst at once, then no faster than this process can bear."""

import asyncio
import time
from collections.abc import Callable

BURST = 16 * 1024 * 1024  # bytes
RATE = 2 * 1024 * 1024  # bytes a second after that: what is read has to be understood, in the loop
EACH = 4_096  # bytes that a message counts as besides its own: small ones cost more than they weigh


class Pace:
    """Lets a reader wait, so that a server which never stops talking is slowed down by its pipe or
    its connection, and takes a small share of the loop's time."""

    def __init__(
        self,
        *,
        burst: int = BURST,
        rate: int = RATE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._burst, self._rate, self._clock = burst, rate, clock
        self._left, self._at = float(burst), clock()

    async def spend(self, size: int, messages: int = 0) -> None:
        """So many bytes were read, and so many *messages* in them; come back when it is time for
        the next ones."""
        now, cost = self._clock(), size + messages * EACH
        self._left = min(self._burst, self._left + (now - self._at) * self._rate) - cost
        self._at = now
        if self._left < 0:
            await asyncio.sleep(-self._left / self._rate)
