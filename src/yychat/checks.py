"""``yychat check``: configuration and dependencies, tried; and how to mend what is wrong."""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from . import app, serving
from .checks_alerts import alert_findings
from .checks_mcp import mcp_findings
from .checks_redis import redis_findings
from .errors import (
    NotFound,
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamModelUnknown,
    UpstreamUnreachable,
    YYChatError,
)
from .extracting import aims_of, store_of
from .finding import Finding
from .memory.embedder import UpstreamEmbedder
from .memory.mem0_erasing import StoreAlone
from .memory.mem0_process import quieten
from .resilience import Backoff
from .settings import Settings
from .upstream.client import Upstream
from .upstream.models import ModelCatalogue
from .upstream.router import Upstreams
from .web.auth import KeyFile, parse_keys

WITHIN = 10.0  # seconds for one check
NEW_KEY = "make one with: yychat keys new --id NAME --tenant TENANT --file FILE"

Check = Callable[[Settings], Awaitable[list[Finding]]]


async def run_checks(settings: Settings) -> list[Finding]:
    findings = []
    for subject, check in CHECKS.items():
        findings += await _tried(subject, check, settings)
    return findings


async def _tried(subject: str, check: Check, settings: Settings) -> list[Finding]:
    try:
        async with asyncio.timeout(WITHIN):
            return await check(settings)
    except TimeoutError:
        return [Finding(subject, f"no answer within {WITHIN:.0f} s", REMEDIES[subject], "fail")]
    except YYChatError as error:
        return [Finding(subject, error.message, REMEDIES[subject], "fail")]


