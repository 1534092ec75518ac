"""Rows of figures, one value per round: kept, judged by their errors, printed, written as JSON."""

import json
import os
import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("yychat", "uvicorn", "uvloop", "httptools", "starlette", "aiohttp", "openai", "msgspec")


@dataclass
class Row:
    """What one case measured: for every figure, its values by round. It counts without errors."""

    name: str
    figures: dict[str, list[float]] = field(default_factory=dict)
    requests: int = 0
    errors: list[str] = field(default_factory=list)

    def note(self, **values: float) -> None:
        for name, value in values.items():
            self.figures.setdefault(name, []).append(value)


@dataclass
class Table:
    """Rows with the same figures; ``targets`` are the most that a row's figure may be."""

    title: str
    rows: list[Row]
    targets: dict[str, float] = field(default_factory=dict)

    @property
    def errors(self) -> int:
        return sum(len(row.errors) for row in self.rows)


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest rank: a value that was measured."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def machine() -> str:
    """One line on where and with what this was measured."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    return (
        f"{when}; {os.cpu_count()} x {cpu}; Linux {platform.release()}; load {load}\n"
        f"Python {platform.python_version()}, {packages}"
    )


def show(table: Table) -> None:
    """Median and range over the rounds; what does not count says so."""
    print(f"\n{table.title}")
    names = list(dict.fromkeys(name for row in table.rows for name in row.figures))
    cells = [[row.name, *(cell(row.figures.get(name)) for name in names)] for row in table.rows]
    head = ["", *(_words(name) for name in names)]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    for line, row in zip([head, *cells], [None, *table.rows], strict=True):
        print(
            "  ".join(_aligned(cell, width, line) for cell, width in zip(line, widths, strict=True))
        )
        if row and row.errors:
            print(f"*** DOES NOT COUNT: {len(row.errors)} ERRORS, e.g. {row.errors[0]} ***")
    for name, most in table.targets.items():
        print(f"target: {_words(name)} at most {most:g}: {_verdict(table, name, most)}")


def _aligned(cell: str, width: int, line: list[str]) -> str:
    return cell.ljust(width) if cell is line[0] else cell.rjust(width)


def _words(name: str) -> str:
    return name.replace("_", " ")


def cell(values: list[float] | None) -> str:
    if not values:
        return "-"
    numbers = (statistics.median(values), min(values), max(values))
    return "{} ({}..{})".format(*map(_number, numbers))


def _number(value: float) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}"


def _verdict(table: Table, name: str, most: float) -> str:
    missed = [
        row.name
        for row in table.rows
        if row.errors or statistics.median(row.figures.get(name, [most])) > most
    ]
    return f"MISSED by {', '.join(missed)}" if missed else "met"


def write(path: Path, tables: Sequence[Table], about: dict[str, Any]) -> None:
    """Everything, round by round."""
    found = {**about, "tables": [asdict(table) for table in tables]}
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
