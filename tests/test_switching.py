"""Processes that share one Redis agree on the selection, whatever becomes of Redis."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from following import followers, until
from redis_server import RedisServer, redis_server
from scripted_engine import two_engines
from selection_promises import selection
from yychat.engines.selected import Selected
from yychat.engines.selection import Selection
from yychat.engines.selection_redis import ANNOUNCED, HISTORY, SELECTION, RedisSelections
from yychat.errors import Conflict
from yychat.redis_link import RedisLink

EIGHT = 8
ENGINES = ("chat_engine", "mem0_proxy")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as running:
        yield running


@pytest.fixture
async def store(redis: RedisServer) -> AsyncIterator[RedisSelections]:
    link = RedisLink(redis.url, within=5.0)
    yield RedisSelections(link)
    await link.close()


async def all_on(running: list[object], revision: int) -> None:
    def there() -> bool:
        return all(each.order[-1] == revision for each in running)  # type: ignore[attr-defined]

    await asyncio.to_thread(until, there)


async def test_eight_processes_see_every_switch_once_and_in_order(
    redis: RedisServer, store: RedisSelections
) -> None:
    with followers(redis.url, EIGHT) as running:
        until(lambda: redis.cli("pubsub", "numsub", ANNOUNCED).split()[-1] == str(EIGHT))
        for revision in range(2, 52):
            assert await store.propose(selection(revision, engine=ENGINES[revision % 2]))
            await all_on([*running], revision)
    assert [each.order[-50:] for each in running] == [list(range(2, 52))] * EIGHT


async def test_who_hears_no_announcement_finds_the_switch_itself(
    redis: RedisServer, store: RedisSelections
) -> None:
    with followers(redis.url, 2, "--deaf") as running:
        assert await store.propose(selection(2, engine="mem0_proxy"))
        await all_on([*running], 2)


async def test_eight_that_begin_at_once_with_different_settings_agree(
    redis: RedisServer, store: RedisSelections
) -> None:
    with ExitStack() as stack:
        half = [
            *stack.enter_context(followers(redis.url, 4, "--first", "chat_engine")),
            *stack.enter_context(followers(redis.url, 4, "--first", "mem0_proxy")),
        ]
        await all_on([*half], 1)
    assert [each.revision for each in await store.history(10)] == [1]


async def test_of_eight_operators_at_once_one_wins_every_time(redis: RedisServer) -> None:
    links = [RedisLink(redis.url, within=5.0) for _ in range(EIGHT)]
    operators = [Selected(RedisSelections(link), "chat_engine") for link in links]
    for _ in range(20):
        bases = [await each.base(None) for each in operators]
        assert len({base.revision for base in bases}) == 1
        done = await asyncio.gather(
            *(
                each.change(base, {ENGINES[n % 2]: 1}, by=f"operator-{n}", reason="x")
                for n, (each, base) in enumerate(zip(operators, bases, strict=True))
            ),
            return_exceptions=True,
        )
        won = [each for each in done if isinstance(each, Selection)]
        lost = [each for each in done if isinstance(each, Conflict)]
        assert (len(won), len(lost)) == (1, EIGHT - 1)
        assert {(await each.look()).changed_by for each in operators} == {won[0].changed_by}
    for link in links:
        await link.close()


async def test_a_redis_that_comes_back_empty_is_told_what_was_selected(
    redis: RedisServer, store: RedisSelections
) -> None:
    with followers(redis.url, 3) as running:
        for revision in range(2, 18):
            assert await store.propose(selection(revision, engine="mem0_proxy"))
        await all_on([*running], 17)
        redis.stop(kill=True)
        redis.start(emptied=True)
        until(lambda: redis.keys(SELECTION) == [SELECTION])
        assert redis.cli("hget", SELECTION, "revision") == "17"
        until(lambda: redis.cli("xlen", HISTORY) == "1")
        assert {each.order[-1] for each in running} == {17}


async def test_a_newcomer_does_not_overrule_those_who_know(
    redis: RedisServer, store: RedisSelections
) -> None:
    with followers(redis.url, 2) as running:
        assert await store.propose(selection(9, engine="mem0_proxy"))
        await all_on([*running], 9)
        redis.cli("del", SELECTION, HISTORY)
        with followers(redis.url, 2, "--first", "chat_engine") as newcomers:
            await all_on([*running, *newcomers], 9)
    assert redis.cli("hget", SELECTION, "revision") == "9"


def test_an_instance_that_restarts_while_redis_is_away_and_then_empty_knows_it(
    redis: RedisServer, tmp_path: Path
) -> None:
    data, shared = tmp_path / "data", {"REDIS_URL": redis.url}
    with two_engines(data, **shared) as service:
        asked = {"engine": "mem0_proxy", "reason": "to stay"}
        switched = service.http.post("/v1/engines/switch", json=asked)
        assert switched.status_code == 200, switched.text
        service.kill()
    redis.stop(kill=True)
    with two_engines(data, **shared) as service:
        assert service.chat("hi").headers["x-yychat-engine"] == "mem0_proxy"
        away = service.http.post("/v1/engines/switch", json={**asked, "engine": "chat_engine"})
        assert away.status_code == 503
        assert away.headers["retry-after"]
        assert service.chat("hi").headers["x-yychat-engine"] == "mem0_proxy"
        redis.start(emptied=True)
        until(lambda: redis.keys(SELECTION) == [SELECTION])
        assert service.http.get("/v1/engines/current").json() == switched.json()
    assert redis.cli("hget", SELECTION, "revision") == "2"


def test_two_services_switch_together_and_a_stale_operator_is_told(
    redis: RedisServer, tmp_path: Path
) -> None:
    shared = {"REDIS_URL": redis.url, "YYCHAT_OWNER_SECRET_FILE": str(tmp_path / "secret")}
    (tmp_path / "secret").write_text("a secret that both share")
    with (
        two_engines(tmp_path / "one", **shared) as one,
        two_engines(tmp_path / "two", **shared) as two,
    ):
        seen = two.http.get("/v1/engines/current").json()["revision"]
        asked = {"engine": "mem0_proxy", "reason": "x", "if_revision": seen}
        assert one.http.post("/v1/engines/switch", json=asked).status_code == 200
        until(lambda: two.chat("hi").headers["x-yychat-engine"] == "mem0_proxy")
        assert two.http.post("/v1/engines/switch", json=asked).status_code == 409
        assert (
            one.http.get("/v1/engines/current").json() == two.http.get("/v1/engines/current").json()
        )
