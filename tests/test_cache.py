"""The cache: what it promises whatever Redis does, and what it leaves in Redis."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import msgspec
import pytest

from redis_server import RedisServer
from yychat.cache.base import Cache
from yychat.cache.memory import OVERHEAD, MemoryCache
from yychat.cache.redis import PREFIX, RedisCache
from yychat.cache.tiered import Cached
from yychat.errors import StoreError, UpstreamTimeout
from yychat.redis_link import RedisLink

WITHIN = 0.5  # seconds for Redis where it is well: the machine may be busy
HUNG = 0.02  # seconds where it is not
TTL = 1000.0

# What a port that is no Redis, or a Redis gone mad, may answer to anything.
GARBAGE = {
    "no protocol": b"\xff\xfe\x00garbage\r\n",
    "a web server": b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
    "a number": b":5\r\n",
    "a list": b"*2\r\n:1\r\n:2\r\n",
    "a map": b"%1\r\n+a\r\n+b\r\n",
    "a true": b"#t\r\n",
    "another value": b"$5\r\nhello\r\n",
    "an endless value": b"$99999999999\r\n",
    "an error of no text": b"-\xff\xfe\r\n",
    "a closed door": b"",
}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Source:
    """What is cached: counts its loads, and waits at the gate where it is closed."""

    def __init__(self, value: Any = "value") -> None:
        self.value, self.loads = value, 0
        self.gate, self.began = asyncio.Event(), asyncio.Event()
        self.gate.set()

    async def __call__(self) -> Any:
        self.loads += 1
        value = self.value
        self.began.set()
        await self.gate.wait()
        if isinstance(value, Exception):
            raise value
        return value


@pytest.fixture
def server(server: RedisServer) -> Iterator[RedisServer]:
    """A Redis that is empty and well."""
    server.cli("FLUSHALL")
    yield server
    server.resume()


@asynccontextmanager
async def linked(url: str, within: float = WITHIN) -> AsyncIterator[RedisLink]:
    link = RedisLink(url, within=within)
    try:
        yield link
    finally:
        await link.close()


@pytest.fixture
async def link(server: RedisServer) -> AsyncIterator[RedisLink]:
    async with linked(server.url) as link:
        yield link


@asynccontextmanager
async def answering(garbage: bytes) -> AsyncIterator[str]:
    """The URL of something that answers everything with *garbage*."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while garbage and await reader.read(4096):
                writer.write(garbage)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield f"redis://127.0.0.1:{listener.sockets[0].getsockname()[1]}/0"


def cached(
    l2: Cache | None = None, *, l1: Cache | None = None, ttl: float = TTL, kind: Any = Any
) -> Cached[Any]:
    """As one process has it: with a first tier of its own."""
    return Cached(
        "things",
        encode=msgspec.msgpack.encode,
        decode=msgspec.msgpack.Decoder(kind).decode,
        ttl=ttl,
        l1=MemoryCache() if l1 is None else l1,
        l2=l2,
    )


def never() -> Awaitable[Any]:
    raise AssertionError("this was to be found without a load")


# The port: memory and Redis alike


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[Cache]:
    if request.param == "memory":
        yield MemoryCache()
        return
    async with linked(request.getfixturevalue("server").url) as link:
        yield RedisCache(link)


@pytest.mark.parametrize(
    "value", [b"", b"0", bytes(range(256)), b"x" * 2**20], ids=["empty", "0", "any", "long"]
)
async def test_a_value_is_found_again_byte_for_byte(cache: Cache, value: bytes) -> None:
    assert await cache.get("things:1") is None
    await cache.set("things:1", value, TTL)
    assert await cache.get("things:1") == value
    assert await cache.get("things:2") is None


async def test_a_later_value_replaces_an_earlier_one(cache: Cache) -> None:
    await cache.set("things:1", b"earlier", TTL)
    await cache.set("things:1", b"later", TTL)
    assert await cache.get("things:1") == b"later"


async def test_a_deleted_value_is_gone_and_deleting_nothing_does_nothing(cache: Cache) -> None:
    await cache.set("things:1", b"value", TTL)
    await cache.delete("things:1")
    await cache.delete("things:1")
    assert await cache.get("things:1") is None


