"""A gentle load: callers that ask at a steady rate, whatever becomes of their questions.

``python tests/alerts/load.py URL...`` asks the services there two questions a second.
"""

import asyncio
import itertools
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx2

Question = dict[str, Any]

PLAIN: Question = {}
STREAM: Question = {"stream": True}
MEM0: Question = {"engine": "mem0_proxy"}
MIXED = (PLAIN, STREAM, PLAIN, STREAM, MEM0)
RATE = 10.0  # requests a second
USERS = 50


class Load:
    """``rate`` and ``questions`` may change at any time; no questions are no load. ``counts`` is
    by what answered: an engine's name, a status, or an exception's."""

    def __init__(self, urls: Callable[[], Sequence[str]]) -> None:
        self._urls = urls
        self.rate = RATE
        self.questions: Sequence[Question] = MIXED
        self.counts: Counter[str] = Counter()

    async def run(self, over: threading.Event) -> None:
        limits = httpx2.Limits(max_connections=200)
        async with (
            httpx2.AsyncClient(timeout=30, limits=limits) as http,
            asyncio.TaskGroup() as calls,
        ):
            for number in itertools.count():
                if over.is_set():
                    break
                if self.questions:
                    calls.create_task(self._ask(http, number))
                await asyncio.sleep(1 / self.rate)

    async def _ask(self, http: httpx2.AsyncClient, number: int) -> None:
        urls = self._urls()
        asked = {
            "messages": [{"role": "user", "content": f"say number {number}"}],
            "user": f"user-{number % USERS}",
            **self.questions[number % len(self.questions)],
        }
        try:
            answer = await http.post(f"{urls[number % len(urls)]}/v1/chat/completions", json=asked)
        except httpx2.HTTPError as error:
            self.counts[type(error).__name__] += 1
        else:
            well = answer.status_code == 200
            said = answer.headers.get("x-yychat-engine", "") if well else answer.status_code
            self.counts[str(said)] += 1


@contextmanager
def load(urls: Callable[[], Sequence[str]]) -> Iterator[Load]:
    """From another thread, until the block ends."""
    calling, over = Load(urls), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(calling.run(over)))
    thread.start()
    try:
        yield calling
    finally:
        over.set()
        thread.join()


if __name__ == "__main__":
    calling = Load(lambda: sys.argv[1:])
    calling.rate = 2
    asyncio.run(calling.run(threading.Event()))
