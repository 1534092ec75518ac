"""A server's tool, as the registry serves it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..base import Tool
from .names import exposed

DESCRIPTION = 1_024  # characters: OpenAI answers 400 to the whole request where there are more
NAMELESS = "(a tool without a name)"  # no name at all: the registry refuses it, and says so


class Caller(Protocol):
    """Who asks the server."""

    @property
    def name(self) -> str: ...

    async def call(self, tool: str, arguments: dict[str, Any]) -> Any: ...


class McpTool:
    """``parameters`` is the server's own schema, untouched; the server is asked by its own name."""

    def __init__(self, server: Caller, described: Mapping[str, Any]) -> None:
        name, said = described.get("name"), described.get("description")
        self._server, self._original = server, name if isinstance(name, str) else ""
        self.source = server.name
        self.name = exposed(server.name, self._original) if self._original else NAMELESS
        self.parameters: Any = described.get("inputSchema")
        self.description = _short(said if said is not None else described.get("title") or "")

    async def call(self, arguments: dict[str, Any]) -> Any:
        return await self._server.call(self._original, arguments)


def tools_of(server: Caller, listed: Sequence[Any]) -> list[Tool]:
    """One tool for each that is *listed*; whether it can be served is the registry's to say."""
    return [McpTool(server, each if isinstance(each, dict) else {}) for each in listed]


def _short(description: Any) -> Any:
    if isinstance(description, str) and len(description) > DESCRIPTION:
        return f"{description[: DESCRIPTION - 1]}…"
    return description
