"""OpenTelemetry's part of this process: it makes the spans that are sent on."""

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased

from .tracer import Counting, Tracer


class Tracing:
    """The provider with its processors; ``tracer`` is what everybody makes spans with, and
    *ratio* of the traces that begin here are sampled."""

    def __init__(
        self,
        *processors: SpanProcessor,
        counting: Counting,
        ratio: float,
        resource: dict[str, str] | None = None,
    ) -> None:
        self._provider = TracerProvider(
            sampler=ParentBased(ALWAYS_ON),  # what is not sampled never comes here: see Tracer
            resource=Resource.create({"service.name": "yychat", **(resource or {})}),
            shutdown_on_exit=False,
        )
        for processor in processors:  # in this order
            self._provider.add_span_processor(processor)
        self.tracer = Tracer(self._provider.get_tracer("yychat"), counting, ratio)

    @property
    def provider(self) -> TracerProvider:
        return self._provider

    def close(self) -> None:
        """Send what waits. Blocks, for as long as the collector likes."""
        self._provider.shutdown()
