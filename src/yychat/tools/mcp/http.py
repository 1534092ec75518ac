"""A server at an address: the SDK's HTTP transports, over a client that bounds them.

Without it an answer has no largest size, one refused connection ends everybody's session, and a
question to a server that hangs is never given up.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from .config import LARGEST, Address
from .pace import Pace

CONNECT = 5.0  # seconds
FAREWELL = 1.0  # seconds to say that a session is over
CONNECTIONS = httpx2.Limits(max_connections=300, max_keepalive_connections=20)

# Codes of our own, where no answer came: a question that was not sent can be sent again.
NOT_SENT = -32_050
LOST = -32_051


class Guard(httpx2.AsyncBaseTransport):
    """Gives every question an end and every answer a bound; ``status`` is the last bad one.

    *within* seconds a posted question has to be answered in full. A failure is the answer to
    that question alone, as a JSON-RPC error.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport, *, within: float) -> None:
        self._inner, self._within, self._pace = inner, within, Pace()
        self.status: int | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        within = FAREWELL if request.method == "DELETE" else self._within
        ends = time.monotonic() + within
        try:
            async with asyncio.timeout(within):
                response = await self._inner.handle_async_request(request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout):
            return _refused(request, NOT_SENT)
        except (httpx2.TransportError, TimeoutError):
            return _refused(request, LOST)
        self.status = response.status_code if response.status_code >= 300 else None
        streamed = response.headers.get("content-type", "").startswith("text/event-stream")
        response.stream = _Bounded(
            response.stream,
            self._pace,
            largest=None if streamed else LARGEST,  # of events the SDK bounds each
            ends=None if request.method == "GET" else ends,
        )
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Bounded(httpx2.AsyncByteStream):
    """A body that is not read any further than is good, nor faster, nor for longer."""

    def __init__(self, inner: Any, pace: Pace, *, largest: int | None, ends: float | None) -> None:
        self._inner, self._pace, self._largest, self._ends = inner, pace, largest, ends

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        chunks = aiter(self._inner)
        while (chunk := await self._next(chunks)) is not None:
            read += len(chunk)
            if self._largest is not None and read > self._largest:
                raise httpx2.StreamError("the answer is too large")
            # An event of a stream is two lines at least; what is no stream is one message.
            await self._pace.spend(len(chunk), 0 if self._largest else chunk.count(b"\n") // 2)
            yield chunk

    async def _next(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        left = None if self._ends is None else self._ends - time.monotonic()
        try:
            async with asyncio.timeout(left):
                return await anext(chunks, None)
        except (TimeoutError, httpx2.TransportError):
            raise httpx2.StreamError("the answer broke off") from None

    async def aclose(self) -> None:
        await self._inner.aclose()


@asynccontextmanager
async def address(
    given: Address, guard: Guard, *, connect: float = CONNECT
) -> AsyncIterator[tuple[Any, Any]]:
    """The two streams of a session there. Raises what the SDK and its HTTP client raise."""
    client = httpx2.AsyncClient(
        transport=guard,
        headers=dict(given.headers),
        timeout=httpx2.Timeout(None, connect=connect, pool=connect),
    )
    if given.sse:
        async with sse_client(given.url, httpx_client_factory=lambda *_, **__: client) as streams:
            yield streams
        return
    async with (
        client,
        streamable_http_client(
            given.url, http_client=client, max_sse_event_size=LARGEST
        ) as streams,
    ):
        yield streams


def guarded(context: ssl.SSLContext, *, within: float) -> Guard:
    """Proxies that the environment names are not used, as nowhere in this service."""
    inner = httpx2.AsyncHTTPTransport(verify=context, trust_env=False, limits=CONNECTIONS)
    return Guard(inner, within=within)


def _refused(request: httpx2.Request, code: int) -> httpx2.Response:
    error = {"code": code, "message": "there was no answer"}
    said = {"jsonrpc": "2.0", "id": None, "error": error}
    return httpx2.Response(503, json=said, request=request)
