"""What a request costs the service in CPU time, with sixteen clients who ask without a pause."""

import random
from dataclasses import dataclass

from cases import CASES, Case
from load import CLIENTS, Spent, Trouble, closed_loop, fill_all, right, shares
from processes import Stage, stage
from report import Row, Table, percentile


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
        await fill_all(running.service, turns)
        for number in range(-1, rounds):
            for load in dice.sample(LOADS, len(LOADS)):
                row = rows[load] if number >= 0 else Row("warm-up")
                await _measure(row, load, running, shares(load.case, dice, requests))
    title = (
        f"CPU at {CLIENTS} connections, closed loop; user: {CLIENTS} of them, each recalls from"
        f" {turns} and more turns, stores one; streamed: 100 chunks at once"
    )
    return Table(title, list(rows.values()))


async def _measure(row: Row, load: Load, running: Stage, asked: list[list[bytes]]) -> None:
    target = running.upstream if load.direct else running.service
    spent = await closed_loop(target, running.upstream, asked)
    note(row, spent, load.case.incomplete if load.direct else load.case.trouble)


def note(row: Row, spent: Spent, trouble: Trouble) -> None:
    """Nothing is noted where no answer was right."""
    answers = right(row, spent.answers, trouble)
    if answers:
        row.note(
            CPU_ms=spent.asked * 1e3 / len(answers),
            per_second=len(answers) / spent.real,
            p50_ms=percentile([answer.total for answer in answers], 50),
            upstream_busy_percent=100 * spent.upstream / spent.real,
            client_busy_percent=100 * spent.client / spent.real,
        )
