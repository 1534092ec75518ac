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
from ..tools.payloads import failure
from ..tools.registry import Registry
from .calls import CallBook, OurCall
from .tokens import estimate

REPEATS = 2  # times the same call with the same arguments is run; a model that asks on is looping


class Limits(msgspec.Struct, frozen=True):
    """``rounds`` with the upstream and ``wall`` seconds, after which the model has to answer;
    ``calls`` that are run in one round; estimated ``tokens`` of all results together."""

    rounds: int = 8
    wall: float = 60.0
    calls: int = 16
    tokens: int = 64_000


class _Named(msgspec.Struct):
    name: str


class _ClientTool(msgspec.Struct):
    function: _Named | None = None
    custom: _Named | None = None


_client_tools = msgspec.json.Decoder(list[_ClientTool] | None)


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
        self._registry, self._clock = registry, clock
        self._limits, self._ends = limits, clock() + limits.wall
        self._room = limits.tokens
        self.active = request.use_tools and request.choices == 1
        self._given, choice = _field(request, "tools"), _field(request, "tool_choice")
        functions = _field(request, "functions")
        self._client_names = _names(self._given) if self.active else frozenset[str]()
        refused = not self.active or choice == b'"none"' or functions != b"null"
        self._allowed = () if refused else allowed  # what is not offered is not run either
        self._must_call = bool(self._client_names) and choice == b'"required"'
        self._ours = self._offered()
        self._made: Counter[tuple[str, str]] = Counter()
        self._round = 0
        self.exhausted = False

    @property
    def size(self) -> int:
        """Bytes that our definitions add to a request."""
        return sum(map(len, self._ours.values()))

    def book(self) -> CallBook | None:
        """A fresh book for the next round; None where every call is the client's."""
        return CallBook(self._is_ours) if self.active else None

    def fields(self) -> dict[str, Any]:
        """What the next round says upstream about tools, over the caller's own fields.

        From here on ``exhausted`` says whether that round is the last: the model has been told
        to answer, and calls that it makes all the same are not run.
        """
        self._round += 1
        self.exhausted = self._round >= self._limits.rounds or self._clock() >= self._ends
        if not self._ours or (self.exhausted and self._must_call):
            return {}
        fields: dict[str, Any] = {"tools": self._all_tools()}
        if self.exhausted:
            fields["tool_choice"] = "none"
        elif self._round > 1 and not self._must_call:
            # A forced choice was for the first round; forced again, it would never end. But where
            # some tool of the client's has to be called, a call of ours is not it.
            fields["tool_choice"] = "auto"
        return fields

    async def run(
        self, said: str, calls: Sequence[OurCall], *, thought: str | None = None
    ) -> list[dict[str, Any]]:
        """Run *calls* side by side; the messages that tell the model how they ended, after what
        it *said* and *thought* before them: some that think demand to hear both again.

        That takes no longer than the wall time leaves: what is still running then is given up.
        """
        most = self._limits.calls
        results = await asyncio.gather(*map(self._run, calls[:most]))
        results += [_error(f"only {most} calls are run at a time; call again")] * len(calls[most:])
        asked = {
            "role": "assistant",
            "content": said or None,
            "tool_calls": [call.as_wire() for call in calls],
        }
        if thought is not None:
            asked["reasoning_content"] = thought
        return [asked] + [
            {"role": "tool", "tool_call_id": call.id, "content": result.content}
            for call, result in zip(calls, results, strict=True)
        ]

    async def _run(self, call: OurCall) -> ToolResult:
        self._made[call.name, call.arguments] += 1
        if self._made[call.name, call.arguments] > REPEATS:
            return _error("this call was made before with the same arguments; use its result")
        try:
            async with asyncio.timeout(self._ends - self._clock()):
                result = await self._registry.call(call.name, call.arguments, allowed=self._allowed)
        except TimeoutError:
            return _error("the time for tools is over; answer with what is known")
        return self._fitting(result)

    def _fitting(self, result: ToolResult) -> ToolResult:
        """*result*, if there is room for it: with results that are more than the model's window,
        the upstream refuses the whole chat."""
        cost = estimate(result.content)
        if cost > self._room:
            return _error("there is no room for this result; ask for less, or answer without it")
        self._room -= cost
        return result

    def _offered(self) -> dict[str, bytes]:
        definitions = self._registry.definitions_json(self._allowed)
        return {name: said for name, said in definitions.items() if name not in self._client_names}

    def _all_tools(self) -> msgspec.Raw:
        """The client's tools, in the client's bytes, and ours."""
        theirs = self._given.strip()[1:-1].strip() if self._given != b"null" else b""
        ours = self._ours.values()
        return msgspec.Raw(b"[%b]" % b",".join([theirs, *ours] if theirs else ours))

    def _is_ours(self, name: str) -> bool:
        """A forbidden or unknown tool is ours to refuse, unless the client could mean it; so is
        one that was offered and is gone."""
        if name in self._client_names:
            return False
        return name in self._ours or self._registry.knows(name) or not self._client_names


def _field(request: ChatRequest, name: str) -> bytes:
    """A field as it came; left out is the same as null."""
    return bytes(request.fields.get(name, b"null"))


def _names(tools: bytes) -> frozenset[str]:
    """The names of a client's tools. Kinds that have none are the upstream's own."""
    try:
        given = _client_tools.decode(tools) or ()
    except msgspec.ValidationError:
        raise InvalidRequest("tools must be a list of tool definitions", param="tools") from None
    named = (tool.function or tool.custom for tool in given)
    return frozenset(tool.name for tool in named if tool)


def _error(message: str) -> ToolResult:
    return ToolResult(content=failure(message), ok=False)
