"""The service against the field: a bare passthrough and LiteLLM's proxy, all before one upstream.

    python bench/field.py [--full] [--json FILE] [--readme]

What is measured, and how, is in bench/README.md. Short: ten minutes; full: half an hour.
"""

import json
import random
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import uvloop

from cases import Case
from cpu import note
from field_report import BURST, LATENCY, LONG, PROCESSES, WHOLE, markdown, paced_table, put
from latency import Way, paired
from load import ask_all, closed_loop, fill_all, shares, user
from mem0_recall import mem0_recall
from processes import HERE, Program
from report import Row, Table, machine, percentile, write
from streams import paced
from text import chat, conversation
from variants import DIRECT, VARIANTS, Contender, litellm_version, pinned, running, surroundings

LAP = 64  # requests
HEAVIER = 4  # times that a heavy variant is asked less
MOST_HEAVY = 200  # paced streams of a heavy variant: LiteLLM is past what it can do at 26


@dataclass(frozen=True)
class Effort:
    """Of ``paced`` streams and of ``recalls`` there are other numbers of rounds."""

    rounds: int
    paced: int
    recalls: int
    facts: int
    requests: int
    turns: int
    users: int
    streams: tuple[int, ...] = (25, 200, 500)


SHORT = Effort(3, 1, recalls=3, facts=50, requests=320, turns=500, users=8)
FULL = Effort(7, 3, recalls=7, facts=200, requests=640, turns=500, users=16)


class Field:
    """What runs, and the measures, each for one variant and round."""

    def __init__(self, effort: Effort, provider: Program, contenders: list[Contender]) -> None:
        self._effort, self._provider = effort, provider
        self.contenders = contenders
        self._dice = random.Random(6)
        self.processes = _table(PROCESSES, contenders)
        for contender in contenders:
            _row(self.processes, contender).note(start_s=contender.start)

    def weigh(self, when: str) -> None:
        for contender in self.contenders:
            _row(self.processes, contender).note(**{when: contender.program.resident()})

    async def warm(self) -> None:
        for contender in self.contenders:
            variant = contender.variant
            if variant.remembers:
                turns = self._effort.turns if variant.turns is None else variant.turns
                await fill_all(contender.program, turns, self._effort.users)

    async def closed(self, row: Row, contender: Contender, case: Case, requests: int) -> None:
        """After a lap that does not count: it was idle while the others were asked."""
        lap, asked = (
            shares(case, self._dice, self._fewer(contender, count), self._effort.users)
            for count in (LAP, requests)
        )
        await ask_all(contender.program, lap)
        spent = await closed_loop(contender.program, self._provider, asked)
        note(row, spent, contender.variant.trouble(case))

    async def one(self, row: Row, contender: Contender, case: Case, requests: int) -> None:
        """One at a time; whom it adds to is asked as often."""
        way = Way(contender.program, contender.variant.trouble(case))
        asked = [
            request
            for number in range(self._fewer(contender, requests))
            for request in case.requests(self._dice, 1, self._user(number))
        ]
        pairs = await paired(self._provider, way, case, asked, self._dice)
        row.errors += pairs.errors
        row.requests += len(pairs.through)
        if not (pairs.direct and pairs.through):
            return
        direct, through = (
            [answer.first_byte if case.streamed else answer.total for answer in answers]
            for answers in (pairs.direct, pairs.through)
        )
        row.note(
            **{
                f"{'first_' if case.streamed else ''}added_p{rank}": percentile(through, rank)
                - percentile(direct, rank)
                for rank in (50, 99)
            }
        )

    async def paced(self, row: Row, contender: Contender, streams: int) -> None:
        requests = [
            chat(conversation(self._dice, 2), model="paced", stream=True, user=self._user(number))
            for number in range(streams)
        ]
        await paced(row, contender.program, self._provider, requests)

    def shuffled(self) -> list[Contender]:
        return self._dice.sample(self.contenders, len(self.contenders))

    def _user(self, number: int) -> str:
        return user(number % self._effort.users)

    @staticmethod
    def _fewer(contender: Contender, requests: int) -> int:
        return requests // HEAVIER if contender.variant.heavy else requests


Measure = Callable[[Row, Contender], Awaitable[None]]


