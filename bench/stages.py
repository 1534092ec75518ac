"""Where the CPU of a request goes, stage by stage: samples of the running service's stacks.

    python bench/stages.py [--py-spy PATH] [--rounds N]

Needs py-spy (`pip install py-spy`, in any environment) and the right to look into other processes.
A sample belongs to the stage of its innermost frame that has one, so that what a library does is
counted where it was called for. Only who holds the interpreter is seen: a thread that waits is not,
nor is SQLite while it writes. Microseconds are the share of the samples of the CPU time that the
process's own clock says, for as many requests without samples.
"""

import asyncio
import random
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import click
import uvloop

from cases import Case
from collector import collecting
from load import ask_all, closed_loop, fill_all, shares
from processes import Program, before, ready_service, upstream
from report import machine

WHOLE, BURST = (Case(2, streamed=streamed, remembered=True) for streamed in (False, True))
PATHS: list[tuple[str, Case, dict[str, str]]] = [
    ("A whole answer, remembered", WHOLE, {}),
    ("A stream of 100 chunks at once, remembered", BURST, {}),
    ("A whole answer, remembered with an embedder", WHOLE, {"YYCHAT_EMBEDDING_MODEL": "bench"}),
]
RATE = 400  # samples a second
REQUESTS = 320  # of a round

# By a part of a frame's file; the first that fits.
STAGES = {
    "opentelemetry/": "telemetry: OpenTelemetry",
    "prometheus_client/": "telemetry: series",
    "yychat/telemetry/": "telemetry: ours",
    "yychat/performance/": "performance record",
    "openai/": "upstream: the OpenAI SDK",
    "httpx2/": "upstream: httpx2",
    "aiohttp/": "upstream: aiohttp",
    "yychat/upstream/": "upstream: ours",
    "yychat/resilience": "upstream: ours",
    "yychat/memory/outbox": "storing: outbox and worker",
    "yychat/delivering": "storing: outbox and worker",
    "yychat/sqlite": "storing and looking: SQLite",
    "yychat/memory/": "memory: index and recall",
    "yychat/engines/prompt": "engine: prompt and tokens",
    "yychat/engines/tokens": "engine: prompt and tokens",
    "yychat/engines/": "engine: the rest",
    "yychat/tools/": "engine: the rest",
    "yychat/": "web: handlers, keys, limits",
    "starlette/": "web: Starlette",
    "uvicorn/": "web: uvicorn",
}
LOOP = "event loop, sockets, the rest"


def stage_of(stack: str) -> str:
    """Of a line of frames ``name (file:line)``, the outermost first."""
    for frame in reversed(stack.split(";")):
        file = frame.rpartition("(")[2]
        for part, stage in STAGES.items():
            if f"/{part}" in file:
                return stage
    return LOOP


async def sampled(service: Program, provider: Program, case: Case, spy: str, rounds: int) -> None:
    """The clock is read without samples being taken: each of them stops the service."""
    dice = random.Random(9)
    spent = [await closed_loop(service, provider, _requests(case, dice)) for _ in range(rounds)]
    each = sum(found.asked for found in spent) / sum(len(found.answers) for found in spent)
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw"
        async with _spying(spy, service, raw):
            for _ in range(rounds):
                await ask_all(service, _requests(case, dice))
        _show(raw.read_text(encoding="utf-8"), each * 1e6)


def _requests(case: Case, dice: random.Random) -> list[list[bytes]]:
    return shares(case, dice, REQUESTS)


@asynccontextmanager
async def _spying(spy: str, service: Program, raw: Path) -> AsyncIterator[None]:
    told = [spy, "record", "--pid", str(service.pid), "--rate", str(RATE), "--duration", "600"]
    told += ["--gil", "--full-filenames", "--format", "raw", "--output", str(raw)]
    process = await asyncio.create_subprocess_exec(*told, stdout=DEVNULL, stderr=DEVNULL)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        await process.wait()


def _show(raw: str, microseconds: float) -> None:
    counts: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, times = line.rpartition(" ")
        counts[stage_of(stack)] += int(times)
    total = sum(counts.values())
    print("| stage | share | us |\n|---|---|---|")
    for stage, count in counts.most_common():
        share = count / total
        print(f"| {stage} | {share:.1%} | {share * microseconds:.0f} |")
    print(f"| all, of {total} samples | | {microseconds:.0f} |\n")


async def run(rounds: int, turns: int, spy: str) -> None:
    async with collecting() as watched, upstream() as provider:
        for title, case, given in PATHS:
            print(f"### {title}\n")
            settings = {**before(provider), **watched, "YYCHAT_LOG_LEVEL": "ERROR", **given}
            async with ready_service(**settings) as service:
                await fill_all(service, turns)
                await sampled(service, provider, case, spy, rounds)


@click.command()
@click.option("--py-spy", "spy", default="py-spy", show_default=True)
@click.option("--rounds", default=8, show_default=True, help="Of 320 requests for each path.")
@click.option("--turns", default=500, show_default=True)
def main(spy: str, rounds: int, turns: int) -> None:
    print(machine(), file=sys.stderr)
    uvloop.run(run(rounds, turns, spy))


if __name__ == "__main__":
    main()
