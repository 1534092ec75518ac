"""Making spans: OpenTelemetry's where they may be sent on, and light ones where they never are.

A trace is sampled or not at its head. Below a head that is not, a span serves the metrics alone:
what OpenTelemetry would keep for its export is a third of what watching costs.
"""

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind

Attributes = Mapping[str, Any]
Counted = Callable[[Attributes, float], None]  # attributes, and how many seconds it took


class LightSpan(NonRecordingSpan):
    """A span that only counts. It bears its parent's context, as nobody will ever see its own."""

    def __init__(self, context: SpanContext, attributes: Attributes, counted: Counted) -> None:
        super().__init__(context)
        self._attributes = dict(attributes)
        self._counted: Counted | None = counted
        self._begun = perf_counter()

    def is_recording(self) -> bool:
        return True

    def set_attribute(self, key: str, value: Any) -> None:
        self._attributes[key] = value

    def end(self, end_time: int | None = None) -> None:
        counted, self._counted = self._counted, None
        if counted is not None:
            counted(self._attributes, perf_counter() - self._begun)


class Tracer:
    """Starts spans under the current one."""

    def __init__(self, tracer: trace.Tracer, counted: Counted) -> None:
        self._tracer, self._counted = tracer, counted

    def start_span(
        self,
        name: str,
        *,
        attributes: Attributes,
        kind: SpanKind = SpanKind.INTERNAL,
        links: Sequence[Link] = (),
    ) -> Span:
        parent = trace.get_current_span().get_span_context()
        if parent.is_valid and not parent.trace_flags.sampled:
            return LightSpan(parent, attributes, self._counted)
        return self._tracer.start_span(name, kind=kind, attributes=dict(attributes), links=links)
