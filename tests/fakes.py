"""Scripted parts for tests: a small real upstream on loopback, and parts that fail when told to."""

import asyncio
import re
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import msgspec
from opentelemetry.trace import SpanContext, SpanKind

from yychat.chat import ChatRequest, Chunk, collect
from yychat.engines.answer import answered
from yychat.engines.tool_loop import Limits, ToolLoop
from yychat.errors import StoreError, UpstreamError
from yychat.memory.base import Recollection, Record, Turn
from yychat.memory.outbox import Backlog, Job
from yychat.owner import Owner, Owners
from yychat.tools.base import Tool
from yychat.tools.registry import Registry
from yychat.upstream.router import Payload, Upstreams
from yychat.web.requests import Defaults, chat_request

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Act(Enum):
    """What a script does besides sending: break the connection, or wait for the client to leave."""

    CUT = "cut"
    HANG = "hang"


_SOMEWHERE = SpanContext(0xA, 0xB, is_remote=False)
CUT, HANG = Act.CUT, Act.HANG
Step = bytes | Act | asyncio.Event  # an event is waited for: the test says when to go on


@dataclass(frozen=True)
class Received:
    """One request as it arrived; header names are in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass
class ScriptedUpstream:
    """Replays one script per request, the last one for ever; counts connections."""

    port: int = 0
    requests: list[Received] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)  # a request has arrived
    left: asyncio.Event = field(default_factory=asyncio.Event)  # a connection has ended
    scripts: deque[Sequence[Step]] = field(default_factory=deque)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def bodies(self) -> list[Any]:
        return [request.json for request in self.requests]

    def script(self, *scripts: Sequence[Step]) -> None:
        """What to send in answer to the next requests, byte for byte."""
        self.scripts = deque(scripts)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            while request := await _request(reader):
                self.requests.append(request)
                self.asked.set()
                script = self.scripts.popleft() if len(self.scripts) > 1 else self.scripts[0]
                if not await _play(script, reader, writer):
                    break
        except ConnectionError:
            pass
        finally:
            self.open -= 1
            self.left.set()
            writer.transport.abort()


@asynccontextmanager
async def scripted_upstream() -> AsyncIterator[ScriptedUpstream]:
    upstream = ScriptedUpstream()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
        for _ in range(200):  # connections end by themselves once their clients are closed
            if not upstream.open:
                break
            await asyncio.sleep(0.01)
        assert upstream.open == 0, "a test left a connection to its upstream open"


async def _request(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await reader.readexactly(int(length[1])) if length else b""
    except asyncio.IncompleteReadError:
        return None
    line, *rest = head.decode("latin-1").strip().split("\r\n")
    named = (header.partition(":") for header in rest)
    return Received(line, {name.lower(): value.strip() for name, _, value in named}, body)


async def _play(
    script: Sequence[Step], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    """Whether the connection may be used again."""
    for step in script:
        if isinstance(step, bytes):
            writer.write(step)
            await writer.drain()
        elif isinstance(step, asyncio.Event):
            if not await _waited(step, reader):
                return False
        elif step is HANG:
            await reader.read()
            return False
        else:
            return False
    return True


async def _waited(gate: asyncio.Event, reader: asyncio.StreamReader) -> bool:
    """Until *gate* opens; False when the client left first."""
    opened, gone = asyncio.ensure_future(gate.wait()), asyncio.ensure_future(reader.read(1))
    await asyncio.wait((opened, gone), return_when=asyncio.FIRST_COMPLETED)
    for task in (opened, gone):
        task.cancel()
    await asyncio.gather(opened, gone, return_exceptions=True)
    return gate.is_set()


def answer(body: bytes | Any, status: int = 200, **headers: str) -> list[Step]:
    """A whole response; *body* is sent as it is, or as JSON."""
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    given = {"content-type": "application/json", "content-length": str(len(content))}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return [_head(status, given) + content]


def stream(*steps: Step, **headers: str) -> list[Step]:
    """A chunked event stream; every bytes step is one chunk, and a cut leaves it unfinished."""
    given = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    script: list[Step] = [_head(200, given)]
    script += [b"%x\r\n%s\r\n" % (len(s), s) if isinstance(s, bytes) else s for s in steps]
    return script if script[-1] in (CUT, HANG) else [*script, b"0\r\n\r\n"]


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{n}: {v}" for n, v in headers.items()), "", ""]
    return "\r\n".join(lines).encode()


# What an upstream says, in pieces.

DONE = b"data: [DONE]\n\n"


def event(data: Any) -> bytes:
    return b"data: " + msgspec.json.encode(data) + b"\n\n"


def chunk(
    delta: dict[str, Any], finish: str | None = None, *, id: str = "chatcmpl-1", **fields: Any
) -> bytes:
    """One ``chat.completion.chunk`` with one choice."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return event(
        {
            "id": id,
            "object": "chat.completion.chunk",
            "created": 1700000000,
            "model": "m-1",
            "choices": [choice],
            **fields,
        }
    )


