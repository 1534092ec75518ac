"""A collector that is away or slow costs requests nothing, and what it does not take is counted."""

import threading
from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from fakes import asked
from following import until
from otlp_receiver import otlp_receiver
from scripted_engine import ScriptedEngine
from yychat.chat import collect
from yychat.telemetry.exporting import QUEUE, Exporting, ended, otlp
from yychat.telemetry.metrics import Metrics
from yychat.telemetry.processor import SpanMetrics
from yychat.telemetry.setup import Tracing
from yychat.telemetry.telemetry import Telemetry

DROPPED = "yychat_telemetry_dropped_total"


class Collector(SpanExporter):
    """Takes nothing before its gate is open, and then says *result*."""

    def __init__(self, result: SpanExportResult = SpanExportResult.SUCCESS) -> None:
        self.result, self.gate = result, threading.Event()
        self.taken = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.gate.wait(30)
        self.taken += len(spans)
        return self.result


def dropped(telemetry: Telemetry) -> float:
    return telemetry.metrics.registry.get_sample_value(DROPPED, {"signal": "spans"}) or 0.0


async def answered(telemetry: Telemetry, times: int) -> None:
    (engine,) = telemetry.engines([ScriptedEngine("chat_engine")])
    for _ in range(times):
        assert await collect(engine.generate_response(asked()))


def test_more_spans_than_may_wait_are_dropped_and_counted() -> None:
    collector, lost = Collector(), [0]

    def count(many: int) -> None:
        lost[0] += many

    exporting = Exporting(collector, count)
    tracing = Tracing(SpanMetrics(Metrics()), exporting, ratio=1.0)
    for _ in range(QUEUE + 700):
        tracing.tracer.start_span("one", {}).end()
    assert lost == [700]
    collector.gate.set()
    tracing.close()
    assert collector.taken == QUEUE


async def test_what_a_collector_refuses_is_counted() -> None:
    collector = Collector(SpanExportResult.FAILURE)
    collector.gate.set()
    telemetry = Telemetry(exporter=collector)
    async with telemetry.running():
        await answered(telemetry, 5)
    until(lambda: dropped(telemetry) == 5)


async def test_an_end_does_not_wait_for_a_collector_that_does_not_answer() -> None:
    gate, over = threading.Event(), threading.Event()

    def close() -> None:
        gate.wait(30)
        over.set()

    await ended(close, within=0.01)
    assert not over.is_set()
    gate.set()
    assert over.wait(10)


async def test_an_end_waits_for_a_collector_that_takes_what_is_left() -> None:
    with otlp_receiver() as receiver:
        telemetry = Telemetry(exporter=otlp(f"{receiver.url}/"))
        async with telemetry.running():
            await answered(telemetry, 3)
        assert [span.name for span in receiver.spans] == ["invoke_agent chat_engine"] * 3
