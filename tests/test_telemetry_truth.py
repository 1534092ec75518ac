"""Metrics say what happened: every request of known outcome moves what it should, once."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from running import Service, Simulator, service
from scrape import scraped

CHAT = 'http_route="/v1/chat/completions"'
BY_THEMSELVES = ("/metrics", "event_loop", "telemetry")  # scraping and waiting move these
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
ENGINES = pytest.mark.parametrize("engine", ["chat_engine", "mem0_proxy"])


@pytest.fixture(scope="module")
def watched(
    shared_simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service of its own: nobody else's requests are counted there."""
    with service(
        tmp_path_factory.mktemp("data"),
        OPENAI_BASE_URL=shared_simulator.base_url,
        OPENAI_MODEL="simulated",
        MEM0_EMBEDDING_MODEL="simulated",
        YYCHAT_RETRIES="0",
        YYCHAT_REQUEST_TIMEOUT="1.5",
    ) as running:
        yield running


class Moved:
    """The counters that one action has moved; a gauge is no counter, and neither is a process."""

    def __init__(self, running: Service) -> None:
        self._running, self._before = running, scraped(running)

    def settled(self) -> dict[str, float]:
        """Once two looks in a row agree: what follows an answer takes a moment."""
        last = self._now()
        for _ in range(8):
            now = self._now()
            if now == last:
                return now
            last = now
        return last

    def _now(self) -> dict[str, float]:
        now = scraped(self._running)
        return {
            name: value - self._before.get(name, 0.0)
            for name, value in now.items()
            if _counts(name) and value != self._before.get(name, 0.0)
        }


def _counts(name: str) -> bool:
    own = name.startswith(("yychat_", "gen_ai_", "http_server_"))
    return (
        own
        and ("_total" in name or "_count" in name)
        and not any(part in name for part in BY_THEMSELVES)
    )


def ask(running: Service, text: str = "say a b c", **fields: Any) -> httpx2.Response:
    return running.chat(text, **fields)


def chat_outcomes(moved: dict[str, float]) -> dict[str, float]:
    return {n: v for n, v in moved.items() if n.startswith("yychat_chat_requests_total")}


def outcome(engine: str, what: str, *, stream: bool) -> str:
    labels = f'engine="{engine}",outcome="{what}",stream="{str(stream).lower()}"'
    return f"yychat_chat_requests_total{{{labels}}}"


@BOTH
@ENGINES
def test_an_answer_counts_once_everywhere(
    watched: Service, upstream: Simulator, stream: bool, engine: str
) -> None:
    moved = Moved(watched)
    assert ask(watched, stream=stream, engine=engine).status_code == 200
    now = moved.settled()
    assert chat_outcomes(now) == {outcome(engine, "ok", stream=stream): 1}
    assert now[f'yychat_engine_attempts_total{{engine="{engine}",result="ok"}}'] == 1
    agent = f'gen_ai_invoke_agent_duration_seconds_count{{gen_ai_agent_name="{engine}"'
    assert now[f'{agent},result="ok"}}'] == 1
    assert now['yychat_upstream_attempts_total{result="ok",upstream="openai"}'] == 1
    assert now[f'http_server_request_duration_seconds_count{{{CHAT},result="ok"}}'] == 1
    tokens = 'yychat_tokens_total{gen_ai_request_model="simulated",type="output"}'
    assert now[tokens] == 3
    assert not any(name.startswith("yychat_usage_estimated_total") for name in now)
    first = "gen_ai_server_time_to_first_token_seconds_count"
    assert sum(value for name, value in now.items() if name.startswith(first)) == stream
    stages = [name for name in now if name.startswith("yychat_stage_duration_seconds_count")]
    assert {now[name] for name in stages} == {1}


FAILURES: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "rate limited upstream": (
        {"error_status": 429, "error_rate": 1},
        429,
        "upstream_error",
        "upstream_rate_limit",
    ),
    "failing upstream": (
        {"error_status": 500, "error_rate": 1},
        502,
        "upstream_error",
        "upstream_5xx",
    ),
    "key refused upstream": (
        {"error_status": 401, "error_rate": 1},
        502,
        "upstream_error",
        "upstream_auth",
    ),
    "hanging upstream": ({"hang_before_first_byte": True}, 504, "timeout", "upstream_timeout"),
}


