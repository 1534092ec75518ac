"""Places, buckets and token counts: exact with a clock of our own, and shared through Redis."""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from redis_server import RedisServer, redis_server
from yychat.chat import Answer, ChatRequest, Chunk, Message, Usage
from yychat.errors import CapacityExceeded, RateLimited, UpstreamFailed
from yychat.limits.admission import Door
from yychat.limits.budget import DEEPEST, Budget, Draw, Levels, Standing
from yychat.limits.headers import duration, rate_headers
from yychat.limits.inflight import Inflight
from yychat.limits.meter import Meter, tokens_of_embeddings
from yychat.limits.rates import Rates
from yychat.limits.rates_redis import PREFIX, RedisBuckets
from yychat.redis_link import RedisLink
from yychat.web.problems import problem

ASKED = ChatRequest(
    messages=[], view=[Message("user", "what is the time in Berlin?")], fields={}, model="m"
)


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def refusal(rates: Rates, budget: Budget) -> RateLimited:
    with pytest.raises(RateLimited) as refused:
        await rates.admit(budget)
    return refused.value


async def admitted_of(rates: Rates, budget: Budget, times: int) -> int:
    """How many of *times* requests are let in."""
    admitted = 0
    for _ in range(times):
        try:
            await rates.admit(budget)
        except RateLimited:
            continue
        admitted += 1
    return admitted


async def let_in(rates: Rates, budget: Budget) -> None:
    """Try until it works."""
    for _ in range(2000):
        if await admitted_of(rates, budget, 1):
            return
        await asyncio.sleep(0.001)
    pytest.fail("what has leaked was not given again")


def retry_after(error: RateLimited) -> int:
    """What the response tells the client."""
    return int(problem(error).headers["retry-after"])


# Places


def test_there_are_exactly_as_many_places_as_allowed() -> None:
    inflight = Inflight(4, per_tenant=4)
    places = [inflight.place("acme") for _ in range(5)]
    for place in places[:4]:
        place.__enter__()
    with pytest.raises(CapacityExceeded) as refused:
        places[4].__enter__()
    assert refused.value.code == "capacity_exceeded"
    assert refused.value.retry_after == 1
    places[0].__exit__(None, None, None)
    with inflight.place("acme"):
        assert inflight.inflight == 4


def test_a_tenant_gets_no_more_than_its_share_and_leaves_the_rest_to_others() -> None:
    inflight = Inflight(4)
    with inflight.place("acme"), inflight.place("acme"):
        with pytest.raises(CapacityExceeded):
            inflight.place("acme").__enter__()
        with inflight.place("other"), inflight.place("other"):
            assert inflight.tenants == {"acme": 2, "other": 2}
            with pytest.raises(CapacityExceeded):
                inflight.place("third").__enter__()


def test_a_place_is_free_again_however_its_block_ends() -> None:
    inflight = Inflight(1)
    for ending in (ValueError, asyncio.CancelledError, GeneratorExit):
        with pytest.raises(ending), inflight.place("acme"):
            raise ending
    assert (inflight.inflight, dict(inflight.tenants)) == (0, {})


@pytest.mark.parametrize(("limit", "share"), [(512, 256), (3, 1), (1, 1)])
def test_a_share_is_half_unless_it_is_given(limit: int, share: int) -> None:
    assert Inflight(limit).per_tenant == share


# Requests per minute


@pytest.mark.parametrize("limit", [1, 3, 7, 60, 997])
async def test_a_rested_key_may_take_a_minutes_worth_and_not_one_more(limit: int) -> None:
    rates, budget = Rates(clock=Clock()), Budget("k", requests=limit)
    assert await admitted_of(rates, budget, limit + 5) == limit