async def test_a_value_is_gone_after_its_time(cache: Cache) -> None:
    await cache.set("things:1", b"short", 0.01)
    await cache.set("things:2", b"long", TTL)
    for _ in range(100):
        if await cache.get("things:1") is None:
            break
        await asyncio.sleep(0.01)
    assert await cache.get("things:1") is None
    assert await cache.get("things:2") == b"long"


# Cached: the same promises whatever Redis does

TROUBLES = ["none", "memory", "down", "hung", "full", "read-only", *GARBAGE]


@asynccontextmanager
async def second_tier(trouble: str, server: RedisServer) -> AsyncIterator[Cache | None]:
    async with AsyncExitStack() as stack:
        url, within = server.url, HUNG
        if trouble == "memory":
            yield None
            return
        if trouble == "none":
            within = WITHIN
        elif trouble == "down":
            async with answering(b"") as gone:  # its port is free again
                url = gone
        elif trouble == "hung":
            server.pause()
        elif trouble == "full":
            server.cli("CONFIG", "SET", "maxmemory", "1")
            stack.callback(server.cli, "CONFIG", "SET", "maxmemory", "0")
        elif trouble == "read-only":
            server.cli("REPLICAOF", "127.0.0.1", "1")
            stack.callback(server.cli, "REPLICAOF", "NO", "ONE")
        else:
            url = await stack.enter_async_context(answering(GARBAGE[trouble]))
        yield RedisCache(await stack.enter_async_context(linked(url, within)))


@pytest.fixture(params=TROUBLES)
async def l2(request: pytest.FixtureRequest, server: RedisServer) -> AsyncIterator[Cache | None]:
    async with second_tier(request.param, server) as l2:
        yield l2


@pytest.fixture
def things(l2: Cache | None) -> Cached[Any]:
    return cached(l2)


async def test_what_was_loaded_once_is_not_loaded_again(things: Cached[Any]) -> None:
    source = Source()
    assert await things.get(("a",), source) == "value"
    assert await things.get(("a",), source) == "value"
    assert source.loads == 1


@pytest.mark.parametrize("value", [0, 0.0, "", b"", [], {}, False, None])
async def test_a_value_that_is_nothing_is_still_a_value(things: Cached[Any], value: Any) -> None:
    source = Source(value)
    assert [await things.get(("a",), source) for _ in range(2)] == [value, value]
    assert source.loads == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a:b", "c"), ("a", "b:c")),
        (("ab",), ("a", "b")),
        (("a", ""), ("a",)),
        (("",), ()),
        (("1", "a"), ("a",)),
        (("\ud800",), ("\udc00",)),
        (("a\x00\x00\x00\x00\x00\x00\x00\x01b",), ("a", "b")),
    ],
)
async def test_different_keys_are_never_one(
    things: Cached[Any], one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    assert await things.get(one, Source("one")) == "one"
    assert await things.get(other, Source("other")) == "other"
    assert await things.get(one, never) == "one"


async def test_a_generation_is_no_part_of_a_key_that_a_caller_could_write(
    things: Cached[Any],
) -> None:
    assert await things.get(("a",), Source("one"), generation=1) == "one"
    assert await things.get(("1", "a"), Source("other")) == "other"
    assert await things.get(("a",), Source("none")) == "none"


async def test_a_hundred_equal_requests_are_one_load(things: Cached[Any]) -> None:
    source = Source()
    source.gate.clear()
    waiting = [asyncio.create_task(things.get(("a",), source)) for _ in range(100)]
    await source.began.wait()
    source.gate.set()
    assert await asyncio.gather(*waiting) == ["value"] * 100
    assert source.loads == 1


async def test_different_requests_do_not_wait_for_each_other(things: Cached[Any]) -> None:
    slow = Source("slow")
    slow.gate.clear()
    waiting = asyncio.create_task(things.get(("slow",), slow))
    await slow.began.wait()
    assert await things.get(("quick",), Source("quick")) == "quick"
    slow.gate.set()
    assert await waiting == "slow"


async def test_who_asked_first_may_leave_and_the_others_are_answered(things: Cached[Any]) -> None:
    source = Source()
    source.gate.clear()
    first = asyncio.create_task(things.get(("a",), source))
    await source.began.wait()
    others = [asyncio.create_task(things.get(("a",), source)) for _ in range(3)]
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    source.gate.set()
    assert await asyncio.gather(*others) == ["value"] * 3
    assert source.loads == 1


async def test_a_load_that_everybody_left_is_there_for_the_next(things: Cached[Any]) -> None:
    source = Source()
    source.gate.clear()
    only = asyncio.create_task(things.get(("a",), source))
    await source.began.wait()
    only.cancel()
    source.gate.set()
    assert await things.get(("a",), never) == "value"


async def test_a_failing_load_fails_all_who_waited_and_is_not_kept(things: Cached[Any]) -> None:
    source = Source(UpstreamTimeout("too late"))
    source.gate.clear()
    waiting = [asyncio.create_task(things.get(("a",), source)) for _ in range(10)]
    await source.began.wait()
    source.gate.set()
    failures = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(failure) for failure in failures] == [UpstreamTimeout] * 10
    source.value = "better now"
    assert await things.get(("a",), source) == "better now"
    assert source.loads == 2


