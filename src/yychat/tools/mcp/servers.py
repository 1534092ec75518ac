"""All the servers that are configured, kept side by side."""

import asyncio
import importlib
import ssl
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from ..base import Tool
from ..registry import Registry
from .config import Address, Program, Server
from .server import Connect, McpServer, Session, Timings

BEGIN = 10.0  # seconds to begin a session
START = 60.0  # seconds where a program has to be started for it: some are downloaded first
BACKSTOP = 1.0  # seconds that the registry waits longer than a server's own deadline
WAITING = 256  # calls of one tool that may wait for a turn


class McpServers:
    """``run`` keeps them all; none of them waits for another, nor does anybody else."""

    def __init__(self, given: Iterable[Server], *, timings: Timings | None = None) -> None:
        self._servers = [McpServer(server, timings=timings) for server in given]

    def __iter__(self) -> Iterator[McpServer]:
        return iter(self._servers)

    async def tried(self, within: float) -> None:
        """Until each has been connected to, or could not be; *within* so many seconds."""
        try:
            async with asyncio.timeout(within):
                for server in self._servers:
                    await server.tried.wait()
        except TimeoutError:
            pass

    async def run(self, registry: Registry) -> None:
        """Keep all servers connected and *registry* supplied with their tools, until cancelled."""

        async def offer(server: McpServer, tools: Sequence[Tool]) -> None:
            await asyncio.to_thread(
                registry.replace,
                server.name,
                tools,
                timeout=server.given.timeout + BACKSTOP,
                parallel=WAITING,
            )

        for server in self._servers:  # in the configuration's order, whoever comes first
            registry.replace(server.name, ())
        connect = await connecting([server.given for server in self._servers])
        async with asyncio.TaskGroup() as group:
            for server in self._servers:
                group.create_task(server.run(connect, offer))


async def connecting(servers: Sequence[Server], within: float | None = None) -> Connect:
    """How *servers* are connected to, each *within* so many seconds. The SDK is imported for it,
    in a thread: that takes most of a second."""
    module: Any = await asyncio.to_thread(importlib.import_module, f"{__package__}.connection")
    secure = any(isinstance(server.place, Address) for server in servers)
    context = await asyncio.to_thread(ssl_context) if secure else None

    def connect(server: Server) -> AbstractAsyncContextManager[Session]:
        usual = START if isinstance(server.place, Program) else BEGIN
        opened: AbstractAsyncContextManager[Session] = module.connected(
            server, context, usual if within is None else within
        )
        return opened

    return connect


def ssl_context() -> ssl.SSLContext:
    """Reading all the world's certificates takes some 30 ms: once for all servers."""
    return ssl.create_default_context()