@pytest.mark.parametrize("limit", [1, 3, 7, 60, 997])
async def test_whoever_waits_as_told_is_let_in_and_no_sooner(limit: int) -> None:
    clock, budget = Clock(), Budget("k", requests=limit)
    rates = Rates(clock=clock)
    await admitted_of(rates, budget, limit)
    refused = await refusal(rates, budget)
    assert refused.retry_after == pytest.approx(60 / limit)
    assert retry_after(refused) == math.ceil(60 / limit)
    clock.now += 60 / limit * 0.99
    await refusal(rates, budget)
    clock.now += 60 / limit * 0.01
    assert await admitted_of(rates, budget, 2) == 1


async def test_over_an_hour_a_busy_key_gets_its_rate() -> None:
    clock, budget = Clock(), Budget("k", requests=7)
    rates, admitted = Rates(clock=clock), 0
    for _ in range(3600 * 2):
        admitted += await admitted_of(rates, budget, 1)
        clock.now += 0.5
    assert admitted == 7 + 7 * 60 - 1


async def test_keys_do_not_share_budgets() -> None:
    rates = Rates(clock=Clock())
    assert await admitted_of(rates, Budget("a", requests=2), 3) == 2
    assert await admitted_of(rates, Budget("b", requests=2), 3) == 2


async def test_without_limits_nothing_is_kept_and_nobody_is_asked() -> None:
    asked = Counting()
    rates = Rates(asked)
    assert await rates.admit(Budget("k")) == []
    await rates.book(Budget("k", requests=1), 100)
    assert asked.draws == 0


class Counting:
    """Buckets without a bottom that count how often they are asked."""

    def __init__(self) -> None:
        self.draws = 0

    async def draw(self, name: str, draws: Sequence[Draw]) -> Levels:
        self.draws += 1
        return Levels(admitted=True, levels=[0.0] * len(draws))


# Tokens per minute


async def test_tokens_are_refused_once_they_are_used_up() -> None:
    clock, budget = Clock(), Budget("k", tokens=600)
    rates = Rates(clock=clock)
    await rates.admit(budget)
    await rates.book(budget, 599)
    await rates.admit(budget)
    await rates.book(budget, 1)
    refused = await refusal(rates, budget)
    assert refused.retry_after == pytest.approx(0.1)
    assert "tokens" in refused.message


async def test_what_was_used_beyond_the_limit_has_to_leak_first() -> None:
    clock, budget = Clock(), Budget("k", tokens=600)
    rates = Rates(clock=clock)
    await rates.book(budget, 1800)
    refused = await refusal(rates, budget)
    assert refused.retry_after == pytest.approx(120.1)
    clock.now += retry_after(refused)
    await rates.admit(budget)


async def test_an_absurd_count_locks_a_key_out_for_an_hour_at_most() -> None:
    rates, budget = Rates(clock=Clock()), Budget("k", tokens=600)
    await rates.book(budget, 10**400)
    assert ((await refusal(rates, budget)).retry_after or 0) <= DEEPEST * 60


async def test_a_request_refused_for_tokens_takes_no_request() -> None:
    clock, budget = Clock(), Budget("k", requests=10, tokens=60)
    rates = Rates(clock=clock)
    await rates.book(budget, 60)
    for _ in range(20):
        await refusal(rates, budget)
    clock.now += 1
    requests, tokens = await rates.admit(budget)
    assert (requests.remaining, tokens.remaining) == (9, 1)


async def test_a_limit_that_was_changed_holds_from_the_next_request_on() -> None:
    rates = Rates(clock=Clock())
    assert await admitted_of(rates, Budget("k", requests=5), 5) == 5
    assert await admitted_of(rates, Budget("k", requests=8), 8) == 3
    await refusal(rates, Budget("k", requests=2))


# Headers


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0s"),
        (0.02, "20ms"),
        (0.0001, "1ms"),
        (1, "1s"),
        (8.64, "8.64s"),
        (59.9999, "1m0s"),
        (360, "6m0s"),
        (90.5, "1m30.5s"),
        (3600, "1h0m0s"),
    ],
)
def test_durations_are_written_as_openai_writes_them(seconds: float, written: str) -> None:
    assert duration(seconds) == written


