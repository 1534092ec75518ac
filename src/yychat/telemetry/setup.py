"""The tracer of this process: every span is recorded for metrics, some are sent on."""

from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import (
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

from .tracer import Counted, Tracer


class Recording(Sampler):
    """Another sampler's decision about what is sent on; what it drops is recorded all the same."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        decided = self._sampler.should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )
        if decided.decision is not Decision.DROP:
            return decided
        return SamplingResult(Decision.RECORD_ONLY, attributes, decided.trace_state)

    def get_description(self) -> str:
        return f"Recording({self._sampler.get_description()})"


class Tracing:
    """The provider with its processors; ``tracer`` is what everybody makes spans with."""

    def __init__(
        self,
        *processors: SpanProcessor,
        counted: Counted,
        ratio: float,
        resource: dict[str, str] | None = None,
    ) -> None:
        self._provider = TracerProvider(
            sampler=Recording(ParentBased(TraceIdRatioBased(ratio))),
            resource=Resource.create({"service.name": "yychat", **(resource or {})}),
            shutdown_on_exit=False,
        )
        for processor in processors:  # in this order
            self._provider.add_span_processor(processor)
        self.tracer = Tracer(self._provider.get_tracer("yychat"), counted)

    @property
    def provider(self) -> TracerProvider:
        return self._provider

    def close(self) -> None:
        """Send what waits. Blocks, for as long as the collector likes."""
        self._provider.shutdown()
