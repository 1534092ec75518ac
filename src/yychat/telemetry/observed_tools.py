"""The tools, watched: one span for every call."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from opentelemetry.trace import Status, StatusCode

from ..tools.base import Tool, ToolResult
from ..tools.registry import Registry
from . import semconv
from .observation import during
from .tracer import Tracer

UNKNOWN = "unknown"  # models make names up


class ObservedRegistry(Registry):
    """See ``Registry``. *allow* is told which names of tools may be labels."""

    def __init__(
        self,
        *args: Any,
        tracer: Tracer,
        allow: Callable[[Mapping[str, Iterable[str]]], None],
        **given: Any,
    ) -> None:
        self._tracer, self._allow = tracer, allow
        self._named = {UNKNOWN: None}
        super().__init__(*args, **given)

    def replace(self, source: str, tools: Iterable[Tool], **given: Any) -> None:
        super().replace(source, tools, **given)
        # Never fewer: a server that renames its tools all the time must not make ever new series.
        self._named = {**self._named, **{tool.name: None for tool in self.offered(None)}}
        self._allow({"tool": self._named})

    async def call(
        self, name: str, arguments: str | dict[str, Any], *, allowed: Collection[str] | None
    ) -> ToolResult:
        known = name if self.knows(name) else UNKNOWN
        told = {
            semconv.OPERATION: semconv.EXECUTE_TOOL,
            semconv.TOOL_NAME: known,
            semconv.TOOL_SOURCE: self.source_of(name) or "none",
            semconv.RESULT: "cancelled",  # unless it comes to something
        }
        name_of_span = f"{semconv.EXECUTE_TOOL} {known}"
        with during("tool"), self._tracer.start_span(name_of_span, told) as span:
            result = await super().call(name, arguments, allowed=allowed)
            span.set_attribute(semconv.RESULT, "ok" if result.ok else "error")
            if not result.ok:
                span.set_status(Status(StatusCode.ERROR))
            return result
