"""Both engines in one real service: wherever they keep their memory, and whatever becomes of it."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from openai import OpenAI

from engines_asked import ENGINES, MODELS, TRACELESS, extracted, holding, memory, told
from following import until
from postgres_server import postgres_server
from redis_server import RedisServer, redis_server
from running import Service, Simulator, service, simulator
from yychat.engines.selection_redis import SELECTION

LAMP, CAR = "The colour of my lamp is crimson.", "The colour of my car is azure."
SAID = dict(zip(ENGINES, (LAMP, CAR), strict=True))
WORDS = dict(zip(ENGINES, ("crimson", "azure"), strict=True))
QUESTION = "recall the colour of my lamp and my car"
DEADLINE = 300  # milliseconds, the service's own


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with postgres_server() as url:
        yield url


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as running:
        yield running


@pytest.fixture(scope="module")
def models() -> Iterator[Simulator]:
    """The upstream of mem0's models alone: chat goes elsewhere."""
    with simulator() as running:
        yield running


def apart(upstream: Simulator, models: Simulator, folder: Path) -> dict[str, str]:
    """Chat goes to *upstream*, and mem0 to *models*, so that what fails there fails mem0 alone."""
    own = '{"extractor": "simulated", "vectors": "simulated"}'
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "upstreams.json"
    path.write_text(
        f'[{{"name": "chat", "base_url": "{upstream.base_url}", "models": ["simulated"]}},'
        f' {{"name": "mem0", "base_url": "{models.base_url}", "models": {own}}}]'
    )
    return {
        **MODELS,
        "YYCHAT_UPSTREAMS_FILE": str(path),
        "MEM0_MODEL": "extractor",
        "MEM0_EMBEDDING_MODEL": "vectors",
    }


def switched(running: Service, engine: str) -> httpx2.Response:
    return running.http.post("/v1/engines/switch", json={"engine": engine, "reason": "a test"})


# Wherever they keep it


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "on-redis"])
@pytest.mark.parametrize("store", ["chroma", "pgvector"])
def test_each_engine_remembers_what_it_was_told_and_erasing_reaches_both(
    store: str,
    shared: bool,
    upstream: Simulator,
    tmp_path: Path,
    data: Path,
    request: pytest.FixtureRequest,
) -> None:
    settings = {"OPENAI_BASE_URL": upstream.base_url, **MODELS}
    if store == "pgvector":
        settings["MEM0_DATABASE_URL"] = request.getfixturevalue("postgres")
    if shared:
        settings["REDIS_URL"] = request.getfixturevalue("redis").url
    user = f"anna-{store}-{shared}"
    with service(data, **settings) as running:
        assert running.chat("hi").headers["x-yychat-engine"] == "chat_engine"
        running.say(SAID["chat_engine"], user=user)
        assert switched(running, "mem0_proxy").status_code == 200
        assert running.chat("hi").headers["x-yychat-engine"] == "mem0_proxy"
        running.say(SAID["mem0_proxy"], user=user)
        extracted(running, user)

        for engine in ENGINES:
            result, seen = told(running, upstream, QUESTION, user=user, engine=engine)
            assert result == "hit"
            assert [word in seen for word in WORDS.values()] == [each == engine for each in ENGINES]

        listed = memory(running, user)
        assert listed["complete"]
        for engine in ENGINES:
            texts = [each["text"] for each in listed["data"] if each["engine"] == engine]
            assert SAID[engine] in texts
            assert listed["engines"][engine]["count"] == len(texts)

        gone = running.http.delete(f"/v1/conversations/{user}/memory", params={"kind": "user"})
        assert gone.json()["engines"] == {"chat_engine": 1, "mem0_proxy": 1}
        assert memory(running, user)["data"] == []
        for engine in ENGINES:
            result, seen = told(running, upstream, QUESTION, user=user, engine=engine)
            assert (result, [word in seen for word in WORDS.values()]) == ("empty", [False, False])
        assert [holding(word, data) for word in WORDS.values()] == [[], []]


