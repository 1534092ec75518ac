"""One connection to a server: the SDK's session, from its beginning to its end.

What the SDK opens belongs to the task that opened it: it is entered and left in there. Questions
come from anywhere, each in a task of its own, so that nobody's patience is the session's.
"""

import asyncio
import contextvars
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.client.session import ClientSession
from mcp.shared.exceptions import MCPError
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp.types import (
    CONNECTION_CLOSED,
    METHOD_NOT_FOUND,
    Implementation,
    ToolListChangedNotification,
)

from ... import __version__
from ...errors import ToolError
from .config import Address, Program, Server
from .failures import ServerAway, ServerLost, ServerRefused
from .http import LOST, NOT_SENT, Guard, address, guarded
from .reasons import why
from .stdio import program
from .streams import Reading

GARBAGE = 20  # messages in a row that mean nothing; who says more of them does not speak MCP
PAGES = 50  # of a list of tools
LONGEST = 1_000  # characters of an error
BROKE = "the connection to the tool's server broke; it is not known whether the call was done"
OURS = ("Connection closed", "SSE stream")  # the SDK's own words for an end; servers use the code
LEEWAY = 1.0  # seconds that a question over HTTP may live after its asker has left

# They quote what servers say, with tracebacks.
for chatty in ("mcp", "client"):
    logging.getLogger(chatty).setLevel(logging.CRITICAL + 1)


class Heard(Reading):
    """What the transport hears, passed on to the SDK; *end* is told when there is no more."""

    def __init__(self, inner: Any, end: Callable[[], None]) -> None:
        self._inner, self._end, self._garbage = inner, end, 0

    async def receive(self) -> Any:
        """Raises ``StopAsyncIteration`` at the end, or where nothing but garbage comes."""
        try:
            item = await anext(self._inner)
        except (StopAsyncIteration, anyio.ClosedResourceError, anyio.BrokenResourceError):
            self._end()
            raise StopAsyncIteration from None
        self._garbage = self._garbage + 1 if isinstance(item, Exception) else 0
        if self._garbage > GARBAGE:
            self._end()
            raise StopAsyncIteration
        return item

    async def aclose(self) -> None:
        await self._inner.aclose()


class Connection:
    """A session that has begun: see ``server.Session``."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self.over = self.changed = False
        self._dispatcher: JSONRPCDispatcher
        self._asking: set[asyncio.Task[dict[str, Any]]] = set()

    def dispatched(self, streams: tuple[Any, Any]) -> JSONRPCDispatcher:
        """The SDK's end of *streams*, which questions are asked through."""
        incoming, outgoing = streams
        self._dispatcher = JSONRPCDispatcher(Heard(incoming, self.end), outgoing)
        return self._dispatcher

    def end(self) -> None:
        self.over = True
        self.news.set()

    async def tools(self, most: int) -> list[Any]:
        """The first *most* tools as the server describes them, unexamined.

        Raises what ``call`` raises.
        """
        found: list[Any] = []
        cursor = None
        for _ in range(PAGES):
            try:
                page = await self._ask("tools/list", {"cursor": cursor} if cursor else {})
            except ServerRefused as refusal:
                if refusal.number == METHOD_NOT_FOUND:  # it has other things, and no tools
                    break
                raise
            listed, cursor = page.get("tools"), page.get("nextCursor")
            found += listed if isinstance(listed, list) else []
            if not isinstance(cursor, str) or len(found) >= most:
                break
        return found[:most]

    async def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The server's result as it is.

        Raises ``ServerAway`` where it was not even sent, ``ServerLost``, ``ServerRefused``.
        """
        return await self._ask("tools/call", {"name": tool, "arguments": arguments})

    async def alive(self, within: float) -> bool:
        """Whether the server answers. It need not know the question."""
        try:
            async with asyncio.timeout(within):
                await self._ask("ping", {})
        except ServerRefused as refusal:
            return refusal.number == METHOD_NOT_FOUND
        except (ServerAway, ServerLost, TimeoutError):
            return False
        return True

    async def heard(self, message: Any) -> None:
        """For the SDK: a notification that came."""
        if isinstance(message, ToolListChangedNotification):
            self.changed = True
            self.news.set()

    async def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """One question; who stops waiting leaves at once, and the server is told so by and by."""
        asked = self._dispatcher.send_raw_request(method, params)
        # Nobody's context: what a caller's request carries is not for other people's servers.
        task = asyncio.create_task(_whole(asked), context=contextvars.Context())
        self._asking.add(task)
        task.add_done_callback(self._asked)
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
        return _answer(task)

    def _asked(self, task: asyncio.Task[dict[str, Any]]) -> None:
        self._asking.discard(task)
        if not task.cancelled():
            task.exception()  # looked at: nobody else may be there to do so


async def _whole(asked: Any) -> dict[str, Any]:
    result: dict[str, Any] = await asked
    return result


def _answer(task: asyncio.Task[dict[str, Any]]) -> dict[str, Any]:
    if task.cancelled():
        raise ServerLost(BROKE)
    try:
        return task.result()
    except MCPError as error:
        raise _failure(error) from None


def _failure(error: MCPError) -> ToolError:
    if error.code == NOT_SENT:
        return ServerAway("the tool's server cannot be reached")
    if error.code == LOST or (error.code == CONNECTION_CLOSED and error.message.startswith(OURS)):
        return ServerLost(BROKE)
    return ServerRefused(error.message[:LONGEST] or "the tool's server refused", error.code)


@asynccontextmanager
async def connected(
    server: Server, context: ssl.SSLContext | None, within: float
) -> AsyncIterator[Connection]:
    """A connection to *server* for the block, begun within so many seconds; for one task alone.

    The block must not raise. Raises ``ServerAway``, also after the block where a session broke.
    """
    place, guard = server.place, None
    if isinstance(place, Address):
        assert context
        guard = guarded(context, within=max(server.timeout, within) + LEEWAY)
    try:
        async with asyncio.timeout(within) as beginning, _session(place, guard) as connection:
            beginning.reschedule(None)
            yield connection
    # The SDK and its transports let out whatever they met, in groups of groups; to those who wait
    # for this server it is all the same, and the operator is told its kind.
    except Exception as error:
        raise ServerAway(why(error, place, guard, within)) from error


@asynccontextmanager
async def _session(place: Program | Address, guard: Guard | None) -> AsyncIterator[Connection]:
    connection = Connection()
    us = Implementation(name="yychat", version=__version__)
    async with (
        _streams(place, guard) as streams,
        ClientSession(
            dispatcher=connection.dispatched(streams),
            client_info=us,
            message_handler=connection.heard,
        ) as session,
    ):
        await session.initialize()
        try:
            yield connection
        finally:
            connection.end()


@asynccontextmanager
async def _streams(place: Program | Address, guard: Guard | None) -> AsyncIterator[tuple[Any, Any]]:
    if isinstance(place, Program):
        async with program(place) as streams:
            yield streams
    else:
        assert guard
        async with address(place, guard) as streams:
            yield streams
