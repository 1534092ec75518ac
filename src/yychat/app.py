"""The composition root: the only place that knows concrete classes.

What lives longer than a request is made here, in the lifespan, and handed to those who
need it; it ends in the reverse order.
"""

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from . import __version__
from .alerting.desk import Desk
from .alerting.inbox import Result
from .alerting.inbox_redis import RedisInbox
from .alerting.inbox_sqlite import SqliteInbox
from .alerting.notification import ALERTS
from .alerting.rollback import Rollbacks
from .answering import Register, engines, managed, options_of
from .background import RESTART_AFTER, keep, settled
from .cache.redis import RedisCache
from .delivering import delivered, replayed, worker_name
from .engines.manager import EngineManager
from .errors import ConfigurationError
from .extracting import aims_of, mem0_parts
from .limits.admission import Door
from .limits.inflight import Inflight
from .limits.rates import Rates
from .limits.rates_redis import RedisBuckets
from .memory.embedder import Embedder, UpstreamEmbedder
from .memory.embedder_cached import CachedEmbedder, vectors
from .memory.mem0_aim import Aims
from .memory.native import NativeMemory
from .memory.outbox import OutboxDoor
from .memory.outbox_redis import RedisOutbox
from .memory.outbox_sqlite import SqliteOutbox
from .memory.secret_redis import one_secret
from .memory.spool import SpooledOutbox, SpooledTurns
from .memory.turns import TurnStore
from .memory.turns_redis import RedisTurns
from .memory.turns_sqlite import SqliteTurns
from .owner import Owners
from .personalities.loader import Personalities
from .redis_link import RedisLink
from .resilience import Backoff
from .scraping import Scraping, exposed
from .secret import owner_secret
from .settings import Settings
from .simulator.child import SimulatorChild
from .simulator.given import GivenSimulator
from .sqlite import Database
from .telemetry.exporting import otlp
from .telemetry.exposition import Exposition
from .telemetry.logs import Logs
from .telemetry.prices import read_prices
from .telemetry.readings import Readings
from .telemetry.telemetry import Telemetry
from .tools.base import Tool
from .tools.builtin import TavilySearch, builtin_tools
from .tools.mcp.config import Server
from .tools.mcp.servers import McpServers
from .tools.registry import Registry
from .upstream.config import Endpoint, read_endpoints
from .upstream.models import ModelCatalogue, model_lists
from .upstream.router import Upstreams
from .watching import Parts, board_of, read_off, recorded, registry_of
from .web.alerts import Alerts
from .web.auth import LOOPBACK, Authenticate, KeyFile, Keyring, parse_keys
from .web.middleware import LastResort, Patient, RequestId, UntilServing
from .web.requests import Defaults
from .web.routes import EXCEPTION_HANDLERS, OPEN_PATHS, ROUTES, SOCKETS
from .web.services import Lifecycle, Services

if TYPE_CHECKING:
    from .tools.web import WebPoster
    from .upstream.client import Upstream

log = logging.getLogger(__name__)

EXPOSED = [
    "x-request-id",
    "x-yychat-engine",
    "x-yychat-memory",
    "x-yychat-fallback-from",
    "x-yychat-trimmed",
    "retry-after",
]
OPENAI = "https://api.openai.com/v1"
GATHER = 0.05  # seconds; turns are recalled from the outbox meanwhile


@dataclass(frozen=True)
class Foundation:
    """What the configuration has to give before anything listens."""

    endpoints: list[Endpoint]
    key_file: KeyFile | None
    keyring: Keyring
    owners: Owners
    personalities: Personalities
    tools: list[Tool]
    poster: "WebPoster | None"
    mcp: list[Server]
    database: Database
    telemetry: Telemetry


