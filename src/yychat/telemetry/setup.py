"""Tracing of this process: who makes spans, and where the sampled ones go."""

from typing import cast

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan

from .exporting import Exporting
from .spans import Counting, SampledSpan
from .tracer import Tracer


class Tracing:
    """``tracer`` is what everybody makes spans with; *ratio* of the traces that begin here are
    sampled, and go to *exporting*."""

    def __init__(
        self,
        counting: Counting,
        exporting: Exporting | None = None,
        *,
        ratio: float,
        resource: dict[str, str] | None = None,
    ) -> None:
        told = Resource.create({"service.name": "yychat", **(resource or {})})
        self._exporting = exporting
        self.tracer = Tracer(counting, ratio=ratio, send=self._send, resource=told)

    def close(self) -> None:
        """Send what waits. Blocks, for as long as the collector likes."""
        if self._exporting is not None:
            self._exporting.close()

    def _send(self, span: SampledSpan) -> None:
        if self._exporting is not None:
            self._exporting.put(cast(ReadableSpan, span))