@BOTH
@pytest.mark.parametrize("what", FAILURES)
def test_a_failure_counts_once_by_whose_fault_it_is(
    watched: Service, upstream: Simulator, stream: bool, what: str
) -> None:
    faults, status, outcome_, error_type = FAILURES[what]
    upstream.faults(only="chat", **faults)
    moved = Moved(watched)
    assert ask(watched, stream=stream).status_code == status
    now = moved.settled()
    assert chat_outcomes(now) == {outcome("chat_engine", outcome_, stream=stream): 1}
    errors = f'yychat_chat_errors_total{{engine="chat_engine",error_type="{error_type}"}}'
    assert now[errors] == 1
    failures = 'yychat_first_token_failures_total{engine="chat_engine"}'
    assert now.get(failures, 0) == stream


def test_what_callers_get_wrong_is_theirs(watched: Service) -> None:
    moved = Moved(watched)
    answer = watched.http.post("/v1/chat/completions", json={"messages": 3})
    assert answer.status_code == 400
    now = moved.settled()
    assert chat_outcomes(now) == {outcome("none", "client_error", stream=False): 1}
    assert now['yychat_chat_errors_total{engine="none",error_type="bad_request"}'] == 1
    assert not any("upstream" in name for name in now)


def test_a_cut_stream_is_the_upstreams_failure_and_its_usage_is_estimated(
    watched: Service, upstream: Simulator
) -> None:
    upstream.faults(only="chat", cut_after_chunks=3)
    moved = Moved(watched)
    answer = ask(watched, "write 20 words", stream=True)
    assert '"error"' in answer.text
    now = moved.settled()
    assert chat_outcomes(now) == {outcome("chat_engine", "upstream_error", stream=True): 1}
    assert now['yychat_usage_estimated_total{gen_ai_request_model="simulated"}'] == 1


def test_clients_that_leave_are_cancelled_and_hold_nothing(
    watched: Service, upstream: Simulator
) -> None:
    upstream.faults(only="chat", token_ms=50)
    moved = Moved(watched)
    for _ in range(20):
        body = {"messages": [{"role": "user", "content": "write 200 words"}], "stream": True}
        with watched.http.stream("POST", "/v1/chat/completions", json=body) as answer:
            next(answer.iter_bytes())
    now = moved.settled()
    assert chat_outcomes(now) == {outcome("chat_engine", "cancelled", stream=True): 20}
    eventually(lambda: scraped(watched)["yychat_inflight_requests"] == 0)
    assert scraped(watched)["http_server_active_requests"] == 1  # the scrape itself


def test_a_tool_that_fails_counts_as_that_and_the_answer_as_an_answer(
    watched: Service, upstream: Simulator
) -> None:
    moved = Moved(watched)
    assert ask(watched, 'call calculator {"expression": "1/0"}').status_code == 200
    now = moved.settled()
    assert now['yychat_tool_calls_total{result="error",tool="calculator"}'] == 1
    assert chat_outcomes(now) == {outcome("chat_engine", "ok", stream=False): 1}
    assert now['yychat_upstream_attempts_total{result="ok",upstream="openai"}'] == 2


def test_a_turn_is_recalled_stored_and_counted(watched: Service, upstream: Simulator) -> None:
    moved = Moved(watched)
    for _ in range(2):
        assert ask(watched, "say I like tea", user="counted").status_code == 200
    eventually(
        lambda: moved.settled().get('yychat_outbox_jobs_total{kind="native",result="done"}') == 2
    )
    now = moved.settled()
    recalls = "yychat_memory_recalls_total"
    assert now[f'{recalls}{{memory="native",result="empty",source="lexical"}}'] == 1
    assert now[f'{recalls}{{memory="native",result="hit",source="lexical"}}'] == 1


def test_a_turn_on_its_way_to_mem0_is_counted_too(watched: Service, upstream: Simulator) -> None:
    moved = Moved(watched)
    answer = ask(watched, "say I like tea", user="extracted", engine="mem0_proxy")
    assert answer.status_code == 200
    done = 'yychat_outbox_jobs_total{kind="mem0",result="done"}'
    eventually(lambda: moved.settled().get(done) == 1, within=30.0)


def test_no_series_grows_with_what_callers_send(watched: Service) -> None:
    scraped(watched)
    before = len(scraped(watched))
    for number in range(200):
        watched.chat("say x", model=f"model-{number}", user=f"user-{number}")
        watched.http.get(f"/v1/{number}/../{number}.php?x={number}")
        watched.http.request(f"M{number}", "/v1/models")
    assert len(scraped(watched)) - before < 60  # new label values of closed sets, no more


def eventually(true: Callable[[], bool], within: float = 5.0) -> None:
    ends = time.monotonic() + within
    while not true():
        assert time.monotonic() < ends, "it did not come true"
        time.sleep(0.05)


def test_traces_can_be_joined_from_outside(watched: Service, data: Path) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = watched.http.get(
        "/v1/models", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    )
    assert answer.headers["traceparent"].split("-")[1] == trace
