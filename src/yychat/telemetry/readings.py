"""What is not an event but a state: read off the parts now and then, and set as gauges."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from ..cache.tiered import Cached
from ..engines.selection import Selection
from ..errors import YYChatError
from ..limits.inflight import Inflight
from ..memory.outbox import OutboxDoor
from ..redis_link import RedisLink
from ..tools.registry import Registry
from ..upstream.base import Provider
from .metrics import Metrics

log = logging.getLogger(__name__)

EVERY = 1.0  # seconds; these readings cost next to nothing
ASKED_EVERY = 5.0  # seconds; these ask a store
WITHIN = 2.0  # seconds for one of those
BREAKERS = {"closed": 0, "half_open": 1, "open": 2}

Reading = Callable[[], None]
Question = Callable[[], Awaitable[None]]


class Readings:
    """Keeps the gauges of one process true, until cancelled."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._readings: list[Reading] = []
        self._questions: list[Question] = []
        self._counted: Counter[tuple[str, str, str]] = Counter()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        ask_at = loop.time()
        while True:
            for read in self._readings:
                read()
            if loop.time() >= ask_at:
                ask_at = loop.time() + ASKED_EVERY
                await asyncio.gather(*map(self._ask, self._questions))
            await asyncio.sleep(EVERY)

    def each(self, reading: Reading) -> None:
        """Any other: called every second, in the loop."""
        self._readings.append(reading)

    def selection(self, current: Callable[[], Selection], engines: Sequence[str]) -> None:
        def read() -> None:
            selection = current()
            total = max(1, sum(selection.weights.values()))
            for engine in engines:
                share = selection.weights.get(engine, 0) / total
                self._metrics.set("yychat_engine_weight", engine, to=share)
            self._metrics.set("yychat_engine_selection_revision", to=selection.revision)

        self._readings.append(read)

    def inflight(self, places: Inflight) -> None:
        seen: set[str] = set()

        def read() -> None:
            self._metrics.set("yychat_inflight_requests", to=places.inflight)
            self._metrics.set("yychat_inflight_limit", to=places.limit)
            taken = dict(places.tenants)
            seen.update(taken)
            others = 0
            for tenant in seen:
                if self._metrics.knows("tenant", tenant):
                    name = "yychat_tenant_inflight_requests"
                    self._metrics.set(name, tenant, to=taken.get(tenant, 0))
                else:
                    others += taken.get(tenant, 0)
            self._metrics.set("yychat_tenant_inflight_requests", "other", to=others)
            if len(seen) > len(taken) + 1_000:
                seen.intersection_update(taken)

        self._readings.append(read)

    def redis(self, link: RedisLink | None) -> None:
        def read() -> None:
            degraded = link is not None and link.degraded
            self._metrics.set("yychat_redis_degraded", to=int(degraded))

        self._readings.append(read)

    def breakers(self, upstreams: Callable[[], Sequence[Provider]]) -> None:
        def read() -> None:
            for upstream in upstreams():
                state = BREAKERS.get(upstream.breaker.state, 0)
                self._metrics.set("yychat_breaker_state", upstream.name, to=state)

        self._readings.append(read)

    def cache(self, name: str, cache: Cached[Any]) -> None:
        def read() -> None:
            for (tier, result), count in cache.stats.items():
                key = (name, tier, result)
                if new := count - self._counted[key]:
                    self._counted[key] = count
                    self._metrics.count("yychat_cache_requests_total", *key, by=new)

        self._readings.append(read)

    def tools(self, registry: Registry) -> None:
        def read() -> None:
            self._metrics.set("yychat_tools_quarantined", to=len(registry.quarantined))

        self._readings.append(read)

    def outbox(self, kind: str, outbox: OutboxDoor) -> None:
        async def ask() -> None:
            backlog = await outbox.backlog()
            self._metrics.set("yychat_outbox_pending", kind, to=backlog.pending)
            self._metrics.set("yychat_outbox_oldest_seconds", kind, to=backlog.oldest_seconds)
            self._metrics.set("yychat_outbox_dead", kind, to=backlog.dead)

        self._questions.append(ask)

    def spool(self, spool: OutboxDoor | None) -> None:
        async def ask() -> None:
            pending = (await spool.backlog()).pending if spool else 0
            self._metrics.set("yychat_spool_pending", to=pending)

        self._questions.append(ask)

    def dependencies(self, asked: Callable[[], Awaitable[Mapping[str, str | None]]]) -> None:
        known: set[str] = set()

        async def ask() -> None:
            found = await asked()
            for name in known - found.keys():  # nobody was asked about it
                self._metrics.forget("yychat_dependency_up", name)
            known.clear()
            for name, trouble in found.items():
                self._metrics.set("yychat_dependency_up", name, to=int(trouble is None))
                known.add(name)

        self._questions.append(ask)

    async def _ask(self, question: Question) -> None:
        try:
            async with asyncio.timeout(WITHIN):
                await question()
        except (YYChatError, TimeoutError) as error:
            log.debug("a gauge keeps its value: %s", error)
