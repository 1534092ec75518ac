"""What a tool is: the port that built-in and MCP tools implement."""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec


class Tool(Protocol):
    """Something the model may call.

    ``parameters`` is a JSON Schema (Draft 2020-12) of type object and goes upstream as it is.
    ``source`` is ``builtin`` or the name of the MCP server that owns the tool.
    """

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def parameters(self) -> Mapping[str, Any]: ...
    @property
    def source(self) -> str: ...

    async def call(self, arguments: dict[str, Any]) -> Any:
        """Do it and return a value that JSON can say.

        *arguments* were validated against ``parameters``. Raise ``ToolError``
        with a text the model can act on, and nothing else.
        """
        ...


class ToolResult(msgspec.Struct, frozen=True):
    """How a call ended: JSON text for the model, and whether the tool did its work."""

    content: str
    ok: bool
