"""A load client: one request at a time on a connection that is kept, and when every byte came."""

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import cast

import httptools

from text import get

POLL = 0.005  # seconds between two attempts
WITHIN = 60.0  # seconds for an answer to be complete


@dataclass(slots=True)
class Answer:
    """Times are of CLOCK_MONOTONIC, in nanoseconds; ``pieces`` are the body as it came."""

    sent: int
    pieces: list[tuple[int, bytes]] = field(default_factory=list)
    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    ended: int = 0

    @property
    def body(self) -> bytes:
        return b"".join(data for _, data in self.pieces)

    @property
    def first_byte(self) -> float:
        """Milliseconds from the request to the body's first byte."""
        return (self.pieces[0][0] - self.sent) / 1e6

    @property
    def total(self) -> float:
        """Milliseconds from the request to the body's end."""
        return (self.ended - self.sent) / 1e6


class Connection(asyncio.Protocol):
    """Raises ``OSError`` or ``TimeoutError`` where there is no complete answer."""

    _transport: asyncio.Transport
    _answer: Answer
    _parser: httptools.HttpResponseParser
    _now: int

    def __init__(self) -> None:
        self._waiting: asyncio.Future[Answer] | None = None
        self._lost = False

    @classmethod
    async def to(cls, port: int) -> "Connection":
        _, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    async def ask(self, request: bytes) -> Answer:
        if self._lost:
            raise ConnectionError("the server closed the connection between two requests")
        self._waiting = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        async with asyncio.timeout(WITHIN):
            self._answer = Answer(sent=time.monotonic_ns())
            self._transport.write(request)
            return await self._waiting

    def close(self) -> None:
        self._transport.close()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none by type.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._now = time.monotonic_ns()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(ConnectionError(f"not HTTP: {error}"))

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = True
        self._fail(ConnectionError(f"connection lost: {error or 'closed by the server'}"))

    def _fail(self, error: ConnectionError) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        self._answer.headers[name.lower()] = value

    def on_body(self, data: bytes) -> None:
        self._answer.pieces.append((self._now, data))

    def on_message_complete(self) -> None:
        self._answer.status = self._parser.get_status_code()
        self._answer.ended = self._now
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(self._answer)


async def first_ok(port: int, path: str, said: bytes = b'"status":"ok"') -> int:
    """Wait until *path* answers 200 and says so; when it first did. Set a deadline around it."""
    while True:
        with suppress(OSError):
            answer = await _answer(port, path)
            if answer.status == 200 and said in answer.body:
                return answer.ended
        await asyncio.sleep(POLL)


async def _answer(port: int, path: str) -> Answer:
    connection = await Connection.to(port)
    try:
        return await connection.ask(get(path))
    finally:
        connection.close()


@contextmanager
def undisturbed() -> Iterator[None]:
    """No garbage collection of the client's own while it measures."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
