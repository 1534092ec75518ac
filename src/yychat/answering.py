"""Engines, put together: which there are, and the selection among them."""

from contextlib import AsyncExitStack
from functools import partial
from typing import Protocol, Unpack

from .background import keep
from .engines.base import BaseEngine
from .engines.chat_engine import ChatEngine
from .engines.conversing import Options, Parts
from .engines.manager import EngineManager
from .engines.mem0_proxy import Mem0Proxy
from .engines.prompt import Budget
from .engines.selected import POLL, Selected
from .engines.selection_redis import RedisAnnouncements, RedisSelections
from .engines.selection_sqlite import SqliteSelections
from .engines.tool_loop import Limits
from .extracting import Mem0Parts
from .redis_link import RedisLink
from .settings import Settings
from .sqlite import Database

POLL_FILE = 0.5  # seconds; nobody announces what changes in the file


class Register(Protocol):
    """Makes every engine there is, on the parts that it needs."""

    def __call__(self, mem0: Mem0Parts, **native: Unpack[Parts]) -> list[BaseEngine]: ...


def engines(mem0: Mem0Parts, **native: Unpack[Parts]) -> list[BaseEngine]:
    """See ``Register``."""
    proxied: Parts = {**native, "memory": mem0.memory, "outbox": mem0.outbox}
    return [ChatEngine(**native), Mem0Proxy(probe=mem0.probe, **proxied)]


async def managed(
    settings: Settings,
    registered: list[BaseEngine],
    database: Database,
    link: RedisLink | None,
    stack: AsyncExitStack,
) -> EngineManager:
    """The manager of *registered*, following the shared selection for as long as *stack*.

    Raises ``ConfigurationError``.
    """
    selected = selected_of(settings, database, link)
    manager = EngineManager(registered, selected)
    stack.push_async_callback(manager.close)
    await selected.begin()
    keep(stack, partial(selected.follow, POLL if link else POLL_FILE))
    if link:
        announcements = RedisAnnouncements(link.url)
        stack.push_async_callback(announcements.close)
        keep(stack, partial(announcements.listen, selected.heard, selected.wake))
    return manager


def selected_of(
    settings: Settings, database: Database | None, link: RedisLink | None, *, within: float = 1.0
) -> Selected:
    """The selection in Redis, with the local file's note of it, or in the local file alone; one of
    the two has to be there. A question to Redis may take *within* seconds."""
    if link:
        noted = SqliteSelections(database, "redis") if database else None
        store = RedisSelections(link, within=within)
        return Selected(store, settings.chat_engine, local=noted)
    assert database is not None
    return Selected(SqliteSelections(database), settings.chat_engine)


def options_of(settings: Settings) -> Options:
    """How engines remember and answer, as configured."""
    return Options(
        recall=settings.memory_recall,
        recall_within=settings.memory_deadline_ms / 1000,
        recall_records=settings.memory_records,
        save=settings.memory_save,
        default_personality=settings.default_personality,
        budget=Budget(window=settings.context_tokens, memory=settings.memory_tokens),
        limits=Limits(
            rounds=settings.tool_rounds,
            wall=settings.tool_wall,
            tokens=settings.context_tokens // 2,
        ),
    )
