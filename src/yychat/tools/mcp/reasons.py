"""Why there is no connection, in our words: a library's may hold an address with a key in it."""

from collections.abc import Iterator

import httpx2
from mcp.shared.exceptions import MCPError
from mcp.types import CONNECTION_CLOSED

from .config import Address, Program
from .http import LOST, NOT_SENT, Guard

AWAY = "it cannot be reached"
REFUSED = "it refused to begin a session, or does not speak MCP"


def why(error: Exception, place: Program | Address, guard: Guard | None, within: float) -> str:
    """What *error*, or what is in its groups, comes to; a session had *within* seconds to begin."""
    causes = list(_leaves(error))
    if guard and guard.status:
        return f"it answers with HTTP status {guard.status}"
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return f"it did not begin a session within {within:g} seconds"
    for cause in causes:
        if isinstance(cause, MCPError) and cause.code != CONNECTION_CLOSED:
            return AWAY if cause.code in (NOT_SENT, LOST) else REFUSED
        if isinstance(cause, OSError) and isinstance(place, Program):
            return f"it cannot be started: {cause.strerror}"
        if isinstance(cause, httpx2.SSEError):
            return "it does not speak MCP over SSE"
        if isinstance(cause, httpx2.HTTPError | OSError):
            return AWAY
    if any(isinstance(cause, MCPError) for cause in causes):
        return "it ended before a session began"
    return f"it does not speak MCP as expected ({type(causes[0]).__name__})"


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
