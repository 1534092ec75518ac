"""The tables of bench/field.py as Markdown, made from its JSON: medians, ranges, paired ratios.

python bench/field_report.py FILE
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from operator import ge, le
from pathlib import Path
from statistics import median
from typing import Any

import mem0_recall
from report import cell
from variants import BARE, CHAT, EMBEDDER, LITE, LITE_WATCHED

WHOLE = "Whole answers, 2 messages, 16 connections"
LONG = "Whole answers, 40 messages, 16 connections"
BURST = "Streams of 100 chunks at once, 16 connections"
LATENCY = "One at a time: milliseconds added to the upstream's own"
PROCESSES = "Processes"
BEGIN, END = "<!-- field: begin -->", "<!-- field: end -->"

# What of a table is shown, with its heading; ratios are added where the first is CPU.
_SHOWN = {
    "CPU_ms": "CPU ms",
    "per_second": "requests/s on its core",
    "upstream_busy_percent": "upstream busy %",
    "client_busy_percent": "clients busy %",
    "added_p50": "whole p50",
    "added_p99": "whole p99",
    "first_added_p50": "first byte of a stream p50",
    "first_added_p99": "p99",
    "CPU_percent": "% of a core while all run",
    "CPU_us_per_chunk": "CPU us a chunk",
    "first_p50": "first byte ms p50",
    "lag_p50": "lag ms p50",
    "lag_p99": "lag ms p99",
    "recall_p50": "p50",
    "recall_p99": "p99",
    "start_s": "start s",
    "idle_MB": "RSS MB idle",
    "warm_MB": "memories warm",
    "asked_MB": "after the requests",
    "loaded_MB": "after the streams",
}
_PAIRED = ("CPU_ms", "CPU_us_per_chunk")


def paced_table(streams: int) -> str:
    return f"{streams} streams at 20 ms a chunk"


class Found:
    """What a run found, by table, row and figure; rounds are in order, so they pair."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.about = told
        self.tables = {table["title"]: table["rows"] for table in told["tables"]}

    def values(self, table: str, row: str, figure: str) -> list[float]:
        """Empty for a row that does not count."""
        for found in self.tables.get(table, ()):
            if found["name"] == row and not found["errors"]:
                values: list[float] = found["figures"].get(figure, [])
                return values
        return []

    def ratios(self, table: str, row: str, base: str, figure: str = "CPU_ms") -> list[float]:
        ours, theirs = (self.values(table, name, figure) for name in (row, base))
        return [our / their for our, their in zip(ours, theirs, strict=False)]


@dataclass(frozen=True)
class Goal:
    """``met`` tells by the median. Without a bound, there must be no error."""

    what: str
    bound: float | None
    figure: Callable[[Found], list[float]]
    met: Callable[[float, float], bool] = le

    def line(self, found: Found) -> str:
        values = self.figure(found)
        bound, verdict = "no error", "met" if values else "**no figure**"
        if self.bound is not None:
            bound = f"at {'most' if self.met is le else 'least'} {self.bound:g}"
            if values and not self.met(median(values), self.bound):
                verdict = "**missed**"
        return f"| {self.what} | {bound} | {cell(values)} | {verdict} |"


def _long(found: Found) -> list[float]:
    long, short = (found.values(table, CHAT.name, "CPU_ms") for table in (LONG, WHOLE))
    return [one / other for one, other in zip(long, short, strict=False)]


def _recalled(found: Found) -> list[float]:
    return found.ratios(mem0_recall.TITLE, mem0_recall.OURS, mem0_recall.OWN, "recall_p50")


def _none(_: Found) -> list[float]:
    """Not measured here."""
    return []


