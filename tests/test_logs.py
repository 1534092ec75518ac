"""Log lines: JSON that machines read, nothing that a user wrote, and no waiting."""

import asyncio
import json
import logging
import os
import pty
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import httpx2
import pytest
import uvicorn
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import INVALID_SPAN_CONTEXT, Tracer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from yychat.chat import ChatRequest
from yychat.errors import CapacityExceeded
from yychat.telemetry.http import watched
from yychat.telemetry.logs import WAITING, Form, Logs, as_json, as_text, log_to
from yychat.telemetry.metrics import Metrics
from yychat.telemetry.observation import Observation, current
from yychat.telemetry.processor import SpanMetrics
from yychat.telemetry.setup import Tracing
from yychat.web.middleware import LastResort, RequestId

SECRET = "xyzzy-plugh"
ours = logging.getLogger("yychat.test")


@pytest.fixture
def tracer() -> Iterator[Tracer]:
    provider = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False)
    yield provider.get_tracer("test")
    provider.shutdown()


class Pipe:
    """What a service's standard output usually is."""

    def __init__(self) -> None:
        read, write = os.pipe()
        self.read: TextIO = os.fdopen(read)
        self.write: TextIO = os.fdopen(write, "w")

    def lines(self) -> list[Any]:
        """Everything that was written; nothing can be written any more."""
        self.write.close()
        with self.read:
            return [json.loads(line) for line in self.read]

    def text(self) -> str:
        self.write.close()
        with self.read:
            return self.read.read()


@contextmanager
def logging_to(stream: TextIO, level: str = "INFO", form: Form = "auto") -> Iterator[Logs]:
    """Everything is logged there for the block; then it is as it was."""
    root = logging.getLogger()
    handlers, before = list(root.handlers), root.level
    logs = log_to(stream, level, form)
    try:
        yield logs
    finally:
        logs.close()
        root.handlers[:] = handlers
        root.setLevel(before)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.write.close()
    pipe.read.close()


def test_a_line_is_an_object_with_time_level_logger_and_message(pipe: Pipe) -> None:
    with logging_to(pipe.write):
        ours.warning("%d turns and a\nnew line", 3)
    [line] = pipe.lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {
        "level": "WARNING",
        "logger": "yychat.test",
        "message": "3 turns and a\nnew line",
    }


def test_lines_come_in_order_and_none_is_missing(pipe: Pipe) -> None:
    with logging_to(pipe.write):
        for number in range(500):
            ours.info("%d", number)
    assert [line["message"] for line in pipe.lines()] == [str(n) for n in range(500)]


def test_a_line_within_a_span_names_it(pipe: Pipe, tracer: Tracer) -> None:
    with logging_to(pipe.write), tracer.start_as_current_span("here") as span:
        ours.info("within")
    [line] = pipe.lines()
    context = span.get_span_context()
    assert line["trace_id"] == f"{context.trace_id:032x}"
    assert line["span_id"] == f"{context.span_id:016x}"
    assert line["sampled"] is True


def test_what_is_below_the_level_is_not_said(pipe: Pipe) -> None:
    with logging_to(pipe.write, "WARNING"):
        ours.info("quiet")
        ours.warning("loud")
    assert [line["message"] for line in pipe.lines()] == ["loud"]


def test_of_an_exception_the_type_and_the_place_are_said_and_not_the_text(pipe: Pipe) -> None:
    with logging_to(pipe.write):
        try:
            int(SECRET)
        except ValueError:
            ours.exception("a bug")
            logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
    lines = pipe.lines()
    assert [line["message"] for line in lines] == ["a bug", "Exception in ASGI application"]
    assert all(line["error"].startswith("ValueError at test_logs.py:") for line in lines)
    assert SECRET not in str(lines)


