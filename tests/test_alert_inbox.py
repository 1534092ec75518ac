"""Received alerts, in the local file and in Redis, keep what every inbox promises."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from alerting_parts import opened
from inbox_promises import InboxPromises, Received
from redis_server import RedisServer
from yychat.alerting.inbox_redis import ENTRIES, RECEIVED, RedisInbox
from yychat.alerting.inbox_sqlite import SqliteInbox
from yychat.errors import StoreError
from yychat.redis_link import RedisLink
from yychat.sqlite import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path) as database:
        yield database


class TestSqliteInbox(InboxPromises):
    @pytest.fixture
    def inbox(self, database: Database) -> SqliteInbox:
        return SqliteInbox(database)

    @pytest.fixture
    def other(self, tmp_path: Path, inbox: SqliteInbox) -> Iterator[SqliteInbox]:
        with opened(tmp_path) as database:
            yield SqliteInbox(database)


@pytest.fixture
def shared(link: RedisLink) -> RedisInbox:
    return RedisInbox(link, within=5.0)


class TestRedisInbox(InboxPromises):
    @pytest.fixture
    def inbox(self, shared: RedisInbox) -> RedisInbox:
        return shared

    @pytest.fixture
    async def other(self, server: RedisServer, shared: RedisInbox) -> AsyncIterator[RedisInbox]:
        link = RedisLink(server.url, within=5.0)
        yield RedisInbox(link, within=5.0)
        await link.close()


async def test_garbage_in_redis_counts_as_nothing(shared: RedisInbox, server: RedisServer) -> None:
    entry = Received()()
    await shared.put([entry])
    server.cli("hset", ENTRIES, "odd", "{")
    server.cli("zadd", RECEIVED, "1", "odd", "2", "nowhere")
    assert await shared.newest(10) == [entry]


async def test_nothing_of_it_expires(shared: RedisInbox, server: RedisServer) -> None:
    await shared.put([Received()()])
    assert {server.cli("ttl", key) for key in server.keys("yychat:v1:{alerts}*")} == {"-1"}


async def test_a_redis_that_is_away_is_a_store_error(
    shared: RedisInbox, server: RedisServer
) -> None:
    server.stop()
    try:
        with pytest.raises(StoreError):
            await shared.put([Received()()])
        with pytest.raises(StoreError):
            await shared.newest(1)
    finally:
        server.start()
