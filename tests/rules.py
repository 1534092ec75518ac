"""The alerting rules as they are written, for tests that compare them with something else."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # comes with mem0, its stubs do not

from panels import TITLES

ROOT = Path(__file__).parent.parent
RULES = sorted((ROOT / "prometheus" / "rules").glob("*.yml"))
BOARDS = set(TITLES)


@cache
def read(path: Path) -> Any:
    """What is written there in YAML; read once, and not to be changed."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rules() -> Iterator[dict[str, Any]]:
    for path in RULES:
        for group in read(path)["groups"]:
            yield from group["rules"]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def alert_names() -> set[str]:
    return {rule["alert"] for rule in alerts()}
