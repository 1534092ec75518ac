"""The store of turns in Redis keeps what every store promises."""

import pytest

from on_redis import OnRedis
from remembering import Clock
from store_promises import StorePromises
from yychat.memory.turns_redis import RedisTurns
from yychat.redis_link import RedisLink


class TestRedisTurns(OnRedis, StorePromises):
    @pytest.fixture
    def store(self, link: RedisLink, clock: Clock) -> RedisTurns:
        return RedisTurns(link, clock)
