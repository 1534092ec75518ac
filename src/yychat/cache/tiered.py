"""Values of one kind, cached in two tiers and loaded once however many ask at the same time."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Generic, Literal, TypeVar

import msgspec

from ..errors import StoreError
from .base import Cache

T = TypeVar("T")
Tier = Literal["l1", "l2"]
Result = Literal["hit", "miss", "error", "poison"]
Load = Callable[[], Awaitable[T]]

COPIED = 0.1  # of the TTL: how long this process keeps what it found in the shared tier


class Cached(Generic[T]):
    """Asks *l1*, then *l2*, then loads. Only a failing load ever fails a ``get``.

    *encode* and *decode* turn a value into bytes and back; what cannot be decoded raises
    ``ValueError`` or ``msgspec.DecodeError`` there, and is loaded again. Every caller gets a value
    of its own. It lives about *ttl* seconds, with jitter and copies 1.2 times as long at most.
    """

    def __init__(
        self,
        name: str,
        *,
        encode: Callable[[T], bytes],
        decode: Callable[[bytes], T],
        ttl: float,
        l1: Cache,
        l2: Cache | None = None,
    ) -> None:
        self.name = name
        self._encode, self._decode, self._ttl = encode, decode, ttl
        self._l1, self._l2 = l1, l2
        self._counts: Counter[tuple[Tier, Result]] = Counter()
        self._flights: dict[str, asyncio.Task[bytes]] = {}

    @property
    def stats(self) -> dict[tuple[Tier, Result], int]:
        """How often each tier was asked with which result; a poison is counted as a miss, too.
        An error is a question, or a value to keep, that the tier could not take."""
        tiers: list[Tier] = ["l1"] if self._l2 is None else ["l1", "l2"]
        results: list[Result] = ["hit", "miss", "error"]
        stats = {(tier, result): self._counts[tier, result] for tier in tiers for result in results}
        if self._l2 is not None:
            stats["l2", "poison"] = self._l2.poisoned[self.name]
        return stats

    async def get(self, key: tuple[str, ...], load: Load[T], *, generation: int = 0) -> T:
        """The value of *key*; raises what *load* raises, to all who waited, and keeps no failure.

        *load* has to end by itself: it goes on when who asked first is gone.

        *generation* has to be read before this call, and to move when or after what *load* reads
        is erased, never only before. Then a load that saw what is erased by now has stored it
        under a generation that nobody asks for again.
        """
        digest = self._key(generation, key)
        raw = await self._l1.get(digest)
        self._counts["l1", "miss" if raw is None else "hit"] += 1
        if raw is None:
            raw = await self._joined(digest, load)
        return self._decode(raw)

    async def known(self, key: tuple[str, ...], *, generation: int = 0) -> T | None:
        """The value of *key* where one of the tiers has it. Never fails, and loads nothing."""
        digest = self._key(generation, key)
        raw = await self._l1.get(digest)
        self._counts["l1", "miss" if raw is None else "hit"] += 1
        if raw is None and self._l2 is not None:
            try:
                raw = await self._shared(self._l2, digest)
            except StoreError:
                self._counts["l2", "error"] += 1
        return None if raw is None else self._decode(raw)

    async def close(self) -> None:
        """End the loads that nobody waits for any more."""
        for flight in list(self._flights.values()):
            flight.cancel()
            await asyncio.wait([flight])

    async def _joined(self, key: str, load: Load[T]) -> bytes:
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(self._fetched(key, load))
            flight.add_done_callback(lambda done: self._landed(key, done))
        await asyncio.wait([flight])  # unlike awaiting it, this cancels nothing but itself
        return flight.result()

    def _landed(self, key: str, flight: asyncio.Task[bytes]) -> None:
        del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # seen, also where everybody who waited is gone

    async def _fetched(self, key: str, load: Load[T]) -> bytes:
        l2 = self._l2
        try:
            raw = None if l2 is None else await self._shared(l2, key)
        except StoreError:
            self._counts["l2", "error"] += 1
            raw = l2 = None  # one wait is enough: what is loaded now stays in this process
        if raw is not None:
            await self._l1.set(key, raw, self._ttl * COPIED)
            return raw
        raw = self._encode(await load())
        await self._l1.set(key, raw, self._ttl)
        if l2 is not None:
            await self._share(l2, key, raw)
        return raw

    async def _shared(self, l2: Cache, key: str) -> bytes | None:
        raw = await l2.get(key)
        if raw is not None and not self._sound(raw):
            l2.poisoned[self.name] += 1
            await l2.delete(key)
            raw = None
        self._counts["l2", "miss" if raw is None else "hit"] += 1
        return raw

    async def _share(self, l2: Cache, key: str, raw: bytes) -> None:
        try:
            await l2.set(key, raw, self._ttl)
        except StoreError:
            self._counts["l2", "error"] += 1

    def _sound(self, raw: bytes) -> bool:
        try:
            self._decode(raw)
        except (ValueError, msgspec.DecodeError):
            return False
        return True

    def _key(self, generation: int, parts: tuple[str, ...]) -> str:
        """Each part is framed by its length, so that no two keys are spelt alike."""
        raw = [part.encode("utf-8", "surrogatepass") for part in (str(generation), *parts)]
        framed = b"".join(len(part).to_bytes(8, "big") + part for part in raw)
        return f"{self.name}:{hashlib.sha256(framed).hexdigest()}"
