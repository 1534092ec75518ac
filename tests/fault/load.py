"""Requests that come at their time, whatever becomes of those before them."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx2

from fault.instances import asked, fact

RATE = 50  # requests a second
SECONDS = 30
USERS = 12


@dataclass
class Told:
    """One fact that was told; all times in seconds since the load began."""

    number: int
    due: float
    sent: float = 0.0
    answered: float = 0.0
    failure: str = ""
    memory: str = field(default="", repr=False)

    @property
    def user(self) -> str:
        """Each talks to all instances: they alternate by number, users every second number."""
        return user_of(self.number)

    @property
    def milliseconds(self) -> float:
        """From when it was due: a client that is late counts as well."""
        return 1000 * (self.answered - self.due)


def user_of(number: int) -> str:
    return f"user-{number // 2 % USERS}"


class Load:
    """``told`` fills up while ``run`` does; ``now`` is the time on its clock."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = urls
        self._began = time.monotonic()
        self.told: list[Told] = []

    @property
    def now(self) -> float:
        return time.monotonic() - self._began

    async def run(self) -> None:
        self._began = time.monotonic()
        limits = httpx2.Limits(max_connections=500, max_keepalive_connections=100)
        async with (
            httpx2.AsyncClient(timeout=30, limits=limits) as http,
            asyncio.TaskGroup() as all,
        ):
            for number in range(RATE * SECONDS):
                told = Told(number, due=number / RATE)
                self.told.append(told)
                await asyncio.sleep(max(0.0, told.due - self.now))
                all.create_task(self._tell(http, told))

    async def _tell(self, http: httpx2.AsyncClient, told: Told) -> None:
        url = f"{self._urls[told.number % len(self._urls)]}/v1/chat/completions"
        told.sent = self.now
        try:
            answer = await http.post(url, json=asked(fact(told.number), told.user))
        except httpx2.HTTPError as error:
            told.failure = type(error).__name__
        else:
            told.failure = "" if answer.status_code == 200 else answer.text
            told.memory = answer.headers.get("x-yychat-memory", "")
        told.answered = self.now
