"""Redis as ``yychat check`` finds it: there, ours, and set up so that no memory is lost."""

from collections.abc import Mapping
from typing import Any

from . import app
from .errors import StoreError
from .finding import Finding
from .memory.secret_redis import OTHER, another_secret
from .redis_link import RedisLink
from .settings import Settings

WITHIN = 5.0  # seconds
NEARLY_FULL = 0.9  # of maxmemory


async def redis_findings(settings: Settings) -> list[Finding]:
    """Raises ``ConfigurationError``."""
    link = app.redis_link(settings)
    if link is None:
        return [Finding("redis", "none: this instance shares its memory with no other")]
    try:
        return await _findings(link, settings)
    except StoreError as error:
        return [Finding("redis", error.message, _remedy(error), "fail")]
    finally:
        await link.close()


async def _findings(link: RedisLink, settings: Settings) -> list[Finding]:
    info = await link.ask(lambda r: r.info(), within=WITHIN)
    findings = [
        Finding("redis", f"answers: version {info.get('redis_version', 'unknown')}"),
        *_durability(info),
        *_memory(info),
    ]
    if await another_secret(link, app.owners_of(settings)):
        remedy = "copy the secret of the others, or point YYCHAT_OWNER_SECRET_FILE at it"
        findings.append(Finding("redis", OTHER, remedy, "fail"))
    return findings


def _durability(info: Mapping[str, Any]) -> list[Finding]:
    if info.get("aof_enabled", 1):
        return []
    text = "appendonly is off: a crash of Redis loses the turns since its last snapshot"
    remedy = "set appendonly yes (and appendfsync everysec) in redis.conf"
    return [Finding("redis", text, remedy, "warn")]


def _memory(info: Mapping[str, Any]) -> list[Finding]:
    policy = info.get("maxmemory_policy", "noeviction")
    most, used = int(info.get("maxmemory", 0)), int(info.get("used_memory", 0))
    if policy.startswith("allkeys-"):
        text = f"maxmemory-policy is {policy}: Redis may evict memories, which have no TTL"
        remedy = "set maxmemory-policy to volatile-lru (caches go first) or noeviction"
        return [Finding("redis", text, remedy, "warn")]
    if policy == "noeviction" and most and used >= NEARLY_FULL * most:
        text = f"{used / most:.0%} of maxmemory is used: full, Redis takes no turn any more"
        remedy = "raise maxmemory, or set maxmemory-policy to volatile-lru so that caches give way"
        return [Finding("redis", text, remedy, "warn")]
    return []


def _remedy(error: StoreError) -> str:
    if error.code == "redis_auth":
        return "look at the user and password in REDIS_URL, or at REDIS_PASSWORD"
    if error.code == "redis_refused":
        return "let the user of REDIS_URL read and write yychat:v1:* and run INFO (ACL)"
    return "look at REDIS_URL, and at the network; yychat serves on without it, sharing nothing"