async def _address(settings: Settings) -> list[Finding]:
    app.refuse_open_door(settings)
    address = f"{settings.host}:{settings.port}"
    try:
        listener = await asyncio.to_thread(serving.listen, settings.host, settings.port)
    except (OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            remedy = "is it this service? Else choose another YYCHAT_PORT"
            return [Finding("address", f"{address} is in use", remedy, "warn")]
        return [Finding("address", f"{address} cannot be listened on", REMEDIES["address"], "fail")]
    listener.close()
    return [Finding("address", f"{address} can be listened on")]


async def _keys(settings: Settings) -> list[Finding]:
    if settings.api_keys_file:
        keys = KeyFile(settings.api_keys_file).read()
    elif settings.api_keys:
        keys = parse_keys(settings.api_keys.get_secret_value())
    else:
        text = "none: everybody who reaches the service may use it"
        return [Finding("keys", text, NEW_KEY, "warn")]
    if not keys:
        source = "YYCHAT_API_KEYS_FILE" if settings.api_keys_file else "YYCHAT_API_KEYS"
        return [Finding("keys", f"{source} holds no key: nobody can call", NEW_KEY, "warn")]
    tenants = len({key.tenant for key in keys})
    return [Finding("keys", f"keys: {len(keys)}, tenants: {tenants}")]


async def _store(settings: Settings) -> list[Finding]:
    app.make_data_dir(settings)
    database = app.open_database(settings)
    try:
        count = await database.read(lambda c: c.execute("SELECT count(*) FROM turns").fetchone()[0])
        dead = await database.read(
            lambda c: c.execute("SELECT count(*) FROM outbox WHERE dead").fetchone()[0]
        )
    finally:
        database.close()
    app.owners_of(settings)
    findings = [Finding("store", f"{settings.data_dir / 'yychat.db'}: {count} turns")]
    if dead:
        findings.append(Finding("store", f"{dead} turns could not be delivered", level="warn"))
    return findings


async def _personalities(settings: Settings) -> list[Finding]:
    loaded = app.load_personalities(settings)
    findings = [Finding("personalities", ", ".join(p.id for p in loaded.all()))]
    for file, trouble in loaded.problems().items():
        findings.append(Finding("personalities", f"{file}: {trouble}", level="warn"))
    return findings


async def _tools(settings: Settings) -> list[Finding]:
    names = [tool.name for tool in app.tools_of(settings, None)]
    search = "on" if settings.tavily_api_key else "off (TAVILY_API_KEY turns it on)"
    zone = f"time zone {settings.timezone}"
    return [Finding("tools", f"{', '.join(names)}; {zone}; tavily_search is {search}")]


async def _upstreams(settings: Settings) -> list[Finding]:
    if app.simulated(settings):
        remedy = "set OPENAI_API_KEY (and OPENAI_BASE_URL for other providers) for real answers"
        return [Finding("upstream", "none: answers will be simulated", remedy, "warn")]
    async with AsyncExitStack() as stack:
        connected = app.connected_upstreams(settings, app.endpoints_of(settings))
        upstreams = Upstreams(connected, Backoff(retries=0))
        stack.push_async_callback(upstreams.close)
        findings = list(await asyncio.gather(*map(_upstream, connected)))
        if not all(finding.failed for finding in findings):
            findings += await _default_model(settings, upstreams)
            findings += await _embeddings(settings, upstreams)
        return findings


async def _upstream(upstream: Upstream) -> Finding:
    subject = f"upstream {upstream.name}"
    try:
        await upstream.get("/models")
    except UpstreamAuthFailed as error:
        return Finding(
            subject, error.message, "look at OPENAI_API_KEY, or the upstreams file", "fail"
        )
    except UpstreamUnreachable as error:
        return Finding(
            subject, error.message, "look at OPENAI_BASE_URL, and at the network", "fail"
        )
    except UpstreamModelUnknown:
        return Finding(subject, "has no list of models there", "does its URL end in /v1?", "fail")
    except YYChatError as error:
        return Finding(subject, error.message, "does its base URL end in /v1?", "fail")
    return Finding(subject, "answers, and accepts the key")


async def _default_model(settings: Settings, upstreams: Upstreams) -> list[Finding]:
    model = settings.openai_model
    if model is None:
        return []
    try:
        await ModelCatalogue(upstreams, settings.models).get(model)
    except NotFound:
        if settings.models and model not in settings.models:
            remedy = "add it to YYCHAT_MODELS, or choose another OPENAI_MODEL"
            return [Finding("model", f"callers may not use {model}", remedy, "fail")]
        remedy = "look at OPENAI_MODEL; some upstreams have more models than they list"
        return [Finding("model", f"no upstream lists {model}", remedy, "warn")]
    except UpstreamError as error:
        return [Finding("model", error.message, REMEDIES["upstream"], "fail")]
    return [Finding("model", f"{model} is there")]


async def _embeddings(settings: Settings, upstreams: Upstreams) -> list[Finding]:
    model = settings.embedding_model
    if model is None:
        return []
    embedder = UpstreamEmbedder(model, lambda asked: upstreams.post("/embeddings", model, asked))
    try:
        (vector,) = await embedder.embed(["yychat check"])
    except UpstreamError as error:
        remedy = "look at YYCHAT_EMBEDDING_MODEL; unset, memory recalls by words alone"
        return [Finding("embeddings", f"{model}: {error.message}", remedy, "fail")]
    return [Finding("embeddings", f"{model} answers with {len(vector)} dimensions")]


async def _mem0(settings: Settings) -> list[Finding]:
    store, selected = store_of(settings), settings.chat_engine == "mem0_proxy"
    aims = aims_of(settings, simulated=app.simulated(settings))
    if missing := store.missing() or aims.missing():
        text = f"mem0_proxy cannot be selected: {missing}"
        return [Finding("mem0", text, level="fail" if selected else "ok", remedy=REMEDIES["mem0"])]
    if settings.mem0_database_url is None:
        return [Finding("mem0", "mem0_proxy can be selected; its memory is the data folder's")]
    quieten()
    alone = StoreAlone(store)
    try:
        await alone.reached()
    finally:
        await alone.close()
    return [Finding("mem0", "mem0_proxy can be selected; its PostgreSQL answers")]


CHECKS: dict[str, Check] = {
    "address": _address,
    "keys": _keys,
    "store": _store,
    "redis": redis_findings,
    "mem0": _mem0,
    "personalities": _personalities,
    "tools": _tools,
    "mcp": mcp_findings,
    "upstream": _upstreams,
    "alerts": alert_findings,
}

REMEDIES = {
    "address": "look at YYCHAT_HOST, YYCHAT_PORT and YYCHAT_ALLOW_KEYLESS",
    "keys": "look at YYCHAT_API_KEYS_FILE or YYCHAT_API_KEYS; yychat keys new makes their lines",
    "store": "look at YYCHAT_DATA_DIR: whose it is, and how much room there is",
    "redis": "look at REDIS_URL, and whether Redis runs",
    "mem0": "look at MEM0_STORE, MEM0_DATABASE_URL, MEM0_MODEL and MEM0_EMBEDDING_MODEL",
    "personalities": "look at YYCHAT_PERSONALITY and YYCHAT_PERSONALITIES_DIR",
    "tools": "look at YYCHAT_TIMEZONE: a name as Europe/Berlin",
    "mcp": "look at the file that YYCHAT_MCP_CONFIG names; docs/operations.md shows one",
    "upstream": "look at OPENAI_BASE_URL and OPENAI_API_KEY, or at YYCHAT_UPSTREAMS_FILE",
    "alerts": "look at YYCHAT_ALERTMANAGER_URL",
}