def test_headers_say_how_each_limit_stands() -> None:
    assert rate_headers([Standing("requests", 60, 6.0), Standing("tokens", 600, 900.5)]) == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "54",
        "x-ratelimit-reset-requests": "6s",
        "x-ratelimit-limit-tokens": "600",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "1m30.05s",
    }


async def test_a_refusal_carries_the_headers_of_all_limits() -> None:
    rates, budget = Rates(clock=Clock()), Budget("k", requests=1, tokens=100)
    await rates.admit(budget)
    refused = problem(await refusal(rates, budget))
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "60"
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert refused.headers["x-ratelimit-remaining-tokens"] == "100"
    error = msgspec.json.decode(refused.body)["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")


# What an answer has cost


async def chunks_of(*pieces: Chunk | Exception) -> AsyncGenerator[Chunk, None]:
    for piece in pieces:
        if isinstance(piece, Exception):
            raise piece
        yield piece


def delta(text: str) -> Chunk:
    event = {"choices": [{"index": 0, "delta": {"content": text}}]}
    return Chunk(data=b"data: " + msgspec.json.encode(event) + b"\n\n", tokens=True)


def ending(usage: Usage | None) -> Chunk:
    return Chunk(data=b"", answer=Answer("so it is", "stop", usage, "m"))


async def heard(*pieces: Chunk | Exception) -> Meter:
    meter = Meter()
    chunks = chunks_of(*pieces)
    try:
        async with aclosing(meter.over(chunks, ASKED)) as listened:
            async for _ in listened:
                pass
    except UpstreamFailed:
        pass
    return meter


async def test_the_upstreams_own_count_is_booked() -> None:
    assert (await heard(delta("so"), ending(Usage(20, 5, 25)))).tokens == 25


async def test_a_usage_without_a_sum_is_summed() -> None:
    assert (await heard(delta("so"), ending(Usage(20, 5)))).tokens == 25


@pytest.mark.parametrize("usage", [None, Usage()], ids=["none", "zero"])
async def test_an_answer_without_usage_is_estimated(usage: Usage | None) -> None:
    assert 5 <= (await heard(delta("so"), delta(" it is"), ending(usage))).tokens <= 25


async def test_an_answer_that_breaks_off_costs_its_question_and_what_came() -> None:
    nothing = (await heard(ending(None))).tokens
    broken = (await heard(*[delta("x")] * 30, UpstreamFailed("it broke"))).tokens
    assert broken >= nothing + 20


async def test_text_that_looks_like_an_event_is_not_counted_as_one() -> None:
    once, looking = await heard(delta("x")), await heard(delta('"delta":"delta":"delta":'))
    assert once.tokens == looking.tokens


async def test_a_request_that_fails_before_its_first_token_costs_nothing() -> None:
    assert (await heard(UpstreamFailed("down"))).tokens == 0


async def test_a_client_that_leaves_in_the_middle_has_paid_for_the_question() -> None:
    meter = Meter()
    async with aclosing(meter.over(chunks_of(delta("a"), delta("b")), ASKED)) as listened:
        await anext(listened)
    assert meter.tokens > 1


@pytest.mark.parametrize(
    ("body", "asked", "least", "most"),
    [
        (b'{"data":[],"usage":{"prompt_tokens":9,"total_tokens":9}}', "x", 9, 9),
        (b'{"data":[]}', [[1, 2, 3], [4, 5]], 5, 5),
        (b'{"data":[]}', [1, 2, 3], 3, 3),
        (b"not JSON", "nine letters and more", 1, 21),
        (b'{"usage":{"total_tokens":-5}}', [1, 2], 2, 2),
    ],
)
def test_embeddings_cost_what_their_answer_says_or_about_that(
    body: bytes, asked: str | list[str | int | list[int]], least: int, most: int
) -> None:
    assert least <= tokens_of_embeddings(body, asked) <= most