def foundation(settings: Settings) -> Foundation:
    """Raises ``ConfigurationError`` or ``StoreError``; nothing has started then."""
    if settings.redis is None and not settings.workers_in_serve:
        raise ConfigurationError(
            "YYCHAT_WORKERS_IN_SERVE=0 needs Redis: without it nobody else can deliver"
        )
    key_file = KeyFile(settings.api_keys_file) if settings.api_keys_file else None
    make_data_dir(settings)
    poster = poster_of(settings)
    return Foundation(
        endpoints=endpoints_of(settings),
        key_file=key_file,
        keyring=_keyring(settings, key_file),
        owners=owners_of(settings),
        personalities=load_personalities(settings),
        tools=tools_of(settings, poster),
        poster=poster,
        mcp=settings.mcp_servers(),
        database=open_database(settings),
        telemetry=telemetry_of(settings),
    )


def telemetry_of(settings: Settings) -> Telemetry:
    endpoint = settings.otlp_endpoint
    return Telemetry(
        on=settings.telemetry,
        ratio=settings.trace_sample_ratio,
        content=settings.trace_content,
        exporter=otlp(endpoint) if endpoint and settings.telemetry else None,
        prices=read_prices(settings.prices_file) if settings.prices_file else None,
        resource={"service.version": __version__, "service.instance.id": worker_name()},
    )


def create_app(
    settings: Settings,
    lifecycle: Lifecycle | None = None,
    register: Register = engines,
    *,
    logs: Logs | None = None,
    slot: int | None = None,
    simulator: GivenSimulator | None = None,
) -> ASGIApp:
    """The whole service as an ASGI application, with the engines that *register* makes. A
    supervisor gives its workers a *slot* each, and one *simulator* where there has to be one.

    Raises ``ConfigurationError`` or ``StoreError``.
    """
    lifecycle = lifecycle or Lifecycle()
    base = foundation(settings)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(base.telemetry.running())
            child = (simulator or SimulatorChild()) if simulated(settings) else None
            state = await _state(settings, base, lifecycle, register, child, slot, stack)
            if base.key_file:
                keep(stack, partial(base.key_file.follow, base.keyring))
            yield state

    origins = settings.cors_origins
    cors = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=EXPOSED,
    )
    patient = Middleware(Patient, seconds=settings.redis_timeout_ms / 1000)
    service = Starlette(
        routes=[*ROUTES, *SOCKETS],
        middleware=[
            Middleware(RequestId),
            *([patient] if settings.redis else []),
            *([cors] if origins else []),
            Middleware(LastResort),
            Middleware(
                Authenticate,
                keyring=base.keyring,
                open_paths=OPEN_PATHS,
                origins=origins,
                any_host=settings.allow_keyless,
            ),
            Middleware(UntilServing, lifecycle=lifecycle, open_paths=OPEN_PATHS),
        ],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=lifespan,
    )
    service.router.redirect_slashes = False  # a redirect would go where the Host header says
    base.telemetry.allow([settings.openai_model, settings.embedding_model, *settings.models])
    base.telemetry.serves(route.path for route in ROUTES)
    if logs is None:
        return base.telemetry.app(service)
    logs.dropped = partial(base.telemetry.dropped, "logs")
    return base.telemetry.app(service, logs.finished)


def simulated(settings: Settings) -> bool:
    """Whether answers come from the built-in simulator: nothing else is configured."""
    return not (settings.upstreams_file or settings.openai_base_url or settings.openai_api_key)


def refuse_open_door(settings: Settings) -> None:
    """Raises ``ConfigurationError`` where everybody on the network could use the service."""
    keyless = not (settings.api_keys or settings.api_keys_file)
    if keyless and settings.host not in LOOPBACK and not settings.allow_keyless:
        raise ConfigurationError(
            f"without API keys only loopback is served, not {settings.host}: make a key with "
            "`yychat keys new`, or set YYCHAT_ALLOW_KEYLESS=1 if something else guards this address"
        )


def make_data_dir(settings: Settings) -> None:
    """A new folder is for nobody else to read: it will hold conversations."""
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"YYCHAT_DATA_DIR: {settings.data_dir} cannot be made") from error


def open_database(settings: Settings) -> Database:
    """The instance's SQLite file. Raises ``ConfigurationError`` or ``StoreError``."""
    return Database(settings.data_dir / "yychat.db", synchronous=settings.sqlite_sync)


