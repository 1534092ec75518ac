"""What a stopping server cuts off ends as other failures do."""

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import Draining
from .problems import body_of, problem
from .services import Lifecycle

FAREWELL = 0.5  # seconds to say so; some clients do not read


class Farewell:
    """Around everything: an answer that the server cancels because it stops becomes a 503, and a
    stream gets its last event. The cancellation ends here: only the server is around this."""

    def __init__(self, app: ASGIApp, lifecycle: Lifecycle) -> None:
        self._app, self._lifecycle = app, lifecycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message | None = None

        async def noticing(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
            await send(message)

        try:
            await self._app(scope, receive, noticing)
        except asyncio.CancelledError:
            if scope["type"] != "http" or self._lifecycle.phase != "draining":
                raise
            with suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL):
                    await _end(scope, receive, send, start)


async def _end(scope: Scope, receive: Receive, send: Send, start: Message | None) -> None:
    request_id = scope.get("state", {}).get("request_id")
    headers = {"x-request-id": request_id} if request_id else None
    error = Draining("the service is stopping", headers=headers)
    if start is None:
        await problem(error)(scope, receive, send)
    elif _is_stream(start):
        event = b"data: " + body_of(error) + b"\n\n"
        await send({"type": "http.response.body", "body": event, "more_body": False})


def _is_stream(start: Message) -> bool:
    return any(
        name == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in start["headers"]
    )
