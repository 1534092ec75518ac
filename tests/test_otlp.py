"""Spans are written as OpenTelemetry's own encoder writes them, which is slower."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags, TraceState

from yychat.errors import UpstreamTimeout
from yychat.telemetry.metrics import Metrics
from yychat.telemetry.otlp import encoded
from yychat.telemetry.processor import SpanMetrics
from yychat.telemetry.setup import Tracing
from yychat.telemetry.spans import LightSpan, SampledSpan, failed

LINKED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NOWHERE = SpanContext(0, 0, is_remote=False)
REMOTE = SpanContext(
    0x4BF92F3577B34DA6A3CE929D0E0E4736,
    7,
    is_remote=True,
    trace_flags=TraceFlags(1),
    trace_state=TraceState([("vendor", "a:b"), ("other", "1")]),
)


@pytest.fixture
def tracing() -> Tracing:
    return Tracing(SpanMetrics(Metrics()), ratio=1.0, resource={"service.instance.id": "a-1"})


def both(spans: Sequence[LightSpan]) -> tuple[Any, Any]:
    """What *spans* are by our encoder, and by theirs."""
    ours = ExportTraceServiceRequest.FromString(encoded(cast(Sequence[SampledSpan], spans)))
    return ours, encode_spans(cast(Sequence[ReadableSpan], spans))


@pytest.mark.parametrize(
    "value",
    [
        *("", "ok", "\u7528\u6237", "x" * 125, "x" * 126, "x" * 127, "x" * 128, "y" * 20_000),
        *(0, 1, 127, 128, 300, -1, 2**62, -(2**63), True, False, 0.0, -1.5, 1e300),
        *([], ["a", "\u7528" * 50], ("b",)),
    ],
)
def test_every_kind_of_value_is_written_as_the_other_does(tracing: Tracing, value: Any) -> None:
    span = tracing.tracer.start_span("one", {"a.key": value, "k" * 200: "v"})
    span.end()
    ours, theirs = both([span])
    assert ours == theirs


@pytest.mark.parametrize("parent", [NOWHERE, REMOTE], ids=["first", "remote"])
@pytest.mark.parametrize("kind", SpanKind)
def test_every_kind_of_span_is_written_as_the_other_does(
    tracing: Tracing, kind: SpanKind, parent: SpanContext
) -> None:
    span = tracing.tracer.sampled("chat m", {"a": 1}, kind, parent, linked=[LINKED, "none"])
    with span:
        below = tracing.tracer.start_span("below", {})
        below.end()
        failed(span, UpstreamTimeout("too late"))
    ours, theirs = both([span, below])
    assert ours == theirs
    (told,) = ours.resource_spans[0].scope_spans
    assert [len(each.links) for each in told.spans] == [1, 0]
    assert told.spans[1].parent_span_id == told.spans[0].span_id


def test_what_has_no_place_there_is_written_as_text(tracing: Tracing) -> None:
    """The other one logs an error, and leaves it out."""
    span = tracing.tracer.start_span("one", {"a": 1j, "lone": "\ud800", "b": 2})
    span.end()
    ours, _ = both([span])
    (written,) = ours.resource_spans[0].scope_spans[0].spans
    assert [each.key for each in written.attributes] == ["a", "lone", "b"]
    assert [each.value.string_value for each in written.attributes] == ["1j", "?", ""]
