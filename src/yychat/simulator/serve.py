"""The simulated upstream as a process of its own."""

import logging
import os
import socket
from contextlib import suppress
from threading import Thread

import uvicorn

from .app import create_app

STDOUT = 1


def run(host: str, port: int, *, greet: int = STDOUT, exit_with_parent: bool = False) -> None:
    """Serve until stopped by a signal; port 0 takes a free one.

    Once connections are accepted, one line into the descriptor *greet* says where. With
    *exit_with_parent* the process ends when its stdin does: a parent that holds the other
    end of that pipe takes the simulator along, however it dies.

    Raises ``OSError`` where the address cannot be had.
    """
    listener = _listener(host, port)
    if exit_with_parent:
        Thread(target=_exit_at_end_of_input, name="parent-watch", daemon=True).start()
    logging.getLogger("uvicorn.error").addFilter(_is_no_ordered_cut)
    config = uvicorn.Config(
        create_app(),
        lifespan="off",
        log_level="warning",
        access_log=False,
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    with suppress(KeyboardInterrupt):
        AnnouncedServer(config, _address(listener), greet).run([listener])


class AnnouncedServer(uvicorn.Server):
    """A server that says where it listens as soon as it does."""

    def __init__(self, config: uvicorn.Config, address: str, greet: int) -> None:
        super().__init__(config)
        self._address, self._greet = address, greet

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        with suppress(OSError):  # nobody listens any more
            os.write(self._greet, f"yychat simulator listening on {self._address}\n".encode())
        if self._greet != STDOUT:
            os.close(self._greet)


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_no_ordered_cut(record: logging.LogRecord) -> bool:
    """Connections cut on order are no error of the server's."""
    return record.msg != "ASGI callable returned without completing response."


def _exit_at_end_of_input() -> None:
    # Nothing is worth saving here, and nothing may keep the process from going.
    with suppress(OSError):
        while os.read(0, 4096):
            pass
    os._exit(0)
