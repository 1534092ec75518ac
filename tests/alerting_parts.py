"""A desk of alerts over two scripted engines and a selection in a file, on a clock of its own."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from scripted_engine import ScriptedEngine
from yychat.alerting.desk import Desk
from yychat.alerting.inbox_sqlite import SqliteInbox
from yychat.alerting.notification import Alert
from yychat.alerting.rollback import Rollbacks
from yychat.engines.manager import EngineManager
from yychat.engines.selected import Selected
from yychat.engines.selection import Selection
from yychat.engines.selection_sqlite import SqliteSelections
from yychat.sqlite import Database

LABELS = {
    "alertname": "YYChatEngineFailing",
    "action": "rollback",
    "severity": "ticket",
    "engine": "mem0_proxy",
}
TABLE = """
    CREATE TABLE IF NOT EXISTS alerts (
        id       TEXT PRIMARY KEY,
        received REAL NOT NULL,
        entry    BLOB NOT NULL
    ) WITHOUT ROWID
"""


@contextmanager
def opened(folder: Path) -> Iterator[Database]:
    """The file of an instance, with a place for alerts."""
    database = Database(folder / "yychat.db")
    with closing(sqlite3.connect(folder / "yychat.db")) as connection:
        connection.execute(TABLE)
        connection.commit()
    try:
        yield database
    finally:
        database.close()


def told(
    began: float, *, ended: float | None = None, fingerprint: str = "f1", **labels: str
) -> dict[str, Any]:
    """An alert as Alertmanager tells it."""

    def written(at: float) -> str:
        return datetime.fromtimestamp(at, UTC).isoformat()

    return {
        "status": "firing" if ended is None else "resolved",
        "labels": {**LABELS, **labels},
        "annotations": {"summary": "mem0_proxy fails"},
        "startsAt": written(began),
        "endsAt": "0001-01-01T00:00:00Z" if ended is None else written(ended),
        "generatorURL": "http://prometheus/graph",
        "fingerprint": fingerprint,
    }


def notification(*alerts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": "4",
        "groupKey": "{}",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "yychat",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager",
        "alerts": list(alerts),
    }


class Office:
    """One instance. Its clock stands still until somebody sets ``now``."""

    def __init__(self, database: Database, *, on: bool = True) -> None:
        self.now = 1_700_000_000.0
        self.engines = {n: ScriptedEngine(n) for n in ("chat_engine", "mem0_proxy")}
        store = SqliteSelections(database)
        self.selected = Selected(store, "chat_engine", clock=self.clock)
        self.manager = EngineManager([*self.engines.values()], self.selected)
        self.counts: Counter[tuple[str, ...]] = Counter()
        rollbacks = Rollbacks(self.manager, on=on, clock=self.clock)
        self.inbox = SqliteInbox(database)
        self.desk = Desk(self.inbox, rollbacks, count=self.count, clock=self.clock)

    def clock(self) -> float:
        return self.now

    def count(self, *what: str) -> None:
        self.counts[what] += 1

    async def select(self, *, after: float = 0.0, **weights: int) -> Selection:
        """What somebody selects *after* seconds, as many as the one before then held."""
        self.now += after
        return await self.manager.split(weights, by="ops", reason="because", force=True)

    async def hear(self, **about: Any) -> tuple[str, str]:
        """What comes of an alert that began now, unless *about* says when."""
        alert = msgspec.convert(told(about.pop("began", self.now), **about), Alert)
        (entry,) = await self.desk.take([alert])
        assert entry.rollback
        return entry.rollback.result, entry.rollback.why

    async def shares(self) -> dict[str, int]:
        return (await self.selected.look()).in_force
