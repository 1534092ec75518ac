"""What a second process brings: the same load on one process of the service, and on two."""

import random
from contextlib import AsyncExitStack

from cases import CASES
from cpu import note
from load import CLIENTS, closed_loop, fill_all, shares
from processes import PATIENT, before, ready_service, upstream
from report import Row, Table

LAPS = 2  # of each before anything counts: every process has to know everybody


async def workers(rounds: int, requests: int, turns: int) -> Table:
    """Requests per second of ``yychat serve`` without and with ``--workers 2``, in turns. The load
    and the upstream have no core to themselves: what they use is missing to the second process."""
    cases = [case for case in CASES if case.messages == 2 and not case.streamed]
    rows = {(case, n): Row(f"{case.name}, {n} process") for case in cases for n in (1, 2)}
    ratios = {case: Row(f"{case.name}, two of one") for case in cases}
    dice = random.Random(7)
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(upstream())
        services = {
            n: await stack.enter_async_context(
                ready_service("--workers", str(n), **before(provider), **PATIENT)
            )
            for n in (1, 2)
        }
        for service in services.values():
            await fill_all(service, turns)
        for number in range(-LAPS, rounds):
            for case in dice.sample(cases, len(cases)):
                asked = shares(case, dice, requests)
                for n in dice.sample([1, 2], 2):
                    row = rows[case, n] if number >= 0 else Row("warm-up")
                    note(row, await closed_loop(services[n], provider, asked), case.trouble)
                if number >= 0:
                    one, two = (rows[case, n].figures["per_second"][-1] for n in (1, 2))
                    ratios[case].note(ratio=two / one)
    title = (
        f"One process and two, {CLIENTS} connections, closed loop; user: recalls"
        f" from {turns} and more turns, stores one"
    )
    return Table(title, [*rows.values(), *ratios.values()])
