"""What the service adds to the upstream's own time, one request at a time."""

import random
from dataclasses import dataclass, field

from cases import CASES, Case, ask, fill
from client import Answer, Connection, undisturbed
from load import Trouble
from processes import Program, stage
from report import Row, Table, percentile

WARM_UP = 50  # requests of each kind


async def latency(rounds: int, requests: int, turns: int) -> Table:
    """Requests go by turns to the upstream itself and through the service, with the same bytes."""
    rows = {name: Row(name) for case in CASES for name in _names(case)}
    dice = random.Random(2)
    async with stage() as running:
        for number in range(-1, rounds):
            for case in dice.sample(CASES, len(CASES)):
                user = f"{case.name}, round {number}"
                if case.remembered:
                    await fill(running.service, user, turns if number >= 0 else 10)
                count = requests if number >= 0 else WARM_UP
                way = Way(running.service, case.trouble)
                asked = case.requests(dice, count, user)
                pairs = await paired(running.upstream, way, case, asked, dice)
                if number >= 0:
                    _note(rows, case, pairs)
    title = (
        f"Latency in ms at one connection; user: recalls from {turns} and more turns, stores one;"
        " streamed: 100 chunks at once"
    )
    return Table(title, list(rows.values()), {"added_p50": 2.0})


@dataclass
class Pairs:
    """Complete answers to the same requests."""

    direct: list[Answer] = field(default_factory=list)
    through: list[Answer] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Way:
    """Through whom the upstream is asked, and what is wrong with an answer from there."""

    through: Program
    trouble: Trouble


async def paired(
    upstream: Program, way: Way, case: Case, requests: list[bytes], dice: random.Random
) -> Pairs:
    """Each request straight to *upstream* and by *way*, in random order."""
    pairs = Pairs()
    direct = await Connection.to(upstream.port)
    through = await Connection.to(way.through.port)
    ways = [
        (direct, case.incomplete, pairs.direct),
        (through, way.trouble, pairs.through),
    ]
    with undisturbed():
        for request in requests:
            for connection, trouble, answers in dice.sample(ways, 2):
                answer = await ask(connection, request)
                wrong = answer if isinstance(answer, str) else trouble(answer)
                if wrong is not None:
                    pairs.errors.append(wrong)
                elif isinstance(answer, Answer):
                    answers.append(answer)
    direct.close()
    through.close()
    return pairs


def _names(case: Case) -> list[str]:
    return [
        f"{case.name}: {what}"
        for what in (("first byte", "total") if case.streamed else ("total",))
    ]


def _note(rows: dict[str, Row], case: Case, pairs: Pairs) -> None:
    for name in _names(case):
        row = rows[name]
        row.requests += len(pairs.through)
        row.errors += pairs.errors
        if not (pairs.direct and pairs.through):
            continue
        first = name.endswith("first byte")
        direct, through = (
            [answer.first_byte if first else answer.total for answer in answers]
            for answers in (pairs.direct, pairs.through)
        )
        row.note(
            direct_p50=percentile(direct, 50),
            direct_p99=percentile(direct, 99),
            added_p50=percentile(through, 50) - percentile(direct, 50),
            added_p99=percentile(through, 99) - percentile(direct, 99),
        )
