"""The cache that all instances share, in Redis: ``yychat:v1:cache:NAME:DIGEST``.

The only keys of ours with a TTL, and none is ever written without: an eviction policy for volatile
keys takes these and nothing else.
"""

import random
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ..errors import StoreError
from ..redis_link import RedisLink

if TYPE_CHECKING:
    from redis.asyncio import Redis

PREFIX = "yychat:v1:cache:"
JITTER = 0.1  # of the TTL, either way: what was stored together does not expire together


class _Envelope(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """Tells a value from whatever else may lie there. The checksum includes the key: what was
    copied to a wrong place, or came as the answer to another question, is garbage as well."""

    version: Literal[1]
    checksum: int
    value: bytes


_envelope = msgspec.msgpack.Decoder(_Envelope)


class RedisCache:
    """Raises ``StoreError`` where Redis is away, slow or full."""

    def __init__(
        self, link: RedisLink, *, spread: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._link, self._spread = link, spread
        self.poisoned: Counter[str] = Counter()

    async def get(self, key: str) -> bytes | None:
        found = await self._link.ask(lambda client: _whatever(client, PREFIX + key))
        if found is None:
            return None
        value = _opened(key, found)
        if value is None:
            self.poisoned[key.partition(":")[0]] += 1
            with suppress(StoreError):  # the value that is loaded now replaces it anyway
                await self.delete(key)
        return value

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        milliseconds = max(1, round(ttl * 1000 * self._spread(1 - JITTER, 1 + JITTER)))
        sealed = msgspec.msgpack.encode(_Envelope(1, _checksum(key, value), value))
        await self._link.ask(lambda client: client.set(PREFIX + key, sealed, px=milliseconds))

    async def delete(self, key: str) -> None:
        await self._link.ask(lambda client: client.unlink(PREFIX + key))


async def _whatever(client: "Redis", key: str) -> Any:
    """What lies under *key*; a list or a hash there is as much garbage as wrong bytes are."""
    from redis.exceptions import ResponseError

    try:
        return await client.get(key)
    except ResponseError as error:
        if str(error).startswith("WRONGTYPE"):
            return b""
        raise


def _opened(key: str, found: Any) -> bytes | None:
    if not isinstance(found, bytes):
        return None
    try:
        envelope = _envelope.decode(found)
    except msgspec.DecodeError:
        return None
    return envelope.value if envelope.checksum == _checksum(key, envelope.value) else None


def _checksum(key: str, value: bytes) -> int:
    return zlib.crc32(value, zlib.crc32(key.encode()))
