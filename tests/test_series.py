"""How many series there can be: whatever is asked, configured or made up by callers."""

from collections.abc import AsyncGenerator, Iterable
from itertools import product

import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message

from fakes import ScriptedMemory, asked
from scripted_engine import ScriptedEngine
from yychat.chat import collect
from yychat.resilience import Breaker
from yychat.telemetry.catalogue import AT_MOST, CATALOGUE, CLOSED, Metric
from yychat.telemetry.known import ATTEMPTS
from yychat.telemetry.metrics import MOST, Metrics
from yychat.telemetry.outcomes import ERROR_TYPES, OUTCOMES
from yychat.telemetry.telemetry import Telemetry
from yychat.web.problems import STATUS
from yychat.web.routes import EXCEPTION_HANDLERS, ROUTES

PATHS = [route.path for route in ROUTES]
STATUSES = sorted({"200", "405", "499", *map(str, STATUS.values())})
RESULTS = {  # of the counters; histograms tell ok from error
    "yychat_engine_attempts_total": ATTEMPTS,
    "yychat_upstream_attempts_total": ("ok", *ERROR_TYPES),
    "yychat_memory_recalls_total": ("hit", "empty", "deadline", "error", "skipped"),
    "yychat_outbox_jobs_total": ("done", "retried", "dead"),
    "yychat_cache_requests_total": ("hit", "miss", "error", "poison"),
    "yychat_tenant_requests_total": OUTCOMES,
    "yychat_rollbacks_total": ("done", "would", "refused"),
}
OPEN = {
    "http_response_status_code": STATUSES,
    "reason": ERROR_TYPES,
    "currency": ("USD",),
    "dependency": ("memory", "upstream", "mem0", "redis", "upstream:a", "upstream:b"),
    "status": ("firing", "resolved"),
}


def names(label: str, many: int) -> list[str]:
    return PATHS if label == "http_route" else [f"{label}-{n}" for n in range(many)]


def all_live(metrics: Metrics, most: dict[str, int]) -> None:
    """Every label takes every value that it may have, in all combinations."""
    configured = {label: names(label, many) for label, many in most.items()}
    metrics.allow(configured)
    for metric in CATALOGUE:
        values = [list(_values(metric, label, configured)) for label in metric.labels]
        for each in product(*values):
            touch(metrics, metric, each)


def _values(metric: Metric, label: str, configured: dict[str, list[str]]) -> Iterable[str]:
    if label == "result":
        return RESULTS.get(metric.name, ("ok", "error"))
    return configured.get(label) or CLOSED.get(label) or OPEN.get(label) or ("one", "other")


def touch(metrics: Metrics, metric: Metric, values: tuple[str, ...]) -> None:
    if metric.kind == "counter":
        metrics.count(metric.name, *values)
    elif metric.kind == "histogram":
        metrics.observe(metric.name, *values, amount=0.1)
    else:
        metrics.set(metric.name, *values, to=1)


def dropped(metrics: Metrics) -> float:
    families = metrics.registry.collect()
    (found,) = (each for each in families if each.name == "yychat_series_dropped")
    return sum(sample.value for sample in found.samples)


def test_with_every_label_set_live_there_are_at_most_three_thousand_series() -> None:
    metrics = Metrics()
    all_live(metrics, {"http_route": 0, "alertname": 25, **AT_MOST})
    assert metrics.series <= MOST == 3_000
    assert dropped(metrics) > 0  # all at once is more, and what is too much goes to ``other``


def test_what_finds_no_place_is_counted_as_other() -> None:
    metrics = Metrics()
    all_live(metrics, {"http_route": 0, "alertname": 25, **AT_MOST})
    before, many = metrics.series, 10_000
    for number in range(many):
        metrics.count("yychat_http_responses_total", PATHS[0], "GET", str(1_000 + number))
    others = dict.fromkeys(("http_route", "http_request_method"), "other")
    value = metrics.registry.get_sample_value(
        "yychat_http_responses_total", {**others, "http_response_status_code": "other"}
    )
    assert value is not None
    assert value >= many
    assert metrics.series == before


@pytest.mark.parametrize("metric", [m for m in CATALOGUE if m.labels], ids=lambda m: m.name)
def test_names_that_nobody_knows_are_one_series_together(metric: Metric) -> None:
    unknown = set(metric.labels) - {"result", *OPEN}
    if metric.name in LITERAL:
        return
    assert unknown
    metrics = Metrics()
    before = metrics.series
    for number in range(100):
        values = [f"用户-{number}" if label in unknown else "ok" for label in metric.labels]
        touch(metrics, metric, tuple(values))
    assert metrics.series - before == metric.lines


# Their labels' values are literals in the code, or what this process is.
LITERAL = (
    "yychat_dependency_up",
    "yychat_telemetry_errors_total",
    "yychat_series_dropped_total",
    "yychat_build_info",
    "yychat_config_info",
)

# What callers make up, through all that is watched


class NoUpstream:
    """See ``Provider``: one that has nothing to say."""

    name, models = "openai", None
    breaker = Breaker()

    def model(self, asked: str) -> str | None:
        return asked

    def breaker_of(self, path: str) -> Breaker:
        return self.breaker

    async def post(self, path: str, body: bytes) -> bytes:
        return b"{}"

    async def get(self, path: str) -> bytes:
        return b"{}"

    async def stream(self, path: str, body: bytes) -> AsyncGenerator[bytes, None]:
        yield b"{}"

    async def close(self) -> None:
        pass


async def visit(app: ASGIApp, method: str, path: str) -> None:
    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        assert message

    target = {"path": path, "raw_path": path.encode(), "query_string": path.encode()}
    about = {"type": "http", "http_version": "1.1", "scheme": "http", "root_path": ""}
    await app({**about, **target, "method": method, "headers": [], "state": {}}, receive, send)


async def test_ten_thousand_of_everything_that_callers_make_up_are_no_series_more() -> None:
    telemetry = Telemetry(ratio=0.01)
    app = telemetry.app(Starlette(routes=ROUTES, exception_handlers=EXCEPTION_HANDLERS))
    (engine,) = telemetry.engines([ScriptedEngine("chat_engine")])
    (upstream,) = telemetry.upstreams([NoUpstream()])
    memory, tools = telemetry.memory(ScriptedMemory("tea")), telemetry.tools([], timeout=1)

    async def ask(name: str) -> None:
        request = asked(model=name, user=name, conversation_id=name)
        assert request.owner
        await collect(engine.generate_response(request))
        await upstream.post("/chat/completions", b'{"model": "%s"}' % name.encode())
        await memory.recall(request.owner, name, 1)
        await tools.call(name, "{}", allowed=None)
        await visit(app, name, f"/{name}.php")

    for number in range(100):  # some of which are sampled
        await ask(f"first-{number}")
    before = telemetry.metrics.series
    for number in range(10_000):
        await ask(f"then-{number}")
    assert telemetry.metrics.series == before
    assert dropped(telemetry.metrics) == 0