async def test_a_failure_that_nobody_waits_for_is_no_noise(
    things: Cached[Any], caplog: pytest.LogCaptureFixture
) -> None:
    source = Source(UpstreamTimeout("too late"))
    source.gate.clear()
    only = asyncio.create_task(things.get(("a",), source))
    await source.began.wait()
    only.cancel()
    source.gate.set()
    await asyncio.wait([only])
    assert await things.get(("a",), Source("better now")) == "better now"
    assert "never retrieved" not in caplog.text


async def test_what_a_caller_does_to_its_value_is_nobody_elses_business(
    things: Cached[Any],
) -> None:
    source = Source([1, 2])
    source.gate.clear()
    waiting = [asyncio.create_task(things.get(("a",), source)) for _ in range(2)]
    await source.began.wait()
    source.gate.set()
    one, other = await asyncio.gather(*waiting)
    one.append(3)
    assert other == source.value == await things.get(("a",), never) == [1, 2]


async def test_another_generation_is_loaded_anew(things: Cached[Any]) -> None:
    assert await things.get(("a",), Source("before"), generation=7) == "before"
    assert await things.get(("a",), Source("after"), generation=8) == "after"
    assert await things.get(("a",), never, generation=7) == "before"


async def test_closing_ends_what_nobody_waits_for(things: Cached[Any]) -> None:
    source = Source()
    source.gate.clear()
    only = asyncio.create_task(things.get(("a",), source))
    await source.began.wait()
    await things.close()
    with pytest.raises(asyncio.CancelledError):
        await only


# Two tiers


async def test_what_one_process_loaded_another_finds(link: RedisLink) -> None:
    one, other = cached(RedisCache(link)), cached(RedisCache(link))
    await one.get(("a",), Source(None))
    assert await other.get(("a",), never) is None
    assert await other.get(("a",), never) is None
    assert one.stats["l2", "miss"] == 1
    assert (other.stats["l2", "hit"], other.stats["l1", "hit"]) == (1, 1)


async def test_a_stampede_asks_redis_once(link: RedisLink) -> None:
    things, source = cached(RedisCache(link)), Source()
    await asyncio.gather(*(things.get(("a",), source) for _ in range(100)))
    assert source.loads == 1
    assert things.stats == {
        ("l1", "hit"): 0,
        ("l1", "miss"): 100,
        ("l1", "error"): 0,
        ("l2", "hit"): 0,
        ("l2", "miss"): 1,
        ("l2", "error"): 0,
        ("l2", "poison"): 0,
    }


async def test_what_came_from_redis_is_asked_for_again_after_a_tenth_of_its_time(
    link: RedisLink, server: RedisServer
) -> None:
    clock = Clock()
    await cached(RedisCache(link)).get(("a",), Source("old"))
    things = cached(RedisCache(link), l1=MemoryCache(clock=clock))
    await things.get(("a",), never)
    server.cli("DEL", *server.keys())
    clock.now = TTL * 0.099
    assert await things.get(("a",), never) == "old"
    clock.now = TTL * 0.101
    assert await things.get(("a",), Source("new")) == "new"


async def test_what_this_process_loaded_is_loaded_again_after_its_time() -> None:
    clock = Clock()
    things = cached(l1=MemoryCache(clock=clock))
    await things.get(("a",), Source("old"))
    clock.now = TTL - 1
    assert await things.get(("a",), never) == "old"
    clock.now = TTL
    assert await things.get(("a",), Source("new")) == "new"


