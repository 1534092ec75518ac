"""How fast the service is, by its processes on loopback; what is measured is in bench/README.md.

python bench/service.py [SECTION] [--rounds N] [--json FILE]
"""

import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click
import uvloop

from cpu import cpu
from latency import latency
from processes import HERE
from report import Table, machine, show, write
from startup import startup
from streams import streams
from telemetry import telemetry
from workers import workers

SECTIONS = ("startup", "latency", "cpu", "telemetry", "streams", "workers", "memory")
START_UPS = 10


def memory() -> str:
    """What bench/memory.py prints: native memory alone, without the service around it."""
    command = [sys.executable, str(HERE / "memory.py"), "--turns", "2000"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


@click.command(help=__doc__)
@click.argument("section", type=click.Choice([*SECTIONS, "all"]), default="all")
@click.option("--rounds", type=click.IntRange(1), help=f"Default 5; of startup {START_UPS}.")
@click.option("--requests", default=320, show_default=True, help="Per round and case.")
@click.option("--turns", default=500, show_default=True, help="Of a user who is remembered.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write every round's values.")
def main(section: str, rounds: int | None, requests: int, turns: int, file: Path | None) -> None:
    makers: dict[str, Callable[[], Coroutine[Any, Any, Table]]] = {
        "startup": lambda: startup(rounds or START_UPS),
        "latency": lambda: latency(rounds or 5, requests, turns),
        "cpu": lambda: cpu(rounds or 5, requests, turns),
        "telemetry": lambda: telemetry(rounds or 5, requests, turns),
        "streams": lambda: streams(rounds or 5),
        "workers": lambda: workers(rounds or 5, requests, turns),
    }
    where = machine()
    print(where)
    tables, texts = [], {}
    for name in SECTIONS if section == "all" else (section,):
        if name == "memory":
            texts[name] = memory()
            print(f"\nNative memory alone (bench/memory.py)\n{texts[name]}", end="")
        else:
            tables.append(uvloop.run(makers[name]()))
            show(tables[-1])
    if file:
        asked = {"rounds": rounds, "requests": requests, "turns": turns}
        write(file, tables, {"machine": where, "asked": asked, **texts})
    sys.exit(1 if any(table.errors for table in tables) else 0)


if __name__ == "__main__":
    main()
