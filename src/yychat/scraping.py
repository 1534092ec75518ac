"""What a process brings along to be watched: listener, place in the registry, watchdog."""

import asyncio
import os
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

from . import __version__
from .background import keep
from .instances.membership import Membership
from .instances.registry import InstanceRegistry, Kind, Registration
from .telemetry.exposition import Exposition
from .telemetry.listener import MetricsListener, discovered, scraped
from .telemetry.metrics import Metrics
from .telemetry.watchdog import Watchdog

REGISTERED = "yychat_instances_registered"


@dataclass(frozen=True)
class Scraping:
    """How this process is scraped; ``advertised`` is the host that Prometheus is told."""

    host: str
    port: int
    token: str | None = None
    advertised: str | None = None
    slot: int | None = None


def exposed(
    metrics: Metrics,
    registry: InstanceRegistry,
    kind: Kind,
    scraping: Scraping,
    stack: AsyncExitStack,
) -> Exposition:
    """For as long as *stack*: metrics are served to scrapers, this process is registered, and
    its event loop is watched. Raises ``ConfigurationError`` where nothing can be listened on."""
    listener = MetricsListener(
        scraping.host, scraping.port, slot=scraping.slot, token=scraping.token
    )
    stack.push_async_callback(asyncio.to_thread, listener.close)
    keep(stack, Watchdog(metrics).watch)
    membership = Membership(
        registry,
        registration(listener, kind, scraping.advertised),
        counted=lambda many: metrics.set(REGISTERED, to=many),
    )
    exposition = Exposition(metrics)
    pages = {"/metrics": scraped(exposition), "/internal/sd": discovered(membership.targets)}
    listener.start(pages)
    stack.push_async_callback(membership.leave)
    keep(stack, membership.keep)
    return exposition


def registration(listener: MetricsListener, kind: Kind, advertised: str | None) -> Registration:
    """This process, as it is registered."""
    return Registration(
        instance=listener.instance,
        address=listener.address(advertised),
        slot=listener.slot,
        pid=os.getpid(),
        version=__version__,
        started=time.time(),
        kind=kind,
    )
