"""Answers on their way out: structs as JSON, and what is let go when they are out."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

SEND_WITHIN = 60.0  # seconds; a client that does not read must not hold its place for ever

_encoder = msgspec.json.Encoder()


def reply(value: msgspec.Struct, status: int = 200) -> Response:
    return Response(_encoder.encode(value), status, media_type="application/json")


class HeldReply(Response):
    """JSON bytes as they are; *held* is let go when they are sent, or cannot be any more."""

    media_type = "application/json"

    def __init__(
        self, body: bytes, held: AsyncExitStack, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(body, headers=headers)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._held:
            with suppress(TimeoutError):
                async with asyncio.timeout(SEND_WITHIN):
                    await super().__call__(scope, receive, send)