def owners_of(settings: Settings, *, create: bool = True) -> Owners:
    """With *create*, a data folder without a secret gets one. Raises ``ConfigurationError``."""
    given = settings.owner_secret_file
    path = given or settings.data_dir / "owner.secret"
    secret = owner_secret(path, create=create and given is None)
    return Owners(secret)


async def _state(
    settings: Settings,
    base: Foundation,
    lifecycle: Lifecycle,
    register: Register,
    child: SimulatorChild | GivenSimulator | None,
    slot: int | None,
    stack: AsyncExitStack,
) -> dict[str, Any]:
    """What handlers find in a request's state."""
    stack.callback(base.database.close)
    upstreams = Upstreams(backoff=Backoff(retries=settings.retries))
    stack.push_async_callback(upstreams.close)
    if child:
        stack.push_async_callback(child.stop)
        await child.begin()
    aims = aims_of(settings, simulated=simulated(settings))
    keep(stack, partial(_connect, settings, base, upstreams, aims, child, lifecycle))

    link = linked(settings, stack)
    registry, exposition = registry_of(base.database, link), None
    if settings.metrics_port and base.telemetry.on:
        where = scraping_of(settings, slot)
        exposition = exposed(base.telemetry.metrics, registry, "serve", where, stack)
    if link:
        keep(stack, partial(one_secret, link, base.owners, lifecycle.fail))
    caches = RedisCache(link) if link else None
    readings = base.telemetry.readings
    known = embedder_of(settings, upstreams, caches, stack, readings)
    embedder = base.telemetry.embedder(known)
    lists = model_lists(l2=caches)
    memory, outbox = _memory(settings, base, embedder, link, stack)
    mem0 = mem0_parts(settings, base.telemetry, base.database, link, aims, stack)
    keep(stack, memory.tidy)
    keep(stack, base.personalities.watch)
    if base.poster:
        stack.push_async_callback(base.poster.close)
    sources = [server.name for server in base.mcp]
    tools = base.telemetry.tools(base.tools, timeout=settings.tool_timeout, sources=sources)
    servers = McpServers(base.mcp)
    if base.mcp:
        keep(stack, partial(_after_the_start, lifecycle, servers, tools))
    models = ModelCatalogue(upstreams, settings.models, cache=lists)
    stack.push_async_callback(models.close)
    registered = base.telemetry.engines(
        register(
            mem0,
            upstreams=upstreams,
            memory=base.telemetry.memory(memory),
            outbox=base.telemetry.outbox(outbox),
            tools=tools,
            personalities=base.personalities,
            options=options_of(settings),
        )
    )
    rates = Rates(RedisBuckets(link) if link else None)
    places = Inflight(settings.max_inflight, settings.max_inflight_per_tenant)
    manager = await managed(settings, registered, base.database, link, stack)
    parts = Parts(
        manager=manager,
        places=places,
        upstreams=upstreams,
        outboxes={"native": outbox, "mem0": mem0.outbox},
        database=base.database,
        link=link,
        mcp=servers,
        tenants=lambda: base.keyring.tenants,
    )
    readings.cache("models", lists)
    read_off(base.telemetry, parts, stack)
    recorder = recorded(base.telemetry, link, stack)
    services = Services(
        engines=manager,
        upstreams=upstreams,
        models=models,
        personalities=base.personalities,
        tools=tools,
        owners=base.owners,
        defaults=Defaults(
            model=settings.openai_model or ("simulated" if child else None),
            use_tools=settings.use_tools,
        ),
        door=Door(places, rates),
        redis=link,
        request_timeout=settings.request_timeout,
        metrics_token=token.get_secret_value() if (token := settings.metrics_token) else None,
        max_body=settings.max_body,
        lifecycle=lifecycle,
    )
    board = board_of(parts, recorder, registry, instance=worker_name())
    return {
        "services": services,
        "recorder": recorder,
        "dashboard": board,
        "alerts": alerts_of(settings, manager, base, link),
        "exposition": exposition or Exposition(base.telemetry.metrics),
    }


