"""``yychat check``, the MCP servers: each is connected to, and asked for its tools."""

import asyncio

from .errors import ToolError
from .finding import Finding
from .settings import Settings
from .tools.mcp.config import Program, Server
from .tools.mcp.server import MOST, Connect, McpServer
from .tools.mcp.servers import connecting
from .tools.mcp.tool import tools_of
from .tools.registry import Registry

WITHIN = 8.0  # seconds for one server; they are asked side by side


async def mcp_findings(settings: Settings) -> list[Finding]:
    """Nothing where none is configured. Raises ``ConfigurationError``."""
    servers = settings.mcp_servers()
    if not servers:
        return []
    connect = await connecting(servers, WITHIN)
    return list(await asyncio.gather(*(_finding(connect, server) for server in servers)))


async def _finding(connect: Connect, server: Server) -> Finding:
    subject = f"mcp {server.name}"
    if isinstance(server.place, Program):
        remedy = "run its command by hand, with the env that YYCHAT_MCP_CONFIG gives it"
    else:
        remedy = "look at its url and headers in YYCHAT_MCP_CONFIG, and whether it runs"
    try:
        listed = await _listed(connect, server)
    except ToolError as error:
        return Finding(subject, error.message, remedy, "fail")
    refused = await asyncio.to_thread(_refused, server, listed)
    if refused:
        names = ", ".join(sorted(refused))
        return Finding(subject, f"not all its tools are served: {names}", level="warn")
    return Finding(subject, f"answers, and has {len(listed)} tools")


async def _listed(connect: Connect, server: Server) -> list[object]:
    """Raises ``ToolError``, and only after the session's end: see ``connection.connected``."""
    listed: list[object] | ToolError
    async with connect(server) as session:
        try:
            async with asyncio.timeout(WITHIN):
                listed = await session.tools(MOST)
        except ToolError as error:
            listed = error
        except TimeoutError:
            listed = ToolError("it does not list its tools")
    if isinstance(listed, ToolError):
        raise listed
    return listed


def _refused(server: Server, listed: list[object]) -> dict[str, str]:
    return dict(Registry(tools_of(McpServer(server), listed)).quarantined)
