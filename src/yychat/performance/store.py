"""Where records are kept: the port, and what an erasure leaves behind."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from .record import Record

MOST = 10_000  # records that are kept
KEEP = 86_400  # seconds; the longest window
EVERYBODY = "*"  # no tenant can be called so


class Window(msgspec.Struct, frozen=True):
    """Records, the newest first. From ``begins`` on, in Unix time, none is missing: the bound on
    how many are kept may leave less than was asked for."""

    records: list[Record]
    begins: float


class RecordStore(Protocol):
    """At most about ``MOST`` records, none older than ``KEEP``. Raises ``StoreError`` and nothing
    else.

    A record that is added twice is shown once. With a *tenant*, only that one's are meant.
    """

    async def add(self, records: Sequence[Record]) -> None: ...

    async def newest(self, count: int, tenant: str | None = None) -> list[Record]:
        """The last *count*, newest first."""
        ...

    async def since(self, at: float, tenant: str | None = None) -> Window:
        """What ended at *at* (Unix time) or later."""
        ...

    async def erase(self, tenant: str | None = None) -> int:
        """Forget them; how many there were. What ended before this and is added later is never
        shown."""
        ...

    async def erasures(self) -> Mapping[str, float]:
        """Up to when what ended was erased, in Unix time: by tenant, and of ``EVERYBODY``."""
        ...


class Seen:
    """Lets through, once each, the records that are meant."""

    def __init__(self, erased: Mapping[str, float], tenant: str | None, at: float) -> None:
        self._erased, self._tenant, self._at = erased, tenant, at
        self._everybody = erased.get(EVERYBODY, 0.0)
        self._ids: set[str] = set()

    def new(self, records: Iterable[Record]) -> list[Record]:
        return [record for record in records if self._is_new(record)]

    def _is_new(self, record: Record) -> bool:
        if record.at < self._at or record.id in self._ids:
            return False
        if self._tenant is not None and record.tenant != self._tenant:
            return False
        if record.at <= max(self._everybody, self._erased.get(record.tenant or "", 0.0)):
            return False
        self._ids.add(record.id)
        return True


def newest_first(records: list[Record]) -> list[Record]:
    return sorted(records, key=lambda record: -record.at)
