"""The tools, watched: one span for every call."""

from collections.abc import Collection
from typing import Any

from opentelemetry.trace import Status, StatusCode

from ..tools.base import ToolResult
from ..tools.registry import Registry
from . import semconv
from .observation import during
from .spans import span_of
from .tracer import Tracer


class ObservedRegistry(Registry):
    """See ``Registry``."""

    def __init__(self, *args: Any, tracer: Tracer, **given: Any) -> None:
        super().__init__(*args, **given)
        self._tracer = tracer

    async def call(
        self, name: str, arguments: str | dict[str, Any], *, allowed: Collection[str] | None
    ) -> ToolResult:
        known = name if self.knows(name) else "unknown"  # models make names up
        told = {
            semconv.OPERATION: semconv.EXECUTE_TOOL,
            semconv.TOOL_NAME: known,
            semconv.TOOL_SOURCE: self.source_of(name) or "none",
            semconv.RESULT: "cancelled",  # unless it comes to something
        }
        name_of_span = f"{semconv.EXECUTE_TOOL} {known}"
        with during("tool"), span_of(self._tracer, name_of_span, told) as span:
            result = await super().call(name, arguments, allowed=allowed)
            span.set_attribute(semconv.RESULT, "ok" if result.ok else "error")
            if not result.ok:
                span.set_status(Status(StatusCode.ERROR))
            return result