def alerts_of(
    settings: Settings, manager: EngineManager, base: Foundation, link: RedisLink | None
) -> Alerts:
    metrics, token = base.telemetry.metrics, settings.alert_token
    metrics.allow({"alertname": ALERTS})
    metrics.prepare("yychat_rollbacks_total", list(manager.registered), get_args(Result))
    inbox = RedisInbox(link) if link else SqliteInbox(base.database)
    rollbacks = Rollbacks(manager, on=settings.auto_rollback)
    desk = Desk(inbox, rollbacks, count=metrics.count)
    return Alerts(desk, token.get_secret_value() if token else None)


def _keyring(settings: Settings, key_file: KeyFile | None) -> Keyring:
    keys, source = None, "YYCHAT_API_KEYS"
    if key_file:
        keys, source = key_file.read(), "YYCHAT_API_KEYS_FILE"
    elif settings.api_keys:
        keys = parse_keys(settings.api_keys.get_secret_value())
    if keys == []:
        log.warning("%s holds no key: nobody can call", source)
    return Keyring(keys)


def endpoints_of(settings: Settings) -> list[Endpoint]:
    """Where answers come from, in order of preference; empty where the built-in simulator gives
    them. Raises ``ConfigurationError``."""
    if settings.upstreams_file:
        return read_endpoints(settings.upstreams_file)
    if simulated(settings):
        return []
    key = settings.openai_api_key
    endpoint = Endpoint(
        name="openai",
        base_url=settings.openai_base_url or OPENAI,
        api_key=key.get_secret_value() if key else None,
    )
    endpoint.check("OPENAI_BASE_URL", "OPENAI_API_KEY")
    return [endpoint]


async def _connect(
    settings: Settings,
    base: Foundation,
    upstreams: Upstreams,
    aims: Aims,
    child: SimulatorChild | GivenSimulator | None,
    lifecycle: Lifecycle,
) -> None:
    """The slow part of the start, beside listening: the OpenAI SDK's import is half a second."""
    endpoints = base.endpoints
    try:
        if child:
            endpoints = [_simulator(await child.url())]
        await asyncio.to_thread(importlib.import_module, "yychat.upstream.client")
        upstreams.use(base.telemetry.upstreams(connected_upstreams(settings, endpoints)))
        aims.use(endpoints)
    except ConfigurationError as error:
        lifecycle.fail(error)
        return
    settled()  # the SDK is the larger half of what is imported
    lifecycle.begin()
    if child:
        await _keep_simulating(settings, base.telemetry, upstreams, aims, child)


async def _after_the_start(lifecycle: Lifecycle, servers: McpServers, tools: Registry) -> None:
    """Nobody waits for MCP servers, nor for the import of their SDK."""
    await lifecycle.serving(None)
    await servers.run(tools)


async def _keep_simulating(
    settings: Settings,
    telemetry: Telemetry,
    upstreams: Upstreams,
    aims: Aims,
    child: SimulatorChild | GivenSimulator,
) -> None:
    """Start the simulator again whenever it dies; on another port, as it takes a free one."""
    while True:
        ended = await child.ended()
        log.warning("the built-in simulator ended (%d) and is started again", ended)
        try:
            await child.begin()
            url = await child.url()
        except ConfigurationError as error:
            log.warning("%s", error)
            await asyncio.sleep(RESTART_AFTER)
            continue
        before = list(upstreams)
        upstreams.use(telemetry.upstreams(connected_upstreams(settings, [_simulator(url)])))
        aims.use([_simulator(url)])
        for upstream in before:
            await upstream.close()


def _simulator(url: str) -> Endpoint:
    return Endpoint(name="simulator", base_url=f"{url}/v1")


def connected_upstreams(settings: Settings, endpoints: list[Endpoint]) -> list["Upstream"]:
    """Raises ``ConfigurationError``."""
    from .upstream.client import connected
    from .upstream.sender import Timeouts

    timeouts = Timeouts(
        connect=settings.connect_timeout,
        first_byte=settings.first_byte_timeout,
        idle=settings.idle_timeout,
        total=settings.request_timeout,
    )
    return [connected(endpoint, timeouts) for endpoint in endpoints]


