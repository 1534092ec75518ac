"""Threads of mem0's own: its calls block, some for seconds, and nobody else shall wait for them."""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from ..background import place_of
from ..errors import StoreError, YYChatError

log = logging.getLogger(__name__)
T = TypeVar("T")


class Threads:
    """Runs work in *count* threads, with at most *waiting* pieces before them.

    The one edge between mem0 and us: whatever its SDKs and stores raise is a ``StoreError`` from
    here on. Daemons, unlike those of a ``ThreadPoolExecutor``: a call that hangs does not keep the
    process from ending.
    """

    def __init__(self, name: str, count: int, waiting: int) -> None:
        self._queue: queue.Queue[tuple[Future[Any], Callable[[], Any]] | None]
        self._queue = queue.Queue(waiting)
        self._threads = [
            threading.Thread(target=self._serve, name=f"{name}-{n}", daemon=True)
            for n in range(count)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, work: Callable[[], T]) -> T:
        """What *work* gives. It is not begun where nobody waits for it any more."""
        future: Future[T] = Future()
        try:
            self._queue.put_nowait((future, work))
        except queue.Full:
            raise StoreError("mem0 has too much to do") from None
        return await asyncio.wrap_future(future)

    def close(self, within: float = 2.0) -> None:
        """Let the threads end; those that hang are left behind."""
        ends = time.monotonic() + within
        for _ in self._threads:
            try:
                self._queue.put(None, timeout=max(0.0, ends - time.monotonic()))
            except queue.Full:
                return
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))

    def _serve(self) -> None:
        while (given := self._queue.get()) is not None:
            future, work = given
            if future.set_running_or_notify_cancel():
                _settle(future, work)


def _settle(future: Future[T], work: Callable[[], T]) -> None:
    try:
        future.set_result(work())
    except YYChatError as error:
        future.set_exception(error)
    except Exception as error:  # noqa: BLE001 - mem0 raises what its stores and SDKs raise
        log.info("mem0: %s", place_of(error))
        future.set_exception(_ours(error) or StoreError(f"mem0 failed ({_names(error)})"))


def _ours(error: BaseException) -> YYChatError | None:
    """What a guard of ours raised, if mem0 only wrapped it."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, YYChatError):
        cause = cause.__cause__
    return cause


def _names(error: BaseException) -> str:
    """What it was and what caused it; never its text, which may quote a user."""
    cause = error.__cause__
    own = type(error).__name__
    return own if cause is None else f"{own}: {_names(cause)}"
