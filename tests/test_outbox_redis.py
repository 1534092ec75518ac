"""The outbox in Redis Streams keeps what every outbox promises."""

from collections.abc import AsyncIterator

import pytest

from on_redis import OnRedis
from outbox_promises import OutboxPromises
from redis_server import RedisServer
from remembering import Clock
from yychat.memory.outbox_redis import RedisOutbox
from yychat.redis_link import RedisLink


class TestRedisOutbox(OnRedis, OutboxPromises):
    @pytest.fixture
    async def reopened(self, server: RedisServer, clock: Clock) -> AsyncIterator[RedisOutbox]:
        link = RedisLink(server.url, within=5.0)
        yield RedisOutbox(link, clock)
        await link.close()
