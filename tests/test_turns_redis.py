"""The store of turns in Redis keeps what every store promises."""

from collections.abc import AsyncIterator, Iterator

import pytest

from redis_server import RedisServer, redis_server
from remembering import Clock
from store_promises import StorePromises
from yychat.memory.outbox_redis import RedisOutbox
from yychat.memory.turns_redis import RedisTurns
from yychat.redis_link import RedisLink


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as running:
        yield running


class TestRedisTurns(StorePromises):
    @pytest.fixture
    async def link(self, server: RedisServer) -> AsyncIterator[RedisLink]:
        server.cli("flushall")
        link = RedisLink(server.url, within=5.0)
        yield link
        await link.close()

    @pytest.fixture
    def store(self, link: RedisLink, clock: Clock) -> RedisTurns:
        return RedisTurns(link, clock)

    @pytest.fixture
    def outbox(self, link: RedisLink, clock: Clock) -> RedisOutbox:
        return RedisOutbox(link, clock)
