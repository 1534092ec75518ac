"""A collector of a test's own: takes spans over OTLP/HTTP and keeps them, or behaves badly."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Sent(NamedTuple):
    """A span as it arrived; ids are in hexadecimal."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    failed: bool
    links: tuple[str, ...]


class Receiver(ThreadingHTTPServer):
    """``answers`` is the event that every answer waits for: set, but where a test clears it."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[Sent] = []
        self.batches = 0
        self.answers = threading.Event()
        self.answers.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        """For a service that sends its spans here, soon after they have ended."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}

    def trace(self, trace_id: str) -> list[Sent]:
        return [span for span in list(self.spans) if span.trace_id == trace_id]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who sends may leave before the answer."""


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.batches += 1
        self.server.spans += _spans(body)
        self.server.answers.wait()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Tests look at what came, not at a log."""


@contextmanager
def otlp_receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.answers.set()
        receiver.shutdown()
        receiver.server_close()
        thread.join()


def _spans(body: bytes) -> list[Sent]:
    request = ExportTraceServiceRequest.FromString(body)
    found = [s for r in request.resource_spans for scope in r.scope_spans for s in scope.spans]
    return [
        Sent(
            name=span.name,
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            attributes={each.key: _value(each.value) for each in span.attributes},
            failed=span.status.code == 2,
            links=tuple(link.trace_id.hex() for link in span.links),
        )
        for span in found
    ]


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))
