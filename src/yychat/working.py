"""``yychat work``: a worker on the outbox that instances share, and nothing else."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack

from . import __version__, app
from .background import keep
from .cache.redis import RedisCache
from .delivering import delivered, worker_name
from .errors import ConfigurationError
from .extracting import BATCH, aims_of, mem0_memory
from .instances.registry_redis import RedisInstances
from .memory.embedder import Embedder
from .memory.mem0_ledger_redis import RedisLedger
from .memory.outbox_redis import RedisOutbox
from .memory.turns_redis import RedisTurns
from .redis_link import RedisLink
from .resilience import Backoff
from .scraping import exposed
from .settings import Settings
from .telemetry.telemetry import Telemetry
from .upstream.router import Upstreams


async def work(settings: Settings, begun: Callable[[str], None]) -> None:
    """Deliver until SIGTERM or SIGINT; *begun* is told the worker's name.

    Nothing here is local: neither the data folder nor the owner secret is needed. Raises
    ``ConfigurationError``.
    """
    stop = _asked_to_stop()
    async with AsyncExitStack() as stack:
        link = app.linked(settings, stack)
        if link is None:
            raise ConfigurationError(
                "`yychat work` needs Redis (REDIS_URL): without it only `yychat serve` delivers"
            )
        telemetry = _watched(settings, link)
        await stack.enter_async_context(telemetry.running())
        if settings.metrics_port and telemetry.on:
            scraping = app.scraping_of(settings)
            exposed(telemetry.metrics, RedisInstances(link), "work", scraping, stack)
            keep(stack, telemetry.readings.run)
        embedder = _embedder(settings, RedisCache(link), telemetry, stack)
        turns = telemetry.turns(RedisTurns(link), "redis")
        memory = telemetry.memory(app.native_memory(settings, turns, embedder))
        native, notice = RedisOutbox(link, kind="native"), telemetry.delivered
        delivered(native, memory, stack, notice, gather=app.GATHER)
        if settings.mem0_database_url:  # chroma is the serving instances' own
            aims = aims_of(settings, simulated=app.simulated(settings))
            aims.use(app.endpoints_of(settings))
            mem0 = telemetry.memory(mem0_memory(settings, aims, RedisLedger(link), stack))
            delivered(RedisOutbox(link, kind="mem0"), mem0, stack, notice, batch=BATCH)
        begun(worker_name())
        await stop.wait()


def _watched(settings: Settings, link: RedisLink) -> Telemetry:
    telemetry = app.telemetry_of(settings)
    telemetry.allow([settings.embedding_model])
    telemetry.built(__version__, [], "redis")
    telemetry.readings.redis(link)
    return telemetry


def _embedder(
    settings: Settings, caches: RedisCache, telemetry: Telemetry, stack: AsyncExitStack
) -> Embedder | None:
    upstreams = Upstreams(backoff=Backoff(retries=settings.retries))
    stack.push_async_callback(upstreams.close)
    embedder = app.embedder_of(settings, upstreams, caches, stack, telemetry.readings)
    if embedder:  # else no upstream is ever asked, and its SDK need not be imported
        connected = app.connected_upstreams(settings, app.endpoints_of(settings))
        upstreams.use(telemetry.upstreams(connected))
    return embedder


def _asked_to_stop() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
