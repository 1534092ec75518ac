"""A client that leaves takes everything with it: the upstream's connection first of all."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.types import Message

from engines_asked import ENGINES, MODELS
from fakes import (
    DONE,
    HANG,
    Echo,
    Replay,
    ScriptedUpstream,
    answers,
    asked,
    call,
    call_delta,
    chunk,
    completion,
    scripted_upstream,
    tools,
)
from fakes import answer as response
from fakes import stream as streaming
from running import Running, Service, Simulator, service
from scrape import scraped, series
from yychat.chat import Chunk
from yychat.web.hangup import ClientGone, unless_gone
from yychat.web.sse import EventStream

LONG = "write 5000 words"
SLOW = "write 100 words"  # at half a second each
WITHIN = 10.0  # seconds; a bound for a broken build, no promise


def eventually(happened: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + WITHIN
    while not happened():
        assert time.monotonic() < ends, f"it never happened: {what}"
        time.sleep(0.005)


def in_flight(upstream: Simulator, count: int) -> None:
    eventually(lambda: upstream.stats()["in_flight"] == count, f"{count} requests in flight")


@contextmanager
def client(running: Running, path: str, body: dict[str, Any]) -> Iterator[socket.socket]:
    """A client that has sent its request, and leaves at the end of the block."""
    host, _, port = running.url.removeprefix("http://").partition(":")
    content = msgspec.json.encode(body)
    head = f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(content)}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=WITHIN) as connection:
        connection.sendall(head.encode() + content)
        yield connection


def chat(running: Running, text: str = LONG, **fields: Any) -> Any:
    body = {"model": "simulated", "messages": [{"role": "user", "content": text}], **fields}
    return client(running, "/v1/chat/completions", body)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_leaving_before_the_first_byte_frees_the_upstream(
    yychat: Service, upstream: Simulator, stream: bool
) -> None:
    upstream.faults(hang_before_first_byte=True)
    with chat(yychat, stream=stream):
        in_flight(upstream, 1)
    in_flight(upstream, 0)


def test_leaving_in_the_middle_of_a_stream_frees_the_upstream(
    yychat: Service, upstream: Simulator
) -> None:
    upstream.faults(token_ms=20)
    with chat(yychat, stream=True) as connection:
        assert b"200 OK" in connection.recv(64)
        in_flight(upstream, 1)
    in_flight(upstream, 0)


def test_leaving_while_a_whole_answer_is_made_frees_the_upstream(
    yychat: Service, upstream: Simulator
) -> None:
    upstream.faults(token_ms=20)
    with chat(yychat):
        in_flight(upstream, 1)
    in_flight(upstream, 0)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_leaving_in_a_later_round_frees_the_upstream(
    yychat: Service, upstream: Simulator, stream: bool
) -> None:
    upstream.faults(latency_ms=100)
    with chat(yychat, "always call gettime", stream=stream):
        eventually(lambda: upstream.stats()["requests"]["chat"] >= 2, "a second round")
    in_flight(upstream, 0)
    rounds = upstream.stats()["requests"]["chat"]
    assert yychat.say("say hello") == "hello"
    assert upstream.stats()["requests"]["chat"] == rounds + 1


def test_leaving_during_embeddings_frees_the_upstream(yychat: Service, upstream: Simulator) -> None:
    upstream.faults(hang_before_first_byte=True)
    body = {"model": "simulated-embedding", "input": "a"}
    with client(yychat, "/v1/embeddings", body):
        in_flight(upstream, 1)
    in_flight(upstream, 0)


def test_leaving_in_the_middle_of_the_body_harms_nobody(yychat: Service) -> None:
    host, _, port = yychat.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n")
        connection.sendall(b"content-length: 500\r\n\r\n{")
    assert yychat.say("say hello") == "hello"


def test_half_a_hundred_clients_leaving_at_once_leak_nothing(
    upstream: Simulator, data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its own service: what it wrote until its end is looked at."""
    with service(
        data, OPENAI_BASE_URL=upstream.base_url, PYTHONWARNINGS="always", YYCHAT_LOG_LEVEL="DEBUG"
    ) as yychat:
        for ways in ({"token_ms": 20}, {"hang_before_first_byte": True}):
            upstream.faults(**ways)
            with ExitStack() as clients:
                for number in range(50):
                    clients.enter_context(chat(yychat, stream=number % 2 == 0, user=f"u{number}"))
                in_flight(upstream, 50)
            in_flight(upstream, 0)
        upstream.reset()
        assert yychat.say("say hello") == "hello"
        yychat.process.terminate()
        assert yychat.process.stdout is not None
        said = yychat.process.stdout.read()
    said += capfd.readouterr().err
    for complaint in ("never retrieved", "never awaited", "nclosed", "Warning", "Traceback"):
        assert complaint not in said
    assert "a bug" not in said


