"""One process among the registered ones: it keeps saying so, and remembers who else is there."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

import msgspec

from ..errors import StoreError
from .registry import Instance, InstanceRegistry, Kind, Registration

log = logging.getLogger(__name__)

EVERY = 5.0  # seconds between two heartbeats
WITHIN = 4.0  # seconds for one
KNOWN_FOR = 15.0  # seconds that what was read last is good for

JOBS: dict[Kind, str] = {"serve": "yychat", "work": "yychat-work"}


class Membership:
    """``keep`` has to run beside the service. ``counted`` is told how many are registered."""

    def __init__(
        self,
        registry: InstanceRegistry,
        me: Registration,
        *,
        counted: Callable[[int], None] = lambda _: None,
        every: float = EVERY,
        known_for: float = KNOWN_FOR,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry, self._me, self._counted = registry, me, counted
        self._every, self._known_for, self._clock = every, known_for, clock
        self._known: tuple[float, bytes] | None = None
        self._trouble: str | None = None

    async def keep(self) -> None:
        """Until cancelled."""
        while True:
            await self.beat()
            await asyncio.sleep(self._every)

    async def beat(self) -> None:
        """Say once that this process is there, and look who else is. What keeps it from that is
        logged when it begins and when it ends."""
        try:
            async with asyncio.timeout(WITHIN):
                mine = await self._registry.beat(self._me)
                everybody = await self._registry.everybody()
        except (StoreError, TimeoutError) as error:
            self._note(error.message if isinstance(error, StoreError) else "no answer in time")
            return
        self._note(None if mine else f"another living process is called {self._me.instance}")
        self._counted(len(everybody))
        if everybody:
            self._known = (self._clock(), targets(everybody))

    async def leave(self) -> None:
        """Off the list; where that does not work, it is listed as dead until somebody forgets it
        or takes its place."""
        try:
            async with asyncio.timeout(WITHIN):
                await self._registry.leave(self._me)
        except (StoreError, TimeoutError):
            log.warning("%s is still registered: the registry is away", self._me.instance)

    def targets(self) -> bytes | None:
        """Prometheus' targets for ``/internal/sd``; None where what is known is too old. Any
        thread may ask, also while the event loop is blocked."""
        known = self._known
        if known is None or self._clock() - known[0] > self._known_for:
            return None
        return known[1]

    def _note(self, trouble: str | None) -> None:
        if trouble != self._trouble:
            text = f"not registered for scraping: {trouble}" if trouble else "registered again"
            log.warning("%s", text)
        self._trouble = trouble


def targets(instances: Sequence[Instance]) -> bytes:
    """*instances* in the format of Prometheus' HTTP service discovery, the dead ones too: what
    is not listed cannot be missed.

    https://prometheus.io/docs/prometheus/latest/http_sd/
    """
    found = [
        {
            "targets": [each.registration.address],
            "labels": {
                "instance": each.registration.instance,
                "job": JOBS[each.registration.kind],
            },
        }
        for each in instances
    ]
    return msgspec.json.encode(found)
