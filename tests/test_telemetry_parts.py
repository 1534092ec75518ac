"""What wrapped parts count: recalls, embeddings, tools, attempts and fallbacks."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from opentelemetry.trace import INVALID_SPAN
from starlette.types import Message, Receive, Scope, Send

from fakes import Echo, EndedSpan, ScriptedMemory, asked
from running import Service
from scrape import scraped, series
from scripted_engine import two_engines
from yychat.errors import UpstreamFailed
from yychat.memory.embedder import Vector
from yychat.memory.native import NativeMemory
from yychat.memory.turns_sqlite import SqliteTurns
from yychat.owner import Owner
from yychat.resilience import Backoff, Breaker
from yychat.sqlite import Database
from yychat.telemetry import semconv
from yychat.telemetry.metrics import Metrics
from yychat.telemetry.observation import Observation, observe
from yychat.telemetry.prices import Price
from yychat.telemetry.processor import TOGETHER, SpanMetrics
from yychat.telemetry.telemetry import Telemetry
from yychat.upstream.router import Upstreams

RECALLS = "yychat_memory_recalls_total"
TOOK = "yychat_memory_operation_duration_seconds"


def counted(telemetry: Telemetry, name: str, **labels: str) -> float:
    return telemetry.metrics.registry.get_sample_value(name, labels) or 0.0


def recalls(telemetry: Telemetry) -> dict[str, float]:
    (family,) = (f for f in telemetry.metrics.registry.collect() if f.name == RECALLS[:-6])
    return {s.labels["result"]: s.value for s in family.samples if s.value}


def somebody() -> Owner:
    owner = asked().owner
    assert owner
    return owner


async def given_up(recall: Callable[[], Any], *, gone: bool) -> None:
    """A recall that is cancelled by its deadline, or as its client has left."""
    observation = Observation(INVALID_SPAN)
    observe(observation)
    if gone:
        observation.left()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await recall()


@pytest.mark.parametrize("memory", ["native", "mem0"])
@pytest.mark.parametrize("gone", [False, True], ids=["in time", "gone"])
async def test_a_recall_that_is_cut_off_missed_its_deadline_unless_nobody_waits(
    memory: str, gone: bool
) -> None:
    slow, telemetry = ScriptedMemory(slow=True), Telemetry(ratio=0)
    slow.name = memory
    watched = telemetry.memory(slow)
    await given_up(lambda: watched.recall(somebody(), "tea", 1), gone=gone)
    assert recalls(telemetry) == ({} if gone else {"deadline": 1})
    failed = {"memory": memory, "operation": "recall", "result": "error"}
    assert counted(telemetry, f"{TOOK}_count", **failed) == (not gone)


class SlowEmbedder:
    model = "slow"

    async def embed(self, questions: Sequence[str], answers: Sequence[str] = ()) -> list[Vector]:
        await asyncio.sleep(0.02)
        return [np.ones(4, np.float32) for _ in (*questions, *answers)]


async def test_a_recall_is_its_embedding_and_its_search(tmp_path: Path) -> None:
    telemetry, database = Telemetry(ratio=0), Database(tmp_path / "db")
    turns = telemetry.turns(SqliteTurns(database), "sqlite")
    memory = telemetry.memory(NativeMemory(turns, embedder=telemetry.embedder(SlowEmbedder())))
    observe(Observation(INVALID_SPAN))
    await memory.recall(somebody(), "tea", 1)
    database.close()
    told = {"memory": "native", "result": "ok"}
    operations = ("recall", "embed", "search")
    assert [counted(telemetry, f"{TOOK}_count", operation=o, **told) for o in operations] == [1] * 3
    recall, embed, search = (
        counted(telemetry, f"{TOOK}_sum", operation=operation, **told) for operation in operations
    )
    assert embed > 0
    assert embed + search == pytest.approx(recall)


async def test_a_tool_whose_caller_leaves_has_not_failed() -> None:
    telemetry, never = Telemetry(ratio=0), asyncio.Event()
    tools = telemetry.tools([Echo(gate=never)], timeout=30)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await tools.call("echo", "{}", allowed=None)
    calls = {"tool": "echo", "result": "cancelled"}
    assert counted(telemetry, "yychat_tool_calls_total", **calls) == 1


class Failing:
    """See ``Provider``: one that fails for the first time, and never answers if *silent*."""

    name, models = "openai", None

    def __init__(self, *, silent: bool = False) -> None:
        self.breaker, self._times, self._silent = Breaker(), 0, silent

    def model(self, asked: str) -> str | None:
        return asked

    def breaker_of(self, path: str) -> Breaker:
        return self.breaker

    async def post(self, path: str, body: bytes) -> bytes:
        await self._fail()
        return b"{}"

    async def get(self, path: str) -> bytes:
        return b"{}"

    async def stream(self, path: str, body: bytes) -> AsyncGenerator[bytes, None]:
        await self._fail()
        yield b"data: {}\n\n"

    async def close(self) -> None:
        """There is nothing to close."""

    async def _fail(self) -> None:
        self._times += 1
        if self._silent:
            await asyncio.Event().wait()
        if self._times == 1:
            raise UpstreamFailed("not now")


async def ask(upstreams: Upstreams, *, stream: bool, path: str = "/chat/completions") -> None:
    if not stream:
        await upstreams.post(path, "simulated", {})
        return
    async with aclosing(upstreams.stream(path, "simulated", {})) as reads:
        assert [read async for read in reads]


ATTEMPTS, RETRIES = "yychat_upstream_attempts_total", "yychat_upstream_retries_total"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_an_attempt_after_a_failed_one_is_a_retry_and_the_pause_is_the_upstreams(
    stream: bool,
) -> None:
    telemetry = Telemetry(ratio=0)
    upstreams = Upstreams(backoff=Backoff(retries=1, first=0.04))
    upstreams.use(telemetry.upstreams([Failing()]))
    observation = Observation(INVALID_SPAN)
    observe(observation)
    await ask(upstreams, stream=stream)
    observation.timeline.stop()
    for result in ("ok", "upstream_5xx"):
        assert counted(telemetry, ATTEMPTS, upstream="openai", result=result) == 1
    assert counted(telemetry, RETRIES, upstream="openai", reason="upstream_5xx") == 1
    assert observation.timeline.spent["upstream_first_byte"] >= 0.02  # half of the pause, at least


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("gone", "path", "result"),
    [
        (False, "/chat/completions", {"upstream_timeout": 1.0}),
        (True, "/chat/completions", {}),
        (False, "/embeddings", {}),  # nobody needs them enough to wait
    ],
)
async def test_an_attempt_that_is_cut_off_is_the_upstreams_failure_only_if_time_is_up(
    stream: bool, gone: bool, path: str, result: dict[str, float]
) -> None:
    telemetry, upstreams = Telemetry(ratio=0), Upstreams()
    upstreams.use(telemetry.upstreams([Failing(silent=True)]))
    await given_up(lambda: ask(upstreams, stream=stream, path=path), gone=gone)
    (family,) = (f for f in telemetry.metrics.registry.collect() if f.name == ATTEMPTS[:-6])
    assert {s.labels["result"]: s.value for s in family.samples if s.value} == result


# What goes wrong around it


def test_a_clock_that_is_set_back_takes_nothing_from_a_sum() -> None:
    metrics = Metrics()
    span = EndedSpan({semconv.DB_OPERATION: "look"}, start_time=10**18, end_time=10**17)
    SpanMetrics(metrics).on_end(span)
    told = {"db_operation_name": "look", "result": "ok"}
    name = "db_client_operation_duration_seconds"
    assert metrics.registry.get_sample_value(f"{name}_count", told) == 1
    assert metrics.registry.get_sample_value(f"{name}_sum", told) == 0


def test_a_span_that_ends_while_others_are_counted_is_counted_too() -> None:
    """As one does that the garbage collector closes in the middle of the counting."""
    metrics = Metrics()

    class Ends(dict[str, Price]):
        def get(self, _model: str, _default: object = None) -> Any:
            for _ in range(2 * TOGETHER):
                counting.on_end(looked())
            return None

    def looked() -> EndedSpan:
        return EndedSpan({semconv.DB_OPERATION: "look"})

    counting = SpanMetrics(metrics, prices=Ends(m=Price(input=1.0, output=1.0)))
    told = {semconv.OPERATION: semconv.INVOKE_AGENT, semconv.AGENT: "chat_engine"}
    counting.on_end(EndedSpan({**told, semconv.OUTPUT_TOKENS: 1}))
    name = "db_client_operation_duration_seconds_count"
    looks = {"db_operation_name": "look", "result": "ok"}
    assert metrics.registry.get_sample_value(name, looks) == 2 * TOGETHER


def test_failures_of_telemetry_are_counted_by_where_they_were() -> None:
    metrics = Metrics()
    nameless = {semconv.OPERATION: semconv.INVOKE_AGENT}
    SpanMetrics(metrics).on_end(EndedSpan(nameless))
    name = "yychat_telemetry_errors_total"
    assert metrics.registry.get_sample_value(name, {"stage": "end"}) == 1


@pytest.mark.parametrize(
    "header",
    [
        (b"traceparent", b""),
        (b"traceparent", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01"),
        (b"traceparent", b"ff-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"),
        (b"traceparent", b"x" * 10_000),
        (b"traceparent", "用户".encode()),
        (b"tracestate", b"=,;" * 4_000),
        (b"baggage", b"user=somebody," * 1_000),
    ],
    ids=lambda header: f"{header[0].decode()} {header[1][:6]!r}",
)
@pytest.mark.parametrize("ratio", [0.0, 1.0])
async def test_headers_that_make_no_sense_neither_fail_nor_fill_the_log(
    header: tuple[bytes, bytes], ratio: float, caplog: pytest.LogCaptureFixture
) -> None:
    async def plain(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    telemetry = Telemetry(ratio=ratio)
    about = {"type": "http", "http_version": "1.1", "scheme": "http", "method": "GET"}
    scope = {**about, "path": "/", "query_string": b"", "headers": [header]}
    await telemetry.app(plain)(scope, receive, send)
    (told,) = (value for name, value in sent[0]["headers"] if name == b"traceparent")
    version, trace_id, _, flags = told.decode().split("-")
    assert (version, flags) == ("00", "01" if ratio else "00")
    assert int(trace_id, 16)
    assert caplog.text == ""


# One engine for another


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with two_engines(tmp_path_factory.mktemp("pair")) as running:
        yield running


ENGINES = ("chat_engine", "mem0_proxy")
REQUESTS, ERRORS = "yychat_chat_requests_total", "yychat_chat_errors_total"
RESULTS, FALLBACKS = "yychat_engine_attempts_total", "yychat_engine_fallbacks_total"


def seen(running: Service, before: dict[str, float]) -> dict[str, float]:
    """What has moved of requests, errors, attempts and fallbacks."""
    names = (REQUESTS, ERRORS, RESULTS, FALLBACKS)
    now = {n: v for n, v in scraped(running).items() if n.startswith(names)}
    return {n: v - before.get(n, 0) for n, v in now.items() if v != before.get(n, 0)}


@pytest.mark.parametrize("failing", ENGINES)
def test_a_fallback_counts_for_both_engines(pair: Service, failing: str) -> None:
    (other,) = set(ENGINES) - {failing}
    switch = {"engine": failing, "reason": "a test", "force": True}
    assert pair.http.post("/v1/engines/switch", json=switch).status_code == 200
    before = scraped(pair)
    for stream in (False, True):
        answer = pair.chat(f"{failing}=unavailable", stream=stream)
        assert answer.headers["x-yychat-fallback-from"] == failing
    done = {"engine": other, "outcome": "ok"}
    expected = {
        series(REQUESTS, **done, stream="true"): 1,
        series(REQUESTS, **done, stream="false"): 1,
        series(RESULTS, engine=failing, result="engine_error"): 2,
        series(RESULTS, engine=other, result="ok"): 2,
        series(FALLBACKS, from_engine=failing, to_engine=other): 2,
    }
    assert seen(pair, before) == expected
    last = pair.http.get("/v1/performance/recent?count=2").json()["data"]
    assert [(each["engine"], each["fallback_from"]) for each in last] == [(other, failing)] * 2


ORDERS = {"unavailable": 503, "bug": 500, "silent": 500, "store": 503}


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engines_own_failure_is_its_own(pair: Service, engine: str) -> None:
    before = scraped(pair)
    for order, stream in product(ORDERS, (False, True)):
        answer = pair.chat(f"{engine}={order}", stream=stream, engine=engine)
        assert answer.status_code == ORDERS[order]
    failed = {"engine": engine, "outcome": "engine_error"}
    assert seen(pair, before) == {
        series(REQUESTS, **failed, stream="true"): 4,
        series(REQUESTS, **failed, stream="false"): 4,
        series(ERRORS, engine=engine, error_type="engine_bug"): 6,
        series(ERRORS, engine=engine, error_type="memory_unavailable"): 2,
        series(RESULTS, engine=engine, result="engine_error"): 8,
    }
