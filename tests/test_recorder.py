"""Records get from requests to everybody, and no request ever waits for that."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from records import record
from redis_server import RedisServer, redis_server
from yychat.background import keep
from yychat.errors import StoreError
from yychat.performance.record import Record
from yychat.performance.recorder import WAITING, Recorder
from yychat.performance.ring import Ring
from yychat.performance.stream import RECORDS, RedisRecords
from yychat.redis_link import RedisLink


class Instance(Recorder):
    """A recorder of its own, over a link of its own."""

    def __init__(self, url: str) -> None:
        self.link = RedisLink(url, within=1.0)
        self.lost: list[int] = []
        super().__init__(RedisRecords(self.link), dropped=self.lost.append)

    def now_ends(self, seconds_ago: float = 0.0, **fields: object) -> Record:
        ended = record(time.time() - seconds_ago, **fields)
        self.put(ended)
        return ended


@asynccontextmanager
async def instance(url: str) -> AsyncIterator[Instance]:
    recorder = Instance(url)
    yield recorder
    await recorder.link.close()


@pytest.fixture
async def here(server: RedisServer) -> AsyncIterator[Instance]:
    server.cli("flushall")
    async with instance(server.url) as recorder:
        yield recorder


@pytest.fixture
async def there(server: RedisServer) -> AsyncIterator[Instance]:
    async with instance(server.url) as recorder:
        yield recorder


class Refusing(Ring):
    """A store that takes nothing for as long as it is ``full``."""

    full = True

    async def add(self, records: Sequence[Record]) -> None:
        if self.full:
            raise StoreError("Redis refused (OOM)")
        await super().add(records)


async def test_two_instances_see_each_others_records(here: Instance, there: Instance) -> None:
    first, second = here.now_ends(2, instance="here"), there.now_ends(1, instance="there")
    await here.flush()
    for recorder in (there, here):
        found = await recorder.newest(10)
        assert (found.records, found.instances) == ([second, first], "all")
        assert (await recorder.since(time.time() - 10)).records == [second, first]


async def test_what_has_just_ended_is_shown_where_it_ended(here: Instance) -> None:
    ended = here.now_ends()
    assert (await here.newest(1)).records == [ended]


async def test_what_waits_is_brought_without_anybody_asking(
    here: Instance, there: Instance
) -> None:
    ended = here.now_ends()
    async with AsyncExitStack() as stack, asyncio.timeout(10):
        keep(stack, here.run)
        while (await there.newest(1)).records != [ended]:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.02)


async def test_closing_brings_the_last_ones(here: Instance, there: Instance) -> None:
    ended = [here.now_ends() for _ in range(500)]
    await here.close()
    assert (await there.newest(1_000)).records[0].at == ended[-1].at
    assert len((await there.newest(1_000)).records) == 500
    assert here.lost == []


async def test_asking_and_bringing_at_once_shows_nothing_twice(
    here: Instance, there: Instance
) -> None:
    async def watch() -> None:
        for _ in range(20):
            ids = [each.id for each in (await there.newest(1_000)).records]
            assert len(ids) == len(set(ids))

    for _ in range(500):
        here.now_ends()
    await asyncio.gather(watch(), *(here.flush() for _ in range(5)), here.newest(5), watch())
    assert len((await there.newest(1_000)).records) == 500


async def test_without_a_redis_there_is_this_instance() -> None:
    recorder = Recorder()
    ended = record(time.time())
    recorder.put(ended)
    found = await recorder.newest(5)
    assert (found.records, found.instances) == ([ended], "this")
    assert await recorder.erase() == 1
    assert (await recorder.since(0)).records == []
    await recorder.close()


async def test_while_redis_is_away_nothing_is_lost_and_later_nothing_is_there_twice(
    tmp_path: Path,
) -> None:
    with redis_server(tmp_path, appendonly=True) as server:
        async with instance(server.url) as here, instance(server.url) as there:
            before = here.now_ends(2)
            await here.flush()
            server.stop()
            meanwhile = [here.now_ends(1 - n / 100) for n in range(3)]
            for _ in range(5):
                await here.flush()
            found = await here.newest(10)
            assert (found.records, found.instances) == ([*reversed(meanwhile), before], "this")
            server.start()
            await there.link.ask(lambda r: r.ping())
            async with AsyncExitStack() as stack, asyncio.timeout(10):
                keep(stack, lambda: here.link.probe(0.02))
                while here.link.degraded:  # noqa: ASYNC110 - there is no event for it
                    await asyncio.sleep(0.02)
            await here.flush()
            for recorder in (here, there):
                found = await recorder.newest(10)
                assert (found.records, found.instances) == ([*reversed(meanwhile), before], "all")
            assert here.lost == []


async def test_a_redis_that_hangs_holds_nobody_up_who_ends(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        async with instance(server.url) as here:
            await here.flush()
            server.pause()
            bringing = [here.now_ends()]
            flushing = asyncio.create_task(here.flush())
            await asyncio.sleep(0)
            bringing += [here.now_ends() for _ in range(100)]  # never awaits: nothing to wait for
            flushing.cancel()
            await asyncio.wait([flushing])
            server.resume()
            found = (await here.newest(1_000)).records
            assert sorted(each.id for each in found) == sorted(each.id for each in bringing)


async def test_only_so_many_wait_and_the_oldest_give_way_and_are_counted() -> None:
    store, lost = Refusing(), list[int]()
    recorder = Recorder(store, dropped=lost.append)
    ended = [record(time.time() - 10 + n / 1000) for n in range(WAITING + 10)]
    for each in ended[: WAITING + 7]:
        recorder.put(each)
    await recorder.flush()
    for each in ended[WAITING + 7 :]:
        recorder.put(each)
    await recorder.flush()
    assert sum(lost) == 10
    store.full = False
    await recorder.flush()
    assert await store.newest(WAITING * 2) == ended[:9:-1]


async def test_a_store_that_is_full_hides_nothing_of_this_instance() -> None:
    recorder = Recorder(Refusing())
    ended = record(time.time())
    recorder.put(ended)
    assert (await recorder.newest(5)).records == [ended]
    assert (await recorder.since(time.time() - 5)).records == [ended]
    assert (await recorder.newest(5, "somebody")).records == []


async def test_what_cannot_be_brought_before_the_end_is_counted() -> None:
    lost: list[int] = []
    recorder = Recorder(Refusing(), dropped=lost.append)
    recorder.put(record(1.0))
    await recorder.close()
    assert lost == [1]


async def test_erasing_is_for_all_instances(here: Instance, there: Instance) -> None:
    here.now_ends(1, tenant="mine")
    kept = there.now_ends(1, tenant="theirs")
    await there.flush()
    assert await here.erase("mine") == 1
    assert (await there.newest(10)).records == [kept]
    there.now_ends(3, tenant="mine")  # it was on its way
    assert (await there.newest(10)).records == [kept]


async def test_erasing_says_so_when_redis_is_away_and_erases_nothing(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        async with instance(server.url) as here:
            ended = here.now_ends()
            await here.flush()
            server.stop()
            with pytest.raises(StoreError):
                await here.erase()
            assert (await here.newest(5)).records == [ended]


async def test_others_erasures_are_known_when_redis_goes_away(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        async with instance(server.url) as here, instance(server.url) as there:
            here.now_ends()
            await there.erase()
            async with AsyncExitStack() as stack, asyncio.timeout(10):
                keep(stack, here.run)
                while (await here.newest(5)).records:  # noqa: ASYNC110 - there is no event for it
                    await asyncio.sleep(0.02)
                await here.learn()
            server.stop()
            found = await here.newest(5)
            assert (found.records, found.instances) == ([], "this")


async def test_ten_thousand_records_are_all_that_redis_holds(
    here: Instance, server: RedisServer
) -> None:
    for _ in range(12):
        for _ in range(1_000):
            here.now_ends()
        await here.flush()
    assert 10_000 <= int(server.cli("xlen", RECORDS)) < 10_200
    assert here.lost == []
