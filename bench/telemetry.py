"""What watching costs: the same service with telemetry on and off, request by request."""

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from cases import CASES, Case
from collector import SAMPLED, collecting
from load import CLIENTS, closed_loop, fill_all, right, shares
from processes import Program, before, ready_service, upstream
from report import Row, Table
from upstream import CHUNKS


async def telemetry(rounds: int, requests: int, turns: int) -> Table:
    """CPU of both services for the same requests; with telemetry, a tenth of the traces is sent to
    a collector on loopback."""
    cases = [case for case in CASES if case.messages == 2]
    rows = {case: Row(case.name) for case in cases}
    dice = random.Random(5)
    async with _both() as (provider, on, off):
        for running in (on, off):
            await fill_all(running, turns)
        for number in range(-1, rounds):
            added: dict[Case, float] = {}
            for case in dice.sample(cases, len(cases)):
                row = rows[case] if number >= 0 else Row("warm-up")
                asked = shares(case, dice, requests)
                spent = {}
                for running in dice.sample([on, off], 2):
                    found = await closed_loop(running, provider, asked)
                    answers = right(row, found.answers, case.trouble)
                    spent[running] = found.asked * 1e3 / max(1, len(answers))
                added[case] = spent[on] - spent[off]
                row.note(CPU_ms_on=spent[on], CPU_ms_off=spent[off])
                row.note(added_CPU_ms=added[case], ratio=spent[on] / spent[off])
            if number >= 0:
                _note_chunks(rows, added)
    title = (
        f"Telemetry at {float(SAMPLED):.0%} sampling into a collector, against the same service"
        f" without, {CLIENTS} connections; user: recalls from {turns} and more turns, stores one"
    )
    return Table(title, list(rows.values()), {"added_CPU_ms": 0.45, "added_us_per_chunk": 6.0})


@asynccontextmanager
async def _both() -> AsyncIterator[tuple[Program, Program, Program]]:
    async with AsyncExitStack() as stack:
        watched = await stack.enter_async_context(collecting())
        provider = await stack.enter_async_context(upstream())
        on, off = [
            await stack.enter_async_context(ready_service(**before(provider), **given))
            for given in (watched, {"YYCHAT_TELEMETRY": "0"})
        ]
        yield provider, on, off


def _note_chunks(rows: dict[Case, Row], added: dict[Case, float]) -> None:
    """What a stream's chunks add is what it adds more than a whole answer of the same round."""
    for case, row in rows.items():
        if case.streamed:
            more = added[case] - added[replace(case, streamed=False)]
            row.note(added_us_per_chunk=more * 1e3 / CHUNKS)