def _measures(field: Field, requests: int) -> dict[str, list[Measure]]:
    """By the table that they fill."""
    whole, long, burst = (Case(n, s, True) for n, s in ((2, False), (40, False), (2, True)))
    return {
        WHOLE: [lambda row, who: field.closed(row, who, whole, requests)],
        LONG: [lambda row, who: field.closed(row, who, long, requests)],
        BURST: [lambda row, who: field.closed(row, who, burst, requests // 2)],
        LATENCY: [
            lambda row, who: field.one(row, who, whole, requests),
            lambda row, who: field.one(row, who, burst, requests // 4),
        ],
    }


async def measured(effort: Effort) -> list[Table]:
    core = pinned()
    async with AsyncExitStack() as stack:
        around = await stack.enter_async_context(surroundings())
        contenders = [Contender(DIRECT, around.provider, 0.0)]
        for variant in VARIANTS:
            contenders.append(await stack.enter_async_context(running(variant, around, core)))
            _tell(f"{variant.name} runs")
        field = Field(effort, around.provider, contenders)
        field.weigh("idle_MB")
        await field.warm()
        _tell("memories are warm")
        field.weigh("warm_MB")
        tables = [field.processes, *await _rounds(field, effort)]
        field.weigh("asked_MB")
        tables += await _paced_rounds(field, effort)
        field.weigh("loaded_MB")
    return [*tables, await mem0_recall(effort.facts, effort.facts, effort.recalls)]


async def _rounds(field: Field, effort: Effort) -> list[Table]:
    tables = {title: _table(title, field.contenders) for title in _measures(field, 0)}
    warm_up = {title: _table(title, field.contenders) for title in tables}
    await _round(warm_up, field, _measures(field, 64))
    for number in range(effort.rounds):
        await _round(tables, field, _measures(field, effort.requests))
        _tell(f"round {number + 1} of {effort.rounds}")
    return list(tables.values())


async def _paced_rounds(field: Field, effort: Effort) -> list[Table]:
    streams = [_table(paced_table(count), field.contenders) for count in effort.streams]
    for _ in range(effort.paced):
        for count, table in zip(effort.streams, streams, strict=True):
            for contender in field.shuffled():
                if not contender.variant.heavy or count <= MOST_HEAVY:
                    row = _row(table, contender)
                    await _attempt(row, field.paced(row, contender, count))
            _tell(table.title)
    return streams


async def _round(
    tables: dict[str, Table], field: Field, measures: dict[str, list[Measure]]
) -> None:
    for title, asked in measures.items():
        for contender in field.shuffled():
            row = _row(tables[title], contender)
            for measure in asked:
                await _attempt(row, measure(row, contender))


async def _attempt(row: Row, measure: Awaitable[None]) -> None:
    """What does not come to rest is an error of its row, and the others go on."""
    try:
        await measure
    except (OSError, TimeoutError) as error:
        row.errors.append(f"{type(error).__name__}: {error}")


def _table(title: str, contenders: Sequence[Contender]) -> Table:
    return Table(title, [Row(contender.variant.name) for contender in contenders])


def _row(table: Table, contender: Contender) -> Row:
    return next(row for row in table.rows if row.name == contender.variant.name)


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


@click.command(help=__doc__)
@click.option("--full", is_flag=True, help="More rounds, more requests, more users.")
@click.option("--rounds", type=click.IntRange(1), help="Instead of 3, or 7.")
@click.option("--json", "file", type=click.Path(path_type=Path), default=Path("bench-field.json"))
@click.option("--readme", is_flag=True, help="Put the tables into bench/README.md.")
def main(full: bool, rounds: int | None, file: Path, readme: bool) -> None:
    effort = FULL if full else SHORT
    if rounds:
        effort = replace(effort, rounds=rounds)
    about = {"machine": machine(), "litellm": litellm_version(), "effort": asdict(effort)}
    tables = uvloop.run(measured(effort))
    write(file, tables, about)
    text = markdown(json.loads(file.read_text(encoding="utf-8")))
    print(text)
    if readme:
        put(HERE / "README.md", text)
    sys.exit(1 if any(table.errors for table in tables) else 0)


if __name__ == "__main__":
    main()
