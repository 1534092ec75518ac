"""Who is compared: each a process that is started, with a key, before the scripted upstream."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cases import Case
from client import first_ok
from collector import collecting
from load import Trouble
from processes import HERE, PATIENT, Program, before, free_port, service, spawned, upstream
from text import KEY

sys.path.append(str(HERE.parent / "tests"))

from redis_server import redis_server

LITELLM = HERE / ".litellm" / "bin"
START_WITHIN = 60.0  # seconds; LiteLLM imports for five of them

_HASH = hashlib.sha256(KEY.encode()).hexdigest()
# One key stands for all clients: its limits are not what is measured. Logging is LiteLLM's too.
_YYCHAT = {
    "YYCHAT_API_KEYS": json.dumps([{"id": "bench", "sha256": _HASH, "tenant": "bench"}]),
    "YYCHAT_LOG_LEVEL": "ERROR",
    "YYCHAT_MAX_INFLIGHT": "2048",
    "YYCHAT_MAX_INFLIGHT_PER_TENANT": "2048",
    **PATIENT,
}
_MEM0 = {
    "CHAT_ENGINE": "mem0_proxy",
    "MEM0_STORE": "chroma",
    "MEM0_MODEL": "bench",
    "MEM0_EMBEDDING_MODEL": "bench",
}


@dataclass(frozen=True)
class Surroundings:
    """What variants are given: the upstream, and settings for whoever is watched or uses Redis."""

    provider: Program
    watched: Mapping[str, str]
    redis: Mapping[str, str]


Start = Callable[[Surroundings, int], AbstractAsyncContextManager[Program]]


@dataclass(frozen=True)
class Variant:
    """``remembers``: every answer is recalled for and stored. ``heavy``: asked less often, as its
    requests take ten times as long; ``turns`` its users have, or those of the whole run."""

    name: str
    start: Start
    ready: tuple[str, bytes]
    remembers: bool = False
    heavy: bool = False
    turns: int | None = None

    def trouble(self, case: Case) -> Trouble:
        return case.trouble if self.remembers else case.incomplete


@dataclass(frozen=True)
class Contender:
    """A variant that runs; its start took so many seconds."""

    variant: Variant
    program: Program
    start: float


def _bare(around: Surroundings, port: int) -> AbstractAsyncContextManager[Program]:
    target = f"http://127.0.0.1:{around.provider.port}/v1"
    return spawned(str(HERE / "passthrough.py"), str(port), target, environment={})


def _yychat(
    given: Mapping[str, str] | None = None, *, watched: bool = True, redis: bool = False
) -> Start:
    def start(around: Surroundings, port: int) -> AbstractAsyncContextManager[Program]:
        telemetry = around.watched if watched else {"YYCHAT_TELEMETRY": "0"}
        shared = around.redis if redis else {}
        return service(
            port, **{**before(around.provider), **_YYCHAT, **telemetry, **shared, **(given or {})}
        )

    return start


def _litellm(*callbacks: str) -> Start:
    @asynccontextmanager
    async def start(around: Surroundings, port: int) -> AsyncIterator[Program]:
        given = {"api_base": f"http://127.0.0.1:{around.provider.port}/v1", "api_key": "bench"}
        models = [
            {"model_name": name, "litellm_params": {"model": f"openai/{name}", **given}}
            for name in ("bench", "paced")
        ]
        told = {
            "model_list": models,
            "litellm_settings": {"callbacks": list(callbacks)},
            "general_settings": {"master_key": KEY},
        }
        with tempfile.TemporaryDirectory(prefix="litellm-bench-") as folder:
            config = Path(folder) / "config.yaml"
            config.write_text(json.dumps(told))  # JSON is YAML
            asked = ("--config", str(config), "--host", "127.0.0.1", "--port", str(port))
            silent = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
            async with spawned(
                *asked, environment=silent, executable=str(LITELLM / "litellm")
            ) as program:
                yield program

    return start


@asynccontextmanager
async def _direct(around: Surroundings, _: int) -> AsyncIterator[Program]:
    yield around.provider


_READY = ("/readyz", b'"status":"ok"')
_ALIVE = ("/health/liveliness", b"alive")
DIRECT = Variant("the upstream itself", _direct, ("/", b""))
BARE = Variant("Starlette + httpx2, bytes passed on", _bare, ("/healthz", b"ok"))
CHAT = Variant("ChatEngine, SQLite", _yychat(), _READY, remembers=True)
QUIET = Variant("ChatEngine, SQLite, telemetry off", _yychat(watched=False), _READY, remembers=True)
REDIS = Variant("ChatEngine, Redis", _yychat(redis=True), _READY, remembers=True)
EMBEDDER = Variant(
    "ChatEngine, SQLite, embedder",
    _yychat({"YYCHAT_EMBEDDING_MODEL": "bench"}),
    _READY,
    remembers=True,
)
MEM0 = Variant("Mem0Proxy, chroma", _yychat(_MEM0), _READY, remembers=True, heavy=True, turns=20)
LITE = Variant("LiteLLM proxy", _litellm(), _ALIVE, heavy=True)
LITE_WATCHED = Variant("LiteLLM proxy, prometheus", _litellm("prometheus"), _ALIVE, heavy=True)

VARIANTS = [BARE, CHAT, QUIET, REDIS, EMBEDDER, MEM0, LITE, LITE_WATCHED]


@asynccontextmanager
async def surroundings() -> AsyncIterator[Surroundings]:
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="redis-bench-"))
        redis = stack.enter_context(redis_server(Path(folder) / "redis", appendonly=True))
        yield Surroundings(
            provider=await stack.enter_async_context(upstream()),
            watched=await stack.enter_async_context(collecting()),
            redis={"REDIS_URL": redis.url},
        )


@asynccontextmanager
async def running(variant: Variant, around: Surroundings, core: int) -> AsyncIterator[Contender]:
    """Started alone, on *core*."""
    port, begun = free_port(), time.monotonic_ns()
    async with variant.start(around, port) as program:
        program.pin(core)
        program.port = port
        async with asyncio.timeout(START_WITHIN):
            started = await first_ok(port, *variant.ready) - begun
        await program.quiet()
        yield Contender(variant, program, started / 1e9)


def litellm_version() -> str:
    asking = "from importlib.metadata import version; print(version('litellm'))"
    told: str = subprocess.check_output([str(LITELLM / "python"), "-c", asking], text=True)
    return told.strip()


def pinned() -> int:
    """Keep this process, and all it starts from now on, to one core; the one that is left."""
    ours, *others = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {ours})
    return others[0] if others else ours
