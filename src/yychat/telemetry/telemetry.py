"""Telemetry of one process: its tracer, its series, and the wrappers that feed them.

With telemetry off everything is what it was: nothing is wrapped.
"""

import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

from opentelemetry.sdk.trace.export import SpanExporter
from starlette.types import ASGIApp

from ..engines.base import BaseEngine
from ..memory.base import Memory
from ..memory.embedder import Embedder
from ..memory.outbox import OutboxDoor
from ..memory.turns import TurnStore
from ..tools.base import Tool
from ..tools.registry import Registry
from ..upstream.base import Provider
from .catalogue import CLOSED
from .exporting import Exporting, ended
from .http import UNMATCHED, Finished, watched
from .known import prepare, prepare_chat
from .metrics import Metrics
from .observed_engine import ObservedEngine
from .observed_memory import ObservedDoor, ObservedEmbedder, ObservedMemory
from .observed_store import ObservedTurns
from .observed_tools import ObservedRegistry
from .observed_upstream import ObservedUpstream
from .outcomes import ERROR_TYPES
from .prices import Price
from .processor import SpanMetrics, Told
from .readings import Readings
from .setup import Tracing
from .spans import Ended

log = logging.getLogger(__name__)


class Telemetry:
    """What every part of the service that is watched passes through, once, in the composition."""

    def __init__(
        self,
        *,
        on: bool = True,
        ratio: float = 1.0,
        exporter: SpanExporter | None = None,
        resource: Mapping[str, str] | None = None,
        prices: Mapping[str, Price] | None = None,
        content: bool = False,
    ) -> None:
        self.on, self._content = on, content
        self.metrics = Metrics()
        prepare(self.metrics)
        self.readings = Readings(self.metrics)
        self._ended: list[Told] = []
        self._models: list[str] = []
        counting = SpanMetrics(self.metrics, ended=self._tell, prices=prices)
        self._models += prices or ()
        exporting = Exporting(exporter, partial(self.dropped, "spans")) if exporter else None
        self._tracing = Tracing(counting, exporting, ratio=ratio, resource=dict(resource or {}))

    def listen(self, ended: Told) -> None:
        """Let *ended* see every request's span when it has ended. It must not fail or wait."""
        self._ended.append(ended)

    def app(self, app: ASGIApp, finished: Finished = lambda *_: None) -> ASGIApp:
        return watched(app, self._tracing.tracer, finished) if self.on else app

    def engines(self, engines: Sequence[BaseEngine]) -> list[BaseEngine]:
        if not self.on:
            return list(engines)
        tracer, content = self._tracing.tracer, self._content
        return [ObservedEngine(engine, tracer, content=content) for engine in engines]

    def memory(self, memory: Memory) -> Memory:
        return ObservedMemory(memory, self._tracing.tracer) if self.on else memory

    def outbox(self, door: OutboxDoor) -> OutboxDoor:
        return ObservedDoor(door, self._tracing.tracer) if self.on else door

    def embedder(self, embedder: Embedder | None) -> Embedder | None:
        return ObservedEmbedder(embedder) if embedder and self.on else embedder

    def turns(self, store: TurnStore, system: str) -> TurnStore:
        return ObservedTurns(store, self._tracing.tracer, system) if self.on else store

    def upstreams(self, upstreams: Sequence[Provider]) -> Sequence[Provider]:
        self._allow_upstreams(upstreams)
        if not self.on:
            return upstreams
        return [ObservedUpstream(upstream, self._tracing.tracer) for upstream in upstreams]

    def tools(
        self, tools: Iterable[Tool], *, timeout: float, sources: Sequence[str] = ()
    ) -> Registry:
        """*sources* are the MCP servers, which bring their tools later."""
        if not self.on:
            return Registry(tools, timeout=timeout)
        self.metrics.allow({"source": [*CLOSED["source"], *sources]})
        observed = ObservedRegistry(
            tools, timeout=timeout, tracer=self._tracing.tracer, allow=self.metrics.allow
        )
        self.readings.tools(observed)
        return observed

    def allow(self, models: Iterable[str | None]) -> None:
        """Configured models: their names may be labels."""
        self._models += [model for model in models if model]

    def serves(self, routes: Iterable[str]) -> None:
        """This process answers chats, at paths of these templates."""
        self.metrics.allow({"http_route": [*routes, UNMATCHED]})
        prepare_chat(self.metrics)

    def built(self, version: str, engines: Sequence[str], store: str) -> None:
        """What this process is."""
        self.metrics.set("yychat_build_info", version, "", to=1)
        self.metrics.set("yychat_config_info", "+".join(engines), store, to=1)

    def tenants(self, names: Iterable[str]) -> None:
        self.metrics.allow({"tenant": sorted(set(names))})

    def switched(self, cause: str) -> None:
        """The selection was changed here: see ``EngineManager``."""
        self.metrics.count("yychat_engine_switches_total", cause)

    def delivered(self, kind: str, result: str) -> None:
        """A worker's notice: see ``memory.outbox.Notice``."""
        self.metrics.count("yychat_outbox_jobs_total", kind, result)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """For as long as the service: what is still to be sent is sent at its end, for a moment."""
        try:
            yield
        finally:
            await ended(self._tracing.close)

    def _allow_upstreams(self, upstreams: Sequence[Provider]) -> None:
        names = [upstream.name for upstream in upstreams]
        results = ("ok", *(kind for kind in ERROR_TYPES if kind.startswith("upstream_")))
        mapped = [model for each in upstreams for model in each.models or ()]
        self.metrics.allow(
            {
                "upstream": names,
                "target": names,
                "gen_ai_provider_name": names,
                "gen_ai_request_model": [*self._models, "simulated", *mapped],
            }
        )
        self.metrics.prepare("yychat_upstream_attempts_total", names, results)

    def _tell(self, span: Ended) -> None:
        for listener in self._ended:
            listener(span)

    def dropped(self, signal: str, many: int) -> None:
        """So many spans, records or lines of the log were given up."""
        self.metrics.count("yychat_telemetry_dropped_total", signal, by=many)
