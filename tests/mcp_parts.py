"""MCP servers for tests: real processes, and what keeps connections to them."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from environment import bare
from running import Running
from yychat.resilience import Backoff
from yychat.tools.base import ToolResult
from yychat.tools.mcp.config import Address, Program, Server
from yychat.tools.mcp.server import McpServer, Timings
from yychat.tools.mcp.servers import McpServers
from yychat.tools.registry import Registry

SCRIPT = str(Path(__file__).parent / "mcp_server.py")
NODE = Path(__file__).parent / "node" / "node_modules"
EVERYTHING = str(NODE / "@modelcontextprotocol" / "server-everything" / "dist" / "index.js")
WITHIN = 20.0  # seconds for what happens by itself
# As in service, but that who comes back is found sooner, and nobody is asked how he is.
QUICK = Timings(every=60.0, apart=0.05, pauses=Backoff(first=0.05, most=0.2))


@contextmanager
def mcp_server(transport: str, port: int = 0) -> Iterator[Running]:
    """The server of ``mcp_server.py`` over ``http`` or ``sse``."""
    process = subprocess.Popen(
        [sys.executable, SCRIPT, "--transport", transport, "--port", str(port)],
        env=bare({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # the SDK tells of every failed tool there
        text=True,
    )
    assert process.stdout
    running = Running(process, [process.stdout.readline()])
    try:
        yield running
    finally:
        running.stop()


def program(*arguments: str, **environment: str) -> Program:
    """The same server over its standard input and output."""
    given = {"PATH": os.environ["PATH"], **environment}
    return Program(sys.executable, (SCRIPT, *arguments), given, None)


def address(url: str, headers: Mapping[str, str] | None = None) -> Address:
    return Address(url, headers or {}, sse=url.endswith("/sse"))


def server(place: Program | Address, **given: Any) -> Server:
    return Server(**{"name": "s", "place": place, "timeout": 10.0, "parallel": 8, **given})


class Kept:
    """A registry that is supplied by servers."""

    def __init__(self, registry: Registry, servers: McpServers) -> None:
        self.registry, self.servers = registry, servers

    @property
    def first(self) -> McpServer:
        return next(iter(self.servers))

    async def call(self, tool: str, **arguments: Any) -> ToolResult:
        return await self.registry.call(f"s__{tool}", arguments, allowed=None)

    async def said(self, tool: str, **arguments: Any) -> Any:
        """What a call that works gives back."""
        result = await self.call(tool, **arguments)
        assert result.ok, result.content
        return msgspec.json.decode(result.content)

    async def error(self, tool: str, **arguments: Any) -> str:
        """What a call that fails says."""
        result = await self.call(tool, **arguments)
        assert not result.ok, result.content
        return str(msgspec.json.decode(result.content)["error"])


@asynccontextmanager
async def kept(
    *servers: Server, tools: str = "echo", timings: Timings = QUICK
) -> AsyncIterator[Kept]:
    """Connections to *servers*, once the first has its *tools*; they end with the block."""
    registry, kept = Registry([]), McpServers(servers, timings=timings)
    it = Kept(registry, kept)
    task = asyncio.create_task(kept.run(registry))
    try:
        if tools:
            await until(lambda: registry.knows(f"s__{tools}") and it.first.trouble is None)
        yield it
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool], within: float = WITHIN) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - of parts that tell nobody
            await asyncio.sleep(0.01)


def runs(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False)
    return bool(found.stdout.strip()) and not found.stdout.strip().startswith(b"Z")
