"""The registries of processes keep what they promise, and a process keeps itself in them."""

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from instance_promises import InstancePromises, process, registered
from on_redis import OnRedis
from redis_server import RedisServer
from remembering import Clock
from yychat.errors import StoreError
from yychat.instances.membership import KNOWN_FOR, Membership
from yychat.instances.registry import DEAD_AFTER, Instance, InstanceRegistry, Registration
from yychat.instances.registry_redis import REGISTERED, SEEN, RedisInstances
from yychat.instances.registry_sqlite import SqliteInstances
from yychat.redis_link import RedisLink
from yychat.sqlite import Database


class TestRedisInstances(OnRedis, InstancePromises):
    @pytest.fixture
    def registry(self, link: RedisLink) -> RedisInstances:
        return RedisInstances(link)

    @pytest.fixture
    def hasty(self, link: RedisLink) -> RedisInstances:
        return RedisInstances(link, dead_after=0)

    @pytest.fixture
    async def other(
        self, server: RedisServer, registry: RedisInstances
    ) -> AsyncIterator[RedisInstances]:
        link = RedisLink(server.url, within=5.0)
        yield RedisInstances(link)
        await link.close()

    async def test_nothing_expires_and_all_of_it_shares_a_slot(
        self, registry: RedisInstances, server: RedisServer
    ) -> None:
        await registry.beat(process())
        assert {server.cli("ttl", key) for key in (REGISTERED, SEEN)} == {"-1"}
        assert {re.findall(r"{(.*?)}", key)[0] for key in (REGISTERED, SEEN)} == {"instances"}

    async def test_whoever_has_been_silent_for_too_long_is_dead_and_listed(
        self, registry: RedisInstances, server: RedisServer
    ) -> None:
        await registry.beat(process())
        server.cli("hset", SEEN, "host:0", "1700000000")
        (found,) = await registry.everybody()
        assert found.dead

    @pytest.mark.parametrize("garbage", ["", "{", "[]", '"text"', '{"address": 1}'])
    async def test_garbage_counts_as_nobody_and_gives_way_where_it_is_old(
        self, registry: RedisInstances, server: RedisServer, garbage: str
    ) -> None:
        server.cli("hset", REGISTERED, "host:0", garbage)
        server.cli("hset", SEEN, "host:0", "x")
        assert await registry.everybody() == []
        assert await registry.beat(process())
        assert registered(await registry.everybody()) == [process()]

    async def test_a_redis_that_is_away_is_a_store_error(
        self, registry: RedisInstances, server: RedisServer
    ) -> None:
        server.stop()
        try:
            questions = (
                registry.beat(process()),
                registry.leave(process()),
                registry.forget("host:0"),
                registry.everybody(),
            )
            for question in questions:
                with pytest.raises(StoreError):
                    await question
        finally:
            server.start()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "yychat.db")
    yield database
    database.close()