def test_openais_sdk_works_with_both(module_pair: Service, upstream: Simulator) -> None:
    tool: Any = {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
    with OpenAI(base_url=f"{module_pair.url}/v1", api_key="any", max_retries=0) as client:
        create = client.chat.completions.create
        for engine in ENGINES:
            extra = {"engine": engine, "conversation_id": "sdk"}
            hello: Any = [{"role": "user", "content": "say one two three"}]
            with create(model="simulated", messages=hello, stream=True, extra_body=extra) as stream:
                pieces = [c.choices[0].delta.content or "" for c in stream if c.choices]
            assert len(pieces) > 2
            assert "".join(pieces) == "one two three"

            asked: Any = [{"role": "user", "content": 'call get_weather {"city": "Rome"}'}]
            first = create(model="simulated", messages=asked, tools=[tool], extra_body=extra)
            (call,) = first.choices[0].message.tool_calls or []
            told_back = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
            asked += [first.choices[0].message, told_back]
            second = create(model="simulated", messages=asked, tools=[tool], extra_body=extra)
            assert "sunny" in str(second.choices[0].message.content)

            calculated: Any = [{"role": "user", "content": "What is 17 * 23?"}]
            raw = client.chat.completions.with_raw_response.create(
                model="simulated", messages=calculated, extra_body=extra
            )
            assert raw.headers["x-yychat-engine"] == engine
            assert "391" in str(raw.parse().choices[0].message.content)


# Whatever becomes of it


@pytest.fixture(scope="module")
def module_pair(
    shared_simulator: Simulator,
    models: Simulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("pair")
    shared_simulator.reset()
    with service(folder / "data", **apart(shared_simulator, models, folder)) as running:
        running.say(CAR, user="anna", engine="mem0_proxy")
        extracted(running, "anna")
        yield running


@pytest.fixture
def pair(module_pair: Service, upstream: Simulator, models: Simulator) -> Iterator[Service]:
    """Both engines, with a mem0 that knows anna's car, and models of its own."""
    yield module_pair
    models.reset()


def asked(running: Service, number: int = 0, **fields: Any) -> tuple[str, float]:
    """What came of mem0's recall, and after how many seconds the answer was there."""
    started = time.monotonic()
    question = f"{QUESTION} {number}"  # another one each time: mem0 is really asked
    answer = running.chat(question, engine="mem0_proxy", **{"user": "anna", **TRACELESS, **fields})
    taken = time.monotonic() - started
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-yychat-engine"] == "mem0_proxy"
    assert "x-yychat-fallback-from" not in answer.headers
    return answer.headers["x-yychat-memory"], taken


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ({"only": "embeddings", "hang_before_first_byte": True}, ("deadline",)),
        ({"only": "embeddings", "latency_ms": 5_000}, ("deadline",)),
        ({"only": "embeddings", "error_rate": 1}, ("degraded", "deadline")),
        ({"only": "embeddings", "malformed_json": True}, ("degraded", "deadline")),
        ({"only": "embeddings", "cut_after_chunks": 0}, ("degraded", "deadline")),
    ],
    ids=str,
)
def test_an_answer_does_without_an_embedder_that_fails_in_time(
    pair: Service, models: Simulator, faults: dict[str, Any], expected: tuple[str, ...]
) -> None:
    assert asked(pair, 1)[0] == "hit"
    models.faults(**faults)
    for number in range(2, 5):
        result, taken = asked(pair, number)
        assert result in expected
        assert taken < DEADLINE / 1000 + 2.0  # generous; the figure is measured elsewhere
    models.reset()
    until(lambda: asked(pair, 99)[0] == "hit")


def test_an_extractor_that_hangs_keeps_no_answer_waiting(pair: Service, models: Simulator) -> None:
    models.faults(only="chat", hang_before_first_byte=True)
    for number in range(6):
        pair.say(f"say thing{number} is mine", engine="mem0_proxy", user="carl")
    result, taken = asked(pair, user="carl")
    assert result == "hit"  # what waits is recalled as it was said
    assert taken < 2.0


@contextmanager
def stopped(url: str) -> Iterator[None]:
    """PostgreSQL hangs: it is there, and answers nothing."""
    folder = Path(parse_qs(urlsplit(url).query)["host"][0])
    server = int((folder / "postmaster.pid").read_text().split()[0])
    pids = [server, *_children(server)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in found.split()]


def test_a_postgresql_that_hangs_costs_an_answer_the_deadline_and_no_more(
    postgres: str, upstream: Simulator, data: Path
) -> None:
    settings = {"OPENAI_BASE_URL": upstream.base_url, **MODELS, "MEM0_DATABASE_URL": postgres}
    with service(data, **settings) as running:
        running.say(CAR, user="anna", engine="mem0_proxy")
        extracted(running, "anna")
        until(lambda: asked(running)[0] == "hit")
        with stopped(postgres):
            for number in range(1, 13):  # mem0 has eight threads to ask with
                result, taken = asked(running, number)
                assert result in ("deadline", "degraded")
                assert taken < DEADLINE / 1000 + 2.0
            assert running.chat("hi").status_code == 200
        until(lambda: asked(running, 99)[0] == "hit")


