"""What a request costs the service in CPU time, with sixteen clients who ask without a pause."""

import asyncio
import random
import time
from dataclasses import dataclass

from cases import CASES, Case, ask, fill
from client import Answer, Connection, undisturbed
from processes import Program, Stage, stage
from report import Row, Table, percentile

CLIENTS = 16


@dataclass(frozen=True)
class Load:
    """``direct`` goes past the service: the upstream has to be far from being the bottleneck."""

    case: Case
    direct: bool

    @property
    def name(self) -> str:
        return f"upstream alone: {self.case.name}" if self.direct else self.case.name


LOADS = [
    *(Load(case, direct=True) for case in CASES if not case.remembered),
    *(Load(case, direct=False) for case in CASES),
]


async def cpu(rounds: int, requests: int, turns: int) -> Table:
    """*requests* are per round and kind; storing after the answers is counted with them."""
    rows = {load: Row(load.name) for load in LOADS}
    dice = random.Random(3)
    async with stage() as running:
        for client in range(CLIENTS):
            await fill(running.service, _user(client), turns)
        for number in range(-1, rounds):
            for load in dice.sample(LOADS, len(LOADS)):
                row = rows[load] if number >= 0 else Row("warm-up")
                await _measure(row, load, running, dice, requests)
    title = (
        f"CPU at {CLIENTS} connections, closed loop; user: {CLIENTS} of them, each recalls from"
        f" {turns} and more turns, stores one; streamed: 100 chunks at once"
    )
    return Table(title, list(rows.values()))


def _user(client: int) -> str:
    return f"client {client}"


async def _measure(
    row: Row, load: Load, running: Stage, dice: random.Random, requests: int
) -> None:
    asked = running.upstream if load.direct else running.service
    each = max(1, requests // CLIENTS)
    shares = [load.case.requests(dice, each, _user(client)) for client in range(CLIENTS)]
    connections = await asyncio.gather(*(Connection.to(asked.port) for _ in shares))
    await asked.quiet()
    with undisturbed(), Clocks(running.upstream, asked) as clocks:
        answers = await asyncio.gather(*map(_all, connections, shares))
        clocks.answered()
        await asked.quiet()
    for connection in connections:
        connection.close()
    _note(row, load, [answer for share in answers for answer in share], clocks)


async def _all(connection: Connection, requests: list[bytes]) -> list[Answer | str]:
    return [await ask(connection, request) for request in requests]


class Clocks:
    """CPU time of upstream, client and the one who is asked, and real time, in seconds."""

    def __init__(self, upstream: Program, asked: Program) -> None:
        self._upstream, self._asked = upstream, asked
        self.real = self.upstream = self.client = self.spent = 0.0

    def __enter__(self) -> "Clocks":
        self._begun = self._read()
        return self

    def answered(self) -> None:
        """The last answer has come; the work behind it may go on."""
        ended = self._read()
        differences = (end - begin for begin, end in zip(self._begun, ended, strict=True))
        self.real, self.client, self.upstream, _ = differences

    def __exit__(self, *_: object) -> None:
        self.spent = self._asked.cpu() - self._begun[3]

    def _read(self) -> tuple[float, float, float, float]:
        return time.monotonic(), time.process_time(), self._upstream.cpu(), self._asked.cpu()


def _note(row: Row, load: Load, answers: list[Answer | str], clocks: Clocks) -> None:
    right = []
    for answer in answers:
        wrong = answer if isinstance(answer, str) else _trouble(load, answer)
        if wrong is not None:
            row.errors.append(wrong)
        elif isinstance(answer, Answer):
            right.append(answer)
    row.requests += len(right)
    if right:
        row.note(
            CPU_ms=clocks.spent * 1e3 / len(right),
            per_second=len(right) / clocks.real,
            p50_ms=percentile([answer.total for answer in right], 50),
            upstream_busy_percent=100 * clocks.upstream / clocks.real,
            client_busy_percent=100 * clocks.client / clocks.real,
        )


def _trouble(load: Load, answer: Answer) -> str | None:
    return load.case.incomplete(answer) if load.direct else load.case.trouble(answer)
