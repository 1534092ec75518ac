"""Received alerts in Redis, shared by all instances.

yychat:v1:{alerts}:entries   hash        entry (JSON) by id
yychat:v1:{alerts}:received  sorted set  id by when it was received
"""

from collections.abc import Sequence

import msgspec

from ..redis_link import RedisLink
from .inbox import KEPT, Entry, entry_of

ENTRIES = "yychat:v1:{alerts}:entries"
RECEIVED = "yychat:v1:{alerts}:received"

WITHIN = 1.0  # seconds for a question; no chat request waits for it

# ARGV how many are kept, then id, received and entry of each
_PUT = """
for i = 2, #ARGV, 3 do
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
    redis.call('ZADD', KEYS[2], ARGV[i + 1], ARGV[i])
end
local old = redis.call('ZRANGE', KEYS[2], 0, -1 - tonumber(ARGV[1]))
for _, id in ipairs(old) do
    redis.call('HDEL', KEYS[1], id)
    redis.call('ZREM', KEYS[2], id)
end
"""
_NEWEST = """
local found = {}
for _, id in ipairs(redis.call('ZREVRANGE', KEYS[2], 0, tonumber(ARGV[1]) - 1)) do
    found[#found + 1] = redis.call('HGET', KEYS[1], id)
end
return found
"""


class RedisInbox:
    """See ``Inbox`` for the promises."""

    def __init__(self, link: RedisLink, *, within: float = WITHIN) -> None:
        self._link, self._within = link, within

    async def put(self, entries: Sequence[Entry]) -> None:
        arguments: list[bytes | str | int] = [KEPT]
        for entry in entries:
            arguments += [entry.id, repr(entry.received), msgspec.json.encode(entry)]
        await self._link.run(_PUT, [ENTRIES, RECEIVED], arguments, within=self._within)

    async def newest(self, limit: int) -> list[Entry]:
        stored = await self._link.run(_NEWEST, [ENTRIES, RECEIVED], [limit], within=self._within)
        found = (entry_of(each) for each in stored or () if isinstance(each, bytes))
        return [entry for entry in found if entry is not None]
