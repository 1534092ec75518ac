"""What an alert about a failing engine leads to: its traffic is moved away, not too often, and
never back by itself."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from ..engines.manager import READY_WITHIN, EngineManager
from ..engines.selection import Selection
from ..errors import Conflict, StoreError, YYChatError
from .inbox import Entry, Result, Rollback
from .notification import Alert

log = logging.getLogger(__name__)

FAILING = "YYChatEngineFailing"
HELD = 600.0  # seconds that a selection has to have been in force, and well, to be trusted again
COOL_DOWN = 900.0  # seconds after a rollback until the next one
LOOK_BACK = 1_000  # changes of the selection

BY = "alert:"  # what rollbacks are signed with; no key's id and no operator's name begins so


class Rollbacks:
    """Decides, and with *on* acts. Off, it says what it would have done.

    What is shared decides: the selection, its history, the alerts. So it does not matter which
    instance an alert comes to, and of two that hear of it at once one changes the selection.
    """

    def __init__(
        self,
        manager: EngineManager,
        *,
        on: bool,
        cool_down: float = COOL_DOWN,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._manager, self._on = manager, on
        self._cool_down, self._clock = cool_down, clock

    async def answer(self, alert: Alert, received: Sequence[Entry]) -> Rollback:
        """What comes of *alert*, which asks for a rollback; *received* are the alerts before it.

        Raises ``StoreError`` where what is shared is away: whoever asks should ask again.
        """
        engine = alert.labels.get("engine", "")
        current = await self._manager.selected.look()
        history = await self._manager.selected.history(LOOK_BACK)
        why_not = self._refusal(alert, engine, current, history)
        if why_not:
            return Rollback("refused", engine, why_not, current.revision)
        weights, why = _target(engine, current, history, received, list(self._manager.registered))
        if not weights:
            return Rollback("refused", engine, "there is no other engine", current.revision)
        return await self._carry_out(alert.name, engine, current, weights, why)

    def _refusal(
        self, alert: Alert, engine: str, current: Selection, history: Iterable[Selection]
    ) -> str | None:
        if engine not in self._manager.registered:
            return "there is no such engine"
        if not current.weights.get(engine):
            return "it has no share"
        if alert.began < current.at:
            return "the alert began before the current selection"
        rollbacks = [each.at for each in (current, *history) if each.changed_by.startswith(BY)]
        if rollbacks and self._clock() - max(rollbacks) < self._cool_down:
            return f"the last rollback was less than {self._cool_down:g} s ago"
        return None

    async def _carry_out(
        self, alertname: str, engine: str, base: Selection, weights: dict[str, int], why: str
    ) -> Rollback:
        def came_to(result: Result, why: str) -> Rollback:
            return Rollback(result, engine, why, base.revision, weights)

        try:
            if not self._on:
                await self._check_well(weights)
                log.warning("automatic rollback is off; it would have been: %s", why)
                return came_to("would", why)
            await self._manager.split(
                weights,
                by=f"{BY}{alertname}"[:64],
                reason=f"{engine} fails: {why}",
                if_revision=base.revision,
            )
        except StoreError:
            raise
        except YYChatError as error:  # the other one is not well; somebody else was faster
            return came_to("refused", error.message)
        log.warning("%s fails: its traffic goes elsewhere (%s)", engine, why)
        return came_to("done", why)

    async def _check_well(self, weights: Mapping[str, int]) -> None:
        """Raises ``Conflict``, as a change would."""
        wanted = [self._manager.registered[name] for name, weight in weights.items() if weight]
        for name, finding in (await self._manager.health_of(wanted, READY_WITHIN)).items():
            if not finding.health.healthy:
                raise Conflict(f"{name} is not well", code="engine_unhealthy")


def _target(
    engine: str,
    current: Selection,
    history: Sequence[Selection],
    received: Sequence[Entry],
    registered: Sequence[str],
) -> tuple[dict[str, int], str]:
    """The shares to go to, and why these: the last that proved themselves without *engine*, else
    all to another engine."""
    later = current
    for past in history:
        if past.revision >= later.revision:
            continue
        ended, later = later.at, past
        shares = {name: past.weights.get(name, 0) for name in registered}
        if any(shares.values()) and not shares.get(engine) and _proven(past, ended, received):
            return shares, f"back to selection {past.revision}, which held"
    other = next((name for name in registered if name != engine), None)
    if other is None:
        return {}, ""
    return {name: 100 if name == other else 0 for name in registered}, f"over to {other}"


def _proven(selection: Selection, ended: float, received: Iterable[Entry]) -> bool:
    """Whether *selection* was in force for long enough, and in its last minutes no engine of it
    was reported as failing."""
    since = ended - HELD
    if selection.at > since:
        return False
    return not any(
        entry.name == FAILING
        and entry.labels.get("engine") in selection.in_force
        and entry.began < ended
        and (entry.received if entry.ended is None else entry.ended) > since
        for entry in received
    )