def test_a_postgresql_that_is_away_is_done_without(upstream: Simulator, data: Path) -> None:
    away = "postgresql://nobody:x@127.0.0.1:1/none"
    settings = {"OPENAI_BASE_URL": upstream.base_url, **MODELS, "MEM0_DATABASE_URL": away}
    with service(data, **settings) as running:
        until(lambda: running.http.get("/readyz").status_code == 200)  # its start takes time, too
        for number in range(3):
            result, taken = asked(running, number)
            assert result in ("deadline", "degraded")
            assert taken < DEADLINE / 1000 + 2.0
        until(lambda: asked(running)[0] == "degraded")
        refused = switched(running, "mem0_proxy")
        assert refused.status_code == 409
        assert "PoolTimeout" in refused.json()["error"]["message"]
        path = "/v1/conversations/anna/memory?kind=user"
        listed = running.http.get(path).json()
        assert (listed["complete"], listed["engines"]["mem0_proxy"]["count"]) == (False, None)
        assert running.http.delete(path).status_code == 503


# What is missing


def without(module: str, folder: Path) -> dict[str, str]:
    """An environment in which *module* is not installed."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.modules[{module!r}] = None\n")
    paths = [str(folder), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


@pytest.mark.parametrize(
    ("module", "extra", "settings"),
    [
        ("chromadb", "mem0-local", {}),
        ("psycopg_pool", "mem0-pgvector", {"MEM0_DATABASE_URL": "postgresql://127.0.0.1:1/x"}),
    ],
)
def test_without_its_extra_mem0_proxy_names_it_and_the_other_answers(
    module: str, extra: str, settings: dict[str, str], upstream: Simulator, data: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    named = f'pip install "yychat[{extra}]"'
    environment = {"OPENAI_BASE_URL": upstream.base_url, **MODELS, **settings}
    with service(data, **environment, **without(module, tmp_path / "without")) as running:
        for fields in ({}, {"user": "anna"}, {"stream": True}):
            forced = running.chat("hi", engine="mem0_proxy", **fields)
            assert (forced.status_code, forced.json()["error"]["code"]) == (
                503,
                "engine_unavailable",
            )
            assert named in forced.json()["error"]["message"]

        refused = switched(running, "mem0_proxy")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "engine_unhealthy")
        assert named in refused.json()["error"]["message"]
        health = running.http.get("/v1/engines/health").json()["engines"]["mem0_proxy"]
        assert not health["healthy"]
        assert named in health["dependencies"]["mem0"]

        asked = {"engine": "mem0_proxy", "reason": "a test", "force": True}
        assert running.http.post("/v1/engines/switch", json=asked).status_code == 200
        answer = running.chat(LAMP, user="anna")
        assert (answer.status_code, answer.headers["x-yychat-engine"]) == (200, "chat_engine")
        assert answer.headers["x-yychat-fallback-from"] == "mem0_proxy"

        path = "/v1/conversations/anna/memory?kind=user"
        listed, gone = running.http.get(path).json(), running.http.delete(path)
        if module == "chromadb":  # nothing can ever have been stored
            assert listed["complete"]
            assert gone.json()["engines"] == {"chat_engine": 1, "mem0_proxy": 0}
        else:  # another instance may have stored something: nobody here can say
            assert not listed["complete"]
            assert named in listed["engines"]["mem0_proxy"]["error"]
            told = gone.json()["error"]["message"]
            assert (gone.status_code, named in told) == (503, True)


def test_without_an_embedding_model_mem0_proxy_names_the_setting(
    upstream: Simulator, data: Path
) -> None:
    settings = {"OPENAI_BASE_URL": upstream.base_url, "OPENAI_MODEL": "simulated"}
    with service(data, **settings) as running:
        forced = running.chat("hi", engine="mem0_proxy", user="anna")
        assert forced.status_code == 503
        assert "MEM0_EMBEDDING_MODEL" in forced.json()["error"]["message"]
        assert memory(running, "anna")["complete"]


# Redis


def test_a_redis_that_comes_back_empty_keeps_the_engine_that_was_selected(
    redis: RedisServer, upstream: Simulator, data: Path
) -> None:
    settings = {"OPENAI_BASE_URL": upstream.base_url, "REDIS_URL": redis.url, **MODELS}
    with service(data, **settings) as running:
        assert switched(running, "mem0_proxy").status_code == 200
        running.say(CAR, user="anna")
        extracted(running, "anna")
        redis.stop(kill=True)
        assert running.chat("hi").headers["x-yychat-engine"] == "mem0_proxy"
        redis.start(emptied=True)
        until(lambda: running.http.get("/readyz").json()["dependencies"]["redis"] == "ok")
        until(lambda: redis.cli("hget", SELECTION, "revision") == "2")
        assert running.chat("hi").headers["x-yychat-engine"] == "mem0_proxy"
        assert asked(running)[0] == "hit"  # its facts are not in Redis
    with service(data, **settings) as running:
        assert running.chat("hi").headers["x-yychat-engine"] == "mem0_proxy"
