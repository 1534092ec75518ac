"""Records in this process: all there are without Redis, and what is shown while Redis is away."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from .record import Record
from .store import EVERYBODY, KEEP, MOST, Seen, Window, newest_first


class Ring:
    """See ``RecordStore`` for the promises; nothing of it outlives the process."""

    def __init__(self, most: int = MOST, clock: Callable[[], float] = time.time) -> None:
        self._records: deque[Record] = deque(maxlen=most)
        self._most, self._clock = most, clock
        self._erased: dict[str, float] = {}

    def put(self, record: Record) -> None:
        self._records.append(record)

    def learn(self, erasures: Mapping[str, float]) -> None:
        """Others have erased."""
        for whose, at in erasures.items():
            if at > self._erased.get(whose, 0.0):
                self._erased[whose] = at
                self._forget(None if whose == EVERYBODY else whose, at)

    async def add(self, records: Sequence[Record]) -> None:
        self._records.extend(records)

    async def newest(self, count: int, tenant: str | None = None) -> list[Record]:
        seen = Seen(self._erased, tenant, self._clock() - KEEP)
        return newest_first(seen.new(self._records))[:count]

    async def since(self, at: float, tenant: str | None = None) -> Window:
        at = max(at, self._clock() - KEEP)
        found = newest_first(Seen(self._erased, tenant, at).new(self._records))
        full = len(self._records) == self._most
        begins = max(at, min(record.at for record in self._records)) if full else at
        return Window(found, begins)

    async def erase(self, tenant: str | None = None) -> int:
        at = self._clock()
        self._erased[EVERYBODY if tenant is None else tenant] = at
        return self._forget(tenant, at)

    async def erasures(self) -> Mapping[str, float]:
        return dict(self._erased)

    def _forget(self, tenant: str | None, at: float) -> int:
        before = len(self._records)
        kept = [r for r in self._records if r.at > at or tenant not in (None, r.tenant)]
        self._records = deque(kept, maxlen=self._most)
        return before - len(kept)
