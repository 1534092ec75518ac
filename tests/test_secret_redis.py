"""Instances on one Redis have one secret, or are told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from redis_server import RedisServer, redis_server
from yychat.errors import ConfigurationError, StoreError
from yychat.memory.secret_redis import another_secret, one_secret
from yychat.owner import Owners
from yychat.redis_link import RedisLink

OURS, THEIRS = Owners(b"the secret that we have"), Owners(b"the secret that they have")
KEY = "yychat:v1:secret"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as running:
        yield running


@pytest.fixture
async def link(redis: RedisServer) -> AsyncIterator[RedisLink]:
    link = RedisLink(redis.url, within=1.0)
    yield link
    await link.close()


class Start:
    """A start of which the failure is noted."""

    failure: ConfigurationError | None = None

    def fail(self, error: ConfigurationError) -> None:
        self.failure = error


@asynccontextmanager
async def watching(link: RedisLink, owners: Owners) -> AsyncIterator[Start]:
    start = Start()
    tasks = [
        asyncio.create_task(one_secret(link, owners, start.fail, every=0.01)),
        asyncio.create_task(link.probe(0.01)),
    ]
    try:
        yield start
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def until(state: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not state():  # noqa: ASYNC110 - another process' state has no event
            await asyncio.sleep(0.01)


async def test_the_first_to_come_leaves_a_fingerprint_and_not_the_secret(
    link: RedisLink, redis: RedisServer
) -> None:
    async with watching(link, OURS) as start:
        await until(lambda: redis.keys(KEY) == [KEY])
    assert start.failure is None
    assert redis.cli("get", KEY) == OURS.fingerprint
    assert redis.cli("ttl", KEY) == "-1"


async def test_the_same_secret_is_welcome(link: RedisLink, redis: RedisServer) -> None:
    redis.cli("set", KEY, OURS.fingerprint)
    assert not await another_secret(link, OURS)


async def test_another_secret_ends_the_start(link: RedisLink, redis: RedisServer) -> None:
    redis.cli("set", KEY, THEIRS.fingerprint)
    async with watching(link, OURS) as start:
        await until(lambda: start.failure is not None)
    assert "YYCHAT_OWNER_SECRET_FILE" in str(start.failure)
    assert redis.cli("get", KEY) == THEIRS.fingerprint


async def test_another_secret_found_when_redis_comes_back_is_logged_and_ends_nothing(
    link: RedisLink, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    redis.cli("set", KEY, THEIRS.fingerprint)
    redis.cli("save")
    redis.stop()
    async with watching(link, OURS) as start:
        await until(lambda: link.degraded)
        redis.start()
        await until(lambda: "owner secret is not the one" in caplog.text)
    assert start.failure is None


async def test_a_redis_that_comes_back_empty_is_told_again(
    link: RedisLink, redis: RedisServer
) -> None:
    async with watching(link, OURS):
        await until(lambda: redis.keys(KEY) == [KEY])
        redis.stop()
        with pytest.raises(StoreError):
            await another_secret(link, OURS)
        redis.start(emptied=True)
        await until(lambda: redis.keys(KEY) == [KEY])


def test_the_fingerprint_tells_secrets_apart() -> None:
    assert OURS.fingerprint == Owners(b"the secret that we have").fingerprint
    assert OURS.fingerprint != THEIRS.fingerprint
