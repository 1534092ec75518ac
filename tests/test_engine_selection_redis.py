"""The selection in Redis keeps what every store promises, and is announced."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from redis_server import RedisServer
from selection_promises import SelectionPromises, selection
from yychat.engines.selection import Selection
from yychat.engines.selection_redis import (
    ANNOUNCED,
    HISTORY,
    SELECTION,
    RedisAnnouncements,
    RedisSelections,
)
from yychat.errors import StoreError
from yychat.redis_link import RedisLink


@pytest.fixture
def store(link: RedisLink) -> RedisSelections:
    return RedisSelections(link)


class TestRedisSelections(SelectionPromises):
    @pytest.fixture
    async def other(
        self, server: RedisServer, store: RedisSelections
    ) -> AsyncIterator[RedisSelections]:
        link = RedisLink(server.url, within=5.0)
        yield RedisSelections(link)
        await link.close()


async def test_nothing_of_it_expires_and_all_of_it_shares_a_slot(
    store: RedisSelections, server: RedisServer
) -> None:
    await store.propose(selection(1))
    assert {server.cli("ttl", key) for key in (SELECTION, HISTORY)} == {"-1"}
    tags = {re.findall(r"{(.*?)}", key)[0] for key in (SELECTION, HISTORY, ANNOUNCED)}
    assert tags == {"engines"}


@pytest.mark.parametrize("garbage", ["", "{", '{"weights": {"a": -1}}', '"text"'])
async def test_garbage_counts_as_nothing_and_gives_way(
    store: RedisSelections, server: RedisServer, garbage: str
) -> None:
    server.cli("hset", SELECTION, "selection", garbage)
    server.cli("xadd", HISTORY, "*", "selection", garbage)
    assert await store.read() is None
    assert await store.history(10) == []
    assert await store.propose(selection(1))
    assert await store.read() == selection(1)


@pytest.mark.parametrize("key", [SELECTION, HISTORY])
async def test_a_key_of_another_kind_is_refused_and_nothing_is_half_done(
    store: RedisSelections, server: RedisServer, key: str
) -> None:
    server.cli("set", key, "something else")
    with pytest.raises(StoreError):
        await store.propose(selection(1))
    assert server.keys("yychat:v1:{engines}*") == [key]


async def test_who_may_not_publish_still_switches(
    store: RedisSelections, server: RedisServer
) -> None:
    server.cli("acl", "setuser", "mute", "on", ">pw", "~yychat:v1:*", "+@all", "resetchannels")
    mute = RedisLink(server.url.replace("//", "//mute:pw@"), within=5.0)
    try:
        assert await RedisSelections(mute).propose(selection(1))
    finally:
        await mute.close()
        server.cli("acl", "deluser", "mute")
    assert await store.read() == selection(1)


async def test_a_redis_that_is_away_is_a_store_error(
    store: RedisSelections, server: RedisServer
) -> None:
    server.stop()
    try:
        for question in (store.read(), store.propose(selection(1)), store.history(1)):
            with pytest.raises(StoreError):
                await question
    finally:
        server.start()


class Heard:
    """Announcements as they come in."""

    def __init__(self) -> None:
        self.selections: list[Selection] = []
        self.joined = 0
        self.something = asyncio.Event()

    def hear(self, selection: Selection) -> None:
        self.selections.append(selection)
        self.something.set()

    def join(self) -> None:
        self.joined += 1
        self.something.set()

    async def more(self) -> None:
        async with asyncio.timeout(10):
            await self.something.wait()
        self.something.clear()


@asynccontextmanager
async def listening(
    server: RedisServer, quiet: float = 5.0, within: float = 1.0
) -> AsyncIterator[Heard]:
    heard = Heard()
    announcements = RedisAnnouncements(server.url, quiet=quiet, within=within, again=0.01)
    task = asyncio.create_task(announcements.listen(heard.hear, heard.join))
    try:
        await heard.more()
        yield heard
    finally:
        task.cancel()
        await asyncio.wait([task])
        await announcements.close()


async def test_a_change_is_announced_with_all_it_says(
    store: RedisSelections, server: RedisServer
) -> None:
    async with listening(server) as heard:
        await store.propose(selection(1))
        await heard.more()
        assert heard.selections == [selection(1)]


async def test_what_was_refused_is_not_announced(
    store: RedisSelections, server: RedisServer
) -> None:
    await store.propose(selection(5))
    async with listening(server) as heard:
        await store.propose(selection(4))
        await store.propose(selection(6))
        await heard.more()
        assert heard.selections == [selection(6)]


async def test_garbage_on_the_channel_is_passed_over(
    store: RedisSelections, server: RedisServer
) -> None:
    async with listening(server) as heard:
        server.cli("publish", ANNOUNCED, "garbage")
        await store.propose(selection(1))
        await heard.more()
        assert heard.selections == [selection(1)]


async def test_a_lost_connection_is_made_anew_and_says_that_something_may_be_missed(
    store: RedisSelections, server: RedisServer
) -> None:
    async with listening(server) as heard:
        server.cli("client", "kill", "type", "pubsub")
        await heard.more()
        assert heard.joined == 2
        await store.propose(selection(1))
        await heard.more()
        assert heard.selections == [selection(1)]


async def test_silence_is_asked_whether_anybody_is_there(
    store: RedisSelections, server: RedisServer
) -> None:
    async with listening(server, quiet=0.02) as heard:
        await asyncio.sleep(0.05)  # two silences: the connection answered and stays
        await store.propose(selection(1))
        await heard.more()
        assert (heard.selections, heard.joined) == ([selection(1)], 1)


async def test_a_connection_that_only_seems_to_be_there_is_given_up(server: RedisServer) -> None:
    async with listening(server, quiet=0.01, within=0.01) as heard, asyncio.timeout(10):
        while heard.joined == 1:
            server.pause()
            await asyncio.sleep(0.05)
            server.resume()
            await asyncio.sleep(0.05)
        assert server.cli("pubsub", "numsub", ANNOUNCED).split()[-1] == "1"
