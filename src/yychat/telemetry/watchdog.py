"""Whether the event loop comes round: a pulse inside it, and a thread that misses the pulse.

The pulse alone would tell of a block only after it has ended, and of one that lasts not at all.
"""

import asyncio
import threading
import time
from collections.abc import Callable

from .metrics import Metrics

EVERY = 0.25  # seconds between two pulses
TOLERATED = 0.1  # seconds that a pulse may be late; a longer time counts as blocked, in full
BLOCKED = "yychat_event_loop_blocked_seconds_total"
LAG = "yychat_event_loop_lag_seconds"


class Watchdog:
    """``watch`` has to run in the loop that is watched. What blocks it for less than *every* is
    seen as far as it reaches over a pulse: on average half of it."""

    def __init__(
        self,
        metrics: Metrics,
        *,
        every: float = EVERY,
        tolerated: float = TOLERATED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metrics, self._every, self._tolerated = metrics, every, tolerated
        self._clock = clock
        self._lock = threading.Lock()
        self._due = clock() + every
        self._booked = 0.0  # seconds counted already of the pulse that is due

    async def watch(self) -> None:
        """Until cancelled."""
        stop = threading.Event()
        thread = threading.Thread(target=self._guard, args=(stop,), name="watchdog", daemon=True)
        self._due = self._clock() + self._every
        thread.start()
        try:
            while True:
                await asyncio.sleep(max(0.0, self._due - self._clock()))
                self.pulse()
        finally:
            stop.set()
            thread.join()

    def pulse(self) -> None:
        """The loop has come round."""
        with self._lock:
            late = max(0.0, self._clock() - self._due)
            self._book(late)
            self._due, self._booked = self._clock() + self._every, 0.0
        self._metrics.observe(LAG, amount=late)

    def look(self) -> None:
        """Count for how long the pulse has been missing by now."""
        with self._lock:
            self._book(self._clock() - self._due)

    def _guard(self, stop: threading.Event) -> None:
        while not stop.wait(self._every):
            self.look()

    def _book(self, late: float) -> None:
        if late > self._tolerated and late > self._booked:
            self._metrics.count(BLOCKED, by=late - self._booked)
            self._booked = late
