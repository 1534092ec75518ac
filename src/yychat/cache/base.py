"""What a cache is: bytes by key, for a while."""

from collections import Counter
from typing import Protocol


class Cache(Protocol):
    """Raises ``StoreError`` and nothing else. A key is the name of a cache, a colon and a digest.

    ``poisoned`` counts, by the name of the cache, what lay under a key and was no value of ours:
    it is a miss, and deleted.
    """

    poisoned: Counter[str]

    async def get(self, key: str) -> bytes | None:
        """None where nothing lies, or nothing any more; an empty value is a value."""
        ...

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        """Keep *value* for about *ttl* seconds, or for less where room is needed."""
        ...

    async def delete(self, key: str) -> None:
        """Afterwards nothing lies there; nothing happens where nothing did."""
        ...
