"""Whether an engine is well: asked once for all who want to know, and not for longer than they
can wait."""

import asyncio
import contextvars
import logging
import time
from collections.abc import Callable

import msgspec

from ..background import place_of
from ..errors import YYChatError
from .base import BaseEngine, Health

log = logging.getLogger(__name__)

FRESH = 5.0  # seconds that a finding counts
LONGEST = 30.0  # seconds; an engine may have to import what it stands on
PATIENCE = 14.0  # seconds in which a check that has not ended says nothing against its engine


class Finding(msgspec.Struct, frozen=True):
    """``at`` is Unix time in seconds."""

    health: Health
    at: float


class Checkup:
    """One engine's ``health_check``: a single one at a time, its finding good for a moment."""

    def __init__(
        self,
        engine: BaseEngine,
        *,
        fresh: float = FRESH,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine, self._fresh, self._patience, self._clock = engine, fresh, patience, clock
        self._running: asyncio.Task[Finding] | None = None
        self._last: Finding | None = None
        self._begun = 0.0

    async def finding(self, within: float) -> Finding:
        """The engine's health, after at most *within* seconds; a check that takes longer goes on
        for the next who asks. Until then the engine is as it was before, at first well: what it
        imports takes seconds. Who has to know for certain waits for longer than ``PATIENCE``."""
        if self._last and 0 <= self._clock() - self._last.at < self._fresh:
            return self._last
        if self._running is None:
            # Shared by all who wait: nobody's deadline, patience or span is the check's.
            apart = contextvars.Context()
            self._running = asyncio.create_task(self._check(), context=apart)
            self._running.add_done_callback(self._checked)
            self._begun = time.monotonic()
        done, _ = await asyncio.wait([self._running], timeout=within)
        return done.pop().result() if done else self._late(within)

    async def close(self) -> None:
        if self._running:
            self._running.cancel()
            await asyncio.wait([self._running])

    def _checked(self, task: asyncio.Task[Finding]) -> None:
        self._running = None
        if not task.cancelled():
            self._last = task.result()

    async def _check(self) -> Finding:
        try:
            async with asyncio.timeout(LONGEST):
                health = await self._engine.health_check()
        except TimeoutError:
            return self._ill(f"no answer within {LONGEST:g} s")
        except YYChatError as error:
            return self._ill(error.message)
        except Exception as error:  # noqa: BLE001 - an engine is a plug-in; its bug is a finding
            log.error("a bug in %s: %s", self._engine.name, place_of(error))  # noqa: TRY400
            return self._ill("its check failed")
        return Finding(health, self._clock())

    def _late(self, within: float) -> Finding:
        last, in_time = self._last, time.monotonic() - self._begun < self._patience
        if in_time and last is not None and last.health.healthy:
            return last
        told = {"engine": f"its check takes longer than {within:g} s"}
        return Finding(Health(last is None and in_time, told), self._clock())

    def _ill(self, why: str) -> Finding:
        return Finding(Health(healthy=False, dependencies={"engine": why}), self._clock())