async def test_two_caches_never_answer_for_each_other(link: RedisLink) -> None:
    l1, l2 = MemoryCache(), RedisCache(link)
    for name in ("one", "other"):
        cache: Cached[str] = Cached(
            name, encode=str.encode, decode=bytes.decode, ttl=TTL, l1=l1, l2=l2
        )
        assert await cache.get(("a",), Source(name)) == name


@pytest.mark.parametrize("trouble", ["down", "hung", *GARBAGE])
async def test_trouble_with_redis_is_counted(trouble: str, server: RedisServer) -> None:
    async with second_tier(trouble, server) as l2:
        things = cached(l2)
        assert await things.get(("a",), Source()) == "value"
        assert things.stats["l2", "error"] + things.stats["l2", "poison"] > 0
        assert things.stats["l2", "hit"] == 0


@pytest.mark.parametrize("trouble", ["full", "read-only"])
async def test_a_redis_that_takes_nothing_still_gives(trouble: str, server: RedisServer) -> None:
    async with linked(server.url) as link:
        await cached(RedisCache(link)).get(("old",), Source("old"))
    async with second_tier(trouble, server) as l2:
        things = cached(l2)
        assert await things.get(("old",), never) == "old"
        assert await things.get(("new",), Source("new")) == "new"
        assert things.stats["l2", "error"] == 1


async def test_after_an_error_of_redis_this_load_does_not_wait_for_it_again(
    server: RedisServer,
) -> None:
    server.pause()
    async with linked(server.url, HUNG) as link:
        things = cached(RedisCache(link))
        await things.get(("a",), Source())
        assert things.stats["l2", "error"] == 1


async def test_redis_serves_again_when_it_is_back(server: RedisServer) -> None:
    async with linked(server.url) as patient, linked(server.url, 10 * HUNG) as link:
        keys = [(str(number),) for number in range(20)]
        for key in keys:
            await cached(RedisCache(patient)).get(key, Source(key[0]))
        server.pause()
        things = cached(RedisCache(link))
        sources = [Source(key[0]) for key in keys]
        values = await asyncio.gather(*map(things.get, keys, sources))
        assert values == [key[0] for key in keys]
        assert link.degraded
        server.resume()
        probe = asyncio.create_task(link.probe(0.01))
        for _ in range(500):
            if not link.degraded:
                break
            await asyncio.sleep(0.01)
        probe.cancel()
        # What was asked while it hung must not arrive now as the answer to another question.
        afterwards = cached(RedisCache(link))
        assert [await afterwards.get(key, Source("loaded")) for key in keys] == values
        assert afterwards.stats["l2", "poison"] == 0


# What lies in Redis


def times_to_live(server: RedisServer) -> list[int]:
    """In milliseconds; -1 is a key without."""
    script = (
        "local t = {} for i, k in ipairs(redis.call('KEYS', '*')) do t[i] = redis.call('PTTL', k)"
        " end return t"
    )
    return [int(line) for line in server.cli("EVAL", script, "0").split()]


async def test_every_key_is_ours_says_nothing_and_has_a_ttl(
    link: RedisLink, server: RedisServer
) -> None:
    things = cached(RedisCache(link), kind=str)
    for number in range(20):
        await things.get(("secret", str(number)), Source("value"), generation=number)
    (first, *_) = server.keys()
    server.cli("SET", first, "poison", "KEEPTTL")
    later = cached(RedisCache(link), kind=str)
    for generation in range(20):
        await later.get(("secret", "0"), Source(), generation=generation)
    keys = server.keys()
    assert len(keys) == 39
    assert all(re.fullmatch(r"yychat:v1:cache:things:[0-9a-f]{64}", key) for key in keys)
    assert -1 not in times_to_live(server)


async def test_what_was_stored_together_does_not_expire_together(
    link: RedisLink, server: RedisServer
) -> None:
    cache = RedisCache(link, spread=random.Random(1).uniform)
    for number in range(200):
        await cache.set(f"things:{number}", b"", TTL)
    seconds = [milliseconds / 1000 for milliseconds in times_to_live(server)]
    assert len(seconds) == 200
    assert TTL * 0.89 < min(seconds) < TTL * 0.92
    assert TTL * 1.08 < max(seconds) <= TTL * 1.1


