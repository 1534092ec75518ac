"""How an answer is sent: at its pace, only while the client is there, and broken off on order."""

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any
from uuid import uuid4

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Send

from .faults import ConnectionCut

_FAIRNESS = 16  # pieces sent without a pause before others get their turn


class Reply(msgspec.Struct, frozen=True):
    """An answer ready to be sent. ``delay`` (before the first byte) and ``gap`` (between
    pieces) are in seconds; ``length`` is that of a whole body, None for a stream."""

    pieces: Iterator[bytes]
    length: int | None = None
    delay: float = 0.0
    gap: float = 0.0

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        headers = [(b"x-request-id", b"req_" + uuid4().hex.encode())]
        if self.length is None:
            stream = (b"content-type", b"text/event-stream; charset=utf-8")
            return [*headers, stream, (b"cache-control", b"no-cache")]
        length = (b"content-length", str(self.length).encode())
        return [*headers, (b"content-type", b"application/json"), length]


def json_response(content: object) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")


async def deliver(reply: Reply, send: Send) -> None:
    """Send *reply*; where it is to be cut, return in the middle, and the server hangs up."""
    await send({"type": "http.response.start", "status": 200, "headers": reply.headers})
    try:
        await _send_pieces(reply, send)
    except ConnectionCut:
        return
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def attended(work: Coroutine[Any, Any, None], receive: Receive) -> bool:
    """Do *work* unless the client leaves first; whether it was done. The request's body
    must have been read."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.create_task(_departure(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        stayed = working.done()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)
    if stayed:
        working.result()
    return stayed


async def _send_pieces(reply: Reply, send: Send) -> None:
    """Each piece has its own due time, so that a late one does not delay those behind it."""
    clock = asyncio.get_running_loop().time
    start = clock()
    for number, piece in enumerate(reply.pieces):
        wait = start + number * reply.gap - clock()
        if wait > 0 or number % _FAIRNESS == 0:
            await asyncio.sleep(max(wait, 0.0))
        await send({"type": "http.response.body", "body": piece, "more_body": True})


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
