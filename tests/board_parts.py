"""The boards as they are written and as Grafana reads them, for tests that look into them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from boards import BOARDS
from build import FOLDER
from panels import Board, Panel, Query

VARIABLES = {"$job": ".+", "$instance": ".+", "$engine": ".+", "$model": ".+"}
_SELECTOR = re.compile(
    r"(?P<name>[a-zA-Z_:][\w:]*)\{(?P<matchers>[^}]*)\}(?:\[(?P<range>[^\]]+)\])?"
)


@dataclass(frozen=True)
class Selector:
    """One choice of series within a query; ``function`` is what its range is given to."""

    name: str
    matchers: str
    range: str | None
    function: str | None


def read(board: Board) -> dict[str, Any]:
    """The committed file of *board*."""
    found: dict[str, Any] = json.loads((FOLDER / f"{board.uid}.json").read_text(encoding="utf-8"))
    return found


def shown(board: Board) -> list[dict[str, Any]]:
    """Its panels that show data, in the order of ``board.panels``."""
    return [panel for panel in read(board)["panels"] if panel["type"] not in ("row", "text")]


def asked() -> Iterator[tuple[Board, Panel, Query]]:
    """Every query of every panel."""
    for board in BOARDS:
        for panel in board.panels:
            for query in panel.queries:
                yield board, panel, query


def plain(expr: str, *, rate: str = "1m", span: str = "2m") -> str:
    """As Prometheus gets it, with everything chosen: *rate* for a rate's range, *span* for the
    time that is looked at."""
    expr = expr.replace("$__rate_interval", rate).replace("$__range", span)
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    assert "$" not in expr, expr
    return expr


def selectors(expr: str) -> list[Selector]:
    found = []
    for match in _SELECTOR.finditer(expr):
        function = re.search(r"(\w+)\($", expr[: match.start()])
        ranged = match["range"]
        called = function[1] if function and ranged else None
        found.append(Selector(match["name"], match["matchers"], ranged, called))
    return found


def where(panel: Panel) -> str:
    return f"panel {panel.title!r}"
