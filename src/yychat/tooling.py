"""``yychat tools``: the tools as a service with this configuration has them, listed and called."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

from .app import poster_of, tools_of
from .background import keep
from .settings import Settings
from .tools.base import Tool, ToolResult
from .tools.mcp.servers import McpServers
from .tools.registry import Registry

WITHIN = 30.0  # seconds for MCP servers to be there
LONGEST = 100  # characters of a description


async def listed(settings: Settings) -> tuple[list[str], list[str]]:
    """The tools, a line each; and what is wrong. Raises ``ConfigurationError``."""
    async with _equipped(settings) as (registry, servers):
        await servers.tried(WITHIN)
        rows = [_row(tool) for tool in registry.offered(None)]
        wrong = [f"{_plain(name)}: {why}" for name, why in registry.quarantined.items()]
        wrong += [f"MCP server {each.name}: {each.trouble}" for each in servers if each.trouble]
        return rows, wrong


async def called(settings: Settings, name: str, arguments: str) -> ToolResult:
    """What the tool *name* gives back. Raises ``ConfigurationError``."""
    async with _equipped(settings) as (registry, servers):
        await _known(name, registry, servers)
        return await registry.call(name, arguments, allowed=None)


async def _known(name: str, registry: Registry, servers: McpServers) -> None:
    """Until there is such a tool; servers that have others, or hang, are not waited for."""
    trying = {asyncio.create_task(server.tried.wait()) for server in servers}
    with suppress(TimeoutError):
        async with asyncio.timeout(WITHIN):
            while trying and not registry.knows(name):
                _, trying = await asyncio.wait(trying, return_when=asyncio.FIRST_COMPLETED)
    for task in trying:
        task.cancel()


@asynccontextmanager
async def _equipped(settings: Settings) -> AsyncIterator[tuple[Registry, McpServers]]:
    async with AsyncExitStack() as stack:
        poster = poster_of(settings)
        if poster:
            stack.push_async_callback(poster.close)
        registry = Registry(tools_of(settings, poster), timeout=settings.tool_timeout)
        given = settings.mcp_servers()
        servers = McpServers(given)
        if given:
            keep(stack, partial(servers.run, registry))
        yield registry, servers


def _row(tool: Tool) -> str:
    said = _plain(tool.description.partition("\n")[0])
    return f"{tool.name:<40} {tool.source:<16} {said[:LONGEST]}".rstrip()


def _plain(text: str) -> str:
    """Without what could steer a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