@pytest.mark.parametrize("name", ["uvicorn.error", "asyncio", "aiohttp.client", "openai", "x"])
def test_what_other_packages_quote_is_left_out(pipe: Pipe, name: str) -> None:
    with logging_to(pipe.write, "DEBUG"):
        logging.getLogger(name).warning("it said %s", SECRET)
        already = "something\nfuture: <Task exception='{}'>".format
        logging.getLogger(name).error(already(SECRET))
    said, ended = pipe.lines()
    assert SECRET not in str(said) + str(ended)
    assert (said["logger"], said["level"], ended["level"]) == (name, "WARNING", "ERROR")


def test_arguments_that_do_not_fit_leave_the_template(pipe: Pipe) -> None:
    with logging_to(pipe.write):
        ours.info("%d of %d", 1)
        ours.info("%d", "one")
    assert [line["message"] for line in pipe.lines()] == ["%d of %d", "%d"]


def test_half_a_character_is_no_failure(pipe: Pipe) -> None:
    with logging_to(pipe.write):
        ours.info("before \ud800 after 测试")
    assert [line["message"] for line in pipe.lines()] == ["before \\ud800 after 测试"]


def test_what_json_does_not_have_is_told_by_its_kind() -> None:
    line = as_json((0.0, logging.INFO, "yychat", "x", INVALID_SPAN_CONTEXT, {"what": 1j}))
    assert json.loads(line)["what"] == "complex"


def test_who_does_not_read_holds_nobody_up_and_what_is_dropped_is_counted(pipe: Pipe) -> None:
    dropped: list[int] = []
    with logging_to(pipe.write) as logs:
        logs.dropped = dropped.append
        said = 3 * WAITING
        for number in range(said):  # the pipe holds a few hundred
            ours.info("%d", number)
        reader = threading.Thread(target=lambda: read.append(pipe.read.read()))
        read: list[str] = []
        reader.start()
        logs.close()
    pipe.write.close()
    reader.join(10)
    assert sum(dropped) >= WAITING
    assert len(read[0].splitlines()) + sum(dropped) == said


def test_nobody_who_reads_any_more_is_no_failure(pipe: Pipe) -> None:
    dropped: list[int] = []
    with logging_to(pipe.write) as logs:
        logs.dropped = dropped.append
        pipe.read.close()
        ours.info("lost")
    assert dropped == [1]


def test_a_terminal_gets_words() -> None:
    terminal, end = pty.openpty()
    with os.fdopen(end, "w") as stream, logging_to(stream):
        ours.warning("%s is away", "Redis")
    shown = os.read(terminal, 4096).decode()
    os.close(terminal)
    assert re.match(r"\d\d:\d\d:\d\d\.\d{3} WARNING yychat\.test: Redis is away\r\n", shown)


@pytest.mark.parametrize(("form", "first"), [("text", "0"), ("json", "{")])
def test_the_form_can_be_chosen(pipe: Pipe, form: Form, first: str) -> None:
    with logging_to(pipe.write, form=form):
        ours.info("hello")
    assert pipe.text()[0].translate(str.maketrans("12", "00")) == first


def test_words_cannot_steer_a_terminal_nor_forge_a_line() -> None:
    line = (0.0, logging.INFO, "yychat", "a\x1b[2J\nb\x9b", INVALID_SPAN_CONTEXT, {"x": "\r"})
    shown = as_text(line)
    assert shown.count(b"\n") == 1
    assert not {0x1B, 0x0D} & set(shown)
    assert rb"a\x1b[2J\x0ab\x9b x=\x0d" in shown
    assert as_json(line).count(b"\n") == 1


async def chat(request: Request) -> Response:
    """Stands for the service: it is asked something secret, and in between says something."""
    observation = current()
    assert observation is not None
    body = await request.body()
    asked = ChatRequest(
        messages=[],
        view=[],
        fields={},
        model=SECRET,
        stream=False,
        include_usage=False,
        choices=1,
        tenant="acme",
        owner=None,
        personality_id=None,
        use_tools=False,
        engine=None,
        request_id="",
        size=len(body),
        reply_tokens=None,
    )
    observation.asked(asked)
    observation.answered_by("chat_engine")
    ours.info("under way")
    if b"break" in body:
        raise RuntimeError(body.decode())
    if b"full" in body:
        observation.failed(CapacityExceeded("too much"))
        return PlainTextResponse("", 429)
    return PlainTextResponse("fine")


