"""The outbox in Redis Streams keeps what every outbox promises."""

from collections.abc import AsyncIterator, Iterator

import pytest

from outbox_promises import OutboxPromises
from redis_server import RedisServer, redis_server
from remembering import Clock
from yychat.memory.outbox_redis import RedisOutbox
from yychat.redis_link import RedisLink


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as running:
        yield running


class TestRedisOutbox(OutboxPromises):
    @pytest.fixture
    async def link(self, server: RedisServer) -> AsyncIterator[RedisLink]:
        server.cli("flushall")
        link = RedisLink(server.url, within=5.0)
        yield link
        await link.close()

    @pytest.fixture
    def outbox(self, link: RedisLink, clock: Clock) -> RedisOutbox:
        return RedisOutbox(link, clock)

    @pytest.fixture
    async def reopened(self, server: RedisServer, clock: Clock) -> AsyncIterator[RedisOutbox]:
        link = RedisLink(server.url, within=5.0)
        yield RedisOutbox(link, clock)
        await link.close()