@pytest.mark.parametrize("ttl", [0, -5, 0.0001])
async def test_there_is_no_ttl_so_small_that_a_key_stays_for_ever(
    link: RedisLink, server: RedisServer, ttl: float
) -> None:
    await RedisCache(link).set("things:1", b"value", ttl)
    assert -1 not in times_to_live(server)


async def put_bytes(link: RedisLink, key: str, raw: bytes) -> None:
    await link.ask(lambda client: client.set(key, raw))


async def put_list(link: RedisLink, key: str, raw: bytes) -> None:
    await link.ask(lambda client: client.delete(key))
    await link.ask(lambda client: client.rpush(key, raw))


def flipped(raw: bytes) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ 1])


def other_version(raw: bytes) -> bytes:
    _, *rest = msgspec.msgpack.decode(raw)
    return msgspec.msgpack.encode([2, *rest])


def one_field_more(raw: bytes) -> bytes:
    return msgspec.msgpack.encode([*msgspec.msgpack.decode(raw), b"more"])


POISON: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "noise": lambda _: random.Random(1).randbytes(100),
    "a pickle": lambda _: b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93\x94.",
    "json": lambda _: b'{"value": 1}',
    "cut off": lambda raw: raw[:-1],
    "too long": lambda raw: raw + b"x",
    "one bit": flipped,
    "another version": other_version,
    "one field more": one_field_more,
}


@pytest.mark.parametrize("put", [put_bytes, put_list], ids=["bytes", "list"])
@pytest.mark.parametrize("poison", POISON.values(), ids=POISON.keys())
async def test_garbage_is_a_miss_a_delete_and_a_count(
    link: RedisLink,
    poison: Callable[[bytes], bytes],
    put: Callable[[RedisLink, str, bytes], Awaitable[None]],
) -> None:
    cache = RedisCache(link)
    await cache.set("things:1", b"value", TTL)
    sound: Any = await link.ask(lambda client: client.get(PREFIX + "things:1"))
    await put(link, PREFIX + "things:1", poison(sound))
    assert await cache.get("things:1") is None
    assert await link.ask(lambda client: client.exists(PREFIX + "things:1")) == 0
    assert cache.poisoned == {"things": 1}
    assert await cache.get("things:1") is None
    assert cache.poisoned == {"things": 1}


async def test_a_value_that_lies_under_another_key_is_garbage(link: RedisLink) -> None:
    cache = RedisCache(link)
    await cache.set("things:1", b"one owner's", TTL)
    await link.ask(lambda client: client.rename(PREFIX + "things:1", PREFIX + "things:2"))
    assert await cache.get("things:2") is None
    assert cache.poisoned == {"things": 1}


async def test_what_is_sound_and_of_another_type_is_loaded_again(
    link: RedisLink, server: RedisServer
) -> None:
    await cached(RedisCache(link)).get(("a",), Source("text"))
    things = cached(RedisCache(link), kind=int)
    assert await things.get(("a",), Source(5)) == 5
    assert (things.stats["l2", "poison"], things.stats["l2", "miss"]) == (1, 1)
    assert await cached(RedisCache(link), kind=int).get(("a",), never) == 5


async def test_poison_costs_one_load_and_redis_holds_the_value_again(
    link: RedisLink, server: RedisServer
) -> None:
    await cached(RedisCache(link)).get(("a",), Source("first"))
    (key,) = server.keys()
    server.cli("SET", key, "poison")
    assert await cached(RedisCache(link)).get(("a",), Source("second")) == "second"
    assert await cached(RedisCache(link)).get(("a",), never) == "second"
    assert -1 not in times_to_live(server)


# The race of a refill with an erasure


class Memories:
    """An owner's memories, and the generation that every instance reads from Redis."""

    def __init__(self, link: RedisLink, cache: Cached[Any]) -> None:
        self._link, self._cache = link, cache
        self.held = ["a secret"]

    async def generation(self) -> int:
        return int(await self._link.ask(lambda client: client.get("generation")) or 0)

    async def erase(self) -> None:
        self.held = []
        await self._link.ask(lambda client: client.incr("generation"))

    async def recall(self, load: Callable[[], Awaitable[Any]]) -> Any:
        generation = await self.generation()
        return await self._cache.get(("owner", "query"), load, generation=generation)


