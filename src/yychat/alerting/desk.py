"""Where alerts come in: they are recorded, counted, and those that ask for a rollback answered."""

import asyncio
import time
from collections.abc import Callable, Sequence

from .inbox import KEPT, Entry, Inbox, Rollback
from .notification import Alert, kept
from .rollback import Rollbacks

Count = Callable[..., None]  # a counter's name and the values of its labels


class Desk:
    """*count* is told ``yychat_alerts_received_total`` (alertname, status),
    ``yychat_rollbacks_total`` (engine, result) and ``yychat_engine_switches_total`` (cause).
    """

    def __init__(
        self,
        inbox: Inbox,
        rollbacks: Rollbacks,
        *,
        count: Count = lambda *_: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._inbox, self._rollbacks = inbox, rollbacks
        self._count, self._clock = count, clock
        self._deciding = asyncio.Lock()

    async def take(self, alerts: Sequence[Alert]) -> list[Entry]:
        """Record *alerts* with what came of them. Raises ``StoreError``: Alertmanager tries again,
        and what was done already is found done."""
        entries = []
        async with self._deciding:
            for alert in alerts:
                self._count("yychat_alerts_received_total", alert.name, alert.status)
                rollback = await self._answered(alert) if alert.asks_for_rollback else None
                entries.append(self._entry(alert, rollback))
                # One by one: what a later one leads to depends on those before it.
                await self._inbox.put(entries[-1:])
        return entries

    async def newest(self, limit: int) -> list[Entry]:
        """Raises ``StoreError``."""
        return await self._inbox.newest(limit)

    async def _answered(self, alert: Alert) -> Rollback:
        rollback = await self._rollbacks.answer(alert, await self._inbox.newest(KEPT))
        self._count("yychat_rollbacks_total", rollback.engine, rollback.result)
        if rollback.result == "done":
            self._count("yychat_engine_switches_total", "rollback")
        return rollback

    def _entry(self, alert: Alert, rollback: Rollback | None) -> Entry:
        outcome = rollback.result if rollback else ""
        return Entry(
            id=f"{alert.fingerprint}:{alert.began:.3f}:{outcome}",
            name=alert.name[:100],
            status=alert.status,
            labels=kept(alert.labels),
            summary=alert.annotations.get("summary", "")[:500],
            began=alert.began,
            ended=alert.ended,
            received=self._clock(),
            rollback=rollback,
        )
