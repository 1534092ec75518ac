"""Watching, put together: gauges, records of requests, and the dashboard's picture."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from . import __version__
from .background import keep
from .delivering import worker_name
from .engines.manager import EngineManager
from .instances.registry import InstanceRegistry
from .instances.registry_redis import RedisInstances
from .instances.registry_sqlite import SqliteInstances
from .limits.inflight import Inflight
from .memory.outbox import Backlog, OutboxDoor
from .memory.outbox_sqlite import SqliteOutbox
from .performance.recorder import Recorder
from .performance.stream import RedisRecords
from .redis_link import RedisLink
from .sqlite import Database
from .telemetry.telemetry import Telemetry
from .tools.mcp.servers import McpServers
from .upstream.router import Upstreams
from .web.dashboard import WINDOW, Dashboard, InFlightView, InstanceView, Sources
from .web.performance import stats_of

WITHIN = 1.0  # seconds for a look at how engines are


@dataclass(frozen=True)
class Parts:
    """What there is to be seen of a service."""

    manager: EngineManager
    places: Inflight
    upstreams: Upstreams
    outboxes: Mapping[str, OutboxDoor]
    database: Database
    link: RedisLink | None
    mcp: McpServers
    tenants: Callable[[], Sequence[str]]

    async def backlogs(self) -> dict[str, Backlog]:
        return {kind: await outbox.backlog() for kind, outbox in self.outboxes.items()}

    def breakers(self) -> dict[str, str]:
        found: dict[str, str] = {each.name: each.breaker.state for each in self.upstreams}
        if self.link:
            found["redis"] = "open" if self.link.degraded else "closed"
        return found | {f"mcp:{server.name}": server.breaker.state for server in self.mcp}

    async def dependencies(self) -> dict[str, str | None]:
        """Of the engines that have a share: asking the others would wake them."""
        found = await self.manager.health_of(self.manager.in_force, WITHIN)
        troubles = {
            f"{engine}:{name}": why
            for engine, finding in found.items()
            for name, why in finding.health.dependencies.items()
        }
        if self.link:
            troubles["redis"] = "it is left alone" if self.link.degraded else None
        for upstream in self.upstreams:
            open_ = upstream.breaker.state == "open"
            troubles[f"upstream:{upstream.name}"] = "its breaker is open" if open_ else None
        return troubles | {f"mcp:{server.name}": server.trouble for server in self.mcp}

    def in_flight(self) -> InFlightView:
        places = self.places
        return InFlightView(places.inflight, places.limit, dict(places.tenants))


def registry_of(database: Database, link: RedisLink | None) -> InstanceRegistry:
    """Where processes are registered: in Redis where there is one, else in the file."""
    return RedisInstances(link) if link else SqliteInstances(database)


def recorded(telemetry: Telemetry, link: RedisLink | None, stack: AsyncExitStack) -> Recorder:
    """What every chat request comes to, kept for as long as *stack*."""
    dropped = partial(telemetry.dropped, "records")
    shared = RedisRecords(link) if link else None
    recorder = Recorder(shared, instance=worker_name(), dropped=dropped)
    stack.push_async_callback(recorder.close)
    keep(stack, recorder.run)
    telemetry.listen(recorder.ended)
    return recorder


def read_off(telemetry: Telemetry, parts: Parts, stack: AsyncExitStack) -> None:
    """Gauges that follow *parts* for as long as *stack*."""
    manager, readings = parts.manager, telemetry.readings
    manager.notice = telemetry.switched
    telemetry.built(__version__, list(manager.registered), "redis" if parts.link else "sqlite")
    readings.each(lambda: telemetry.tenants(parts.tenants()))
    readings.dependencies(parts.dependencies)
    readings.selection(lambda: manager.selection, list(manager.registered))
    readings.inflight(parts.places)
    readings.redis(parts.link)
    readings.breakers(lambda: list(parts.upstreams))
    for kind, outbox in parts.outboxes.items():
        readings.outbox(kind, outbox)
    readings.spool(SqliteOutbox(parts.database) if parts.link else None)
    if telemetry.on:
        keep(stack, readings.run)


def board_of(
    parts: Parts, recorder: Recorder, registry: InstanceRegistry, *, instance: str
) -> Dashboard:
    async def instances() -> list[InstanceView]:
        now = time.time()
        return [
            InstanceView(
                instance=found.registration.instance,
                kind=found.registration.kind,
                version=found.registration.version,
                started=found.registration.started,
                seen=now - found.silent,
                alive=not found.dead,
            )
            for found in await registry.everybody()
        ]

    sources = Sources(
        selection=lambda: parts.manager.selection,
        chat=partial(stats_of, recorder, WINDOW, None),
        in_flight=parts.in_flight,
        outbox=parts.backlogs,
        breakers=parts.breakers,
        instances=instances,
    )
    return Dashboard(sources, instance=instance)
