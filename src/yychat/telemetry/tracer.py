"""Making spans: light ones, unless their trace is sampled, which is decided at its head."""

import random
from collections.abc import Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

from .spans import Counting, LightHead, LightSpan, SampledSpan, Send, current_head

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_ids = RandomIdGenerator()


class Tracer:
    """Starts spans under the current one; without one they are heads, and *ratio* of those are
    sampled. Sampled ones go to *send*, as something that *resource* has done."""

    def __init__(
        self,
        counting: Counting,
        *,
        ratio: float,
        send: Send = lambda _: None,
        resource: Resource,
    ) -> None:
        self._counting, self._ratio, self._send, self._resource = counting, ratio, send, resource

    def start_span(
        self,
        name: str,
        attributes: dict[str, Any],
        kind: SpanKind = SpanKind.INTERNAL,
        *,
        linked: Sequence[str] = (),
    ) -> LightSpan:
        """*attributes* are the span's from now on; *linked* are ``traceparent``s."""
        if (above := current_head()) is not None:
            return LightSpan(above, self._counting, kind, attributes)
        parent = trace.get_current_span().get_span_context()
        if (head := self.light_head(kind, attributes, parent)) is not None:
            return head
        return self.sampled(name, attributes, kind, parent, linked=linked)

    def light_head(
        self, kind: SpanKind, attributes: dict[str, Any], parent: SpanContext | None = None
    ) -> LightHead | None:
        """The head of a trace in this process; None where that is sampled. A caller's *parent* has
        decided already."""
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

    def sampled(
        self,
        name: str,
        attributes: dict[str, Any],
        kind: SpanKind,
        parent: SpanContext,
        *,
        linked: Sequence[str] = (),
    ) -> SampledSpan:
        """Below *parent*, or the first of a trace."""
        context = SpanContext(
            parent.trace_id if parent.is_valid else _ids.generate_trace_id(),
            _ids.generate_span_id(),
            is_remote=False,
            trace_flags=_SAMPLED,
            trace_state=parent.trace_state,
        )
        span = SampledSpan(
            context,
            self._counting,
            kind,
            attributes,
            name=name,
            parent=parent if parent.is_valid else None,
            linked=linked,
            resource=self._resource,
            send=self._send,
        )
        if kind is SpanKind.SERVER:
            self._counting.on_start(span)
        return span
