"""Sixteen clients who ask without a pause, and what that costs the one who is asked."""

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from cases import Case, ask, fill
from client import Answer, Connection, undisturbed
from processes import Program
from report import Row

CLIENTS = 16

Trouble = Callable[[Answer], str | None]


def user(client: int) -> str:
    return f"client {client}"


async def fill_all(service: Program, turns: int, users: int = CLIENTS) -> None:
    """Give each of the users a memory of so many turns."""
    for number in range(users):
        await fill(service, user(number), turns)


def shares(
    case: Case, dice: random.Random, requests: int, users: int = CLIENTS
) -> list[list[bytes]]:
    """About so many requests, shared out among the clients."""
    each = max(1, requests // CLIENTS)
    return [case.requests(dice, each, user(client % users)) for client in range(CLIENTS)]


@dataclass
class Spent:
    """Seconds of real time and of CPU until the last answer; ``asked`` also what came after it."""

    answers: list[Answer | str] = field(default_factory=list)
    real: float = 0.0
    client: float = 0.0
    upstream: float = 0.0
    asked: float = 0.0


async def closed_loop(
    asked: Program, upstream: Program, requests: Sequence[Sequence[bytes]]
) -> Spent:
    """Everybody's requests, each sent when the one before it is answered."""
    connections = await asyncio.gather(*(Connection.to(asked.port) for _ in requests))
    await asked.quiet()
    begun = _clocks(upstream)
    spent, before = Spent(), asked.cpu()
    with undisturbed():
        answers = await asyncio.gather(*map(_all, connections, requests))
        differences = (end - start for start, end in zip(begun, _clocks(upstream), strict=True))
        spent.real, spent.client, spent.upstream = differences
        await asked.quiet()
    spent.asked = asked.cpu() - before
    for connection in connections:
        connection.close()
    spent.answers = [answer for share in answers for answer in share]
    return spent


async def ask_all(asked: Program, requests: Sequence[Sequence[bytes]]) -> None:
    """The same, measuring nothing."""
    connections = await asyncio.gather(*(Connection.to(asked.port) for _ in requests))
    await asyncio.gather(*map(_all, connections, requests))
    for connection in connections:
        connection.close()


async def _all(connection: Connection, requests: Sequence[bytes]) -> list[Answer | str]:
    return [await ask(connection, request) for request in requests]


def _clocks(upstream: Program) -> tuple[float, float, float]:
    return time.monotonic(), time.process_time(), upstream.cpu()


def right(row: Row, answers: Iterable[Answer | str], trouble: Trouble) -> list[Answer]:
    """Those that count; the others are the row's errors."""
    found = []
    for answer in answers:
        wrong = answer if isinstance(answer, str) else trouble(answer)
        if wrong is not None:
            row.errors.append(wrong)
        elif isinstance(answer, Answer):
            found.append(answer)
    row.requests += len(found)
    return found
