"""Where each series is looked at: titles of boards, and names of alerts. Prints it as JSON."""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # comes with mem0, its stubs do not

from boards import BOARDS

RULES = Path(__file__).parent.parent / "prometheus" / "rules"
_WORDS = re.compile(r"[a-zA-Z_:][\w:]*")


def places() -> dict[str, list[str]]:
    """By the name of a metric. Who looks at what is recorded looks at what it is recorded from."""
    rules = list(_rules())
    recorded = {rule["record"]: _words(rule["expr"]) for rule in rules if "record" in rule}
    seen = [(board.title, {name for p in board.panels for name in p.metrics}) for board in BOARDS]
    seen += [(rule["alert"], _words(rule["expr"])) for rule in rules if "alert" in rule]
    found: dict[str, list[str]] = {}
    for place, names in seen:
        for name in {_metric(each) for each in _sources(names, recorded)}:
            if place not in found.setdefault(name, []):
                found[name].append(place)
    return dict(sorted(found.items()))


def _rules() -> Iterator[dict[str, Any]]:
    for path in sorted(RULES.glob("*.yml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            yield from group["rules"]


def _words(expr: str) -> set[str]:
    return set(_WORDS.findall(re.sub(r"#.*", "", expr)))


def _sources(names: set[str], recorded: Mapping[str, set[str]]) -> set[str]:
    below = {source for name in names for source in recorded.get(name, ())} - names
    return _sources(names | below, recorded) if below else names


def _metric(series: str) -> str:
    """A histogram's name for the series it consists of."""
    return re.sub(r"(_seconds|_records|_score)_(bucket|sum|count)$", r"\1", series)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(places()))
