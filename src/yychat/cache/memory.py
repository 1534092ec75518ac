"""The cache within a process: bounded, the least recently used goes first."""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable

ENTRIES = 10_000
BYTES = 32 * 2**20
OVERHEAD = 300  # bytes an entry costs beside key and value, roughly


class MemoryCache:
    """Holds *most_entries*, and no more than *most_bytes* bytes. Never fails.

    What has expired goes when it is asked for, or when room is needed; ``evicted`` counts what
    had to make room.
    """

    def __init__(
        self,
        *,
        most_entries: int = ENTRIES,
        most_bytes: int = BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most_entries, self._most_bytes, self._clock = most_entries, most_bytes, clock
        self._entries: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self.held = 0  # bytes
        self.evicted = 0
        self.poisoned: Counter[str] = Counter()  # only this process writes here: never

    @property
    def entries(self) -> int:
        return len(self._entries)

    async def get(self, key: str) -> bytes | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        expires, value = entry
        if expires <= self._clock():
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return value

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        self._drop(key)
        if _weight(key, value) > self._most_bytes:
            return  # it would push out everything else and still not fit
        self._entries[key] = (self._clock() + ttl, value)
        self.held += _weight(key, value)
        while len(self._entries) > self._most_entries or self.held > self._most_bytes:
            self._drop(next(iter(self._entries)))
            self.evicted += 1

    async def delete(self, key: str) -> None:
        self._drop(key)

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.held -= _weight(key, entry[1])


def _weight(key: str, value: bytes) -> int:
    return len(key) + len(value) + OVERHEAD
