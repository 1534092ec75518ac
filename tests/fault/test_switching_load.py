"""A thousand switches under load, and how soon eight processes see one."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from following import Follower, followers, until
from redis_server import RedisServer, redis_server
from scripted_engine import PIECES, two_engines
from selection_promises import selection
from yychat.engines.selection_redis import ANNOUNCED, RedisSelections
from yychat.redis_link import RedisLink

ENGINES = ("chat_engine", "mem0_proxy")
SWITCHES = 1_000
CLIENTS = 12
Note = Callable[[str], None]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as running:
        yield running


async def delays(
    redis: RedisServer, running: list[Follower], switches: int, pause: float
) -> list[float]:
    """Milliseconds from before the write until each process had adopted it, sorted."""
    link = RedisLink(redis.url, within=5.0)
    try:
        began = await switched(RedisSelections(link), running, switches, pause)
    finally:
        await link.close()
    await asyncio.to_thread(until, lambda: all(max(began) in each.seen for each in running))
    return sorted(1000 * (each.seen[r] - at) for r, at in began.items() for each in running)


async def switched(
    store: RedisSelections, running: list[Follower], switches: int, pause: float
) -> dict[int, float]:
    """When each revision was written."""
    began = {}
    first = max(running[0].seen) + 1
    for revision in range(first, first + switches):
        await asyncio.sleep(random.uniform(0, 2 * pause))
        began[revision] = time.monotonic()
        assert await store.propose(selection(revision, engine=ENGINES[revision % 2]))
        if pause > 1:
            await asyncio.to_thread(until, lambda r=revision: all(r in f.seen for f in running))  # type: ignore[misc]
    return began


async def test_eight_processes_see_a_switch(redis: RedisServer, note: Note) -> None:
    with followers(redis.url, 8) as running:
        until(lambda: redis.cli("pubsub", "numsub", ANNOUNCED).split()[-1] == "8")
        found = await delays(redis, running, 400, 0.02)
    half, most = found[len(found) // 2], found[len(found) * 99 // 100]
    note(f"a switch, announced, 8 processes: p50 {half:.1f} p99 {most:.1f} max {found[-1]:.1f} ms")


async def test_eight_processes_find_a_switch_that_they_did_not_hear_of(
    redis: RedisServer, note: Note
) -> None:
    with followers(redis.url, 8, "--deaf") as running:
        found = await delays(redis, running, 8, 1.5)
    note(f"a switch, not announced, 8 processes: max {found[-1]:.0f} ms")


async def test_a_thousand_switches_fail_no_request_and_change_no_answer(
    redis: RedisServer, tmp_path: Path, note: Note
) -> None:
    shared = {"REDIS_URL": redis.url, "YYCHAT_OWNER_SECRET_FILE": str(tmp_path / "secret")}
    (tmp_path / "secret").write_text("a secret that both share")
    counts: Counter[str] = Counter()
    over = asyncio.Event()

    async def client(http: httpx2.AsyncClient, number: int) -> None:
        while not over.is_set():
            streamed = counts["answers"] % 3 > 0
            hello = [{"role": "user", "content": "hi"}]
            body = {"model": "m", "messages": hello, "stream": streamed, "user": f"u{number}"}
            answer = await http.post("/v1/chat/completions", json=body)
            counts["answers"] += 1
            counts[verdict(answer, streamed)] += 1

    with (
        two_engines(tmp_path / "one", **shared) as one,
        two_engines(tmp_path / "two", **shared) as two,
    ):
        async with (
            httpx2.AsyncClient(base_url=one.url, timeout=30) as first,
            httpx2.AsyncClient(base_url=two.url, timeout=30) as second,
        ):
            services = (first, second)
            clients = [asyncio.create_task(client(services[n % 2], n)) for n in range(CLIENTS)]
            began = time.monotonic()
            for n in range(SWITCHES):
                wanted = {"engine": ENGINES[n % 2], "reason": f"switch {n}"}
                done = await services[n % 2].post("/v1/engines/switch", json=wanted)
                counts[f"switch {done.status_code}"] += 1
            seconds = time.monotonic() - began
            over.set()
            await asyncio.gather(*clients)
            seen = [(await each.get("/v1/engines/current")).json() for each in services]
    assert counts["switch 200"] == SWITCHES, counts
    assert seen[0] == seen[1]
    assert counts["chat_engine"] + counts["mem0_proxy"] == counts["answers"], counts
    assert min(counts[engine] for engine in ENGINES) > 0
    note(f"{SWITCHES} switches in {seconds:.1f} s, {counts['answers']} answers, 0 failed or mixed")


def verdict(answer: httpx2.Response, streamed: bool) -> str:
    """The engine that gave all of the answer, or what is wrong with it."""
    if answer.status_code != 200 or "x-yychat-fallback-from" in answer.headers:
        return f"{answer.status_code} {answer.text[:200]}"
    engine = answer.headers["x-yychat-engine"]
    if not streamed:
        whole = answer.json()["choices"][0]["message"]["content"] == engine
        return engine if whole else f"mixed: {answer.text}"
    *pieces, done = [line[6:] for line in answer.text.splitlines() if line]
    same = [json.loads(piece)["engine"] for piece in pieces] == [engine] * PIECES
    return engine if same and done == "[DONE]" else f"mixed: {answer.text}"