async def memory(_request: Request) -> Response:
    return PlainTextResponse("fine")


@pytest.fixture
def tracing() -> Iterator[Tracing]:
    tracing = Tracing(counting=SpanMetrics(Metrics()), ratio=1.0)
    yield tracing
    tracing.close()


async def asked(logs: Logs, tracing: Tracing) -> httpx2.Response:
    """Some requests at a real server, with a secret wherever a caller can put one."""
    routes = [
        Route("/v1/chat/completions", chat, methods=["POST"]),
        Route("/v1/conversations/{id}/memory", memory),
        Route("/healthz", memory),
    ]
    app = watched(RequestId(LastResort(Starlette(routes=routes))), tracing.tracer, logs.finished)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve([listener]))
    headers = {"authorization": f"Bearer {SECRET}", "user-agent": SECRET, "cookie": SECRET}
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        async with httpx2.AsyncClient(base_url=url, headers=headers) as client:
            first = await client.post("/v1/chat/completions", json={"prompt": SECRET})
            for word in ("break", "full"):
                await client.post("/v1/chat/completions", content=f"{word} {SECRET}")
            await client.get(f"/v1/conversations/{SECRET}/memory?kind={SECRET}")
            await client.get(f"/{SECRET}")
            await client.get("/healthz")
    finally:
        server.should_exit = True
        await running
    return first


async def test_each_request_is_one_line_from_inside_its_span(pipe: Pipe, tracing: Tracing) -> None:
    with logging_to(pipe.write) as logs:
        answer = await asked(logs, tracing)
    lines = [line for line in pipe.lines() if line["logger"].startswith("yychat")]
    requests = [line for line in lines if line["logger"] == "yychat.request"]
    chat_route, memory_route = "/v1/chat/completions", "/v1/conversations/{id}/memory"
    assert [(line["route"], line["status"], line["level"]) for line in requests] == [
        (chat_route, 200, "INFO"),
        (chat_route, 500, "WARNING"),
        (chat_route, 429, "INFO"),
        (memory_route, 200, "INFO"),
        ("unmatched", 404, "INFO"),
    ]
    first = requests[0]
    assert (first["method"], first["engine"], first["tenant"]) == ("POST", "chat_engine", "acme")
    assert (first["outcome"], first["stream"]) == ("ok", False)
    assert first["request_id"] == answer.headers["x-request-id"]
    assert first["trace_id"] == answer.headers["traceparent"].split("-")[1]
    assert first["span_id"] == answer.headers["traceparent"].split("-")[2]
    assert 0 < first["duration_seconds"] < 10
    within = next(line for line in lines if line["message"] == "under way")
    assert within["trace_id"] == first["trace_id"]
    assert (requests[2]["outcome"], requests[2]["error_type"]) == ("rejected", "capacity")


@pytest.mark.parametrize("form", ["json", "text"])
async def test_nothing_that_a_caller_sends_gets_into_the_log(
    pipe: Pipe, tracing: Tracing, form: Form
) -> None:
    with logging_to(pipe.write, "DEBUG", form) as logs:
        await asked(logs, tracing)
    said = pipe.text()
    assert said.count("yychat.request") == 6
    assert SECRET not in said


def test_requests_can_be_silenced_as_other_loggers_are(pipe: Pipe, tracer: Tracer) -> None:
    span = tracer.start_span("GET")
    assert isinstance(span, ReadableSpan)
    with logging_to(pipe.write, "WARNING") as logs:
        logs.finished(Observation(span), {"type": "http", "method": "GET"}, 200)
        logs.finished(Observation(span), {"type": "http", "method": "GET"}, 503)
    span.end()
    assert [line["status"] for line in pipe.lines()] == [503]
