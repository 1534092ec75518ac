"""Metrics say what happened: every request of known outcome moves what it should, once, and its
spans and its performance record say the same."""

import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import product
from typing import Any, NamedTuple

import msgspec
import pytest

from otlp_receiver import Receiver, Sent, otlp_receiver
from running import Service, Simulator, service
from scrape import Ledger, scraped, series
from test_limits_api import bearer, entry

ENGINES = ("chat_engine", "mem0_proxy")
MEMORIES = dict(zip(ENGINES, ("native", "mem0"), strict=True))
WAYS = list(product(ENGINES, (False, True)))  # whole, streamed
PATH = "/v1/chat/completions"
MODEL = {"gen_ai_request_model": "simulated"}
UPSTREAM = {"upstream": "openai"}
FAILURES = ("upstream_error", "engine_error", "timeout", "internal_error")


class Asked(NamedTuple):
    """One request of a kind: its own trace, sampled or not."""

    engine: str
    stream: bool
    sampled: bool
    trace_id: str


class Kind(NamedTuple):
    """What requests of one kind come to, on either engine, streamed or not.

    ``attempt`` is what an engine makes of it (None where none gets it), ``upstream`` what each
    attempt at the upstream comes to ("" for one that is the caller's affair). ``said`` is the
    number of tokens, None where only an estimate is known of them.
    """

    outcome: str
    error: str | None = None
    status: tuple[int, int] = (200, 200)  # whole, streamed
    attempt: str | None = None
    upstream: tuple[str, ...] = ()
    said: int | None = 0
    began: bool = False  # whether a stream had its first token
    answered: bool = False  # whether the memory had nobody to be asked for
    text: str = "say a b c"
    fields: Mapping[str, Any] = {}
    faults: Mapping[str, Any] = {}
    key: str = "admin"
    more: Mapping[str, int] = {}  # what else moves, for each
    ways: tuple[bool, ...] = (False, True)  # whole, streamed


class Done(NamedTuple):
    asked: Asked
    status: int
    kind: Kind


def kinds() -> dict[str, Kind]:
    rate = {"error_rate": 1}
    failed = Kind("upstream_error", attempt="upstream_error")
    tool = "yychat_tool_calls_total"
    took = "gen_ai_execute_tool_duration_seconds_count"
    return {
        "an answer": Kind("ok", None, attempt="ok", upstream=("ok",), said=3, began=True,
            answered=True),
        "rate limited upstream": failed._replace(error="upstream_rate_limit", status=(429, 429),
            upstream=("upstream_rate_limit",), faults={"error_status": 429, **rate}),
        "failing upstream": failed._replace(error="upstream_5xx", status=(502, 502),
            upstream=("upstream_5xx",), faults={"error_status": 500, **rate}),
        "key refused upstream": failed._replace(error="upstream_auth", status=(502, 502),
            upstream=("upstream_auth",), faults={"error_status": 401, **rate}),
        "refused upstream": Kind("client_error", "bad_request", (400, 400), "client_error",
            upstream=("",), faults={"error_status": 400, **rate}),
        "hanging upstream": Kind("timeout", "upstream_timeout", (504, 504), "cancelled",
            upstream=("upstream_timeout",), faults={"hang_before_first_byte": True}),
        "a bad request": Kind("client_error", "bad_request", (400, 400), fields={"messages": 3}),
        "an unknown key": Kind("client_error", "auth", (401, 401), key="nobody's"),
        "a limit of ours": Kind("rejected", "rate_limited", (429, 429), key="limited"),
        "a tool that fails": Kind("ok", None, attempt="ok", upstream=("ok", "ok"), said=SOME,
            began=True, answered=True, text='call calculator {"expression": "1/0"}',
            more={series(tool, tool="calculator", result="error"): 1,
                  series(took, source="builtin", result="error"): 1}),
        "a stream that is cut": failed._replace(error="upstream_protocol", status=(0, 200),
            upstream=("upstream_protocol",), said=None, began=True, answered=True,
            text="write 20 words", faults={"cut_after_chunks": 5}, ways=(True,)),
        "a whole answer that is cut": failed._replace(error="upstream_protocol", status=(502, 0),
            upstream=("upstream_protocol",), faults={"cut_after_chunks": 5}, ways=(False,)),
    }  # fmt: skip


