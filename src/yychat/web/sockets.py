"""WebSockets: how a client shows its key, and how it is told that it may not stay.

A browser cannot set headers on a WebSocket, so a key may come as a subprotocol as well:
``new WebSocket(url, ["yychat", "yychat.key." + key])``. The key is never sent back: a client that
offers subprotocols has to offer ``yychat`` too, which is what the answer bears.
"""

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from ..errors import Forbidden, InvalidRequest, Rejected, Unauthenticated, YYChatError

SUBPROTOCOL = "yychat"
KEY = "yychat.key."
LONGEST = 120  # bytes of a reason: RFC 6455, section 5.5.1 leaves 123
CLOSE_WITHIN = 1.0  # seconds; a client that does not read is not waited for

# RFC 6455, section 7.4.2 leaves 4000 to 4999 to us; 1013 is IANA's "try again later".
_CODES: tuple[tuple[type[YYChatError], int], ...] = (
    (Unauthenticated, 4401),
    (Forbidden, 4403),
    (InvalidRequest, 1008),
    (Rejected, 1013),
    (YYChatError, 1011),
)


def credentials(scope: Scope) -> Headers:
    """The headers of *scope*, with a key that came as a subprotocol as the bearer key that it is.
    Who sends several has several ``authorization`` headers then."""
    if scope["type"] != "websocket":
        return Headers(scope=scope)
    keys = [p.removeprefix(KEY) for p in scope.get("subprotocols", ()) if p.startswith(KEY)]
    shown = [(b"authorization", b"Bearer " + key.encode("latin-1")) for key in keys]
    return Headers(raw=[*scope["headers"], *shown])


async def accept(socket: WebSocket) -> None:
    offered = socket.scope.get("subprotocols", ())
    await socket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)


async def close(socket: WebSocket, error: YYChatError) -> None:
    """End it with the code for *error*. It is accepted for that if need be: of a handshake that
    fails, a page in a browser is told nothing."""
    reason = error.message.encode()[:LONGEST].decode(errors="ignore")
    with suppress(TimeoutError, OSError, WebSocketDisconnect):
        async with asyncio.timeout(CLOSE_WITHIN):
            if socket.application_state is WebSocketState.CONNECTING:
                await accept(socket)
            await socket.close(code_of(error), reason)


def code_of(error: YYChatError) -> int:
    return next(code for kind, code in _CODES if isinstance(error, kind))


class Refusal:
    """What ``problem`` is to a request: an ASGI application that says no to a WebSocket."""

    def __init__(self, error: YYChatError) -> None:
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await close(WebSocket(scope, receive, send), self._error)
