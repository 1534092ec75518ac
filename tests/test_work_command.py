"""``yychat work``: delivers what instances leave in Redis, and serves nothing."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import httpx2
import pytest

from commands import command, worker
from on_redis import end_leases
from outbox_promises import LEASE
from prometheus_server import free_ports
from redis_server import RedisServer, redis_server
from remembering import job, turn
from running import Service, Simulator, service
from yychat import __version__
from yychat.memory.outbox import Backlog
from yychat.memory.outbox_redis import RedisOutbox
from yychat.redis_link import RedisLink


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as running:
        yield running


def backlog(redis: RedisServer) -> Backlog:
    async def ask() -> Backlog:
        link = RedisLink(redis.url, within=5.0)
        try:
            return await RedisOutbox(link).backlog()
        finally:
            await link.close()

    return asyncio.run(ask())


def put(redis: RedisServer, count: int) -> None:
    async def run() -> None:
        link = RedisLink(redis.url, within=5.0)
        try:
            for _ in range(count):
                await RedisOutbox(link).put(job(turn(at=time.time())))
        finally:
            await link.close()

    asyncio.run(run())


def until(state: Callable[[], bool]) -> None:
    ends = time.monotonic() + LEASE / 2  # nothing here may have to wait for a lease to end
    while not state():
        assert time.monotonic() < ends, "it did not come to that"
        time.sleep(0.05)


def test_it_delivers_what_a_serve_without_workers_leaves(
    data: Path, upstream: Simulator, redis: RedisServer
) -> None:
    settings = {"OPENAI_BASE_URL": upstream.base_url, "REDIS_URL": redis.url}
    with service(data, OPENAI_MODEL="simulated", YYCHAT_WORKERS_IN_SERVE="0", **settings) as yychat:
        until(lambda: yychat.http.get("/readyz").json()["status"] == "ok")
        for number in range(20):
            yychat.say(f"say my lamp number {number} is crimson", user="anna")
        until(lambda: backlog(redis).pending == 20)
        with worker(**settings):
            until(lambda: backlog(redis).pending == 0)
        assert len(redis.keys("*:order:*")) == 1
        assert "crimson" in yychat.say("what is the colour of my lamp?", user="anna")


def test_it_is_left_nothing_by_a_serve_that_delivers_itself(
    data: Path, upstream: Simulator, redis: RedisServer
) -> None:
    settings = {"OPENAI_BASE_URL": upstream.base_url, "REDIS_URL": redis.url}
    with service(data, OPENAI_MODEL="simulated", **settings) as yychat:
        yychat.say("say my lamp is crimson", user="anna")
        until(lambda: bool(redis.keys("*:order:*")) and backlog(redis).pending == 0)


def test_on_sigterm_it_ends_cleanly_and_has_delivered_what_was_there(redis: RedisServer) -> None:
    with worker(REDIS_URL=redis.url) as working:
        put(redis, 50)
        code, logged = working.stop()
    assert (code, logged) == (0, "")
    assert backlog(redis).pending == 0


def test_killed_in_the_middle_it_leaves_every_turn_to_be_recalled_and_delivered_once(
    data: Path, upstream: Simulator, redis: RedisServer
) -> None:
    settings = {"OPENAI_BASE_URL": upstream.base_url, "REDIS_URL": redis.url}
    lamps = [f"my lamp number {number} is crimson{number}" for number in range(12)]
    with service(data, OPENAI_MODEL="simulated", YYCHAT_WORKERS_IN_SERVE="0", **settings) as yychat:
        until(lambda: yychat.http.get("/readyz").json()["status"] == "ok")
        upstream.faults(only="embeddings", hang_before_first_byte=True)
        with worker(YYCHAT_EMBEDDING_MODEL="simulated", **settings) as working:
            for lamp in lamps:
                yychat.say(f"say {lamp}", user="anna")
            until(lambda: upstream.stats()["in_flight"] == 1)
            working.kill()
        assert backlog(redis).pending == 12
        assert said(yychat) == Counter(lamps)
        upstream.reset()
        end_leases(redis)
        with worker(**settings):
            until(lambda: backlog(redis).pending == 0)
        assert backlog(redis).dead == 0
        assert said(yychat) == Counter(lamps)


def said(yychat: Service) -> Counter[str]:
    """How often each of the answers to anna is listed."""
    path = "/v1/conversations/anna/memory"
    listed = yychat.http.get(path, params={"kind": "user", "limit": 1000}).json()["data"]
    return Counter(record["text"] for record in listed if record["role"] == "assistant")


def test_it_neither_needs_nor_makes_a_data_folder(redis: RedisServer, data: Path) -> None:
    with worker(REDIS_URL=redis.url, YYCHAT_DATA_DIR=str(data)) as working:
        assert working.greeting.startswith("yychat ")
        assert "Redis" in working.greeting
    assert not data.exists()


def test_it_waits_for_a_redis_that_is_away_at_the_start(redis: RedisServer) -> None:
    put(redis, 3)
    redis.cli("save")
    redis.stop()
    with worker(REDIS_URL=redis.url) as working:
        assert working.greeting
        redis.start()
        assert backlog(redis).pending + backlog(redis).dead <= 3
        until(lambda: backlog(redis).pending == 0)
    assert len(redis.keys("*:order:*")) == 1


@pytest.mark.parametrize("how", ["hung", "stopped"])
def test_it_ends_in_time_while_redis_is_away(redis: RedisServer, how: str) -> None:
    with worker(REDIS_URL=redis.url) as working:
        assert working.greeting
        if how == "hung":
            redis.pause()
        else:
            redis.stop()
        code, logged = working.stop()
    assert code == 0
    assert "Traceback" not in logged


def test_its_metrics_are_there_before_anything_has_happened(redis: RedisServer) -> None:
    port = free_ports(1)
    with worker(REDIS_URL=redis.url, YYCHAT_METRICS_PORT=str(port)) as running:
        assert running.greeting
        url = f"http://127.0.0.1:{port}/metrics"
        until(lambda: "yychat_redis_degraded 0.0" in httpx2.get(url).text)
        seen = httpx2.get(url).text
    for kind, result in product(("native", "mem0"), ("done", "retried", "dead")):
        assert f'yychat_outbox_jobs_total{{kind="{kind}",result="{result}"}} 0.0' in seen
    assert 'yychat_telemetry_dropped_total{signal="spans"} 0.0' in seen
    assert f'yychat_build_info{{revision="",version="{__version__}"}} 1.0' in seen
    assert "yychat_chat_requests_total{" not in seen  # it answers none


def test_without_redis_it_is_refused_and_told_what_to_set() -> None:
    done = command("work")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: `yychat work` needs Redis (REDIS_URL)")


def test_what_is_no_redis_address_is_refused() -> None:
    done = command("work", REDIS_URL="not an address")
    assert (done.returncode, done.stderr) == (1, "Error: REDIS_URL is not a Redis address\n")


def test_a_serve_without_workers_and_without_redis_is_refused(data: Path) -> None:
    done = command("serve", "--port", "0", YYCHAT_WORKERS_IN_SERVE="0", YYCHAT_DATA_DIR=str(data))
    assert done.returncode == 1
    assert "YYCHAT_WORKERS_IN_SERVE=0 needs Redis" in done.stderr
    assert not data.exists()
