"""Many streams at once at the pace of a model: how late each chunk is, and what that costs."""

import asyncio
import random
import time
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from cases import ask
from client import Answer, Connection, undisturbed
from processes import Program, Stage, stage
from report import Row, Table, percentile
from text import chat, conversation
from upstream import CHUNKS, GAP, STAMP

RAMP = 1.0  # seconds over which the streams begin; all of them run in the second after that


@dataclass(frozen=True)
class Load:
    """So many streams; ``direct`` goes past the service; ``users``: every stream is somebody's."""

    streams: int
    direct: bool = False
    users: bool = False

    @property
    def name(self) -> str:
        way = "upstream alone" if self.direct else "service, users" if self.users else "service"
        return f"{way}: {self.streams} streams"

    def requests(self, dice: random.Random) -> list[bytes]:
        return [self._request(dice, number) for number in range(self.streams)]

    def _request(self, dice: random.Random, number: int) -> bytes:
        fields = {"user": f"stream {number}"} if self.users else {}
        return chat(conversation(dice, 2), model="paced", stream=True, **fields)


LOADS = [
    Load(25, direct=True),
    Load(25),
    Load(200, direct=True),
    Load(200),
    Load(200, users=True),
]


async def streams(rounds: int) -> Table:
    """Lag is from the moment a chunk was due, delay from that it was sent, until it was here."""
    rows = {load: Row(load.name) for load in LOADS}
    dice = random.Random(4)
    async with stage() as running:
        await _measure(Row("warm-up"), Load(25, users=True), running, dice)
        for _ in range(rounds):
            for load in dice.sample(LOADS, len(LOADS)):
                await _measure(rows[load], load, running, dice)
    title = (
        f"Streams of {CHUNKS} chunks, one per {GAP * 1e3:.0f} ms, begun within {RAMP:.0f} s:"
        " first byte since the request, lag behind schedule and delay since sent, in ms;"
        " CPU while all run"
    )
    return Table(title, list(rows.values()))


async def _measure(row: Row, load: Load, running: Stage, dice: random.Random) -> None:
    asked = running.upstream if load.direct else running.service
    await paced(row, asked, running.upstream, load.requests(dice))


async def paced(row: Row, asked: Program, upstream: Program, requests: list[bytes]) -> None:
    """One stream for each request, begun within ``RAMP``."""
    connections = await asyncio.gather(*(Connection.to(asked.port) for _ in requests))
    await asked.quiet()
    spent = asked.cpu()
    with undisturbed():
        watching = asyncio.create_task(_busy(asked, upstream))
        answers = await asyncio.gather(
            *(
                _later(number * RAMP / len(requests), connection, request)
                for number, (connection, request) in enumerate(
                    zip(connections, requests, strict=True)
                )
            )
        )
    for connection in connections:
        connection.close()
    _note(row, answers)
    await asked.quiet()
    each = (asked.cpu() - spent) / (len(requests) * CHUNKS)
    percent, of_upstream, of_client = await watching
    row.note(CPU_percent=percent, CPU_us_per_chunk=each * 1e6)
    row.note(upstream_busy_percent=of_upstream, client_busy_percent=of_client)


async def _later(seconds: float, connection: Connection, request: bytes) -> Answer | str:
    await asyncio.sleep(seconds)
    return await ask(connection, request)


async def _busy(*programs: Program) -> list[float]:
    """The share of one core that each and this client have, in percent, while all streams run."""
    clocks = [time.monotonic, *(program.cpu for program in programs), time.process_time]
    await asyncio.sleep(RAMP)
    begun = [clock() for clock in clocks]
    await asyncio.sleep(CHUNKS * GAP - RAMP)
    real, *spent = (clock() - start for clock, start in zip(clocks, begun, strict=True))
    return [100 * seconds / real for seconds in spent]


def _note(row: Row, answers: list[Answer | str]) -> None:
    firsts: list[float] = []
    lags: list[float] = []
    delays: list[float] = []
    for answer in answers:
        chunks = [] if isinstance(answer, str) else list(_chunks(answer))
        if isinstance(answer, str) or answer.status != 200 or len(chunks) != CHUNKS:
            row.errors.append(answer if isinstance(answer, str) else _what(answer, len(chunks)))
            continue
        row.requests += 1
        firsts.append(answer.first_byte)
        lags += [lag for lag, _ in chunks]
        delays += [delay for _, delay in chunks]
    if lags:
        row.note(
            first_p50=percentile(firsts, 50),
            first_p99=percentile(firsts, 99),
            lag_p50=percentile(lags, 50),
            lag_p99=percentile(lags, 99),
            lag_most=max(lags),
            delay_p50=percentile(delays, 50),
            delay_p99=percentile(delays, 99),
        )


def _what(answer: Answer, chunks: int) -> str:
    return f"status {answer.status}, {chunks} chunks instead of {CHUNKS}"


def _chunks(answer: Answer) -> Iterator[tuple[float, float]]:
    """Lag and delay of every chunk: it was here when its last byte was."""
    ends = list(accumulate(len(data) for _, data in answer.pieces))
    body = answer.body
    for stamp in STAMP.finditer(body):
        came = answer.pieces[bisect_left(ends, stamp.end())][0]
        yield (came - int(stamp[1])) / 1e6, (came - int(stamp[2])) / 1e6
