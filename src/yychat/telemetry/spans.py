"""Spans: light ones, which only count, and sampled ones, which are sent on as well.

OpenTelemetry's own cost several times what these do, as they guard against threads and values that
there are none of here; these have its interface, and look the same to whoever reads them.
"""

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from contextvars import ContextVar, Token
from time import perf_counter_ns, time_ns
from typing import Any, Protocol, Self, TypeVar

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
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

Attributes = Mapping[str, Any]
T = TypeVar("T")

SCOPE = InstrumentationScope("yychat")

_UNSET, _FAILED = Status(StatusCode.UNSET), Status(StatusCode.ERROR)
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})\Z")
_head: ContextVar[SpanContext | None] = ContextVar("head", default=None)  # of the light spans here


class Ended(Protocol):
    """What can be read of a span that has ended: times are nanoseconds of Unix time."""

    @property
    def kind(self) -> SpanKind: ...
    @property
    def context(self) -> SpanContext: ...
    @property
    def sampled(self) -> bool: ...
    @property
    def attributes(self) -> Attributes: ...
    @property
    def start_time(self) -> int: ...
    @property
    def end_time(self) -> int: ...


class Begun(Protocol):
    """What can be read of a span from its start on."""

    @property
    def kind(self) -> SpanKind: ...


class Counting(Protocol):
    """Who counts spans: see ``SpanMetrics``."""

    def on_start(self, span: Begun) -> None: ...
    def on_end(self, span: Ended) -> None: ...


class LightSpan(NonRecordingSpan):
    """A span that only counts. As a context manager it ends with its block, failed if that ends
    with an error of ours. Below a head it bears the head's context, as nobody will ever see its
    own, and need not be the current one: it would say no more than the head."""

    __slots__ = ("_begun", "_counting", "attributes", "context", "end_time", "kind", "start_time")
    sampled = False

    def __init__(
        self, context: SpanContext, counting: Counting, kind: SpanKind, attributes: dict[str, Any]
    ) -> None:
        self.context, self.kind, self._counting = context, kind, counting
        self.attributes = attributes
        self.start_time, self.end_time = time_ns(), 0
        self._begun = perf_counter_ns()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, YYChatError):
            failed(self, error)
        self.end()

    def get_span_context(self) -> SpanContext:
        return self.context

    def is_recording(self) -> bool:
        return True

    def set_attribute(self, key: str, value: Any) -> None:
        self.attributes[key] = value

    def set_attributes(self, attributes: Attributes) -> None:
        self.attributes.update(attributes)

    def end(self, end_time: int | None = None) -> None:
        """What counts is the first time."""
        if not self.end_time:
            self.end_time = self.start_time + perf_counter_ns() - self._begun
            self._counting.on_end(self)


class CurrentSpan(LightSpan):
    """One that spans begun in its block belong to."""

    __slots__ = ()

    def enter(self) -> None:
        """Make it the current one here, until ``leave``."""
        raise NotImplementedError

    def leave(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.enter()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.leave()
        super().__exit__(kind, error, trace)


class LightHead(CurrentSpan):
    """The first of a trace that is not sampled."""

    __slots__ = ("_token",)
    _token: Token[SpanContext | None]

    def enter(self) -> None:
        self._token = _head.set(self.context)

    def leave(self) -> None:
        _head.reset(self._token)
        del self._token  # it holds the context, which holds the observation, which holds this


class SampledSpan(CurrentSpan):
    """A span that is sent on as well, once it has ended. It has all that OpenTelemetry's exporters
    read of a ``ReadableSpan``."""

    __slots__ = ("_linked", "_send", "_token", "name", "parent", "resource", "status")
    _token: Any  # OpenTelemetry's
    sampled = True
    events = ()
    dropped_attributes = dropped_events = dropped_links = 0
    instrumentation_scope = SCOPE

    def __init__(
        self,
        context: SpanContext,
        counting: Counting,
        kind: SpanKind,
        attributes: dict[str, Any],
        *,
        name: str,
        parent: SpanContext | None,
        linked: Sequence[str],
        resource: Resource,
        send: "Send",
    ) -> None:
        """*linked* are the ``traceparent``s of spans that it comes from, but not below."""
        super().__init__(context, counting, kind, attributes)
        self.name, self.parent, self.resource = name, parent, resource
        self.status = _UNSET
        self._linked, self._send = linked, send

    def enter(self) -> None:
        self._token = contexts.attach(trace.set_span_in_context(self))

    def leave(self) -> None:
        contexts.detach(self._token)
        del self._token

    @property
    def links(self) -> Sequence[Link]:
        return [link for each in self._linked if (link := _link_to(each)) is not None]

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Without the description: it would quote an exception."""
        self.status = Status(status.status_code if isinstance(status, Status) else status)

    def update_name(self, name: str) -> None:
        self.name = name

    def end(self, end_time: int | None = None) -> None:
        if not self.end_time:
            super().end()
            self._send(self)


class Send(Protocol):
    """Whom sampled spans that have ended go to."""

    def __call__(self, span: SampledSpan, /) -> None: ...


def failed(span: Span, error: YYChatError) -> None:
    span.set_attribute(semconv.ERROR_TYPE, error_type_of(error))
    span.set_status(_FAILED)


def current_head() -> SpanContext | None:
    """Of the trace that this belongs to, if that is not sampled."""
    return _head.get()


def current_context() -> SpanContext:
    """Of the span that is current here; an invalid one where there is none."""
    return current_head() or trace.get_current_span().get_span_context()


def traceparent(span: Span) -> str:
    """W3C Trace Context, section 3.2: version, trace, span, flags."""
    context = span.get_span_context()
    flags = "01" if context.trace_flags.sampled else "00"
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{flags}"


def under(span: LightSpan, items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """*items*, with *span* current only while they are being made: who consumes them may go on
    in another task, and the context of one does not fit the other."""
    return _under(span, items) if isinstance(span, CurrentSpan) else items


async def _under(span: CurrentSpan, items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    async with aclosing(items):
        while True:
            span.enter()
            try:
                item = await anext(items)
            except StopAsyncIteration:
                return
            finally:
                span.leave()
            yield item


def _link_to(parent: str) -> Link | None:
    """To the span that *parent* is the ``traceparent`` of."""
    found = _TRACEPARENT.match(parent)
    if found is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    return Link(SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags)))
