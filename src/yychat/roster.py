"""``yychat instances``: which processes are registered, as an operator reads and mends it."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from . import app
from .errors import NotFound, StoreError
from .instances.registry import Instance, InstanceRegistry
from .instances.registry_redis import RedisInstances
from .instances.registry_sqlite import SqliteInstances
from .letters import span
from .settings import Settings

HEADER = ("INSTANCE", "KIND", "STATE", "ADDRESS", "PID", "UP", "VERSION")
WITHIN = 5.0  # seconds for a question to Redis; an operator waits longer than a service


@asynccontextmanager
async def registry(settings: Settings) -> AsyncIterator[InstanceRegistry]:
    """Where processes are registered. Raises ``ConfigurationError``, and ``StoreError`` where
    there is no such place."""
    async with AsyncExitStack() as stack:
        link = app.redis_link(settings)
        if link:
            stack.push_async_callback(link.close)
            yield RedisInstances(link, within=WITHIN)
            return
        if not (settings.data_dir / "yychat.db").exists():
            raise StoreError(f"no service has run in {settings.data_dir} (YYCHAT_DATA_DIR)")
        database = app.open_database(settings)
        stack.callback(database.close)
        yield SqliteInstances(database)


async def listed(settings: Settings) -> list[Instance]:
    """Raises what ``registry`` does."""
    async with registry(settings) as found:
        return await found.everybody()


async def forgotten(settings: Settings, instance: str | None) -> list[str]:
    """Take *instance* off the list, or everybody who is dead; whom that was. Raises ``NotFound``
    and what ``registry`` does."""
    async with registry(settings) as found:
        if instance is None:
            dead = [each.registration.instance for each in await found.everybody() if each.dead]
            return [name for name in dead if await found.forget(name)]
        if not await found.forget(instance):
            raise NotFound(f"no process is registered as {instance}")
        return [instance]


def table(instances: Sequence[Instance]) -> list[str]:
    """Lines of aligned columns below a header; none where nobody is registered."""
    if not instances:
        return []
    rows = [HEADER, *map(_row, instances)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _row(each: Instance) -> tuple[str, ...]:
    me = each.registration
    state = f"dead for {span(each.silent)}" if each.dead else "alive"
    up = "–" if each.dead else span(max(0.0, time.time() - me.started))
    return me.instance, me.kind, state, me.address, str(me.pid), up, me.version
