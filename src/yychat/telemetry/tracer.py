"""Making spans, below the server's of a sampled trace and for all of any other.

Whether a trace is sampled is decided once, at its head. OpenTelemetry's own spans cost several
times what these do, as they guard against threads and values that there are none of here; they
look the same to whoever reads them, and to a collector.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from time import perf_counter_ns, time_ns
from typing import Any, Protocol

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

Attributes = Mapping[str, Any]

SCOPE = InstrumentationScope("yychat")
SAMPLED = TraceFlags(TraceFlags.SAMPLED)

_ids = RandomIdGenerator()
_head: ContextVar[SpanContext | None] = ContextVar("head", default=None)  # of the light spans here


class Ended(Protocol):
    """What can be read of a span that has ended: times are nanoseconds of Unix time."""

    @property
    def kind(self) -> SpanKind: ...
    @property
    def context(self) -> SpanContext | None: ...
    @property
    def attributes(self) -> Attributes | None: ...
    @property
    def start_time(self) -> int | None: ...
    @property
    def end_time(self) -> int | None: ...


class Begun(Protocol):
    """What can be read of a span from its start on."""

    @property
    def kind(self) -> SpanKind: ...


class Counting(Protocol):
    """Who counts spans: see ``SpanMetrics``."""

    def on_start(self, span: Begun) -> None: ...
    def on_end(self, span: Ended) -> None: ...


Send = Callable[[ReadableSpan], None]  # a sampled span, to whoever exports it


class LightSpan(NonRecordingSpan):
    """A span that only counts, with OpenTelemetry's interface. Below a head it bears the head's
    context, as nobody will ever see its own."""

    __slots__ = ("_begun", "_counting", "attributes", "context", "end_time", "kind", "start_time")

    def __init__(
        self, context: SpanContext, counting: Counting, kind: SpanKind, attributes: dict[str, Any]
    ) -> None:
        self.context, self.kind, self._counting = context, kind, counting
        self.attributes = attributes
        self.start_time, self.end_time = time_ns(), 0
        self._begun = perf_counter_ns()

    def get_span_context(self) -> SpanContext:
        return self.context

    def is_recording(self) -> bool:
        return True

    def set_attribute(self, key: str, value: Any) -> None:
        self.attributes[key] = value

    def set_attributes(self, attributes: Attributes) -> None:
        self.attributes.update(attributes)

    def end(self, end_time: int | None = None) -> None:
        if not self.end_time:
            self.end_time = self.start_time + perf_counter_ns() - self._begun
            self._counting.on_end(self)


class LightHead(LightSpan):
    """The first of a trace that is not sampled."""

    __slots__ = ()


class as_current:
    """*span* is the current one within the block: for OpenTelemetry, too, if it is sampled. Below a
    light head spans are light as well, and need not be current: they would say no more than it."""

    __slots__ = ("_head", "_sampled", "_span")

    def __init__(self, span: LightSpan) -> None:
        self._span = span

    def __enter__(self) -> None:
        if isinstance(self._span, LightHead):
            self._head = _head.set(self._span.context)
        else:
            self._sampled = contexts.attach(trace.set_span_in_context(self._span))

    def __exit__(self, *_: object) -> None:
        if isinstance(self._span, LightHead):
            _head.reset(self._head)
        else:
            contexts.detach(self._sampled)


def attributes_of(span: object) -> dict[str, Any]:
    """A copy of OpenTelemetry's own, which take a lock for each look; empty for a span without."""
    found = getattr(span, "attributes", None) or {}
    return found if isinstance(found, dict) else dict(found)


def current_context() -> SpanContext:
    """Of the span that is current here; an invalid one where there is none."""
    return _head.get() or trace.get_current_span().get_span_context()


class SampledSpan(LightSpan):
    """A span that is sent on as well, once it has ended."""

    __slots__ = ("_links", "_name", "_parent", "_send", "_status")

    def __init__(
        self,
        context: SpanContext,
        counting: Counting,
        kind: SpanKind,
        attributes: dict[str, Any],
        *,
        name: str,
        parent: SpanContext | None,
        links: Sequence[Link],
        send: "Callable[[SampledSpan], None]",
    ) -> None:
        super().__init__(context, counting, kind, attributes)
        self._name, self._parent, self._links, self._send = name, parent, links, send
        self._status = Status(StatusCode.UNSET)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        self._status = status if isinstance(status, Status) else Status(status, description)

    def update_name(self, name: str) -> None:
        self._name = name

    def end(self, end_time: int | None = None) -> None:
        if not self.end_time:
            super().end()
            self._send(self)

    def readable(self, resource: Resource) -> ReadableSpan:
        """As OpenTelemetry's exporters want it."""
        return ReadableSpan(
            self._name,
            context=self.context,
            parent=self._parent,
            resource=resource,
            attributes=self.attributes,
            links=self._links,
            kind=self.kind,
            status=self._status,
            start_time=self.start_time,
            end_time=self.end_time,
            instrumentation_scope=SCOPE,
        )


class Tracer:
    """Starts spans under the current one; without one they are heads, and *ratio* of those are
    sampled. Sampled ones go to *send*, as something that *resource* has done."""

    def __init__(
        self,
        counting: Counting,
        *,
        ratio: float,
        send: Send | None = None,
        resource: Resource,
    ) -> None:
        self._counting, self._ratio, self._to, self._resource = counting, ratio, send, resource

    def start_span(
        self,
        name: str,
        *,
        attributes: dict[str, Any],
        kind: SpanKind = SpanKind.INTERNAL,
        links: Sequence[Link] = (),
    ) -> LightSpan:
        """*attributes* are the span's from now on."""
        if (above := _head.get()) is not None:
            return LightSpan(above, self._counting, kind, attributes)
        parent = trace.get_current_span().get_span_context()
        if not parent.is_valid:
            light = self.head(kind, attributes)
            if light is not None:
                return light
        return SampledSpan(
            _context(parent),
            self._counting,
            kind,
            attributes,
            name=name,
            parent=parent if parent.is_valid else None,
            links=links,
            send=self._send,
        )

    def head(
        self, kind: SpanKind, attributes: dict[str, Any], parent: SpanContext | None = None
    ) -> LightHead | None:
        """The head of a trace in this process; None where it is sampled: then it is for
        OpenTelemetry to make. A caller's *parent* has decided already."""
        if parent is None or not parent.is_valid:
            if random.random() < self._ratio:
                return None
            trace_id = _ids.generate_trace_id()
        elif parent.trace_flags.sampled:
            return None
        else:
            trace_id = parent.trace_id
        context = SpanContext(trace_id, _ids.generate_span_id(), is_remote=False)
        light = LightHead(context, self._counting, kind, attributes)
        if kind is SpanKind.SERVER:
            self._counting.on_start(light)
        return light

    def _send(self, span: SampledSpan) -> None:
        if self._to is not None:
            self._to(span.readable(self._resource))


def _context(parent: SpanContext) -> SpanContext:
    """Of a new sampled span: below *parent*, or the first of a trace."""
    return SpanContext(
        parent.trace_id if parent.is_valid else _ids.generate_trace_id(),
        _ids.generate_span_id(),
        is_remote=False,
        trace_flags=SAMPLED,
        trace_state=parent.trace_state,
    )
