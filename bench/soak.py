"""Whether the service's memory stays what it is: its RSS under a steady load.

python bench/soak.py [--minutes N] [--rate N] [--users N] [--json FILE]

Every request recalls and stores a turn. What is bounded fills first (10,000 performance records,
5,000 turns of each user): the slope is that of the second half, by least squares.
"""

import asyncio
import random
import time
from contextlib import AsyncExitStack
from pathlib import Path

import click
import numpy as np
import uvloop

from cases import CASES, ask
from client import Connection
from collector import collecting
from load import CLIENTS, fill_all, user
from processes import Program, before, ready_service, upstream
from report import Row, Table, machine, show, write

EVERY = 10.0  # seconds between two looks at the RSS
CASE = next(c for c in CASES if c.remembered and not c.streamed and c.messages == 2)


async def one(service: Program, number: int, users: int, every: float, ends: float) -> int:
    """A client who asks every so many seconds; how often it did."""
    connection, dice, asked = await Connection.to(service.port), random.Random(number), 0
    due = time.monotonic() + every * number / CLIENTS
    while due < ends:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        (request,) = CASE.requests(dice, 1, user(number % users))
        answer = await ask(connection, request)
        assert not isinstance(answer, str), answer
        asked, due = asked + 1, max(due + every, time.monotonic())
    connection.close()
    return asked


async def watched(service: Program, ends: float) -> list[tuple[float, float]]:
    """Minutes since the begin, and MB."""
    begun, seen = time.monotonic(), list[tuple[float, float]]()
    while (now := time.monotonic()) < ends:
        seen.append(((now - begun) / 60, service.resident()))
        await asyncio.sleep(EVERY)
    return seen


async def soak(minutes: float, rate: float, users: int) -> Table:
    async with AsyncExitStack() as stack:
        settings = await stack.enter_async_context(collecting())
        provider = await stack.enter_async_context(upstream())
        quiet = {**before(provider), **settings, "YYCHAT_LOG_LEVEL": "ERROR"}
        service = await stack.enter_async_context(ready_service(**quiet))
        idle = service.resident()
        await fill_all(service, 500, users)
        ends, row = time.monotonic() + minutes * 60, Row(f"{users} users, {rate:g} requests/s")
        every = CLIENTS / rate
        clients = [one(service, number, users, every, ends) for number in range(CLIENTS)]
        watching = asyncio.create_task(watched(service, ends))
        asked = await asyncio.gather(*clients)
        seen = await watching
    row.requests = sum(asked)
    half = seen[len(seen) // 2 :]
    slope = float(np.polyfit([at for at, _ in half], [size for _, size in half], 1)[0])
    row.note(idle_MB=idle, filled_MB=seen[0][1], half_time_MB=half[0][1], end_MB=seen[-1][1])
    row.note(most_MB=max(size for _, size in seen), MB_a_minute=slope, requests=row.requests)
    return Table(f"RSS over {minutes:g} minutes", [row], {"MB_a_minute": 0.5, "most_MB": 130.0})


@click.command(help=__doc__)
@click.option("--minutes", default=20.0, show_default=True)
@click.option("--rate", default=100.0, show_default=True, help="Requests a second.")
@click.option("--users", default=1, show_default=True)
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the figures.")
def main(minutes: float, rate: float, users: int, file: Path | None) -> None:
    where = machine()
    print(where)
    table = uvloop.run(soak(minutes, rate, users))
    show(table)
    if file:
        write(file, [table], {"machine": where})


if __name__ == "__main__":
    main()
