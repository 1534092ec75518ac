"""What watching costs: the same service with telemetry on and off, request by request."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from cases import CASES, Case, ask, fill
from client import Answer, Connection, first_ok, undisturbed
from processes import START_WITHIN, Program, before, service, upstream
from report import Row, Table
from upstream import CHUNKS

CLIENTS = 16
SAMPLED = "0.1"


async def telemetry(rounds: int, requests: int, turns: int) -> Table:
    """CPU of both services for the same requests; with telemetry, a tenth of the traces is sent to
    a collector on loopback."""
    cases = [case for case in CASES if case.messages == 2]
    rows = {case: Row(case.name) for case in cases}
    dice = random.Random(5)
    async with _both() as (on, off):
        for running in (on, off):
            for client in range(CLIENTS):
                await fill(running, _user(client), turns)
        for number in range(-1, rounds):
            for case in dice.sample(cases, len(cases)):
                row = rows[case] if number >= 0 else Row("warm-up")
                each = max(1, requests // CLIENTS)
                asked = [case.requests(dice, each, _user(client)) for client in range(CLIENTS)]
                spent = {}
                for running in dice.sample([on, off], 2):
                    spent[running] = await _spent(row, case, running, asked)
                _note(row, case, spent[on], spent[off])
    title = (
        f"Telemetry at {float(SAMPLED):.0%} sampling into a collector, against the same service"
        f" without, {CLIENTS} connections; user: recalls from {turns} and more turns, stores one"
    )
    return Table(title, list(rows.values()), {"added_CPU_ms": 0.45, "added_us_per_chunk": 6.0})


def _user(client: int) -> str:
    return f"client {client}"


@asynccontextmanager
async def _both() -> AsyncIterator[tuple[Program, Program]]:
    collector = await asyncio.start_server(_swallow, "127.0.0.1", 0)
    port = collector.sockets[0].getsockname()[1]
    watched = {
        "YYCHAT_TRACE_SAMPLE_RATIO": SAMPLED,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
    }
    async with AsyncExitStack() as stack:
        stack.callback(collector.close)
        provider = await stack.enter_async_context(upstream())
        pair = []
        for given in (watched, {"YYCHAT_TELEMETRY": "0"}):
            running = await stack.enter_async_context(service(0, **before(provider), **given))
            await running.begin()
            async with asyncio.timeout(START_WITHIN):
                await first_ok(running.port, "/readyz")
            pair.append(running)
        yield pair[0], pair[1]


async def _swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A collector that takes everything."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines = head.lower().split(b"\r\n")
            length = next((int(x[15:]) for x in lines if x.startswith(b"content-length:")), 0)
            await reader.readexactly(length)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _spent(row: Row, case: Case, running: Program, asked: list[list[bytes]]) -> float:
    """Milliseconds of CPU for each request, what follows the answers included."""
    connections = await asyncio.gather(*(Connection.to(running.port) for _ in asked))
    await running.quiet()
    begun = running.cpu()
    with undisturbed():
        answers = await asyncio.gather(*map(_all, connections, asked))
        await running.quiet()
    spent = running.cpu() - begun
    for connection in connections:
        connection.close()
    right = 0
    for answer in (each for share in answers for each in share):
        wrong = answer if isinstance(answer, str) else case.trouble(answer)
        if wrong is not None:
            row.errors.append(wrong)
        else:
            right += 1
    row.requests += right
    return spent * 1e3 / max(1, right)


async def _all(connection: Connection, requests: list[bytes]) -> list[Answer | str]:
    return [await ask(connection, request) for request in requests]


def _note(row: Row, case: Case, on: float, off: float) -> None:
    found = {"CPU_ms_on": on, "CPU_ms_off": off, "added_CPU_ms": on - off, "ratio": on / off}
    if case.streamed:
        found["added_us_per_chunk"] = (on - off) * 1e3 / CHUNKS
    row.note(**found)