class TestSqliteInstances(InstancePromises):
    @pytest.fixture
    def registry(self, database: Database) -> SqliteInstances:
        return SqliteInstances(database)

    @pytest.fixture
    def hasty(self, database: Database) -> SqliteInstances:
        return SqliteInstances(database, dead_after=0)

    @pytest.fixture
    def other(self, tmp_path: Path, registry: SqliteInstances) -> Iterator[SqliteInstances]:
        database = Database(tmp_path / "yychat.db")
        yield SqliteInstances(database)
        database.close()

    async def test_whoever_has_been_silent_for_too_long_is_dead_and_listed(
        self, database: Database
    ) -> None:
        clock = Clock()
        registry = SqliteInstances(database, clock=clock)
        await registry.beat(process())
        clock.pass_(DEAD_AFTER)
        assert [(each.silent, each.dead) for each in await registry.everybody()] == [
            (DEAD_AFTER, True)
        ]

    async def test_garbage_counts_as_nobody_and_gives_way(
        self, database: Database, registry: SqliteInstances
    ) -> None:
        row = ("host:0", b"{}", 1e12)

        def put(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO instances VALUES (?, ?, ?)", row)

        await database.write(put)
        assert await registry.everybody() == []
        assert await registry.beat(process())
        assert registered(await registry.everybody()) == [process()]


class Registry:
    """A registry in memory, which can be away or taken."""

    def __init__(self) -> None:
        self.there: dict[str, Registration] = {}
        self.away = self.taken = False
        self.asked = asyncio.Event()

    async def beat(self, registration: Registration) -> bool:
        self._ask()
        if not self.taken:
            self.there[registration.instance] = registration
        return not self.taken

    async def leave(self, registration: Registration) -> None:
        self._ask()
        self.there.pop(registration.instance, None)

    async def forget(self, instance: str) -> bool:
        self._ask()
        return self.there.pop(instance, None) is not None

    async def everybody(self) -> list[Instance]:
        self._ask()
        return [Instance(each, 0.0) for each in self.there.values()]

    def _ask(self) -> None:
        self.asked.set()
        if self.away:
            raise StoreError("away")


@pytest.fixture
def clock() -> Clock:
    return Clock()


def membership(
    registry: InstanceRegistry,
    clock: Callable[[], float],
    me: Registration | None = None,
    counted: Callable[[int], None] = lambda _: None,
) -> Membership:
    return Membership(registry, me or process(), counted=counted, every=0.01, clock=clock)


async def test_targets_are_listed_as_prometheus_reads_them(clock: Clock) -> None:
    registry = Registry()
    registry.there["w:1"] = process("w:1", port=9465, kind="work")
    member = membership(registry, clock)
    await member.beat()
    assert json.loads(member.targets() or b"") == [
        {"targets": ["127.0.0.1:9465"], "labels": {"instance": "w:1", "job": "yychat-work"}},
        {"targets": ["127.0.0.1:9464"], "labels": {"instance": "host:0", "job": "yychat"}},
    ]


async def test_before_the_registry_was_read_no_targets_are_known(clock: Clock) -> None:
    registry = Registry()
    registry.away = True
    member = membership(registry, clock)
    assert member.targets() is None
    await member.beat()
    assert member.targets() is None


async def test_what_was_read_is_good_for_a_while_and_then_unknown(clock: Clock) -> None:
    registry = Registry()
    member = membership(registry, clock)
    await member.beat()
    registry.away = True
    clock.pass_(KNOWN_FOR)
    await member.beat()
    assert member.targets() is not None
    clock.pass_(0.1)
    assert member.targets() is None
    registry.away = False
    await member.beat()
    assert member.targets() is not None


async def test_an_empty_registry_is_not_an_empty_list(clock: Clock) -> None:
    registry = Registry()
    registry.taken = True
    member = membership(registry, clock)
    await member.beat()
    assert member.targets() is None


async def test_how_many_are_registered_is_told(clock: Clock) -> None:
    registry, told = Registry(), list[int]()
    registry.there["b:0"] = process("b:0")
    await membership(registry, clock, counted=told.append).beat()
    assert told == [2]


async def test_a_process_comes_back_by_itself_and_leaves_for_good(clock: Clock) -> None:
    registry = Registry()
    member = membership(registry, clock)
    kept = asyncio.create_task(member.keep())
    async with asyncio.timeout(10):
        for _ in range(3):
            while not registry.there:
                registry.asked.clear()
                await registry.asked.wait()
            registry.there.clear()  # somebody emptied Redis
    kept.cancel()
    await asyncio.wait([kept])
    await member.beat()
    await member.leave()
    assert registry.there == {}


async def test_trouble_is_logged_when_it_begins_and_when_it_ends(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    registry = Registry()
    member = membership(registry, clock)
    for away in (False, True, True, False, False):
        registry.away = away
        await member.beat()
    registry.taken = True
    await member.beat()
    assert [record.getMessage() for record in caplog.records] == [
        "not registered for scraping: away",
        "registered again",
        "not registered for scraping: another living process is called host:0",
    ]


async def test_a_registry_that_is_away_does_not_keep_a_process_from_ending(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    registry = Registry()
    registry.away = True
    await membership(registry, clock).leave()
    assert "host:0 is still registered" in caplog.text
