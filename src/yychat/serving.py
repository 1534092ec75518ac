"""uvicorn, with a start that says so and a stop that drains."""

import asyncio
import logging
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from .accepting import Shared
from .background import settled
from .settings import Settings
from .web.farewell import Farewell
from .web.protocol import Protocol
from .web.services import Lifecycle

log = logging.getLogger(__name__)

CUT_WITHIN = 2.0  # seconds for answers that are cut to let go of what they hold


class Server(uvicorn.Server):
    """On SIGTERM, readiness says 503 at once; connections are refused *drain* seconds later, and
    answers under way get uvicorn's graceful time to finish. A second signal skips what is left
    of the drain, a third the answers. Whatever was skipped, the lifespan ends in order, and the
    process with exit code 0. With *shared*, other processes accept from its socket too."""

    def __init__(
        self,
        config: uvicorn.Config,
        lifecycle: Lifecycle,
        drain: float,
        greet: Callable[[str], None],
        *,
        shared: bool,
    ) -> None:
        super().__init__(config)
        self._lifecycle, self._drain, self._greet = lifecycle, drain, greet
        self._shared = shared
        self._accepting: list[Shared] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        lifecycle.stop = self._leave

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([] if self._shared else sockets)
        self._loop = asyncio.get_running_loop()
        if self._shared:
            self._accepting = [Shared(each, self._connection) for each in sockets or ()]
        if self.started and sockets:
            settled()
            self._greet(address_of(sockets[0]))

    def _connection(self) -> Protocol:
        return Protocol(self.config, self.server_state, self.lifespan.state)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for each in self._accepting:
            await each.close()
        await super().shutdown(sockets)
        if self.force_exit:  # uvicorn would let answers and lifespan end as tracebacks
            await self._cut()
            await self.lifespan.shutdown()

    async def _cut(self) -> None:
        answers = list(self.server_state.tasks)
        for answer in answers:
            answer.cancel()
        if answers:
            log.warning("a further signal: %d answers are cut", len(answers))
            await asyncio.wait(answers, timeout=CUT_WITHIN)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn's own would raise the signal once more at the end, and kill the clean exit.
        first = self._lifecycle.phase != "draining"
        self._lifecycle.phase = "draining"
        if first and self._drain and self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.call_later, self._drain, self._leave)
        elif self.should_exit:
            self.force_exit = True
        else:
            self._leave()

    def _leave(self) -> None:
        self.should_exit = True


def serve(
    settings: Settings,
    app: ASGIApp,
    lifecycle: Lifecycle,
    greet: Callable[[str], None],
    shared: socket.socket | None = None,
) -> bool:
    """Serve until a signal, from *shared* where other processes do so too; whether it ever came to
    serving. *greet* is told the address then. Raises ``OSError`` where the address cannot be had,
    and ``ConfigurationError`` where the start went wrong later."""
    listener = shared or listen(settings.host, settings.port)
    config = uvicorn.Config(
        Farewell(app, lifecycle),
        loop="uvloop",
        http=Protocol,
        ws="websockets-sansio",
        ws_max_size=4096,  # nothing is expected from a client
        ws_per_message_deflate=False,  # a context of its own for each, for a few kilobytes
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # nothing here asks for the client's address or scheme
        timeout_keep_alive=75,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    server = Server(config, lifecycle, settings.drain_seconds, greet, shared=shared is not None)
    server.run([listener])
    if lifecycle.failure:
        raise lifecycle.failure
    return server.started


def listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
