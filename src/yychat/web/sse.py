"""The streaming response: chunks out as they come, released as soon as the client leaves."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..chat import Chunk
from ..errors import DeadlineExceeded, YYChatError
from ..telemetry.observation import current
from .hangup import ClientGone, unless_gone
from .problems import body_of

log = logging.getLogger(__name__)

GRACE = 2.0  # seconds for the last event to leave; a client that does not read must not hold us


class EventStream(Response):
    """Sends *first* and then *chunks* as server-sent events, until *ends* on the loop's clock.

    What fails now can no longer be a status: it is one error event, and no [DONE] after it.
    What is *held* is let go however this ends: the generator with the upstream's connection, and
    the request's place.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        first: Chunk,
        chunks: AsyncGenerator[Chunk, None],
        ends: float,
        headers: Mapping[str, str],
        held: AsyncExitStack,
    ) -> None:
        self.status_code = 200
        self.background = None
        self._first, self._chunks, self._ends, self._held = first, chunks, ends, held
        self.init_headers({"cache-control": "no-cache", "x-accel-buffering": "no", **headers})

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        given = {"content-type": "text/event-stream; charset=utf-8", **(headers or {})}
        self.raw_headers = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in given.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._held:
            try:
                with unless_gone(receive):
                    await self._send(send)
            except ClientGone:
                log.debug("the client left in the middle of an answer")

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        failure: YYChatError | None = None
        try:
            async with asyncio.timeout_at(self._ends):
                await _body(send, self._first.data)
                async for chunk in self._chunks:
                    await _body(send, chunk.data)
        except TimeoutError:
            failure = DeadlineExceeded("the answer took longer than allowed")
        except YYChatError as error:
            failure = error
        await self._finish(send, failure)

    async def _finish(self, send: Send, failure: YYChatError | None) -> None:
        if failure is not None and (observation := current()) is not None:
            observation.failed(failure)
        await self._chunks.aclose()
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                if failure is not None:
                    log.warning("an answer failed in the middle: %s", failure)
                    await _body(send, b"data: " + body_of(failure) + b"\n\n")
                await _body(send, b"", more=False)


async def _body(send: Send, data: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": more})
