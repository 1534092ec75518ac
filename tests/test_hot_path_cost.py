"""What a request costs, counted in calls of functions: on any machine the same, unlike seconds.

A bound that is passed says that every request does more than it did. Look with cProfile at what,
and raise the bound only for work that is worth it.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType
from typing import Any, cast

import pytest
from starlette.types import ASGIApp, Message

from yychat.app import create_app
from yychat.settings import Settings

WARM_UP, COUNTED = 50, 50
CHUNKS = 100
LOOP = str(Path(asyncio.__file__).parent)  # how often it wakes depends on the machine
# Calls of Python functions for a request, in the thread of the event loop, resumed coroutines and
# what is done behind the answer included: a sixth above what was counted.
BOUNDS = {
    "whole": 750,
    "whole, remembered": 1450,
    "streamed": 1420,
    "streamed, remembered": 2100,
    "40 messages, remembered": 1800,
}


class Upstream(asyncio.Protocol):
    """Answers with the same bytes whatever it is asked, in one write."""

    _transport: asyncio.Transport
    _head = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n"

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, ends, body = self._received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        if ends and len(body) >= length:
            self._received = b""
            streamed = b'"stream":true' in body
            kind, told = (b"text/event-stream", EVENTS) if streamed else (b"application/json", TOLD)
            self._transport.write(self._head % (kind, len(told)) + told)


def dumped(kind: str, choice: dict[str, Any]) -> bytes:
    about = {"id": "c", "object": kind, "created": 1, "model": "m"}
    return json.dumps({**about, "choices": [{"index": 0, **choice}]}).encode()


TOLD = dumped(
    "chat.completion",
    {"message": {"role": "assistant", "content": "so it is " * 30}, "finish_reason": "stop"},
)
EVENTS = b"".join(
    b"data: %b\n\n" % piece
    for piece in (
        *[dumped("chat.completion.chunk", {"delta": {"content": "so "}})] * CHUNKS,
        dumped("chat.completion.chunk", {"delta": {}, "finish_reason": "stop"}),
        b"[DONE]",
    )
)


@asynccontextmanager
async def service(data: Path) -> AsyncIterator[ASGIApp]:
    """The whole application, with keys, memory and telemetry, without a server before it."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = Settings.from_environment(
        {
            "YYCHAT_DATA_DIR": str(data),
            "YYCHAT_METRICS_PORT": "0",
            "YYCHAT_TRACE_SAMPLE_RATIO": "0.1",
            "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
            "OPENAI_API_KEY": "k",
        }
    )
    async with server, running(create_app(settings)) as app:
        yield app


@asynccontextmanager
async def running(app: ASGIApp) -> AsyncIterator[ASGIApp]:
    """*app* between the start and the end of its lifespan."""
    told: asyncio.Queue[Message] = asyncio.Queue()
    answered: asyncio.Queue[Message] = asyncio.Queue()
    state: dict[str, Any] = {}
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": state}
    life = asyncio.ensure_future(app(scope, told.get, answered.put))

    async def serving(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "state": dict(state)}, receive, send)

    await told.put({"type": "lifespan.startup"})
    assert (await answered.get())["type"] == "lifespan.startup.complete"
    try:
        yield serving
    finally:
        await told.put({"type": "lifespan.shutdown"})
        await life


async def asked(app: ASGIApp, body: dict[str, Any]) -> bytes:
    """What *app* answered."""
    sent: list[Message] = []
    content = json.dumps(body, separators=(",", ":")).encode()
    headers = {"host": "localhost", "content-type": "application/json"}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/chat/completions",
        "raw_path": b"/v1/chat/completions",
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    left = asyncio.Event()

    async def receive() -> Message:
        if not sent and not received:
            received.append(True)
            return {"type": "http.request", "body": content, "more_body": False}
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    received: list[bool] = []
    await app(scope, receive, send)
    left.set()
    assert sent[0]["status"] == 200, sent
    return b"".join(message.get("body", b"") for message in sent[1:])


def body_of(case: str, number: int) -> dict[str, Any]:
    count = 40 if case.startswith("40") else 2
    said = [{"role": "user", "content": f"message {n} of request {number}"} for n in range(count)]
    user = {"user": "anna"} if case.endswith("remembered") else {}
    return {"model": "m", "messages": said, "stream": case.startswith("streamed"), **user}


async def calls_of(app: ASGIApp, case: str) -> float:
    for number in range(WARM_UP):
        await asked(app, body_of(case, number))
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call" and not frame.f_code.co_filename.startswith(LOOP)

    sys.setprofile(count)
    try:
        for number in range(COUNTED):
            await asked(app, body_of(case, WARM_UP + number))
    finally:
        sys.setprofile(None)
    return calls / COUNTED


@pytest.mark.parametrize("case", BOUNDS)
async def test_a_request_makes_no_more_calls_than_it_did(case: str, tmp_path: Path) -> None:
    async with service(tmp_path) as app:
        calls = await calls_of(app, case)
    assert BOUNDS[case] / 2 < calls <= BOUNDS[case]
