"""Sending spans on: what a collector does not take is dropped and counted, never waited for."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

QUEUE = 4_096  # spans that may wait for the collector
BATCH = 512
WITHIN = 2.0  # seconds for one batch
CLOSE_WITHIN = 1.5  # seconds for all that is left when the process ends


class Exporting:
    """Batches for *exporter*, out of the way of requests. *dropped* is told how many spans were
    given up: as there were too many, or as the collector did not take them."""

    def __init__(self, exporter: SpanExporter, dropped: Callable[[int], None]) -> None:
        self._dropped = dropped
        self._waiting = 0
        self._counting = threading.Lock()
        self._batches = BatchSpanProcessor(
            _Told(exporter, self._done),
            max_queue_size=2 * QUEUE,  # ours comes first: it counts, and logs nothing
            max_export_batch_size=BATCH,
        )

    def put(self, span: ReadableSpan) -> None:
        """Take a sampled one that has ended. Never waits."""
        with self._counting:
            full = self._waiting >= QUEUE
            self._waiting += not full
        if full:
            self._dropped(1)
        else:
            self._batches.on_end(span)

    def close(self) -> None:
        """Send what waits. Blocks, for as long as the collector likes."""
        self._batches.shutdown()  # type: ignore[no-untyped-call]

    def _done(self, spans: int, *, sent: bool) -> None:
        with self._counting:
            self._waiting -= spans
        if not sent:
            self._dropped(spans)


class _Told(SpanExporter):
    """An exporter that says what became of every batch."""

    def __init__(self, exporter: SpanExporter, done: Callable[..., None]) -> None:
        self._exporter, self._done = exporter, done

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            self._done(len(spans), sent=result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


async def ended(close: Callable[[], None], within: float = CLOSE_WITHIN) -> None:
    """Run *close* in a thread that nobody has to wait for longer than *within* seconds."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()

    def closing() -> None:
        close()
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(over.set)

    threading.Thread(target=closing, name="telemetry-close", daemon=True).start()
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            await over.wait()


def otlp(endpoint: str) -> SpanExporter:
    """To a collector over OTLP/HTTP. Headers and the like come from OTEL_EXPORTER_OTLP_*."""
    from .otlp import Exporter  # which imports much: only where there is a collector

    return Exporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=WITHIN)