def usage(prompt: int, completion: int) -> dict[str, int]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def usage_event(prompt: int, completion: int, *, id: str = "chatcmpl-1") -> bytes:
    return event(
        {
            "id": id,
            "object": "chat.completion.chunk",
            "created": 1700000000,
            "model": "m-1",
            "choices": [],
            "usage": usage(prompt, completion),
        }
    )


def call_delta(index: int | None, **fields: Any) -> dict[str, Any]:
    """A delta with a piece of one tool call: ``id``, ``name`` and ``arguments`` as given."""
    function = {name: fields.pop(name) for name in ("name", "arguments") if name in fields}
    piece: dict[str, Any] = {} if index is None else {"index": index}
    return {"tool_calls": [{**piece, **fields, **({"function": function} if function else {})}]}


def said(*pieces: str, id: str = "chatcmpl-1", finish: str = "stop") -> bytes:
    """A plain streamed answer, without usage and [DONE]."""
    opening = chunk({"role": "assistant", "content": ""}, id=id)
    return (
        opening + b"".join(chunk({"content": p}, id=id) for p in pieces) + chunk({}, finish, id=id)
    )


def completion(
    content: str | None = "hello", calls: Sequence[dict[str, Any]] = (), **fields: Any
) -> dict[str, Any]:
    """A whole ``chat.completion``."""
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if calls:
        message["tool_calls"] = list(calls)
    finish = "tool_calls" if calls else "stop"
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "m-1",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": usage(10, 2),
        **fields,
    }


def call(name: str, arguments: str = "{}", id: str | None = "call_1") -> dict[str, Any]:
    """A whole tool call."""
    shape = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return shape if id is None else {"id": id, **shape}


# Upstreams, tools, memories and outboxes that do as they are told.


class Replay(Upstreams):
    """Upstreams without a network: answer n is *answers*[n], the last one for ever.

    An answer is the reads of a stream, or one whole body; an exception among them is raised.
    """

    def __init__(self, *answers: Sequence[bytes | UpstreamError]) -> None:
        super().__init__()
        self._answers = deque(answers)
        self.bodies: list[bytes] = []
        self.closed = 0

    @property
    def payloads(self) -> list[Any]:
        return [msgspec.json.decode(body) for body in self.bodies]

    async def post(self, path: str, model: str, payload: Payload) -> bytes:
        (whole,) = self._next(payload)
        if isinstance(whole, UpstreamError):
            raise whole
        return whole

    async def stream(self, path: str, model: str, payload: Payload) -> AsyncGenerator[bytes, None]:
        try:
            for read in self._next(payload):
                if isinstance(read, UpstreamError):
                    raise read
                yield read
        finally:
            self.closed += 1

    def _next(self, payload: Payload) -> Sequence[bytes | UpstreamError]:
        self.bodies.append(msgspec.json.encode(payload))
        return self._answers.popleft() if len(self._answers) > 1 else self._answers[0]


def asked(**fields: Any) -> ChatRequest:
    """A request as the service reads it; of user ``u`` unless it says otherwise."""
    given = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "user": "u", **fields}
    return read(msgspec.json.encode(given))


