"""The kinds of requests measured, what a right answer to each is, and how they are sent."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from client import Answer, Connection
from processes import Program
from text import chat, conversation
from upstream import CHUNKS

FILLERS = 8  # connections that fill a memory


@dataclass(frozen=True)
class Case:
    """``remembered``: with a ``user``, whose memory is recalled for, and gets, every answer."""

    messages: int
    streamed: bool
    remembered: bool

    @property
    def name(self) -> str:
        kind = "streamed" if self.streamed else "whole"
        return f"{kind}, {self.messages} messages{', user' if self.remembered else ''}"

    def requests(self, dice: random.Random, count: int, user: str) -> list[bytes]:
        """Every one has another text."""
        fields = {
            **({"stream": True} if self.streamed else {}),
            **({"user": user} if self.remembered else {}),
        }
        return [chat(conversation(dice, self.messages), **fields) for _ in range(count)]

    def trouble(self, answer: Answer) -> str | None:
        """What is wrong with the service's *answer*."""
        memory = answer.headers.get(b"x-yychat-memory", b"none").decode()
        if memory != ("hit" if self.remembered else "off"):
            return f"status {answer.status}, memory {memory}"
        return self.incomplete(answer)

    def incomplete(self, answer: Answer) -> str | None:
        """What is missing from an answer, be it the service's or the upstream's own."""
        if answer.status != 200:
            return f"status {answer.status}"
        body = answer.body
        if not self.streamed:
            return None if b'"finish_reason":"stop"' in body else "no complete answer"
        chunks = body.count(b'"content":"')  # what else is in a delta, proxies decide
        if chunks != CHUNKS or not body.endswith(b"data: [DONE]\n\n"):
            return f"{chunks} chunks instead of {CHUNKS}, or no end"
        return None


CASES = [Case(*kind) for kind in product((2, 40), (False, True), (False, True))]


async def ask(connection: Connection, request: bytes) -> Answer | str:
    """The answer, or why there is none."""
    try:
        return await connection.ask(request)
    except (OSError, TimeoutError) as error:
        return f"{type(error).__name__}: {error}"


async def fill(service: Program, user: str, turns: int) -> None:
    """Give *user* a memory of so many turns, made as everybody's is: by asking."""
    case = Case(messages=2, streamed=False, remembered=True)
    requests = case.requests(random.Random(user), turns + 1, user)
    connections = await asyncio.gather(*(Connection.to(service.port) for _ in range(FILLERS)))
    shares = [requests[n:-1:FILLERS] for n in range(FILLERS)]
    await asyncio.gather(*map(_fill, connections, shares))
    await service.quiet()
    await _fill(connections[0], requests[-1:])  # recalls: the owner's index is warm now
    await service.quiet()
    for connection in connections:
        connection.close()


async def _fill(connection: Connection, requests: Sequence[bytes]) -> None:
    for request in requests:
        answer = await connection.ask(request)
        if answer.status != 200:
            raise RuntimeError(f"a memory could not be filled: status {answer.status}")
