"""A scripted provider that costs next to nothing: what is measured is the service before it.

    python bench/upstream.py

Every answer is written beforehand. A chat request gets a completion of about 600 bytes; with
``"stream":true`` a hundred chunks at once; from the model ``paced`` a hundred chunks one by one,
each due 20 ms after the one before it and bearing when it was due and when it was sent. Who asks
for a JSON object gets a fact, in the form that mem0 wants; ``/v1/embeddings`` gives vectors, in
base64 where that is asked for.
"""

import asyncio
import base64
import gc
import json
import random
import re
import struct
import sys
import time
from itertools import cycle, islice
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
DIMENSIONS = 1536  # as OpenAI's small embedder has
STAMP = re.compile(rb"due=(\d+) sent=(\d+) ")  # on CLOCK_MONOTONIC, in nanoseconds


def whole(text: str) -> bytes:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 20, "completion_tokens": 60, "total_tokens": 80}
    told = {**_ABOUT, "object": "chat.completion", "choices": [choice], "usage": usage}
    return _json(_dumped(told))


def _json(body: bytes) -> bytes:
    return _JSON + b"content-length: %d\r\n\r\n" % len(body) + body


def fact(text: str) -> bytes:
    """What mem0 reads out of a turn."""
    return whole(json.dumps({"memory": [{"id": "0", "text": text, "attributed_to": "user"}]}))


def vector(dice: random.Random) -> tuple[bytes, bytes]:
    """As numbers and in base64. All of them are alike enough to be found for each other."""
    numbers = [round(dice.gauss(0.02, 0.01), 6) for _ in range(DIMENSIONS)]
    packed = base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *numbers))
    return b"[%b]" % b",".join(b"%.6f" % number for number in numbers), b'"%b"' % packed


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
        self._facts = cycle([fact(words(dice, 15)) for _ in spoken])
        self._vectors = cycle([vector(dice) for _ in spoken])

    def answer(self, head: bytes, body: bytes) -> bytes | None:
        """The whole response; None where it has to be paced."""
        if head.startswith(b"POST /v1/embeddings"):
            return self._embeddings(body)
        if b'"stream":true' not in body:
            return next(self._facts if b'"json_object"' in body else self._whole)
        return None if b'"model":"paced"' in body else next(self._bursts)

    def _embeddings(self, body: bytes) -> bytes:
        asked = json.loads(body)
        packed, texts = asked.get("encoding_format") == "base64", asked["input"]
        rows = [
            b'{"object":"embedding","index":%d,"embedding":%b}' % (number, given[packed])
            for number, given in enumerate(islice(self._vectors, _count(texts)))
        ]
        usage = b'{"prompt_tokens":20,"total_tokens":20}'
        told = b'{"object":"list","model":"bench","data":[%b],"usage":%b}'
        return _json(told % (b",".join(rows), usage))


def _count(texts: str | list[str]) -> int:
    return 1 if isinstance(texts, str) else len(texts)


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
        request = self._request()
        if request is None:
            return
        answer = self._script.answer(*request)
        if answer is None:
            Pace(self.transport).begin()
        else:
            self.transport.write(answer)

    def _request(self) -> tuple[bytes, bytes] | None:
        """The request's head and body, once all of it is there."""
        head_ends = self._received.find(b"\r\n\r\n")
        if head_ends < 0:
            return None
        length = _LENGTH.search(self._received, 0, head_ends)
        ends = head_ends + 4 + (int(length[1]) if length else 0)
        if len(self._received) < ends:
            return None
        request = self._received[:head_ends], self._received[head_ends + 4 : ends]
        self._received = self._received[ends:]
        return request


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
