"""The tools on offer: admitted once, offered by personality, called without ever ending a chat."""

import asyncio
import json
import logging
import re
import threading
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import msgspec

from ..errors import ToolError
from .base import Tool, ToolResult
from .payloads import as_text, failure, fitted, understood
from .schema import Schema
from .schema import as_text as schema_text

log = logging.getLogger(__name__)

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
CHECKED_AT_ONCE = 2_048  # characters of arguments; longer ones are checked in a thread
SMALLEST_RESULT = 256


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    tool: Tool
    schema: Schema
    definition: bytes
    slots: asyncio.Semaphore
    timeout: float


@dataclass(frozen=True, slots=True)
class _Refused:
    name: str
    reason: str


class Registry:
    """Serves the tools of several sources under one roof.

    A tool that cannot be served is quarantined: logged once, listed with its
    reason, and the others are served. *timeout* is in seconds, for a free slot and
    the call together. *result_limit* is in characters, 256 at least. *parallel* is how
    many calls of one tool run at a time, so a slow tool keeps no other one waiting.
    """

    def __init__(
        self,
        tools: Iterable[Tool],
        *,
        timeout: float = 10.0,
        result_limit: int = 16_384,
        parallel: int = 4,
    ) -> None:
        self._timeout = timeout
        self._result_limit = max(result_limit, SMALLEST_RESULT)
        self._parallel = parallel
        self._writing = threading.Lock()
        self._sources: dict[str, list[_Entry | _Refused]] = {}
        self._entries: dict[str, _Entry] = {}
        self._quarantined: Mapping[str, str] = {}
        for source, group in _by_source(tools).items():
            self.replace(source, group)

    @property
    def quarantined(self) -> Mapping[str, str]:
        """The tools that are not served, and why."""
        return MappingProxyType(dict(self._quarantined))

    def replace(
        self,
        source: str,
        tools: Iterable[Tool],
        *,
        timeout: float | None = None,
        parallel: int | None = None,
    ) -> None:
        """Serve *tools* as all the tools of *source*, at once; calls under way are not touched.
        A source may have a *timeout* and a *parallel* of its own.

        A schema not seen before costs some 10 ms to check: give a long list to a thread
        (``asyncio.to_thread(registry.replace, ...)``), which is safe.
        """
        known = {
            entry.schema.given: entry.schema
            for entry in self._sources.get(source, ())
            if isinstance(entry, _Entry)
        }
        bounds = timeout or self._timeout, parallel or self._parallel
        admitted = [self._admitted(tool, known, *bounds) for tool in tools]
        with self._writing:
            before = self._quarantined
            self._sources = {**self._sources, source: admitted}
            self._entries, self._quarantined = _arranged(self._sources)
            news = self._quarantined.items() - before.items()
        for name, reason in sorted(news):
            log.warning("tool %r is not served: %s", name, reason)

    def offered(self, allowed: Collection[str] | None) -> list[Tool]:
        """The tools *allowed* names, all of them for None; always in the same order."""
        return [entry.tool for entry in self._offered(allowed)]

    def definitions(self, allowed: Collection[str] | None) -> list[dict[str, Any]]:
        """The tools as OpenAI's ``tools`` parameter says them; for the caller to keep."""
        return [msgspec.json.decode(raw) for raw in self.definitions_json(allowed).values()]

    def definitions_json(self, allowed: Collection[str] | None) -> dict[str, bytes]:
        """The same by name, each already encoded."""
        return {entry.name: entry.definition for entry in self._offered(allowed)}

    def knows(self, name: str) -> bool:
        """Whether a tool called *name* is served at all, to whomever."""
        return name in self._entries

    def source_of(self, name: str) -> str | None:
        """Where the tool called *name* comes from; None where there is none."""
        entry = self._entries.get(name)
        return entry.tool.source if entry else None

    async def call(
        self, name: str, arguments: str | dict[str, Any], *, allowed: Collection[str] | None
    ) -> ToolResult:
        """Call *name* and say how it ended; raises nothing (cancellation passes through)."""
        try:
            entry = self._entry(name, allowed)
            given = await self._checked(entry, arguments)
            ends = asyncio.get_running_loop().time() + entry.timeout
            async with self._slot(entry, ends):
                value = await self._answer(entry, given, ends)
            return ToolResult(content=fitted(value, self._result_limit), ok=True)
        except ToolError as error:
            return ToolResult(content=failure(error.message), ok=False)

    def _admitted(
        self, tool: Tool, known: Mapping[str, Schema], timeout: float, parallel: int
    ) -> _Entry | _Refused:
        name = tool.name
        try:
            _examine(tool)
            text = schema_text(tool.parameters)
            schema = known.get(text) or Schema(text)
            definition = _definition(tool, schema)
        except ToolError as error:
            return _Refused(str(name)[:64], error.message)
        return _Entry(name, tool, schema, definition, asyncio.Semaphore(parallel), timeout)

    def _offered(self, allowed: Collection[str] | None) -> list[_Entry]:
        entries = self._entries.values()
        return [entry for entry in entries if allowed is None or entry.name in allowed]

    def _entry(self, name: str, allowed: Collection[str] | None) -> _Entry:
        entry = self._entries.get(name)
        if entry is None:
            raise ToolError(f"there is no tool called {name[:64]!r}; {self._choice(allowed)}")
        if allowed is not None and name not in allowed:
            raise ToolError(f"{name} may not be used here; {self._choice(allowed)}")
        return entry

    def _choice(self, allowed: Collection[str] | None) -> str:
        names = [entry.name for entry in self._offered(allowed)]
        return f"there are: {', '.join(names)}" if names else "there are no tools"

    async def _checked(self, entry: _Entry, arguments: str | dict[str, Any]) -> dict[str, Any]:
        text = as_text(arguments)
        given = understood(text)
        if len(text) <= CHECKED_AT_ONCE:
            complaints = entry.schema.complaints(given, len(text))
        else:
            complaints = await asyncio.to_thread(entry.schema.complaints, given, len(text))
        if complaints:
            raise ToolError(f"wrong arguments for {entry.name}: {'; '.join(complaints)}")
        return given

    @asynccontextmanager
    async def _slot(self, entry: _Entry, ends: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout_at(ends):
                await entry.slots.acquire()
        except TimeoutError:
            raise ToolError(f"{entry.name} is busy with other calls; try again later") from None
        try:
            yield
        finally:
            entry.slots.release()

    async def _answer(self, entry: _Entry, arguments: dict[str, Any], ends: float) -> Any:
        deadline = asyncio.timeout_at(ends)
        try:
            async with deadline:
                return await entry.tool.call(arguments)
        except ToolError:
            raise
        except asyncio.CancelledError as error:
            if _being_cancelled():
                raise
            raise _broken(entry, error) from error  # a future of the tool's own was cancelled
        # Tools are plug-ins, some of them other people's: whatever one of them lets out, the chat
        # goes on, the model is told that the tool broke, and the log says with what.
        except Exception as error:
            if deadline.expired():
                raise ToolError(
                    f"{entry.name} did not answer within {entry.timeout:g} seconds"
                ) from None
            raise _broken(entry, error) from error


def _by_source(tools: Iterable[Tool]) -> dict[str, list[Tool]]:
    groups: dict[str, list[Tool]] = {}
    for tool in tools:
        groups.setdefault(tool.source, []).append(tool)
    return groups


def _examine(tool: Tool) -> None:
    if not isinstance(tool.name, str) or not NAME.fullmatch(tool.name):
        raise ToolError("its name is not 1 to 64 letters, digits, _ or -")
    if not isinstance(tool.description, str):
        raise ToolError("its description is not text")


def _definition(tool: Tool, schema: Schema) -> bytes:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": schema.parameters,
    }
    try:
        said = json.dumps({"type": "function", "function": function}, ensure_ascii=False)
        return said.encode()
    except UnicodeError:
        raise ToolError("its description is not valid Unicode") from None


def _arranged(
    sources: Mapping[str, list[_Entry | _Refused]],
) -> tuple[dict[str, _Entry], dict[str, str]]:
    """Who is served and who is not: of two tools with one name, the first source's."""
    entries: dict[str, _Entry] = {}
    owners: dict[str, str] = {}
    refused: dict[str, str] = {}
    for source, items in sources.items():
        for item in items:
            if isinstance(item, _Refused):
                refused[item.name] = item.reason
            elif item.name in entries:
                owner = owners[item.name]
                refused[item.name] = f"its name is taken by a tool of {owner} ({source} came later)"
            else:
                entries[item.name], owners[item.name] = item, source
    return entries, refused


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _broken(entry: _Entry, error: BaseException) -> ToolError:
    log.warning("tool %s broke: %s", entry.name, type(error).__name__)
    return ToolError(
        f"{entry.name} broke down; this is a fault of the tool, and the same call may fail again"
    )
