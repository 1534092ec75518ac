"""Work beside the service: kept running, and ended in its turn."""

import asyncio
import gc
import logging
import traceback
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

log = logging.getLogger(__name__)

Work = Callable[[], Coroutine[Any, Any, None]]

# New objects of a first pass, such passes to a second one, such to a full one. Python's default,
# (700, 10, 10), has second passes that hold up one answer of seventy for 2 ms.
PIECES = (700, 2, 50)

RESTART_AFTER = 1.0  # seconds until work that a bug ended begins again


def settled() -> None:
    """What has been made and imported so far stays. To look through it for garbage again and again
    would hold up every answer for the tenth of a second that takes. What comes later, such as
    turns in a warm index, is looked through in smaller pieces than by default, as often in all."""
    gc.freeze()
    gc.set_threshold(*PIECES)


def keep(stack: AsyncExitStack, work: Work) -> None:
    """Run *work* until *stack* ends. Where a bug ends it, say so and begin again: a dead outbox
    worker would be noticed by its backlog only."""
    loop = asyncio.get_running_loop()
    running: list[asyncio.Task[None]] = []
    pending: list[asyncio.TimerHandle] = []

    def begin() -> None:
        task = loop.create_task(work())
        task.add_done_callback(mourn)
        running[:] = [task]

    def mourn(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a bug in the background: %s", place_of(error))
            pending[:] = [loop.call_later(RESTART_AFTER, begin)]

    async def stop() -> None:
        for timer in pending:
            timer.cancel()
        for task in running:
            task.cancel()
            await asyncio.wait([task])

    begin()
    stack.push_async_callback(stop)


def place_of(error: BaseException) -> str:
    """The type of an exception and where it came from; never its text, which may quote a user."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    places = (f"{f.filename.rpartition('/')[2]}:{f.lineno} {f.name}" for f in reversed(frames))
    return f"{type(error).__name__} at {' < '.join(places)}"
