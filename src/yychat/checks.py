"""``yychat check``: configuration and dependencies, tried; and how to mend what is wrong."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import msgspec

from . import app
from .errors import UpstreamAuthFailed, UpstreamModelUnknown, UpstreamUnreachable, YYChatError
from .settings import Settings
from .upstream.client import Upstream
from .web.auth import KeyFile, parse_keys

WITHIN = 10.0  # seconds for one check


class Finding(msgspec.Struct, frozen=True):
    """What one check found; ``remedy`` says how to mend it."""

    subject: str
    text: str
    remedy: str = ""
    level: str = "ok"

    @property
    def failed(self) -> bool:
        return self.level == "fail"

    @property
    def mark(self) -> str:
        return {"ok": "[ ok ]", "warn": "[warn]", "fail": "[FAIL]"}[self.level]


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
        return [Finding(subject, f"no answer within {WITHIN:.0f} s", level="fail")]
    except YYChatError as error:
        return [Finding(subject, error.message, level="fail")]


async def _keys(settings: Settings) -> list[Finding]:
    if settings.api_keys_file:
        keys = KeyFile(settings.api_keys_file).read()
    elif settings.api_keys:
        keys = parse_keys(settings.api_keys.get_secret_value())
    else:
        remedy = "make one with: yychat keys new --id NAME --tenant TENANT --file FILE"
        return [
            Finding("keys", "none: everybody who reaches the service may use it", remedy, "warn")
        ]
    if not keys:
        return [Finding("keys", "the key file is empty: nobody can call", level="warn")]
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


async def _upstreams(settings: Settings) -> list[Finding]:
    if app.simulated(settings):
        remedy = "set OPENAI_API_KEY (and OPENAI_BASE_URL for other providers) for real answers"
        return [Finding("upstream", "none: answers will be simulated", remedy, "warn")]
    async with AsyncExitStack() as stack:
        upstreams = app.connected_upstreams(settings, app.endpoints_of(settings))
        for upstream in upstreams:
            stack.push_async_callback(upstream.close)
        return [await _upstream(upstream) for upstream in upstreams]


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


CHECKS: dict[str, Check] = {
    "keys": _keys,
    "store": _store,
    "personalities": _personalities,
    "upstream": _upstreams,
}