# The door


async def test_the_place_is_free_before_the_tokens_are_booked_and_both_happen_once() -> None:
    inflight, clock = Inflight(1), Clock()
    door = Door(inflight, Rates(clock=clock))
    budget = Budget("k", requests=10, tokens=1000)
    async with door.admitted("acme", budget) as admission:
        assert inflight.inflight == 1
        async with aclosing(admission.metered(chunks_of(ending(Usage(1, 1, 300))), ASKED)) as all_:
            await anext(all_)
    assert inflight.inflight == 0
    async with door.admitted("acme", budget) as admission:
        assert admission.headers["x-ratelimit-remaining-tokens"] == "700"


async def test_whoever_is_refused_keeps_no_place_and_takes_no_request() -> None:
    inflight = Inflight(1)
    door, budget = Door(inflight, Rates(clock=Clock())), Budget("k", requests=2)
    async with door.admitted("acme", budget):
        with pytest.raises(CapacityExceeded):
            await door.admitted("acme", budget).__aenter__()
    async with door.admitted("acme", budget):
        pass
    with pytest.raises(RateLimited):
        await door.admitted("acme", budget).__aenter__()
    assert inflight.inflight == 0


async def test_without_limits_chunks_pass_as_they_are() -> None:
    door = Door(Inflight(2), Rates())
    chunks = chunks_of(delta("a"))
    async with door.admitted("local", None) as admission:
        assert admission.headers == {}
        assert admission.metered(chunks, ASKED) is chunks
    await chunks.aclose()


# Shared through Redis


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as server:
        yield server


@asynccontextmanager
async def linked(server: RedisServer, within: float = 5.0) -> AsyncIterator[Rates]:
    """The rates of one process; it waits long, where a hang is not what is tested."""
    link = RedisLink(server.url, within=within)
    probe = asyncio.create_task(link.probe(every=0.01))
    try:
        yield Rates(RedisBuckets(link))
    finally:
        probe.cancel()
        await asyncio.wait([probe])
        await link.close()


async def test_two_processes_share_one_budget(redis: RedisServer) -> None:
    budget = Budget("k", requests=6)
    async with linked(redis) as a, linked(redis) as b:
        assert [await admitted_of(rates, budget, 1) for rates in (a, b) * 4] == [1] * 6 + [0] * 2
        assert a.local_decisions == b.local_decisions == 0


async def test_fifty_at_once_get_exactly_the_budget(redis: RedisServer) -> None:
    budget = Budget("k", requests=20)
    async with linked(redis) as a, linked(redis) as b:
        each = await asyncio.gather(*(admitted_of(r, budget, 1) for r in (a, b) * 25))
        assert a.local_decisions == b.local_decisions == 0
    assert sum(each) == 20


async def test_the_wait_that_redis_tells_is_the_true_one(redis: RedisServer) -> None:
    budget = Budget("k", requests=3)
    began = time.monotonic()
    async with linked(redis) as rates:
        await admitted_of(rates, budget, 3)
        refused = await refusal(rates, budget)
    passed = time.monotonic() - began
    assert refused.retry_after is not None
    assert 20 - passed <= refused.retry_after <= 20
    assert retry_after(refused) >= refused.retry_after


async def test_tokens_booked_by_one_process_are_missing_for_the_other(redis: RedisServer) -> None:
    budget = Budget("k", requests=100, tokens=50)
    async with linked(redis) as a, linked(redis) as b:
        await a.admit(budget)
        await a.book(budget, 5000)
        refused = await refusal(b, budget)
        assert "tokens" in refused.message
        assert refused.headers["x-ratelimit-remaining-requests"] == "99"


async def test_what_leaks_in_redis_can_be_taken_again(redis: RedisServer) -> None:
    budget, key = Budget("k", requests=6), f"{PREFIX}:{{k}}:requests"
    async with linked(redis) as rates:
        assert await admitted_of(rates, budget, 7) == 6
        passed = float(redis.cli("HGET", key, "at")) - 10  # as if ten seconds had passed
        redis.cli("HSET", key, "at", repr(passed))
        assert await admitted_of(rates, budget, 2) == 1


