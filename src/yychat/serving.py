"""uvicorn, with a start that says so and a stop that drains."""

import asyncio
import signal
import socket
import sys
from types import FrameType

import uvicorn

from .settings import Settings
from .web.services import Lifecycle

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Server(uvicorn.Server):
    """On SIGTERM, readiness says 503 at once; connections are refused *drain* seconds later, and
    answers under way get uvicorn's graceful time to finish. A second signal ends it now."""

    def __init__(
        self, config: uvicorn.Config, lifecycle: Lifecycle, drain: float, greeting: str
    ) -> None:
        super().__init__(config)
        self._lifecycle, self._drain, self._greeting = lifecycle, drain, greeting
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        if self.started and sockets:
            sys.stdout.write(self._greeting.format(address=address_of(sockets[0])))
            sys.stdout.flush()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._lifecycle.phase == "draining" or not self._drain or self._loop is None:
            self._lifecycle.phase = "draining"
            super().handle_exit(sig, frame)
            return
        self._lifecycle.phase = "draining"
        leave = super().handle_exit
        self._loop.call_soon_threadsafe(self._loop.call_later, self._drain, leave, sig, frame)


def serve(settings: Settings, app: object, lifecycle: Lifecycle, greeting: str) -> bool:
    """Serve until a signal; whether it ever came to serving. Raises ``OSError`` where the address
    cannot be had."""
    listener = listen(settings.host, settings.port)
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    server = Server(config, lifecycle, settings.drain_seconds, greeting)
    try:
        server.run([listener])
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return server.started


def listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
