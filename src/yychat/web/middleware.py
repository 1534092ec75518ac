"""Around every request: an id, and an answer even where the code is wrong."""

import logging
import os
import re
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..background import place_of
from ..errors import Draining, YYChatError
from ..redis_link import patience
from .problems import problem
from .services import Lifecycle

log = logging.getLogger(__name__)

START_WITHIN = 15.0  # seconds that a request waits for the start to be over

_GIVEN_ID = re.compile(r"\A[A-Za-z0-9._-]{1,128}\Z")


class RequestId:
    """Gives every request an id: the caller's ``x-request-id`` if it is a sane one, else a new one.
    The response bears it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _GIVEN_ID.match(given) else f"req_{os.urandom(16).hex()}"
        scope.setdefault("state", {})["request_id"] = request_id
        header = (b"x-request-id", request_id.encode())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        await self._app(scope, receive, send_with_id)


class UntilServing:
    """Lets early requests wait for the rest of the start instead of failing them."""

    def __init__(self, app: ASGIApp, lifecycle: Lifecycle, open_paths: Collection[str]) -> None:
        self._app, self._lifecycle, self._open = app, lifecycle, open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        starting = self._lifecycle.phase == "starting"
        if starting and scope["type"] == "http" and scope["path"] not in self._open:
            try:
                await self._lifecycle.serving(within=START_WITHIN)
            except Draining as error:
                await problem(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class Patient:
    """One request waits for Redis for *seconds* in all, whatever it asks there."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app, self._seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # what the lifespan begins runs for good
            await self._app(scope, receive, send)
            return
        with patience(self._seconds):
            await self._app(scope, receive, send)


class LastResort:
    """Answers 500 where a bug escaped everything else. What the log gets is the place and the
    type: an exception's text may quote what a user wrote."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def noticing(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noticing)
        except Exception as error:  # noqa: BLE001 - this is the last resort
            log.error("a bug: %s", place_of(error))  # noqa: TRY400
            if scope["type"] == "http" and not started:
                await problem(YYChatError("something went wrong here"))(scope, receive, send)
