"""A scripted provider that costs next to nothing: what is measured is the service before it.

    python bench/upstream.py

Every answer is written beforehand. A chat request gets a completion of about 600 bytes; with
``"stream":true`` a hundred chunks at once; from the model ``paced`` a hundred chunks one by one,
each due 20 ms after the one before it and bearing when it was due and when it was sent.
"""

import asyncio
import gc
import json
import random
import re
import sys
import time
from itertools import cycle
from typing import Any, cast

import uvloop

from text import words

CHUNKS = 100
GAP = 0.02  # seconds between two chunks of a paced stream
ANSWERS = 64  # different ones, so that memories have something to tell apart

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ABOUT = {"id": "chatcmpl-bench", "created": 1_700_000_000, "model": "bench"}
_JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
_STREAM = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
STAMP = re.compile(rb"due=(\d+) sent=(\d+) ")  # on CLOCK_MONOTONIC, in nanoseconds


def whole(text: str) -> bytes:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 20, "completion_tokens": 60, "total_tokens": 80}
    body = _dumped({**_ABOUT, "object": "chat.completion", "choices": [choice], "usage": usage})
    return _JSON + b"content-length: %d\r\n\r\n" % len(body) + body


def burst(pieces: list[str]) -> bytes:
    return _STREAM + b"".join(_event(piece) for piece in pieces) + _end()


def _event(content: str) -> bytes:
    return _framed(_chunk([{"index": 0, "delta": {"content": content}, "finish_reason": None}]))


def _end() -> bytes:
    """What follows the last word: why it ended, what it cost, and that this was all."""
    finish = _chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    usage = {"prompt_tokens": 20, "completion_tokens": CHUNKS, "total_tokens": CHUNKS + 20}
    done = b"data: [DONE]\n\n"
    return _framed(finish) + _framed(_chunk([], usage=usage)) + _framed(done) + b"0\r\n\r\n"


def _chunk(choices: list[Any], **fields: Any) -> bytes:
    told = {**_ABOUT, "object": "chat.completion.chunk", "choices": choices, **fields}
    return b"data: " + _dumped(told) + b"\n\n"


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _dumped(told: dict[str, Any]) -> bytes:
    return json.dumps(told, separators=(",", ":")).encode()


class Script:
    """The answers, in turns."""

    def __init__(self) -> None:
        dice = random.Random(11)
        spoken = [words(dice, CHUNKS) for _ in range(ANSWERS)]
        self._whole = cycle([whole(words(dice, 50)) for _ in spoken])
        self._bursts = cycle([burst([f"{w} " for w in text.split()]) for text in spoken])

    def answer(self, body: bytes) -> bytes | None:
        """The whole response; None where it has to be paced."""
        if b'"stream":true' not in body:
            return next(self._whole)
        return None if b'"model":"paced"' in body else next(self._bursts)


class Connection(asyncio.Protocol):
    """One client: requests one after the other."""

    transport: asyncio.Transport

    def __init__(self, script: Script) -> None:
        self._script = script
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none by type.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        body = self._body()
        if body is None:
            return
        answer = self._script.answer(body)
        if answer is None:
            Pace(self.transport).begin()
        else:
            self.transport.write(answer)

    def _body(self) -> bytes | None:
        """The request's body, once all of it is there."""
        head_ends = self._received.find(b"\r\n\r\n")
        if head_ends < 0:
            return None
        length = _LENGTH.search(self._received, 0, head_ends)
        ends = head_ends + 4 + (int(length[1]) if length else 0)
        if len(self._received) < ends:
            return None
        body, self._received = self._received[head_ends + 4 : ends], self._received[ends:]
        return body


class Pace:
    """A stream in the making. Each chunk has its own due time: a late one delays no other."""

    before, _, after = _chunk([{"index": 0, "delta": {"content": "STAMP"}}]).partition(b"STAMP")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._sent = transport, 0
        self._loop = asyncio.get_running_loop()
        self._loop_start, self._start = self._loop.time(), time.monotonic_ns()

    def begin(self) -> None:
        self._transport.write(_STREAM)
        self._next()

    def _next(self) -> None:
        if self._transport.is_closing():
            return
        due = self._start + int(self._sent * GAP * 1e9)
        stamp = b"due=%d sent=%d " % (due, time.monotonic_ns())
        self._transport.write(_framed(self.before + stamp + self.after))
        self._sent += 1
        if self._sent == CHUNKS:
            self._transport.write(_end())
        else:
            self._loop.call_at(self._loop_start + self._sent * GAP, self._next)


async def serve() -> None:
    script = Script()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(script), "127.0.0.1", 0, backlog=2048)
    sys.stdout.write(f"upstream listening on http://127.0.0.1:{_port(server)}\n")
    sys.stdout.flush()
    gc.freeze()
    await server.serve_forever()


def _port(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


if __name__ == "__main__":
    uvloop.run(serve())
