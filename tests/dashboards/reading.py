"""What somebody sees who looks at a board: its panels' lines by their names."""

import re

from board_parts import plain
from boards import BOARDS
from panels import Panel
from prometheus_server import Prometheus

RATE = "15s"  # what rates are taken over, where everything is scraped every second


def panel(uid: str, title: str) -> Panel:
    (board,) = [each for each in BOARDS if each.uid == uid]
    (found,) = [each for each in board.panels if each.title == title]
    return found


def lines(prom: Prometheus, uid: str, title: str) -> dict[str, float]:
    """The newest value of each line of a panel."""
    found = {}
    for query in panel(uid, title).queries:
        for labels, value in prom.series(plain(query.expr, rate=RATE)):
            found[named(query.legend, labels)] = value
    return found


def named(legend: str, labels: dict[str, str]) -> str:
    return re.sub(r"{{(\w+)}}", lambda match: labels.get(match[1], ""), legend)