GOALS = [
    Goal(
        "CPU of a request, of LiteLLM's with its prometheus callback",
        0.15,
        lambda found: found.ratios(WHOLE, CHAT.name, LITE_WATCHED.name),
    ),
    Goal(
        "the same, of the bare passthrough's", 2.5, lambda f: f.ratios(WHOLE, CHAT.name, BARE.name)
    ),
    Goal(
        "the same with the embedder on, of LiteLLM's",
        0.3,
        lambda found: found.ratios(WHOLE, EMBEDDER.name, LITE_WATCHED.name),
    ),
    Goal(
        "requests per second on a core, of LiteLLM's",
        7,
        lambda found: found.ratios(WHOLE, CHAT.name, LITE_WATCHED.name, "per_second"),
        ge,
    ),
    Goal(
        "added at one connection, p50 in ms",
        1.8,
        lambda f: f.values(LATENCY, CHAT.name, "added_p50"),
    ),
    Goal("the same, p99", 5, lambda found: found.values(LATENCY, CHAT.name, "added_p99")),
    Goal(
        "CPU of a burst stream, of LiteLLM's",
        0.05,
        lambda found: found.ratios(BURST, CHAT.name, LITE.name),
    ),
    Goal(
        "200 paced streams, % of a core",
        65,
        lambda found: found.values(paced_table(200), CHAT.name, "CPU_percent"),
    ),
    Goal(
        "500 paced streams; lag p99 in ms",
        None,
        lambda found: found.values(paced_table(500), CHAT.name, "lag_p99"),
    ),
    Goal("CPU with 40 messages, of that with 2", 1.3, _long),
    Goal(
        "RSS after the requests of all, MB",
        130,
        lambda f: f.values(PROCESSES, CHAT.name, "asked_MB"),
    ),
    Goal("Mem0Proxy: p50 of a recall, of mem0's own search", 1.15, _recalled),
    Goal("RSS over twenty minutes, MB a minute: `soak.py`", 0.5, _none),
    Goal("two processes on two cores, of one: `service.py workers`", 1.6, _none, ge),
]


def markdown(told: dict[str, Any]) -> str:
    found = Found(told)
    about = f"{told['machine']}, litellm {told['litellm']}  \n{_effort(told['effort'])}"
    about = about.replace("\nPython", "  \nPython")
    goals = [
        "| ChatEngine over SQLite | goal | measured | |",
        "|---|---|---|---|",
        *(goal.line(found) for goal in GOALS),
    ]
    tables = [_table(found, title) for title in found.tables]
    return "\n".join([about, "", *goals, "", *tables])


def _effort(made: dict[str, Any]) -> str:
    return (
        f"{made['rounds']} rounds, {made['paced']} of paced streams; {made['requests']} requests in"
        f" each (LiteLLM and Mem0Proxy a quarter), {made['users']} users, {made['facts']} facts"
    )


def _table(found: Found, title: str) -> str:
    rows = found.tables[title]
    names = [name for name in _SHOWN if any(name in row["figures"] for row in rows)]
    paired = [name for name in names if name in _PAIRED]
    bases = [(BARE.name, "of the bare"), (LITE_WATCHED.name, "of LiteLLM's, prometheus")]
    head = [*(_SHOWN[name] for name in names), *(words for _ in paired for _, words in bases)]
    lines = [f"### {title}", "", f"| | {' | '.join(head)} |", "|---" * (len(head) + 1) + "|"]
    for row in rows:
        if row["errors"]:
            lines.append(f"| {row['name']} | does not count: {len(row['errors'])} errors |")
            continue
        if not row["requests"] and title != PROCESSES:
            lines.append(f"| {row['name']} | not asked |")
            continue
        figures = [found.values(title, row["name"], name) for name in names]
        figures += [
            found.ratios(title, row["name"], base, name) for name in paired for base, _ in bases
        ]
        lines.append(f"| {row['name']} | {' | '.join(map(cell, figures))} |")
    return "\n".join([*lines, ""])


def put(page: Path, text: str) -> None:
    """Into *page*, in place of what stands between the marks."""
    told = page.read_text(encoding="utf-8")
    before, _, rest = told.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    print(markdown(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
