"""Making spans around what is watched: current while it runs, never across a ``yield``."""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import TracebackType
from typing import Any, TypeVar

from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

from ..errors import YYChatError
from . import semconv
from .outcomes import error_type_of
from .tracer import LightSpan, Tracer, as_current

T = TypeVar("T")
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})\Z")


class span_of:
    """A span for the block; our errors end it as failed, with their type and no text of theirs."""

    __slots__ = ("_current", "_span")

    def __init__(
        self,
        tracer: Tracer,
        name: str,
        attributes: dict[str, Any],
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        links: tuple[Link, ...] = (),
    ) -> None:
        self._span = tracer.start_span(name, kind=kind, attributes=attributes, links=links)
        self._current = current(self._span)

    def __enter__(self) -> Span:
        if self._current is not None:
            self._current.__enter__()
        return self._span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._current is not None:
            self._current.__exit__(kind, error, trace)
        if isinstance(error, YYChatError):
            failed(self._span, error)
        self._span.end()


def current(span: LightSpan) -> as_current | None:
    """For a block in which *span* is the current one; None for those that need not be."""
    return None if type(span) is LightSpan else as_current(span)


def failed(span: Span, error: YYChatError) -> None:
    span.set_attribute(semconv.ERROR_TYPE, error_type_of(error))
    span.set_status(Status(StatusCode.ERROR))


def traceparent(span: Span) -> str:
    """W3C Trace Context, section 3.2: version, trace, span, flags."""
    context = span.get_span_context()
    flags = "01" if context.trace_flags.sampled else "00"
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{flags}"


def link_to(parent: str) -> Link | None:
    """To the span that *parent* is the ``traceparent`` of."""
    found = _TRACEPARENT.match(parent)
    if found is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    return Link(SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags)))


def under(span: LightSpan, items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """*items*, with *span* current only while they are being made: who consumes them may go on
    in another task, and the context of one does not fit the other."""
    return items if current(span) is None else _under(span, items)


async def _under(span: LightSpan, items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    async with aclosing(items):
        while True:
            with as_current(span):
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    return
            yield item
