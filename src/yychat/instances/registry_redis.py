"""The registered processes in Redis, which also says what time it is: hosts' clocks differ.

yychat:v1:{instances}:registered  hash  registration (JSON) by instance
yychat:v1:{instances}:seen        hash  Unix time of the last heartbeat by instance
"""

from typing import Any

import msgspec

from ..redis_link import RedisLink
from .registry import DEAD_AFTER, Instance, Registration, registration_of

REGISTERED = "yychat:v1:{instances}:registered"
SEEN = "yychat:v1:{instances}:seen"

WITHIN = 1.0  # seconds for a question; no chat request waits for it

_NOW = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
"""
_BEAT = f"""{_NOW}
local known = redis.call('HGET', KEYS[1], ARGV[1])
local seen = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0') or 0
if known and known ~= ARGV[2] and now - seen < tonumber(ARGV[4]) then
    local fine, other = pcall(cjson.decode, known)
    if fine and type(other) == 'table' and other['address'] ~= ARGV[3] then return 0 end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], string.format('%.6f', now))
return 1
"""
_LEAVE = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[2], ARGV[1])
return redis.call('HDEL', KEYS[1], ARGV[1])
"""
_FORGET = """
redis.call('HDEL', KEYS[2], ARGV[1])
return redis.call('HDEL', KEYS[1], ARGV[1])
"""
_EVERYBODY = f"""{_NOW}
local found = {{}}
local registered = redis.call('HGETALL', KEYS[1])
for i = 1, #registered, 2 do
    local seen = tonumber(redis.call('HGET', KEYS[2], registered[i]) or '0') or 0
    found[#found + 1] = registered[i + 1]
    found[#found + 1] = string.format('%.3f', now - seen)
end
return found
"""


class RedisInstances:
    """See ``InstanceRegistry`` for the promises."""

    def __init__(
        self, link: RedisLink, *, within: float = WITHIN, dead_after: float = DEAD_AFTER
    ) -> None:
        self._link, self._within, self._dead_after = link, within, dead_after

    async def beat(self, registration: Registration) -> bool:
        stored = msgspec.json.encode(registration)
        mine, address = registration.instance, registration.address
        return bool(await self._ask(_BEAT, mine, stored, address, self._dead_after))

    async def leave(self, registration: Registration) -> None:
        await self._ask(_LEAVE, registration.instance, msgspec.json.encode(registration))

    async def forget(self, instance: str) -> bool:
        return bool(await self._ask(_FORGET, instance))

    async def everybody(self) -> list[Instance]:
        found = await self._ask(_EVERYBODY)
        pairs = zip(found[::2], found[1::2], strict=True)
        read = ((registration_of(stored), max(0.0, float(silent))) for stored, silent in pairs)
        instances = [Instance(known, silent) for known, silent in read if known is not None]
        return sorted(instances, key=lambda each: each.registration.instance)

    async def _ask(self, script: str, *arguments: Any) -> Any:
        return await self._link.run(script, [REGISTERED, SEEN], arguments, within=self._within)