async def test_limiter_state_expires_when_it_means_nothing_any_more(redis: RedisServer) -> None:
    budget = Budget("k", requests=60, tokens=60)
    async with linked(redis) as rates:
        await rates.admit(budget)
        await rates.book(budget, 30)
    found = {key: int(redis.cli("PTTL", key)) for key in redis.keys(f"{PREFIX}:*")}
    assert set(found) == {f"{PREFIX}:{{k}}:requests", f"{PREFIX}:{{k}}:tokens"}
    assert 0 < found[f"{PREFIX}:{{k}}:requests"] <= 2000
    assert 0 < found[f"{PREFIX}:{{k}}:tokens"] <= 31_000


async def test_a_clock_of_redis_that_is_set_back_locks_nobody_out(redis: RedisServer) -> None:
    budget = Budget("k", requests=6000)
    async with linked(redis) as rates:
        redis.cli("HSET", f"{PREFIX}:{{k}}:requests", "level", "6000", "at", "99999999999")
        await refusal(rates, budget)
        await let_in(rates, budget)
        assert rates.local_decisions == 0


async def test_garbage_in_a_bucket_is_an_empty_bucket(redis: RedisServer) -> None:
    async with linked(redis) as rates:
        redis.cli("HSET", f"{PREFIX}:{{k}}:requests", "level", "much", "at", "noon")
        assert await admitted_of(rates, Budget("k", requests=2), 3) == 2
        assert rates.local_decisions == 0


async def test_a_foreign_key_in_the_place_of_a_bucket_is_decided_locally(
    redis: RedisServer,
) -> None:
    async with linked(redis) as rates:
        redis.cli("SET", f"{PREFIX}:{{k}}:requests", "mine")
        assert await admitted_of(rates, Budget("k", requests=2), 3) == 2
        assert rates.local_decisions == 3


async def test_redis_killed_on_the_way_changes_nothing_for_the_caller(redis: RedisServer) -> None:
    budget = Budget("k", requests=6)
    async with linked(redis) as a, linked(redis) as b:
        assert await admitted_of(b, budget, 2) == 2
        assert await admitted_of(a, budget, 1) == 1
        redis.stop(kill=True)
        # It goes on from where the shared bucket stood: three of six were left.
        assert await admitted_of(a, budget, 10) == 3
        assert a.local_decisions == 10
        await a.book(Budget("k", tokens=10), 5)
        assert a.local_decisions == 11


async def test_a_redis_that_comes_back_is_asked_again(redis: RedisServer) -> None:
    budget = Budget("k", requests=1000)
    async with linked(redis) as rates:
        await rates.admit(budget)
        redis.stop(kill=True)
        await rates.admit(budget)
        redis.start(emptied=True)
        while not redis.keys(f"{PREFIX}:*"):
            await rates.admit(budget)
            await asyncio.sleep(0.01)
        decisions = rates.local_decisions
        await rates.admit(budget)
        assert rates.local_decisions == decisions


async def test_a_redis_that_hangs_fails_nobody(redis: RedisServer) -> None:
    budget = Budget("k", requests=5, tokens=100)
    async with linked(redis, within=0.1) as rates:
        await rates.admit(budget)
        redis.pause()
        try:
            assert await admitted_of(rates, budget, 8) == 4
            await rates.book(budget, 1000)
        finally:
            redis.resume()
        assert rates.local_decisions == 9


async def test_a_full_redis_fails_nobody(redis: RedisServer) -> None:
    async with linked(redis) as rates:
        redis.cli("CONFIG", "SET", "maxmemory", "1")
        assert await admitted_of(rates, Budget("k", requests=2), 3) == 2
        assert rates.local_decisions == 3
