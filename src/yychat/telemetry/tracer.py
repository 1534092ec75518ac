"""Making spans: OpenTelemetry's where they are sent on, and light ones where they never are.

Whether a trace is sampled is decided once, at its head. Where it is not, its spans serve the
metrics alone: what OpenTelemetry would keep for an export is half of what watching costs.
"""

import random
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from time import perf_counter_ns, time_ns
from typing import Any, Protocol

from opentelemetry import trace
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind

Attributes = Mapping[str, Any]

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


class LightSpan(NonRecordingSpan):
    """A span that only counts, with OpenTelemetry's interface. Below a head it bears the head's
    context, as nobody will ever see its own."""

    def __init__(
        self,
        context: SpanContext,
        counting: Counting,
        kind: SpanKind,
        attributes: Attributes,
        *,
        head: bool = False,
    ) -> None:
        super().__init__(context)
        self.kind, self.context, self.head = kind, context, head
        self.attributes = dict(attributes)
        self.start_time, self.end_time = time_ns(), 0
        self._begun = perf_counter_ns()
        self._counting = counting
        counting.on_start(self)

    def is_recording(self) -> bool:
        return True

    def set_attribute(self, key: str, value: Any) -> None:
        self.attributes[key] = value

    def set_attributes(self, attributes: Attributes) -> None:
        self.attributes |= attributes

    def end(self, end_time: int | None = None) -> None:
        if not self.end_time:
            self.end_time = self.start_time + perf_counter_ns() - self._begun
            self._counting.on_end(self)


class under_head:
    """The light *head* is the current span within the block; so are those below it light."""

    __slots__ = ("_span", "_token", "_use")

    def __init__(self, head: LightSpan) -> None:
        self._span, self._use = head, trace.use_span(head, record_exception=False)

    def __enter__(self) -> None:
        self._token = _head.set(self._span.context)
        self._use.__enter__()

    def __exit__(self, *raised: Any) -> None:
        self._use.__exit__(*raised)
        _head.reset(self._token)


class Tracer:
    """Starts spans under the current one; without one they are heads, and *ratio* of those are
    sampled."""

    def __init__(self, tracer: trace.Tracer, counting: Counting, ratio: float) -> None:
        self._tracer, self._counting, self._ratio = tracer, counting, ratio

    def start_span(
        self,
        name: str,
        *,
        attributes: Attributes,
        kind: SpanKind = SpanKind.INTERNAL,
        links: Sequence[Link] = (),
    ) -> Span:
        if (above := _head.get()) is not None:
            return LightSpan(above, self._counting, kind, attributes)
        if not trace.get_current_span().get_span_context().is_valid:
            light = self.head(kind, attributes)
            if light is not None:
                return light
        return self._tracer.start_span(name, kind=kind, attributes=dict(attributes), links=links)

    def head(
        self, kind: SpanKind, attributes: Attributes, parent: SpanContext | None = None
    ) -> LightSpan | None:
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
        return LightSpan(context, self._counting, kind, attributes, head=True)
