"""Noticing that the client has left, while something else is being awaited."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import Receive

from ..telemetry.observation import current


class ClientGone(Exception):
    """Nobody is waiting for this response any more."""


@contextmanager
def unless_gone(receive: Receive) -> Iterator[None]:
    """Cancel the block as soon as the client hangs up, and raise ``ClientGone`` then.

    The request's body must have been read: what ``receive`` gives next is the disconnect.
    Cancellation from elsewhere passes as it is (the technique is asyncio.timeout's).
    """
    task = asyncio.current_task()
    assert task is not None
    watcher = asyncio.create_task(_disconnected(receive))
    inside, gone = True, False

    def interrupt(finished: asyncio.Task[None]) -> None:
        nonlocal gone
        if inside and not finished.cancelled():
            gone = True
            if (observation := current()) is not None:  # before what is under way notices
                observation.left()
            task.cancel()

    watcher.add_done_callback(interrupt)
    try:
        yield
    except asyncio.CancelledError:
        if gone and task.uncancel() == 0:
            raise ClientGone from None
        raise
    finally:
        inside = False  # a callback that is due already can no longer be removed
        watcher.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
