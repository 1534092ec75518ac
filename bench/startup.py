"""How long the service takes to start, and what it weighs when idle."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from client import first_ok
from processes import HERE, START_WITHIN, Program, before, free_port, service, upstream
from report import Row, Table

IDLE = 5.0  # seconds after it is ready
WEIGHED = 3  # rounds in which its memory is looked at

DEAD = HERE / "dead_mcp_servers.json"
MCP = "five dead MCP servers"  # not weighed: their SDK alone is 27 MB

Environment = dict[str, str]


async def startup(rounds: int) -> Table:
    """The first start of each kind is a warm-up and does not count."""
    async with upstream() as provider:
        configured = before(provider)
        kinds = {
            "embedded simulator": {},
            "configured upstream": configured,
            MCP: {**configured, "YYCHAT_MCP_CONFIG": str(DEAD)},
        }
        rows = {name: Row(name) for name in kinds}
        dice = random.Random(1)
        for number in range(-1, rounds):
            for name, environment in dice.sample(sorted(kinds.items()), len(kinds)):
                row = Row(name) if number < 0 else rows[name]
                await _measure(row, environment, weigh=name != MCP and 0 <= number < WEIGHED)
    targets = {"listening_s": 1.0, "idle_MB": 110.0}
    title = "Startup: seconds from the start of the process; VmRSS of the service alone, idle"
    return Table(title, list(rows.values()), targets)


async def _measure(row: Row, environment: Environment, *, weigh: bool) -> None:
    row.requests += 1
    begun = time.monotonic_ns()
    try:
        async with _started(environment) as (program, port), asyncio.timeout(START_WITHIN):
            moments = await asyncio.gather(
                _said(program), first_ok(port, "/healthz"), first_ok(port, "/readyz")
            )
            if weigh:
                await asyncio.sleep(IDLE)
                row.note(idle_MB=program.resident())
    except (RuntimeError, TimeoutError) as error:
        row.errors.append(f"{type(error).__name__}: {error}")
        return
    listening, healthy, ready = ((moment - begun) / 1e9 for moment in moments)
    row.note(listening_s=listening, healthz_s=healthy, readyz_s=ready)


@asynccontextmanager
async def _started(environment: Environment) -> AsyncIterator[tuple[Program, int]]:
    port = free_port()
    async with service(port, **environment) as program:
        yield program, port


async def _said(program: Program) -> int:
    await program.begin()
    return program.listening
