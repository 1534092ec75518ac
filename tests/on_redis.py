"""What runs on a real Redis: a mix-in for promises that need an outbox there."""

import pytest

from redis_server import RedisServer
from remembering import Clock
from yychat.memory.outbox_redis import RedisOutbox
from yychat.redis_link import RedisLink


class OnRedis:
    @pytest.fixture
    def outbox(self, link: RedisLink, clock: Clock) -> RedisOutbox:
        return RedisOutbox(link, clock)


def end_leases(redis: RedisServer) -> None:
    """As if the time of all that workers have taken had run out: of those that were killed."""
    for states in redis.keys("*:states"):
        fields = redis.cli("hkeys", states).split()
        ended = [word for f in fields if f.endswith(":until") for word in (f, "0")]
        if ended:
            redis.cli("hset", states, *ended)
