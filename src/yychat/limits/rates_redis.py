"""Buckets in Redis, shared by all instances.

    yychat:v1:limiter:{KEY ID}:requests     hash    level, at
    yychat:v1:limiter:{KEY ID}:tokens       hash    level, at

This is limiter state, not cache: it expires when the bucket has run empty, which changes nothing.
Should an eviction policy take it earlier, the key has a full budget once more.
"""

from collections.abc import Sequence
from typing import Any

from ..errors import StoreError
from ..redis_link import RedisLink
from .budget import CLOSE, DEEPEST, MINUTE, Draw, Levels

PREFIX = "yychat:v1:limiter"

# KEYS buckets   ARGV limit, take, most for each of them. Gives 1 or 0 (admitted) and the levels.
# Time is Redis' own: instances need not agree on theirs. Levels are written on refusals too: were
# Redis' clock set back, a bucket that is only read would not leak until the clock has caught up.
# Numbers are spelt out: by itself Lua rounds them to 14 digits.
DRAW = f"""
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local levels, admitted = {{}}, 1
for i, key in ipairs(KEYS) do
  local limit, most = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i])
  local was = redis.call('HMGET', key, 'level', 'at')
  local level, at = tonumber(was[1] or '0') or 0, tonumber(was[2] or '') or now
  levels[i] = math.max(0, level - math.max(0, now - at) * limit / {MINUTE})
  if levels[i] > most + {CLOSE} then admitted = 0 end
end
local answer = {{admitted}}
for i, key in ipairs(KEYS) do
  local limit, take = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1])
  if admitted == 1 then levels[i] = math.min(levels[i] + take, limit * {DEEPEST}) end
  local level = string.format('%.17g', levels[i])
  redis.call('HSET', key, 'level', level, 'at', string.format('%.17g', now))
  redis.call('PEXPIRE', key, math.ceil(levels[i] * {MINUTE} / limit * 1000) + 1000)
  answer[i + 1] = level
end
return answer
"""


class RedisBuckets:
    """See ``Buckets`` for the promises; one script, one round trip for all draws of a call."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def draw(self, name: str, draws: Sequence[Draw]) -> Levels:
        keys = [f"{PREFIX}:{{{name}}}:{draw.kind}" for draw in draws]
        numbers = [str(n) for draw in draws for n in (draw.limit, draw.take, min(draw.most, 1e15))]
        answer = await self._link.run(DRAW, keys, numbers)
        return _levels(answer, len(keys))


def _levels(answer: Any, count: int) -> Levels:
    try:
        admitted, levels = int(answer[0]), [float(level) for level in answer[1:]]
    except (TypeError, ValueError, IndexError) as error:
        raise StoreError("Redis answered something else than levels") from error
    if len(levels) != count:
        raise StoreError("Redis answered something else than levels")
    return Levels(bool(admitted), levels)
