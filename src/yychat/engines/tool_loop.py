"""The tools of one request: what is offered, what is run, and when it has been enough."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec

from ..chat import ChatRequest
from ..errors import InvalidRequest
from ..tools.base import ToolResult
from ..tools.registry import Registry
from .calls import CallBook, OurCall

REPEATS = 2  # times the same call with the same arguments is run; a model that asks on is looping


class Limits(msgspec.Struct, frozen=True):
    """``rounds`` with the upstream and ``wall`` seconds, after which the model has to answer."""

    rounds: int = 8
    wall: float = 60.0


class _Function(msgspec.Struct):
    name: str


class _ClientTool(msgspec.Struct):
    function: _Function | None = None
    custom: _Function | None = None

    @property
    def name(self) -> str | None:
        named = self.function or self.custom
        return named.name if named else None


class ToolLoop:
    """Runs our tools for one request and writes what the next round needs."""

    def __init__(
        self,
        registry: Registry,
        request: ChatRequest,
        allowed: Collection[str] | None,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry, self._allowed, self._clock = registry, allowed, clock
        self._rounds, self._ends = limits.rounds, clock() + limits.wall
        self._client_tools = _client_tools(request)
        self._client_names = {tool.name for tool in _parsed(self._client_tools) if tool.name}
        self._ours = self._offered(request)
        self._made: Counter[tuple[str, str]] = Counter()
        self._round = 0
        self.exhausted = False
        self.active = request.use_tools and request.choices == 1

    @property
    def size(self) -> int:
        """Bytes that our definitions add to a request."""
        return sum(map(len, self._ours))

    def book(self) -> CallBook | None:
        """A fresh book for the next round; None where every call is the client's."""
        return CallBook(self._is_ours) if self.active else None

    def fields(self) -> dict[str, Any]:
        """What the next round says upstream about tools, over the caller's own fields.

        From here on ``exhausted`` says whether that round is the last: the model has been told
        to answer, and calls that it makes all the same are not run.
        """
        self._round += 1
        self.exhausted = self._round >= self._rounds or self._clock() >= self._ends
        if not self._ours:
            return {}
        fields: dict[str, Any] = {"tools": [*self._client_tools, *map(msgspec.Raw, self._ours)]}
        if self.exhausted:
            fields["tool_choice"] = "none"
        elif self._round > 1:
            # A forced choice was for the first round; forced again, it would never end.
            fields["tool_choice"] = "auto"
        return fields

    async def run(self, said: str, calls: Sequence[OurCall]) -> list[dict[str, Any]]:
        """Run *calls* side by side; the messages that tell the model how they ended."""
        results = await asyncio.gather(*map(self._run, calls))
        asked = {
            "role": "assistant",
            "content": said or None,
            "tool_calls": [call.as_wire() for call in calls],
        }
        return [asked] + [
            {"role": "tool", "tool_call_id": call.id, "content": result.content}
            for call, result in zip(calls, results, strict=True)
        ]

    async def _run(self, call: OurCall) -> ToolResult:
        self._made[call.name, call.arguments] += 1
        if self._made[call.name, call.arguments] > REPEATS:
            error = "this call was made before with the same arguments; use its result"
            return ToolResult(content=msgspec.json.encode({"error": error}).decode(), ok=False)
        return await self._registry.call(call.name, call.arguments, allowed=self._allowed)

    def _offered(self, request: ChatRequest) -> list[bytes]:
        refused = request.fields.get("tool_choice") == msgspec.Raw(b'"none"')
        if not request.use_tools or request.choices > 1 or refused or "functions" in request.fields:
            return []
        offered = self._registry.offered(self._allowed)
        definitions = self._registry.definitions_json(self._allowed)
        return [
            definition
            for tool, definition in zip(offered, definitions, strict=True)
            if tool.name not in self._client_names
        ]

    def _is_ours(self, name: str) -> bool:
        """A forbidden or unknown tool is ours to refuse, unless the client could mean it."""
        if name in self._client_names:
            return False
        return self._registry.knows(name) or not self._client_names


def _client_tools(request: ChatRequest) -> list[msgspec.Raw]:
    raw = request.fields.get("tools")
    if raw is None:
        return []
    try:
        return msgspec.json.decode(raw, type=list[msgspec.Raw] | None) or []
    except msgspec.ValidationError:
        raise InvalidRequest("tools must be an array", param="tools") from None


def _parsed(tools: Sequence[msgspec.Raw]) -> list[_ClientTool]:
    parsed = []
    for position, raw in enumerate(tools):
        try:
            parsed.append(msgspec.json.decode(raw, type=_ClientTool))
        except msgspec.ValidationError:
            where = f"tools[{position}]"
            raise InvalidRequest(f"{where} must be a tool definition", param=where) from None
    return parsed