def load_personalities(settings: Settings) -> Personalities:
    """Raises ``ConfigurationError`` where the default personality does not exist."""
    folder = settings.personalities_dir
    personalities = Personalities(*([folder] if folder else []))
    wanted = settings.default_personality
    if wanted and wanted not in {personality.id for personality in personalities.all()}:
        raise ConfigurationError(f"YYCHAT_PERSONALITY: there is no personality {wanted}")
    return personalities


def embedder_of(
    settings: Settings,
    upstreams: Upstreams,
    caches: RedisCache | None,
    stack: AsyncExitStack,
    readings: Readings | None = None,
) -> Embedder | None:
    """None with the simulator: its vectors know no more than the words do."""
    model = settings.embedding_model
    if model is None or simulated(settings):
        return None
    known = vectors(l2=caches, ttl=settings.redis_ttl)
    stack.push_async_callback(known.close)
    if readings:
        readings.cache("embedding", known)
    embedder = UpstreamEmbedder(model, lambda asked: upstreams.post("/embeddings", model, asked))
    return CachedEmbedder(embedder, known)


def redis_link(settings: Settings) -> RedisLink | None:
    """The Redis that instances share, if there is one. Raises ``ConfigurationError``."""
    url = settings.redis
    if url is None:
        return None
    try:
        return RedisLink(url, within=settings.redis_timeout_ms / 1000)
    except ValueError:
        raise ConfigurationError("REDIS_URL is not a Redis address") from None


def linked(settings: Settings, stack: AsyncExitStack) -> RedisLink | None:
    """The same, with its probe, for as long as *stack*. Raises ``ConfigurationError``."""
    link = redis_link(settings)
    if link:
        stack.push_async_callback(link.close)
        keep(stack, link.probe)
    return link


def native_memory(settings: Settings, store: TurnStore, embedder: Embedder | None) -> NativeMemory:
    return NativeMemory(
        store, embedder=embedder, keep=settings.memory_turns, days=settings.memory_days
    )


def _memory(
    settings: Settings,
    base: Foundation,
    embedder: Embedder | None,
    link: RedisLink | None,
    stack: AsyncExitStack,
) -> tuple[NativeMemory, OutboxDoor]:
    """Native memory and the outbox before it: in Redis where there is one, else in SQLite."""
    local, telemetry = SqliteOutbox(base.database, kind="native"), base.telemetry
    if link is None:
        store = telemetry.turns(SqliteTurns(base.database), "sqlite")
        memory = native_memory(settings, store, embedder)
        watched = telemetry.memory(memory)
        return memory, delivered(local, watched, stack, telemetry.delivered, gather=GATHER)
    shared = RedisOutbox(link, kind="native")
    spooled = SpooledOutbox(shared, local)
    turns = SpooledTurns(RedisTurns(link), SqliteTurns(base.database), lambda: spooled.behind)
    memory = native_memory(settings, telemetry.turns(turns, "redis"), embedder)
    if settings.workers_in_serve:
        watched = telemetry.memory(memory)
        door = delivered(shared, watched, stack, telemetry.delivered, gather=GATHER)
        spooled.before(door)
    replayed(spooled, memory.name, local, shared, link, stack, turns)
    return memory, spooled


def scraping_of(settings: Settings, slot: int | None = None) -> Scraping:
    token = settings.metrics_token
    return Scraping(
        host=settings.metrics_host,
        port=settings.metrics_port,
        token=token.get_secret_value() if token else None,
        advertised=settings.metrics_advertise,
        slot=slot,
    )


def poster_of(settings: Settings) -> "WebPoster | None":
    if settings.tavily_api_key is None:
        return None
    from .tools.web import WebPoster  # brings aiohttp: for those who search

    return WebPoster()


def tools_of(settings: Settings, poster: "WebPoster | None") -> list[Tool]:
    """The built-in tools. Raises ``ConfigurationError`` for a time zone that does not exist."""
    tavily = None
    if settings.tavily_api_key and poster:
        key = settings.tavily_api_key.get_secret_value()
        tavily = TavilySearch(key, poster, base_url=settings.tavily_base_url)
    try:
        return builtin_tools(tavily=tavily, default_zone=settings.timezone)
    except ConfigurationError as error:
        raise ConfigurationError(f"YYCHAT_TIMEZONE: {error.message}") from None
