"""OpenTelemetry's part of this process: it makes the spans of sampled requests, and sends all."""

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased

from .exporting import Exporting
from .processor import SpanMetrics
from .tracer import Tracer


class Tracing:
    """The provider with its processors; ``tracer`` is what everybody makes spans with, and
    *ratio* of the traces that begin here are sampled."""

    def __init__(
        self,
        counting: SpanMetrics,
        exporting: Exporting | None = None,
        *,
        ratio: float,
        resource: dict[str, str] | None = None,
    ) -> None:
        told = Resource.create({"service.name": "yychat", **(resource or {})})
        self._provider = TracerProvider(
            sampler=ParentBased(ALWAYS_ON),  # what is not sampled never comes here: see Tracer
            resource=told,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(counting)
        send = None
        if exporting is not None:
            self._provider.add_span_processor(exporting)
            send = exporting.on_end
        self.tracer = Tracer(counting, ratio=ratio, send=send, resource=told)

    @property
    def provider(self) -> TracerProvider:
        return self._provider

    def close(self) -> None:
        """Send what waits. Blocks, for as long as the collector likes."""
        self._provider.shutdown()