async def test_a_load_begun_before_an_erasure_is_never_found_after_it(link: RedisLink) -> None:
    first, second = cached(RedisCache(link)), cached(RedisCache(link))
    memories = Memories(link, first)
    refill = Source(memories.held)
    refill.gate.clear()
    late = asyncio.create_task(memories.recall(refill))
    await refill.began.wait()  # it has read the secret, and stores it only later
    await memories.erase()
    refill.gate.set()
    assert await late == ["a secret"]  # the refill is done, in both tiers, after the erasure
    for instance in (first, second):
        assert await instance.get(("owner", "query"), never, generation=0) == ["a secret"]
    assert await memories.recall(Source(memories.held)) == []
    assert await Memories(link, second).recall(never) == []


async def test_a_refill_under_way_is_not_joined_after_an_erasure(link: RedisLink) -> None:
    memories = Memories(link, cached(RedisCache(link)))
    refill, fresh = Source(memories.held), Source([])
    refill.gate.clear()
    late = asyncio.create_task(memories.recall(refill))
    await refill.began.wait()
    await memories.erase()
    after = asyncio.create_task(memories.recall(fresh))
    await asyncio.wait([after], timeout=WITHIN * 4)
    refill.gate.set()
    assert (await late, await after, fresh.loads) == (["a secret"], [], 1)


# The bounds of memory


async def test_the_least_recently_used_makes_room() -> None:
    cache = MemoryCache(most_entries=3)
    for key in "abc":
        await cache.set(key, b"", TTL)
    await cache.get("a")
    await cache.set("d", b"", TTL)
    assert [key for key in "abcd" if await cache.get(key) is not None] == ["a", "c", "d"]
    assert cache.evicted == 1


async def test_bytes_are_bounded_as_well_as_entries() -> None:
    cache = MemoryCache(most_bytes=10 * (1 + 1000 + OVERHEAD))
    for key in "abcdefghijkl":
        await cache.set(key, b"x" * 1000, TTL)
    assert (cache.entries, cache.evicted) == (10, 2)
    assert await cache.get("c") is not None
    assert await cache.get("b") is None


async def test_what_cannot_fit_pushes_nothing_out_and_leaves_nothing_old_behind() -> None:
    cache = MemoryCache(most_bytes=10_000)
    await cache.set("a", b"small", TTL)
    await cache.set("b", b"small", TTL)
    await cache.set("b", b"x" * 10_000, TTL)
    assert await cache.get("a") == b"small"
    assert await cache.get("b") is None


async def test_the_bounds_hold_and_the_sum_is_right_whatever_happens() -> None:
    chance, clock = random.Random(1), Clock()
    cache = MemoryCache(most_entries=50, most_bytes=40_000, clock=clock)
    for _ in range(5_000):
        key, clock.now = str(chance.randrange(100)), clock.now + chance.random()
        match chance.randrange(4):
            case 0:
                await cache.get(key)
            case 1:
                await cache.delete(key)
            case _:
                await cache.set(key, bytes(chance.randrange(3_000)), chance.random() * 50)
        assert cache.entries <= 50
        assert 0 <= cache.held <= 40_000
    for number in range(100):
        await cache.delete(str(number))
    assert (cache.entries, cache.held) == (0, 0)


async def test_each_key_expires_by_its_own_time() -> None:
    clock = Clock()
    cache = MemoryCache(clock=clock)
    await cache.set("short", b"", 1)
    await cache.set("long", b"", 2)
    clock.now = 1.0
    assert await cache.get("short") is None
    assert await cache.get("long") == b""
    clock.now = 2.0
    assert await cache.get("long") is None
    assert (cache.entries, cache.held) == (0, 0)


@pytest.mark.parametrize("trouble", ["down", "hung", *GARBAGE])
async def test_the_redis_tier_raises_nothing_but_store_errors(
    trouble: str, server: RedisServer
) -> None:
    async with second_tier(trouble, server) as l2:
        assert l2 is not None
        for question in (l2.get("things:1"), l2.delete("things:1"), l2.set("things:1", b"", TTL)):
            with suppress(StoreError):
                assert await question is None
