"""Several instances on one Redis keep the same bounds: what a key may use, how old a turn grows."""

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from outbox_promises import buried
from redis_server import RedisServer, redis_server
from remembering import job, turn
from running import Service, Simulator, service
from yychat.memory.outbox_redis import RedisOutbox
from yychat.memory.turns_redis import RedisTurns
from yychat.owner import Owner, Owners
from yychat.redis_link import RedisLink

SECRET = "a secret that both instances share"
ANN = Owners(SECRET.encode()).owner("local", "user", "ann")
DAY = 86_400.0
Pair = tuple[Service, Service]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as running:
        yield running


@pytest.fixture
def start(tmp_path: Path, redis: RedisServer, upstream: Simulator) -> Iterator[Callable[..., Pair]]:
    """Starts two instances with the settings given."""
    (tmp_path / "secret").write_text(SECRET)
    with ExitStack() as stack:

        def one(name: str, settings: dict[str, str]) -> Service:
            started = service(
                tmp_path / name,
                OPENAI_BASE_URL=upstream.base_url,
                OPENAI_MODEL="simulated",
                REDIS_URL=redis.url,
                YYCHAT_OWNER_SECRET_FILE=str(tmp_path / "secret"),
                **settings,
            )
            return stack.enter_context(started)

        def pair(**settings: str) -> Pair:
            a, b = one("a", settings), one("b", settings)
            until(lambda: all(each.http.get("/readyz").json()["status"] == "ok" for each in (a, b)))
            return a, b

        yield pair


def until(state: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not state():
        assert time.monotonic() < ends, "it did not come to that"
        time.sleep(0.02)


def key(**limits: int) -> str:
    """The entry of a key that is called as it is, with *limits* per minute."""
    digest = hashlib.sha256(b"yy-key").hexdigest()
    return json.dumps({"id": "yy-key", "sha256": digest, "tenant": "acme", **limits})


# Requests and tokens per minute


def test_requests_per_minute_are_counted_over_both(start: Callable[..., Pair]) -> None:
    pair = start(YYCHAT_API_KEYS=key(requests_per_minute=6))
    answers = [pair[n % 2].chat("say hi", key="yy-key") for n in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 6
    left = [int(answer.headers["x-ratelimit-remaining-requests"]) for answer in answers]
    assert left == [5, 4, 3, 2, 1, 0]
    for each in pair:
        refused = each.chat("say hi", key="yy-key")
        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert 1 <= int(refused.headers["retry-after"]) <= 10


def test_tokens_that_one_has_answered_are_missing_at_the_other(
    start: Callable[..., Pair], redis: RedisServer
) -> None:
    a, b = start(YYCHAT_API_KEYS=key(tokens_per_minute=60))
    assert a.chat("write 300 words", key="yy-key").status_code == 200
    until(lambda: b.chat("say hi", key="yy-key").status_code == 429)
    assert a.chat("say hi", key="yy-key").status_code == 429
    redis.stop()
    for each in (a, b):  # each goes on from where it last stood
        refused = each.chat("say hi", key="yy-key")
        assert refused.status_code == 429
        assert refused.headers["x-ratelimit-remaining-tokens"] == "0"


# Age


def test_turns_that_are_too_old_leave_redis_when_an_instance_starts(
    start: Callable[..., Pair], redis: RedisServer
) -> None:
    now = time.time()
    stored = {"old": now - 3 * DAY, "older": now - 5 * DAY, "young": now - DAY}
    put(redis, ANN, stored, dead={"dead": now - 3 * DAY, "dead-young": now})
    a, b = start(YYCHAT_MEMORY_DAYS="2")
    until(lambda: turns_in(redis) == {"young", "dead-young"})
    for each in (a, b):
        listed = each.http.get("/v1/conversations/ann/memory", params={"kind": "user"}).json()
        texts = {record["text"] for record in listed["data"] if record["role"] == "user"}
        assert texts == {"say young", "say dead-young"}
    a.say("say my lamp is crimson", user="ann")
    assert "crimson" in b.say("what is my lamp?", user="ann")


def put(redis: RedisServer, of: Owner, stored: dict[str, float], dead: dict[str, float]) -> None:
    """Turns of *of* by when they were answered, and dead letters."""

    async def run() -> None:
        link = RedisLink(redis.url, within=5.0)
        for name, at in sorted(stored.items(), key=lambda item: item[1]):
            said = turn(f"say {name}", name, at=at, id=name)
            await RedisTurns(link).append(of, (said, None), keep=100)
        for name, at in dead.items():
            await buried(RedisOutbox(link), job(turn(f"say {name}", name, at=at, id=name), of))
        await link.close()

    asyncio.run(run())


def turns_in(redis: RedisServer) -> set[str]:
    """The ids of all turns in Redis, stored or dead."""
    keys = redis.keys("*:turns:*") + redis.keys("*:dead")
    return {name for each in keys for name in redis.cli("hkeys", each).split()}
