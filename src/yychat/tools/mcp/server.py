"""One server, kept: connected in the background, its tools last known, its calls bounded.

Nobody who does not call a tool of the server ever waits for it. Who does call one waits for its
``timeout`` at most; and where it has failed a few times, not at all, until it has been well again.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, Protocol

import msgspec

from ...errors import ToolError
from ...resilience import Backoff, Breaker
from ..base import Tool
from .config import Server
from .failures import ServerAway, ServerLost, ServerRefused
from .results import value_of
from .tool import tools_of

log = logging.getLogger(__name__)

MOST = 128  # tools of one server: providers take no more in one request
STABLE = 10.0  # seconds; who breaks off sooner is given longer pauses
AT_ONCE = 2  # tries in a row that a call need not wait for
INTERNAL = -32_603  # JSON-RPC's "internal error": something may have been done


class Session(Protocol):
    """A connection: ``connection.Connection``. It sets ``news`` when it is ``over``, and when the
    server has ``changed`` its tools."""

    news: asyncio.Event
    over: bool
    changed: bool

    def end(self) -> None: ...
    async def tools(self, most: int) -> list[Any]: ...
    async def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]: ...
    async def alive(self, within: float) -> bool: ...


Connect = Callable[[Server], AbstractAsyncContextManager[Session]]
Offer = Callable[["McpServer", Sequence[Tool]], Awaitable[None]]


class Timings(msgspec.Struct, frozen=True):
    """In seconds. A quiet server is asked ``every`` so often whether it is there, and has to
    answer ``within``. Its list of tools may take ``listing``; it is asked for again when the server
    says so, ``apart`` at least, and after ``relist`` at the latest."""

    every: float = 30.0
    within: float = 5.0
    listing: float = 10.0
    relist: float = 300.0
    apart: float = 1.0
    pauses: Backoff = Backoff(first=0.5, most=30.0)


class McpServer:
    """``trouble`` is why there is no connection now, None where there is one."""

    def __init__(
        self,
        given: Server,
        *,
        timings: Timings | None = None,
        breaker: Breaker | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.given = given.name, given
        self.trouble: str | None = "it has not been reached yet"
        self.breaker = breaker or Breaker(threshold=3, pause=15.0)
        self._timings, self._clock = timings or Timings(), clock
        self._slots = asyncio.Semaphore(given.parallel)
        self._session: Session | None = None
        self._listed: list[Any] | None = None  # as the server said it last
        self._listed_at = 0.0
        self._calls = 0  # under way
        self._doubted = False  # a call had no answer
        self._wanted = asyncio.Event()  # by a call that has no connection
        self.tried = asyncio.Event()  # set once there was a connection, or none could be had
        self._moved = asyncio.Event()  # set, and replaced, with each connection and each failure

    async def run(self, connect: Connect, offer: Offer) -> None:
        """Keep a connection, and *offer* the tools each time they are others, until cancelled."""
        attempt = 0
        while True:
            begun, trouble = self._clock(), ""
            try:
                async with connect(self.given) as session:
                    trouble = await self._kept(session, offer)
            except ServerAway as error:
                trouble = trouble or error.message
            _obey()
            attempt = 0 if self._clock() - begun > STABLE else min(attempt + 1, 16)
            self._gone(trouble)
            await self._pause(attempt)

    async def call(self, tool: str, arguments: dict[str, Any]) -> Any:
        """What *tool*, by the server's own name for it, gives back.

        Raises ``ToolError``, after the server's ``timeout`` at the latest.
        """
        before = self.breaker.state
        if (before != "closed" and self._session is None) or not self.breaker.admit():
            raise self._left_alone()
        begun = False
        try:
            async with asyncio.timeout(self.given.timeout), self._slots:
                if before == "closed" and self.breaker.state == "open":
                    raise self._left_alone()  # it has failed while this call waited for its turn
                begun = True
                with self._counted():
                    return value_of(await self._answered(tool, arguments))
        except TimeoutError:
            if begun:
                self._doubt()
            seconds = f"{self.given.timeout:g}"
            raise ToolError(f"{self.name} did not answer within {seconds} seconds") from None

    async def _answered(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        session = await self._connected()
        try:
            result = await session.call(tool, arguments)
        except (ServerAway, ServerRefused) as failure:
            if getattr(failure, "number", None) == INTERNAL or await self._is_there(session):
                self.breaker.succeeded()  # it is well, and says no
                raise
            # Its session is over: it was started again, and has done nothing.
            session = await self._connected()
            result = await session.call(tool, arguments)
        self.breaker.succeeded()
        return result

    async def _connected(self) -> Session:
        while self._session is None:
            if self.breaker.state != "closed":
                raise self._left_alone()
            self._wanted.set()
            await self._moved.wait()
        return self._session

    async def _is_there(self, session: Session) -> bool:
        """Where it is not, the session is over for everybody."""
        if not session.over and await session.alive(self._timings.within):
            return True
        if self._session is session:
            self._session = None
        session.end()
        return False

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1

    def _doubt(self) -> None:
        """A call had no answer: that counts, and the server is asked how it is."""
        self.breaker.failed()
        self._doubted = True
        if self._session:
            self._session.news.set()

    def _left_alone(self) -> ToolError:
        return ToolError(f"{self.name} is not answering at the moment; go on without its tools")

    async def _kept(self, session: Session, offer: Offer) -> str:
        """Until the session is over; why. It raises nothing: the SDK would wrap that in groups."""
        try:
            await self._list(session, offer)
            self._begun(session)
            while not session.over:
                await _waited(session.news, self._timings.every)
                session.news.clear()
                if session.changed or self._clock() - self._listed_at > self._timings.relist:
                    session.changed = False
                    await self._list(session, offer)
                    await asyncio.sleep(self._timings.apart)
                elif self._calls and not self._doubted:
                    continue  # it may do one thing at a time: that a call takes long is no sign
                elif not session.over and not await self._is_there(session):
                    return "it does not answer any more"
                self._doubted = False
        except (ServerAway, ServerRefused, TimeoutError):
            return "it does not list its tools"
        except ServerLost:
            pass
        finally:
            self._session = None
        return "its connection ended"

    async def _list(self, session: Session, offer: Offer) -> None:
        async with asyncio.timeout(self._timings.listing):
            listed = await session.tools(MOST)
        self._listed_at = self._clock()
        if listed != self._listed:
            self._listed = listed
            await offer(self, tools_of(self, listed))

    def _begun(self, session: Session) -> None:
        self._session, self.trouble = session, None
        self.breaker.succeeded()
        log.info("MCP server %s is connected and has %d tools", self.name, len(self._listed or ()))
        self._move()

    def _gone(self, trouble: str) -> None:
        if self.trouble != trouble:
            log.warning("MCP server %s is away: %s", self.name, trouble)
        self._session, self.trouble = None, trouble
        self.breaker.failed()
        self._move()

    def _move(self) -> None:
        """Wake the calls that wait for a connection, or for none."""
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
        self.tried.set()

    async def _pause(self, attempt: int) -> None:
        """Before the next try. A call that waits has it made at once, but not again and again: to
        start a program that always crashes is work for everybody."""
        seconds = self._timings.pauses.pause(attempt, None)
        if attempt > AT_ONCE:
            await asyncio.sleep(seconds)
        else:
            await _waited(self._wanted, seconds)
        self._wanted.clear()


def _obey() -> None:
    """Where a session breaks while it is being ended, the SDK gives the one error for the other,
    and the task would go on for ever."""
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError


async def _waited(event: asyncio.Event, within: float) -> None:
    try:
        async with asyncio.timeout(within):
            await event.wait()
    except TimeoutError:
        pass
