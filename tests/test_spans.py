"""Spans let go of what they were made in."""

import contextvars
import gc
import weakref

import pytest
from opentelemetry.trace import SpanKind

from yychat.telemetry.metrics import Metrics
from yychat.telemetry.observation import Observation, observe
from yychat.telemetry.processor import SpanMetrics
from yychat.telemetry.setup import Tracing


@pytest.mark.parametrize("ratio", [0.0, 1.0], ids=["light", "sampled"])
def test_what_was_known_of_a_request_goes_with_it_and_waits_for_no_collection(
    ratio: float,
) -> None:
    """With a cycle in it, every request's messages would stay until garbage is looked for."""
    tracing = Tracing(SpanMetrics(Metrics()), ratio=ratio)

    def request() -> "weakref.ref[Observation]":
        with tracing.tracer.start_span("POST", {}, SpanKind.SERVER) as span:
            observation = Observation(span)
            observe(observation)
            return weakref.ref(observation)

    gc.disable()
    try:
        known = contextvars.Context().run(request)
        assert known() is None
    finally:
        gc.enable()