@pytest.fixture(scope="module")
def collector() -> Iterator[Receiver]:
    with otlp_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def watched(
    shared_simulator: Simulator, collector: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service of its own: nobody else's requests are counted there."""
    keys = [entry("admin", "acme"), entry("limited", "slow", 1), entry("second", "acme")]
    keys = [key.replace('"id"', '"engines": true, "id"') for key in keys]
    keys[0] = keys[0].replace('"id"', '"role": "admin", "id"')
    with service(
        tmp_path_factory.mktemp("data"),
        OPENAI_BASE_URL=shared_simulator.base_url,
        OPENAI_MODEL="simulated",
        MEM0_EMBEDDING_MODEL="simulated",
        YYCHAT_RETRIES="0",
        YYCHAT_REQUEST_TIMEOUT="1.5",
        YYCHAT_MEMORY_DEADLINE_MS="1000",
        YYCHAT_API_KEYS="\n".join(keys),
        **collector.environment,
    ) as running:
        assert running.chat("say x", key="limited").status_code == 200  # all that it may
        yield running


@pytest.fixture(scope="module")
def ledger(watched: Service) -> Ledger:
    return Ledger(watched)


def new_trace() -> str:
    return secrets.token_hex(16)


def put(running: Service, asked: Asked, kind: Kind) -> Done:
    answer = running.http.post(PATH, json=body(asked, kind), headers=headers(asked, kind))
    return Done(asked, answer.status_code, kind)


def body(asked: Asked, kind: Kind) -> dict[str, Any]:
    message = {"role": "user", "content": kind.text}
    told = {"model": "simulated", "engine": asked.engine, "stream": asked.stream}
    return {"messages": [message], **told, **kind.fields}


def headers(asked: Asked, kind: Kind) -> dict[str, str]:
    sent = f"00-{asked.trace_id}-00f067aa0ba902b7-0{int(asked.sampled)}"
    return {**bearer(kind.key), "traceparent": sent}


def counts(asked: Asked, status: int, kind: Kind) -> Counter[str]:
    """What one request has to move, but for stages and tokens: of those its record tells."""
    engine, stream = asked.engine, str(asked.stream and kind.attempt is not None).lower()
    if kind.attempt is None:
        engine = "none"
    well = "error" if status >= 500 or kind.outcome in FAILURES else "ok"
    tenant = "acme" if kind.attempt else {"nobody's": "other", "limited": "other"}.get(kind.key)
    moved = Counter(
        [
            series(
                "yychat_http_responses_total",
                http_route=PATH,
                http_request_method="POST",
                http_response_status_code=str(status),
            ),
            series("http_server_request_duration_seconds_count", http_route=PATH, result=well),
            series(
                "yychat_chat_requests_total", engine=engine, outcome=kind.outcome, stream=stream
            ),
            series("yychat_tenant_requests_total", tenant=tenant or "other", result=kind.outcome),
            series("yychat_overhead_duration_seconds_count", engine=engine, stream=stream),
        ]
    )
    moved.update(kind.more)
    if kind.error:
        moved[series("yychat_chat_errors_total", engine=engine, error_type=kind.error)] += 1
    if kind.attempt:
        moved.update(_engine(engine, kind))
        moved.update(_tokens(asked, kind))
    return moved


def _engine(engine: str, kind: Kind) -> Iterator[str]:
    assert kind.attempt
    well = "ok" if kind.attempt == "ok" else "error"
    agent = "gen_ai_invoke_agent_duration_seconds_count"
    yield series(agent, gen_ai_agent_name=engine, result=well)
    yield series("yychat_engine_attempts_total", engine=engine, result=kind.attempt)
    if kind.answered:
        skipped = {"memory": MEMORIES[engine], "result": "skipped", "source": "none"}
        yield series("yychat_memory_recalls_total", **skipped)
    client = {"gen_ai_operation_name": "chat", "gen_ai_provider_name": "openai", **MODEL}
    for result in kind.upstream:
        well = "ok" if result == "ok" else "error"
        yield series("gen_ai_client_operation_duration_seconds_count", **client, result=well)
        if result:
            yield series("yychat_upstream_attempts_total", **UPSTREAM, result=result)


def _tokens(asked: Asked, kind: Kind) -> Iterator[str]:
    labels = {"gen_ai_agent_name": asked.engine, **MODEL}
    if asked.stream and kind.began:
        yield series("gen_ai_server_time_to_first_token_seconds_count", **labels)
        if kind.said:
            yield series("gen_ai_server_time_per_output_token_seconds_count", **labels)
    elif asked.stream and kind.outcome in FAILURES:
        yield series("yychat_first_token_failures_total", engine=asked.engine)
    if kind.said is None:
        yield series("yychat_usage_estimated_total", **MODEL)


TOKENS = ("yychat_tokens_total", "yychat_tenant_tokens_total")
SOME = -1  # tokens, as the upstream counted them
STAGES = "yychat_stage_duration_seconds_count"


def recent(running: Service, done: list[Done]) -> list[dict[str, Any]]:
    """Their performance records, in their order: one for each."""
    ids = [each.asked.trace_id for each in done]

    def look() -> list[dict[str, Any]]:
        answer = running.http.get("/v1/performance/recent?count=100", headers=bearer("admin"))
        return [each for each in answer.json()["data"] if each["trace_id"] in ids]

    eventually(lambda: len(look()) >= len(ids))
    found = {each["trace_id"]: each for each in look()}
    assert len(look()) == len(found) == len(ids)
    return [found[each] for each in ids]


def stages(records: list[dict[str, Any]]) -> Counter[str]:
    return Counter(
        series(STAGES, engine=record["engine"], stage=stage)
        for record in records
        for stage in record["stages"]
    )


def check_record(record: dict[str, Any], asked: Asked, kind: Kind) -> None:
    engine = asked.engine if kind.attempt else "none"
    told = {name: record.get(name) for name in ("engine", "outcome", "error_type", "sampled")}
    assert told == {
        "engine": engine,
        "outcome": kind.outcome,
        "error_type": kind.error,
        "sampled": asked.sampled,
    }
    assert sum(record["stages"].values()) == pytest.approx(record["duration_seconds"], abs=1e-6)
    assert (record["first_token_seconds"] is not None) == (asked.stream and kind.began)
    counted = record["output_tokens"] or 0
    assert counted > 0 if kind.said == SOME else counted == (kind.said or 0)


def check_spans(collector: Receiver, done: Done, record: dict[str, Any]) -> None:
    """One tree, as the request went; and the server's span says what the record says."""
    asked, kind = done.asked, done.kind
    found: list[Sent] = []

    def whole() -> bool:
        found[:] = collector.trace(asked.trace_id)
        return any(span.name == f"POST {PATH}" for span in found)

    eventually(whole)
    (server,) = (span for span in found if span.name == f"POST {PATH}")
    for name in ("outcome", "engine"):
        assert server.attributes[f"yychat.{name}"] == record[name]
    assert server.attributes.get("error.type") == record["error_type"]
    spent = {
        name.removeprefix("yychat.stage."): value
        for name, value in server.attributes.items()
        if name.startswith("yychat.stage.")
    }
    assert spent == {name: record["stages"][name] for name in spent}
    assert record["stages"].keys() - spent.keys() <= {"other"}
    agents = [span for span in found if span.name == f"invoke_agent {asked.engine}"]
    assert len(agents) == (kind.attempt is not None)
    chats = [span for span in found if span.name == "chat simulated"]
    assert len(chats) == len(kind.upstream)
    if agents:
        assert agents[0].parent_id == server.span_id
        assert agents[0].attributes["yychat.result"] == kind.attempt
        assert {chat.parent_id for chat in chats} == {agents[0].span_id}
    if kind.error and kind.outcome == "upstream_error":
        assert [chat.attributes["error.type"] for chat in chats] == [kind.error]
        assert all(span.failed for span in (*agents, *chats))


@pytest.mark.parametrize("name", kinds())
def test_every_request_moves_what_it_should_once(
    watched: Service, upstream: Simulator, collector: Receiver, ledger: Ledger, name: str
) -> None:
    kind = kinds()[name]
    done: list[Done] = []
    for sampled in (True, False):
        upstream.faults(only="chat", **kind.faults)
        asked = [Asked(*way, sampled, new_trace()) for way in WAYS if way[1] in kind.ways]
        with ThreadPoolExecutor(len(asked)) as pool:
            done += pool.map(lambda each: put(watched, each, kind), asked)
        done.append(recovered(watched, upstream))
    check(watched, collector, ledger, done)


def recovered(running: Service, upstream: Simulator) -> "Done":
    """An answer, so that the breaker forgets what failed before."""
    upstream.reset()
    asked, kind = Asked("chat_engine", False, False, new_trace()), kinds()["an answer"]
    return put(running, asked, kind)


def check(running: Service, collector: Receiver, ledger: Ledger, done: list[Done]) -> None:
    """Metrics, records and spans of what was *done* are what their kinds say."""
    assert [each.status for each in done] == [e.kind.status[e.asked.stream] for e in done]
    records = recent(running, done)
    expected = sum((counts(*each) for each in done), stages(records))
    estimated = any(each.kind.said is None for each in done)
    expected += Counter() if estimated else tokens(records)
    besides = TOKENS if estimated else ()
    assert ledger.moved(expected, *besides) == expected
    for each, record in zip(done, records, strict=True):
        check_record(record, each.asked, each.kind)
        if each.asked.sampled:
            check_spans(collector, each, record)
    spent = {each.asked.trace_id for each in done if not each.asked.sampled}
    assert not any(span.trace_id in spent for span in collector.spans)


def tokens(records: list[dict[str, Any]]) -> Counter[str]:
    moved: Counter[str] = Counter()
    for record in records:
        for what in ("input", "output"):
            many = record[f"{what}_tokens"] or 0
            moved[series("yychat_tokens_total", **MODEL, type=what)] += many
            moved[series("yychat_tenant_tokens_total", tenant="acme", type=what)] += many
    return +moved


def eventually(true: Callable[[], bool], within: float = 5.0) -> None:
    ends = time.monotonic() + within
    while not true():
        assert time.monotonic() < ends, "it did not come true"
        time.sleep(0.02)


# Clients that leave


@contextmanager
def waiting(running: Service, asked: Asked, kind: Kind) -> Iterator[socket.socket]:
    """A client that has asked, and leaves at the end of the block."""
    content = msgspec.json.encode(body(asked, kind))
    told = {"host": "127.0.0.1", "content-length": len(content), **headers(asked, kind)}
    lines = [f"POST {PATH} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
    port = int(running.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + content)
        yield connection


def under_way(upstream: Simulator, many: int) -> None:
    eventually(lambda: upstream.stats()["in_flight"] == many)


GONE = Kind("cancelled", None, (499, 200), "cancelled", upstream=("",), text="write 5000 words")
GONE_STREAM = GONE._replace(said=None, began=True, answered=True)


def kind_of_gone(asked: Asked) -> Kind:
    return GONE_STREAM if asked.stream else GONE


def test_clients_that_leave_are_cancelled_once_and_it_is_nobodys_failure(
    watched: Service, upstream: Simulator, collector: Receiver, ledger: Ledger
) -> None:
    upstream.faults(only="chat", token_ms=50)
    asked = [Asked(*way, sampled, new_trace()) for way in WAYS for sampled in (True, False)]
    with ExitStack() as clients:
        for each in asked:
            client = clients.enter_context(waiting(watched, each, kind_of_gone(each)))
            if each.stream:
                assert client.recv(16)
        under_way(upstream, len(asked))
    under_way(upstream, 0)
    done = [Done(e, kind_of_gone(e).status[e.stream], kind_of_gone(e)) for e in asked]
    check(watched, collector, ledger, done)


# Memory: after the ledger's last look


def recalls(now: dict[str, float], memory: str) -> dict[str, float]:
    """By result."""
    name, kept = "yychat_memory_recalls_total", f'memory="{memory}"'
    found = {n: v for n, v in now.items() if n.startswith(name) and kept in n and v}
    return {n.partition('result="')[2].partition('"')[0]: v for n, v in found.items()}


@pytest.mark.parametrize(("engine", "memory"), MEMORIES.items())
def test_a_turn_is_recalled_stored_and_counted(
    watched: Service, upstream: Simulator, engine: str, memory: str
) -> None:
    before = scraped(watched)
    user = {"user": f"fond of {engine}", "engine": engine, "key": "admin"}
    results = [watched.chat("say I like tea", **user).headers["x-yychat-memory"] for _ in "123"]
    kept = series("yychat_outbox_jobs_total", kind=memory, result="done")
    eventually(lambda: scraped(watched)[kept] == before[kept] + 3, within=30.0)

    now = scraped(watched)
    counted = Counter(recalls(now, memory))
    counted.subtract(recalls(before, memory))
    assert +counted == Counter(results)
    assert counted["hit"]
    took = "yychat_memory_operation_duration_seconds_count"
    well = [result for result in results if result in ("hit", "empty")]
    for operation in ("recall", "search"):
        name = series(took, memory=memory, operation=operation, result="ok")
        assert now[name] - before.get(name, 0) == len(well)
    assert now[series(took, memory=memory, operation="write", result="ok")] > 0


def test_a_recall_whose_client_leaves_has_not_missed_its_deadline(
    watched: Service, upstream: Simulator
) -> None:
    asked = Asked("mem0_proxy", True, False, new_trace())
    kind = GONE._replace(fields={"user": "hasty"}, text="say x")
    assert put(watched, asked, kind).status == 200  # mem0 is loaded then
    upstream.faults(only="embeddings", hang_before_first_byte=True)
    labels = {"engine": asked.engine, "outcome": "cancelled", "stream": "true"}
    before = scraped(watched)
    with waiting(watched, asked, kind._replace(text="another question")):
        under_way(upstream, 1)
    left = series("yychat_chat_requests_total", **labels)
    eventually(lambda: scraped(watched)[left] == before[left] + 1)
    assert recalls(scraped(watched), "mem0") == recalls(before, "mem0")


def test_traces_can_be_joined_from_outside(watched: Service) -> None:
    trace = new_trace()
    sent = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    answer = watched.http.get("/healthz", headers=sent)
    assert answer.headers["traceparent"].split("-")[1] == trace
