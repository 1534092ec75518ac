"""Performance records: in this process, and in the Redis that instances share."""

import asyncio
import re

import msgspec
import pytest

from on_redis import OnRedis
from record_promises import RecordPromises, some
from records import record
from redis_server import RedisServer
from remembering import Clock
from yychat.errors import StoreError
from yychat.performance.ring import Ring
from yychat.performance.store import EVERYBODY, KEEP
from yychat.performance.stream import ERASED, RECORDS, RedisRecords
from yychat.redis_link import RedisLink


class TestRing(RecordPromises):
    @pytest.fixture
    def store(self, clock: Clock) -> Ring:
        return Ring(clock=clock)

    async def test_it_learns_what_others_have_erased(self, store: Ring, clock: Clock) -> None:
        await store.add(some(clock, 3, tenant="mine"))
        theirs = some(clock, 2, tenant="theirs")
        await store.add(theirs)
        await store.learn({"mine": clock()})
        assert await store.newest(10) == theirs
        await store.learn({EVERYBODY: clock() - 5})
        assert await store.newest(10) == theirs
        await store.learn({EVERYBODY: clock()})
        assert await store.newest(10) == []


class TestRedisRecords(OnRedis, RecordPromises):
    @pytest.fixture
    def store(self, link: RedisLink, clock: Clock) -> RedisRecords:
        return RedisRecords(link, clock=clock)

    async def test_everything_of_it_expires_and_shares_a_slot(
        self, store: RedisRecords, server: RedisServer, clock: Clock
    ) -> None:
        await store.add(some(clock, 1))
        await store.erase("somebody")
        assert {int(server.cli("ttl", key)) for key in (RECORDS, ERASED)} <= {KEEP, KEEP - 1}
        assert {re.findall(r"{(.*?)}", key)[0] for key in server.keys("*")} == {"performance"}

    async def test_garbage_counts_as_nothing(
        self, store: RedisRecords, server: RedisServer, clock: Clock
    ) -> None:
        added = some(clock, 2, 1)
        await store.add(added[:1])
        server.cli("xadd", RECORDS, "*", "record", "garbage")
        server.cli("xadd", RECORDS, "*", "something", "else")
        server.cli("hset", ERASED, "somebody", "long ago")
        await store.add(added[1:])
        assert await store.newest(10) == [added[1], added[0]]
        assert await store.erase("local") == 2

    async def test_a_newer_version_may_say_more(
        self, store: RedisRecords, server: RedisServer, link: RedisLink, clock: Clock
    ) -> None:
        known = record(clock() - 1)
        newer = msgspec.msgpack.encode({**msgspec.structs.asdict(known), "mood": "fine"})
        await link.ask(lambda r: r.xadd(RECORDS, {"record": newer}))
        assert await store.newest(1) == [known]

    async def test_a_key_of_another_kind_is_a_store_error(
        self, store: RedisRecords, server: RedisServer, clock: Clock
    ) -> None:
        server.cli("set", RECORDS, "something else")
        with pytest.raises(StoreError):
            await store.add(some(clock, 1))
        with pytest.raises(StoreError):
            await store.newest(1)

    async def test_more_than_a_page_of_one_tenant_is_found_behind_the_others(
        self, store: RedisRecords, clock: Clock
    ) -> None:
        mine = some(clock, 30, 20, tenant="mine")
        await store.add(mine)
        await store.add([record(clock() - 1) for _ in range(2_500)])
        assert await store.newest(2, "mine") == [mine[1], mine[0]]
        assert await store.erase("mine") == 2

    async def test_writing_and_erasing_at_once_leaves_no_half(
        self, store: RedisRecords, clock: Clock
    ) -> None:
        adding = (store.add(some(clock, 2, 1)) for _ in range(20))
        await asyncio.gather(*adding, store.erase())
        assert await store.newest(100) == []
