"""Outboxes, put together: the worker behind one, and the replay of what was spooled before it."""

import os
import socket
from contextlib import AsyncExitStack
from functools import partial

from .background import keep
from .memory.base import Memory
from .memory.outbox import Notice, Outbox, OutboxWorker, Woken
from .memory.spool import Resend, SpooledOutbox, SpooledTurns
from .redis_link import RedisLink

NEVER = 10**9  # attempts: what waits for Redis is not given up
FLUSH_WITHIN = 5.0  # seconds for the outbox at shutdown; what is left waits for the next start


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def delivered(
    store: Outbox,
    memory: Memory,
    stack: AsyncExitStack,
    notice: Notice,
    *,
    gather: float = 0.0,
    batch: int = 64,
) -> Woken:
    """The door of *store*, with a worker behind it for as long as *stack*; see ``OutboxWorker``."""
    worker = OutboxWorker(
        store,
        {memory.name: memory},
        name=worker_name(),
        gather=gather,
        batch=batch,
        notice=notice,
    )
    stack.push_async_callback(worker.flush, FLUSH_WITHIN)
    keep(stack, worker.run)
    return Woken(store, worker.wake)


def replayed(
    spooled: SpooledOutbox,
    kind: str,
    local: Outbox,
    shared: Outbox,
    link: RedisLink,
    stack: AsyncExitStack,
    turns: SpooledTurns | None = None,
) -> None:
    """For as long as *stack*, take what *local* has spooled to *shared* whenever Redis is there."""
    worker = OutboxWorker(
        local,
        {kind: Resend(kind, shared)},
        name=f"{kind} spool of {worker_name()}",
        attempts=NEVER,
        longest_pause=1.0,
    )
    keep(stack, partial(spooled.replay, worker, link, turns))
