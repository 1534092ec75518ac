"""How the service is right now, as one picture: asked for, or pushed every second."""

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar, cast

import msgspec
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from .. import __version__
from ..engines.selection import Selection
from ..errors import CapacityExceeded, Forbidden, InvalidRequest, YYChatError
from ..memory.outbox import Backlog
from .auth import Caller
from .performance import PerformanceStats
from .requests import only
from .services import caller_of
from .sockets import accept, close

log = logging.getLogger(__name__)
T = TypeVar("T")

EVERY = 1.0  # seconds between two pictures
WINDOW = 60.0  # seconds that rates and percentiles are of
CLIENTS = 16
SEND_WITHIN = 5.0  # seconds for a client to take a picture
ASK_WITHIN = 0.8  # seconds for whoever knows a part of it

Source = Callable[[], T | Awaitable[T]]


class InFlightView(msgspec.Struct, frozen=True):
    """Requests under way in this process, and how many may be."""

    requests: int
    limit: int
    tenants: Mapping[str, int] = {}


class InstanceView(msgspec.Struct, frozen=True):
    """A process that is registered. Times are Unix time in seconds; ``alive`` says whether it has
    been heard of lately."""

    instance: str
    kind: str
    version: str
    started: float
    seen: float
    alive: bool


@dataclass(frozen=True)
class Sources:
    """Who knows a part of the picture. Each may be a plain function or an asynchronous one, and
    raise ``YYChatError``: its part is null then, and ``missing`` says why."""

    selection: Source[Selection]
    chat: Source[PerformanceStats]
    in_flight: Source[InFlightView]
    outbox: Source[Mapping[str, Backlog]]
    breakers: Source[Mapping[str, str]]
    instances: Source[Sequence[InstanceView]]


class DashboardSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """``at`` is Unix time in seconds. ``selection``, ``chat``, ``outbox`` and ``instances`` are
    shared by all instances; ``in_flight`` and ``breakers`` (closed, half_open, open) are of the
    ``instance`` that answers. ``chat`` is of the last minute. What could not be had is null, and
    ``missing`` names it."""

    at: float
    instance: str
    version: str
    selection: Selection | None
    chat: PerformanceStats | None
    in_flight: InFlightView | None
    outbox: Mapping[str, Backlog] | None
    breakers: Mapping[str, str] | None
    instances: Sequence[InstanceView] | None
    missing: dict[str, str]
    object: Literal["dashboard.snapshot"] = "dashboard.snapshot"


class Dashboard:
    """Makes at most one picture *every* so many seconds, however many look at it."""

    def __init__(
        self,
        sources: Sources,
        *,
        instance: str,
        clients: int = CLIENTS,
        every: float = EVERY,
        send_within: float = SEND_WITHIN,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sources, self._instance, self._clock = sources, instance, clock
        self._most, self.every, self.send_within = clients, every, send_within
        self._making = asyncio.Lock()
        self._made: tuple[float, bytes] | None = None
        self.clients = 0

    async def snapshot(self) -> bytes:
        """The picture as JSON."""
        async with self._making:
            made = self._made
            # A little less: who looks every second must not see the same one twice.
            if made is None or self._clock() - made[0] >= self.every * 0.9:
                made = self._made = self._clock(), await self._make()
            return made[1]

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for one client. Raises ``CapacityExceeded``."""
        if self.clients >= self._most:
            raise CapacityExceeded("as many clients as may be look at the dashboard already")
        self.clients += 1
        try:
            yield
        finally:
            self.clients -= 1

    async def _make(self) -> bytes:
        sources, missing = self._sources, dict[str, str]()
        selection, chat, in_flight, outbox, breakers, instances = await asyncio.gather(
            _asked("selection", sources.selection, missing),
            _asked("chat", sources.chat, missing),
            _asked("in_flight", sources.in_flight, missing),
            _asked("outbox", sources.outbox, missing),
            _asked("breakers", sources.breakers, missing),
            _asked("instances", sources.instances, missing),
        )
        return msgspec.json.encode(
            DashboardSnapshot(
                at=time.time(),
                instance=self._instance,
                version=__version__,
                selection=selection,
                chat=chat,
                in_flight=in_flight,
                outbox=outbox,
                breakers=breakers,
                instances=instances,
                missing=missing,
            )
        )


async def realtime(request: Request) -> Response:
    _check_admin(caller_of(request))
    only(request)
    snapshot = await dashboard_of(request).snapshot()
    return Response(snapshot, headers={"cache-control": "no-store"}, media_type="application/json")


async def live(socket: WebSocket) -> None:
    """The picture every second, until the client leaves, is too slow, talks, or loses its key."""
    dashboard = dashboard_of(socket)
    try:
        _check_admin(caller_of(socket))
        with dashboard.place():
            await accept(socket)
            await _push(socket, dashboard)
    except TimeoutError:  # what it should be told would wait behind what it does not read
        log.info("a dashboard client did not keep up and is left alone")
    except (WebSocketDisconnect, OSError):
        log.debug("a dashboard client left")
    except YYChatError as error:
        await close(socket, error)


async def _push(socket: WebSocket, dashboard: Dashboard) -> None:
    heard = asyncio.create_task(socket.receive())
    try:
        while not heard.done():
            _check_admin(_still(socket))
            picture = (await dashboard.snapshot()).decode()
            async with asyncio.timeout(dashboard.send_within):
                await socket.send_text(picture)
            await asyncio.wait([heard], timeout=dashboard.every)
    finally:
        heard.cancel()
    if heard.done() and not heard.cancelled() and heard.result()["type"] == "websocket.receive":
        raise InvalidRequest("this only talks; it does not listen")


def dashboard_of(connection: HTTPConnection) -> Dashboard:
    return cast(Dashboard, connection.state.dashboard)


def _still(socket: WebSocket) -> Caller:
    """Who looks, by the keys of now: one that is withdrawn ends what it began."""
    again: Callable[[], Caller] | None = getattr(socket.state, "authenticate", None)
    return caller_of(socket) if again is None else again()


def _check_admin(caller: Caller) -> None:
    if caller.role != "admin":
        raise Forbidden("only a key of role admin may see this")


async def _asked(name: str, source: Source[T], missing: dict[str, str]) -> T | None:
    try:
        async with asyncio.timeout(ASK_WITHIN):
            answer = source()
            return await answer if inspect.isawaitable(answer) else answer
    except TimeoutError:
        missing[name] = "no answer in time"
    except YYChatError as error:
        missing[name] = error.message
    return None
