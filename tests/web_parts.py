"""A small service of a test's own: its routes behind keys, on a real server on loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from yychat.errors import Unauthenticated
from yychat.web.auth import Keyring
from yychat.web.problems import problem
from yychat.web.routes import EXCEPTION_HANDLERS
from yychat.web.sockets import Refusal, credentials


class Gate:
    """Asks for a key as the service does, and hands *state* to the handlers."""

    def __init__(self, app: ASGIApp, keyring: Keyring, state: Mapping[str, Any]) -> None:
        self._app, self._keyring, self._state = app, keyring, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        shown = credentials(scope).get("authorization")
        try:
            caller = self._keyring.caller(shown)
        except Unauthenticated as error:
            refusal = problem(error) if scope["type"] == "http" else Refusal(error)
            await refusal(scope, receive, send)
            return
        known = {"caller": caller, "authenticate": lambda: self._keyring.caller(shown)}
        scope["state"] = {**self._state, **known}
        await self._app(scope, receive, send)


class Site:
    def __init__(self, address: str, http: httpx2.AsyncClient) -> None:
        self.address, self.http = address, http


@asynccontextmanager
async def site(routes: Sequence[BaseRoute], keyring: Keyring, **state: Any) -> AsyncIterator[Site]:
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Gate, keyring=keyring, state=state)],
        exception_handlers=EXCEPTION_HANDLERS,
    )
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, lifespan="off", log_config=None, ws="websockets-sansio")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve([listener]))
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    try:
        async with httpx2.AsyncClient(base_url=f"http://{address}") as http:
            yield Site(address, http)
    finally:
        server.should_exit = True
        await running