def test_two_hundred_streams_that_are_left_at_once_leave_every_gauge_at_0(
    yychat: Service, upstream: Simulator
) -> None:
    ended = {"engine": "chat_engine", "outcome": "cancelled", "stream": "true"}
    gauges = ("yychat_inflight_requests", "http_server_active_requests")
    tenant = series("yychat_tenant_inflight_requests", tenant="local")

    def seen() -> list[float]:
        now = scraped(yychat)
        names = (*gauges, tenant, series("yychat_chat_requests_total", **ended))
        return [now.get(name, 0) for name in names]

    before = seen()[-1]
    upstream.faults(only="chat", token_ms=500)
    with ExitStack() as clients:
        opened = [clients.enter_context(chat(yychat, SLOW, stream=True)) for _ in range(200)]
        assert all(connection.recv(16) for connection in opened)
        # One more is the scrape itself.
        eventually(lambda: seen() == [200, 201, 200, before], "200 are under way")
    eventually(lambda: seen() == [0, 1, 0, before + 200], "200 are over, once each")


def test_a_client_that_does_not_read_is_let_go_when_its_time_is_up(
    upstream: Simulator, data: Path
) -> None:
    with service(
        data, OPENAI_BASE_URL=upstream.base_url, YYCHAT_REQUEST_TIMEOUT="0.5"
    ) as yychat, ExitStack() as clients:  # fmt: skip
        # What is not imported yet takes of the first request's time.
        eventually(lambda: yychat.http.get("/readyz").status_code == 200, "it is ready")
        connection = clients.enter_context(chat(yychat, "write 99999 words", stream=True))
        in_flight(upstream, 1)
        in_flight(upstream, 0)
        assert connection.recv(16).startswith(b"HTTP/1.1 200")


# During a tool call: the tool is one that never answers


async def test_leaving_during_a_tool_call_ends_the_tool() -> None:
    echo = Echo(gate=asyncio.Event())
    replay = Replay([msgspec.json.encode(completion(None, [call("echo")]))])
    leaving = asyncio.Event()

    async def receive() -> Message:
        await leaving.wait()
        return {"type": "http.disconnect"}

    async def answering() -> None:
        with unless_gone(receive):
            await answers(replay, asked(), tools(echo))

    task = asyncio.create_task(answering())
    async with asyncio.timeout(5):
        while not echo.running:  # noqa: ASYNC110 - a tool has no event for it
            await asyncio.sleep(0)
        leaving.set()
        with pytest.raises(ClientGone):
            await task
    assert echo.running == 0


async def test_leaving_during_a_search_of_the_web_frees_its_connection(tmp_path: Path) -> None:
    """The whole way with a real tool: tavily_search, whose server hangs."""
    async with scripted_upstream() as model, scripted_upstream() as tavily:
        tavily.script([HANG])
        await asyncio.to_thread(_leave_while_searching, tmp_path / "data", model, tavily)


def _leave_while_searching(data: Path, model: ScriptedUpstream, tavily: ScriptedUpstream) -> None:
    search = {"name": "tavily_search", "arguments": '{"query":"x"}'}
    whole = response(completion(None, [call(**search)]))
    pieces = (
        chunk({"content": "Wait."}),
        chunk(call_delta(0, id="a", **search)),
        chunk({}, "tool_calls") + DONE,
    )
    settings = {"OPENAI_BASE_URL": model.base_url, "TAVILY_API_KEY": "k", **MODELS}
    settings["TAVILY_BASE_URL"] = tavily.base_url.removesuffix("/v1")
    with service(data, **settings) as yychat:
        for engine, streamed in product(ENGINES, (False, True)):
            tavily.asked.clear()
            tavily.left.clear()
            model.script(streaming(*pieces) if streamed else whole)
            with chat(yychat, "search", engine=engine, stream=streamed) as connection:
                eventually(tavily.asked.is_set, "a search")
                if streamed:  # the answer has begun
                    assert b"200 OK" in connection.recv(64)
            eventually(tavily.left.is_set, "the end of the search")


# The watcher itself


async def test_a_client_that_leaves_as_the_block_ends_cancels_nothing_after_it() -> None:
    loop = asyncio.get_running_loop()
    left, done = loop.create_future(), loop.create_future()

    async def receive() -> Message:
        await left
        return {"type": "http.disconnect"}

    async def answering() -> str:
        with unless_gone(receive):
            await done
        for _ in range(5):
            await asyncio.sleep(0)
        return "undisturbed"

    task = asyncio.create_task(answering())
    await asyncio.sleep(0.01)
    left.set_result(None)
    done.set_result(None)
    assert await task == "undisturbed"


async def test_cancellation_from_elsewhere_is_no_hang_up() -> None:
    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def answering() -> None:
        with unless_gone(receive):
            await asyncio.Event().wait()

    task = asyncio.create_task(answering())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_stream_is_closed_even_if_the_client_left_before_it_began() -> None:
    closed = asyncio.Event()

    async def chunks() -> Any:
        try:
            yield Chunk(data=b"first")
            await asyncio.Event().wait()
        finally:
            closed.set()

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        await asyncio.sleep(0)

    running = chunks()
    first = await anext(running)
    ends = asyncio.get_running_loop().time() + 60
    scope = {"type": "http"}
    held = AsyncExitStack()
    held.push_async_callback(running.aclose)
    await EventStream(first, running, ends, {}, held)(scope, receive, send)
    assert closed.is_set()