def read(body: bytes) -> ChatRequest:
    return chat_request(
        body,
        tenant="t",
        owners=Owners(b"s" * 32),
        defaults=Defaults(model="m", use_tools=True),
        request_id="req_1",
    )


async def answers(
    upstreams: Upstreams,
    request: ChatRequest,
    registry: Registry | None = None,
    limits: Limits | None = None,
    allowed: Sequence[str] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> list[Chunk]:
    """All chunks of the answer to *request*, without memory and personality."""
    loop = ToolLoop(registry or tools(), request, allowed, limits or Limits(), clock)
    return await collect(answered(upstreams, request, request.messages, loop))


def wire(chunks: Sequence[Chunk]) -> bytes:
    return b"".join(chunk.data for chunk in chunks)


def events(data: bytes) -> list[Any]:
    """The JSON of every event but [DONE], which has to be the last."""
    *given, done, rest = data.replace(b"\r\n", b"\n").split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    return [msgspec.json.decode(each[6:]) for each in given if each.startswith(b"data: ")]


@dataclass(frozen=True)
class EndedSpan:
    """See ``telemetry.spans.Ended``: one with these attributes."""

    attributes: dict[str, Any]
    start_time: int = 0
    end_time: int = 0
    kind: SpanKind = SpanKind.INTERNAL
    sampled: bool = False
    context: SpanContext = _SOMEWHERE


class Echo:
    """A tool that gives back its arguments, once *gate* is open, and remembers its calls."""

    description = "Gives back what it is given."
    source = "builtin"

    def __init__(self, name: str = "echo", gate: asyncio.Event | None = None) -> None:
        self.name, self._gate = name, gate
        self.parameters = {"type": "object", "properties": {"text": {"type": "string"}}}
        self.calls: list[dict[str, Any]] = []
        self.running = 0

    async def call(self, arguments: dict[str, Any]) -> Any:
        self.calls.append(arguments)
        self.running += 1
        try:
            if self._gate:
                await self._gate.wait()
        finally:
            self.running -= 1
        return {"echo": arguments.get("text")}


def tools(*given: Tool) -> Registry:
    return Registry(given)


class ScriptedMemory:
    """Recalls *texts*; ``broken`` fails and ``slow`` never answers."""

    name = "native"

    def __init__(self, *texts: str, broken: bool = False, slow: bool = False) -> None:
        self.texts, self.broken, self.slow = texts, broken, slow
        self.queries: list[str] = []

    async def recall(self, owner: Owner, query: str, limit: int) -> Recollection:
        self.queries.append(query)
        await self._fail()
        records = (record(text) for text in self.texts[:limit])
        return Recollection(records=tuple(records), source="lexical")

    async def remember(self, owner: Owner, *turns: Turn) -> None:
        await self._fail()

    async def listing(self, owner: Owner, limit: int) -> list[Record]:
        await self._fail()
        return [record(text) for text in self.texts[:limit]]

    async def erase(self, owner: Owner) -> int:
        await self._fail()
        return len(self.texts)

    async def _fail(self) -> None:
        if self.slow:
            await asyncio.Event().wait()
        if self.broken:
            raise StoreError("the store is away")


def record(text: str, at: float = 1_700_000_000.0) -> Record:
    return Record(id=text, text=text, at=at, engine="chat_engine", role="user")


class ListOutbox:
    """Keeps what is put; ``broken`` fails and ``slow`` never comes back."""

    def __init__(self, *, broken: bool = False, slow: bool = False) -> None:
        self.broken, self.slow = broken, slow
        self.jobs: list[Job] = []

    async def put(self, job: Job) -> None:
        if self.slow:
            await asyncio.Event().wait()
        if self.broken:
            raise StoreError("the store is away")
        self.jobs.append(job)

    async def backlog(self) -> Backlog:
        if self.broken:
            raise StoreError("the store is away")
        return Backlog(pending=len(self.jobs), dead=0, oldest_seconds=0.0)
