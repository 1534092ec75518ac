"""Several instances on one Redis: one memory, and no request lost when Redis goes."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from redis_server import RedisServer, redis_server
from running import Service, Simulator, service

SECRET = "a secret that both instances share"


class Pair:
    """Two instances, ``a`` and ``b``, the Redis they share and the upstream behind them."""

    def __init__(self, a: Service, b: Service, redis: RedisServer, upstream: Simulator) -> None:
        self.a, self.b, self.redis, self.upstream = a, b, redis, upstream

    def recalls(self, where: Service, question: str, word: str, user: str) -> bool:
        """Whether *word* is in what goes upstream for *question*."""
        where.say(question, user=user)
        return word in str(self.upstream.last()["chat"]["body"]["messages"][:-1])

    def ready(self, name: str) -> Callable[[], bool]:
        """Whether instance *name* says that all is well."""
        one: Service = getattr(self, name)
        return lambda: one.http.get("/readyz").json()["status"] == "ok"


@pytest.fixture
def pair(tmp_path: Path, upstream: Simulator) -> Iterator[Pair]:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server(tmp_path / "redis", appendonly=True))
        a, b = (
            stack.enter_context(
                service(
                    tmp_path / name,
                    OPENAI_BASE_URL=upstream.base_url,
                    OPENAI_MODEL="simulated",
                    REDIS_URL=redis.url,
                    YYCHAT_OWNER_SECRET_FILE=str(secret),
                    YYCHAT_MAX_INFLIGHT_PER_TENANT="512",
                )
            )
            for name in ("a", "b")
        )
        both = Pair(a, b, redis, upstream)
        until(both.ready("a"))
        until(both.ready("b"))
        yield both


def until(state: Callable[[], bool], within: float = 10.0) -> float:
    """Wait for *state*; how many seconds that took."""
    started = time.monotonic()
    while not state():
        assert time.monotonic() - started < within, "it did not come to that"
        time.sleep(0.02)
    return time.monotonic() - started


def remembered(where: Service, user: str) -> str:
    """All that *where* lists of a user."""
    path = f"/v1/conversations/{user}/memory"
    return where.http.get(path, params={"kind": "user", "limit": 1000}).text


def colours(number: int) -> tuple[str, str]:
    return f"say the code of project{number} is shade{number}", f"recall project{number}"


def test_a_turn_answered_by_one_is_recalled_by_the_next_request_to_the_other(pair: Pair) -> None:
    for number in range(40):
        said, asked = colours(number)
        here, there = (pair.a, pair.b) if number % 2 else (pair.b, pair.a)
        here.say(said, user="ann")
        assert pair.recalls(there, asked, f"shade{number}", user="ann")


def test_what_one_erases_the_other_has_forgotten(pair: Pair) -> None:
    pair.a.say("say my lamp is crimson", user="ann")
    assert "crimson" in pair.b.say("what is my lamp?", user="ann")
    erased = pair.a.http.delete("/v1/conversations/ann/memory", params={"kind": "user"})
    assert erased.json()["deleted_count"] == 2
    assert "crimson" not in pair.b.say("what is my lamp?", user="ann")


@pytest.mark.parametrize("how", ["stopped", "hung", "full"])
def test_no_request_fails_and_no_turn_is_lost_while_redis_is_away(pair: Pair, how: str) -> None:
    pair.a.say("say my lamp is crimson", user="ann")
    _take_away(pair.redis, how)
    for number in range(30):
        said, _ = colours(number)
        assert pair.a.chat(said, user="bob").status_code == 200
    _give_back(pair.redis, how)
    until(pair.ready("a"))
    until(pair.ready("b"))
    until(lambda: "shade29" in remembered(pair.b, "bob"))
    for number in range(30):
        assert pair.recalls(pair.b, colours(number)[1], f"shade{number}", user="bob")
    until(lambda: "crimson" in remembered(pair.b, "ann"))
    assert pair.recalls(pair.b, "what is my lamp?", "crimson", user="ann")


def test_what_a_process_knows_it_recalls_without_redis(pair: Pair) -> None:
    pair.a.say("say my lamp is crimson", user="ann")
    assert "crimson" in pair.a.say("what is my lamp?", user="ann")
    pair.redis.stop()
    pair.a.say("say my chair is azure", user="ann")
    answer = pair.a.chat("what are my lamp and my chair?", user="ann")
    assert answer.headers["x-yychat-memory"] == "degraded"
    assert "crimson" in answer.text or "azure" in answer.text


def test_redis_that_comes_back_empty_is_filled_by_what_had_waited(pair: Pair) -> None:
    pair.a.say("say my lamp is crimson", user="ann")
    pair.redis.stop()
    pair.a.say("say my chair is azure", user="ann")
    pair.redis.start(emptied=True)
    until(pair.ready("a"))
    until(pair.ready("b"))
    until(lambda: "azure" in remembered(pair.b, "ann"))
    assert "crimson" not in pair.b.say("what is my lamp?", user="ann")


@pytest.mark.parametrize("how", ["restarted", "flushed"])
def test_redis_emptied_before_anybody_missed_it_takes_only_what_it_alone_had(
    pair: Pair, how: str
) -> None:
    pair.a.say("say my lamp is crimson", user="ann")
    until(lambda: _delivered(pair.redis))  # a worker that has it in hand would store it again
    pair.redis.cli("config", "set", "maxmemory", "1")  # it refuses, and is not taken for away
    pair.a.say("say my chair is azure", user="ann")
    with ThreadPoolExecutor(4) as threads:
        answers = threads.map(lambda n: _told(pair, n), range(60))
        _empty(pair.redis, how)
        assert set(answers) == {200}
    until(pair.ready("a"))
    until(pair.ready("b"))
    assert {_told(pair, n) for n in range(60, 70)} == {200}
    until(lambda: "azure" in remembered(pair.b, "ann"))
    for each in (pair.a, pair.b):
        until(lambda each=each: _known(each, range(60, 70)))  # type: ignore[misc]
    assert "crimson" not in pair.b.say("what is my lamp?", user="ann")
    until(lambda: _delivered(pair.redis))


def test_a_redis_that_crashed_is_away_once_and_back_once(
    pair: Pair, capfd: pytest.CaptureFixture[str]
) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = threads.map(lambda n: _told(pair, n), range(80))
        pair.redis.stop(kill=True)
        pair.redis.start()
        assert set(answers) == {200}
    until(pair.ready("a"))
    until(pair.ready("b"))
    assert {_told(pair, n) for n in range(80, 90)} == {200}
    assert capfd.readouterr().err.count("Redis is away (") <= 2


def test_a_restored_backup_does_not_bring_back_what_was_erased(pair: Pair, tmp_path: Path) -> None:
    pair.a.say("say my lamp is crimson", user="ann")
    pair.redis.cli("save")
    backup = (pair.redis.folder / "dump.rdb").read_bytes()
    pair.a.http.delete("/v1/conversations/ann/memory", params={"kind": "user"})
    pair.redis.stop()
    _restore(pair.redis, backup)
    until(pair.ready("a"))
    until(lambda: "crimson" not in remembered(pair.b, "ann"))


def _take_away(redis: RedisServer, how: str) -> None:
    if how == "stopped":
        redis.stop()
    elif how == "hung":
        redis.pause()
    else:
        redis.cli("config", "set", "maxmemory", "1")


def _give_back(redis: RedisServer, how: str) -> None:
    if how == "stopped":
        redis.start()
    elif how == "hung":
        redis.resume()
    else:
        redis.cli("config", "set", "maxmemory", "0")


def _told(pair: Pair, number: int) -> int:
    """The status of one of bob's turns, told to one and the other in turn."""
    return (pair.a, pair.b)[number % 2].chat(colours(number)[0], user="bob").status_code


def _known(where: Service, numbers: range) -> bool:
    known = remembered(where, "bob")
    return all(f"shade{number}" in known for number in numbers)


def _empty(redis: RedisServer, how: str) -> None:
    if how == "restarted":
        redis.stop(kill=True)
        redis.start(emptied=True)
    else:
        redis.cli("config", "set", "maxmemory", "0")
        redis.cli("flushall")


def _delivered(redis: RedisServer) -> bool:
    """Whether the streams are there again, each with its group, and have nothing left."""
    streams = redis.keys("*:outbox")
    groups = [redis.cli("xinfo", "groups", stream) for stream in streams]
    return bool(streams) and all(
        "workers" in group and redis.cli("xlen", stream) == "0"
        for stream, group in zip(streams, groups, strict=True)
    )


def _restore(redis: RedisServer, dump: bytes) -> None:
    """Start on *dump* as an operator would who restores a backup."""
    for file in redis.folder.rglob("*"):
        if file.is_file():
            file.unlink()
    (redis.folder / "dump.rdb").write_bytes(dump)
    redis.start(from_dump=True)
