"""What a scrape takes and what it holds up, of as many series as a process may have.

python bench/scrapes.py [--rounds N] [--seconds N] [--json FILE]

In this process there are the event loop, which does a little work 500 times a second and notes how
late it comes to it, and the listener; who scrapes is another process. Every other window is
without scrapes, for the loop's lateness that is not theirs.
"""

import asyncio
import random
import sys
import time
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import click
import uvloop

from report import Row, Table, machine, percentile, show, write
from yychat.telemetry.catalogue import CATALOGUE, Metric
from yychat.telemetry.exposition import FRESH, OPENMETRICS, Exposition
from yychat.telemetry.listener import MetricsListener, scraped
from yychat.telemetry.metrics import Metrics
from yychat.telemetry.series import Exemplar

TICK = 0.002  # seconds
BUSY = 0.001  # seconds of work for every tick: half of the loop
PAUSE = FRESH + 0.05  # seconds between two scrapes: each is made anew
PASSES = 300  # over the catalogue; the later ones find no place for more series
EXEMPLAR = Exemplar({"trace_id": "0" * 32, "span_id": "0" * 16}, 1_700_000_000.123)
SCRAPER = """
import http.client, sys, time
port, seconds, pause = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
ends = time.monotonic() + seconds
while time.monotonic() < ends:
    begun = time.perf_counter()
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    asked.request("GET", "/metrics", headers={"accept": sys.argv[4], "accept-encoding": "gzip"})
    answer = asked.getresponse()
    answer.read()
    asked.close()
    print(answer.status, time.perf_counter() - begun)
    time.sleep(pause)
"""


def filled() -> Metrics:
    """As many series as there may be, each histogram with exemplars."""
    metrics = Metrics()
    labels = {label for metric in CATALOGUE for label in metric.labels}
    values = [f"value-{number}" for number in range(16)]
    metrics.allow(dict.fromkeys(labels, values))
    dice = random.Random(3)
    for _ in range(PASSES):
        for metric in CATALOGUE:
            _touch(metrics, metric, [dice.choice(values) for _ in metric.labels], dice.random())
    return metrics


def _touch(metrics: Metrics, metric: Metric, values: list[str], amount: float) -> None:
    if metric.kind == "histogram":
        metrics.observe(metric.name, *values, amount=amount, exemplar=EXEMPLAR)
    else:
        metrics.set(metric.name, *values, to=amount)


async def lateness(seconds: float) -> list[float]:
    """Of every tick, in seconds; one that comes late makes none of the next ones late."""
    found, ends = [], time.perf_counter() + seconds
    while (due := time.perf_counter() + TICK) < ends:
        await asyncio.sleep(TICK)
        found.append(max(0.0, time.perf_counter() - due))
        working = time.perf_counter() + BUSY
        while time.perf_counter() < working:
            pass
    return found


async def scrapes(port: int, seconds: float) -> list[float]:
    given = [str(port), str(seconds), str(PAUSE), OPENMETRICS]
    scraper = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SCRAPER, *given, stdout=PIPE
    )
    told, _ = await scraper.communicate()
    lines = [line.split() for line in told.decode().splitlines()]
    assert {status for status, _ in lines} == {"200"}, lines
    return [float(took) for _, took in lines]


async def measured(rounds: int, seconds: float) -> Table:
    metrics, row = filled(), Row(f"every {PAUSE:g} s")
    listener = MetricsListener("127.0.0.1", 0)
    listener.start({"/metrics": scraped(Exposition(metrics))})
    try:
        for _ in range(rounds):
            alone = await lateness(seconds)
            late, took = await asyncio.gather(lateness(seconds), scrapes(listener.port, seconds))
            row.note(series=metrics.series, **_in_ms("scrape", took, 50, 100))
            row.note(**_in_ms("loop_late", late, 99, 100), **_in_ms("without", alone, 99, 100))
    finally:
        await asyncio.to_thread(listener.close)
    title = f"A scrape of {metrics.series} series, and how late the event loop is meanwhile"
    return Table(title, [row], {"scrape_p50_ms": 30.0, "loop_late_p99_ms": 10.0})


def _in_ms(name: str, seconds: list[float], *percents: int) -> dict[str, float]:
    return {f"{name}_p{p}_ms": percentile(seconds, p) * 1e3 for p in percents}


@click.command(help=__doc__)
@click.option("--rounds", default=5, show_default=True)
@click.option("--seconds", default=10.0, show_default=True, help="Of each window.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write every round's values.")
def main(rounds: int, seconds: float, file: Path | None) -> None:
    where = machine()
    print(where)
    table = uvloop.run(measured(rounds, seconds))
    show(table)
    if file:
        asked: dict[str, Any] = {"rounds": rounds, "seconds": seconds}
        write(file, [table], {"machine": where, "asked": asked})


if __name__ == "__main__":
    main()
