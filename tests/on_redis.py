"""What runs on a real Redis: a mix-in that brings one, empty for every test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from redis_server import RedisServer, redis_server
from remembering import Clock
from yychat.memory.outbox_redis import RedisOutbox
from yychat.redis_link import RedisLink


class OnRedis:
    @pytest.fixture(scope="class")
    @classmethod
    def server(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
        with redis_server(tmp_path_factory.mktemp("redis")) as running:
            yield running

    @pytest.fixture
    async def link(self, server: RedisServer) -> AsyncIterator[RedisLink]:
        server.cli("flushall")
        link = RedisLink(server.url, within=5.0)
        yield link
        await link.close()

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
