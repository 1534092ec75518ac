"""After two minutes of mixed load with faults every query of every panel shows something, soon."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from alerts.fleet import wait
from alerts.load import MEM0, PLAIN, STREAM, Question
from board_parts import asked, plain
from boards import BOARDS
from dashboards.stack import Stack, stack
from fault.instances import until
from panels import Query

Note = Callable[[str], None]

LOADED = 120.0  # seconds
WARM = 20.0  # seconds: mem0 is imported at its first use, which is felt
WINDOW = 3_600.0  # seconds that a board shows
STEP = 5.0  # seconds between two points of a graph of that width
AT_MOST = 0.1  # seconds for one query
TRIES = 5  # the machine is not ours alone: the quickest try counts

# What shows nothing then, and why. Legends tell the queries of a panel apart.
EMPTY = {
    (
        "Telemetry",
        "{{instance}} {{metric}} has too many series",
    ): "a series of it is born when there are more series than allowed, which no load can do",
}


def message(text: str, **fields: Any) -> Question:
    return {"messages": [{"role": "user", "content": text}], **fields}


LAMP = [
    {"role": "user", "content": "say the code of the lamp is crimson"},
    {"role": "assistant", "content": "the code of the lamp is crimson"},
    {"role": "user", "content": "recall the code of the lamp"},
]
MIXED: Sequence[Question] = (
    PLAIN,
    STREAM,
    message("say the code of the lamp is crimson", user="lamp"),
    MEM0,
    message('call nap {"seconds": 0.01}'),
    message("recall the code of the lamp", user="lamp"),
    STREAM,
    message("call calculator {}"),  # it misses its arguments
    {"messages": LAMP, "user": "lamp"},
    {"stream": True, **MEM0},
    message("say hello", model="unpriced"),
    message("say the code of the lamp is azure", user="lamp", **MEM0),
    {"stream": True, "model": "unpriced"},
)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack(tmp_path_factory.mktemp("stack")) as running:
        wait(WARM)
        running.load.questions = MIXED
        running.upstream.faults(only="chat", error_rate=0.1, error_status=500)
        running.instances[0].http.get("/v1/models").raise_for_status()
        wait(LOADED / 4)
        running.models.faults(only="embeddings", error_rate=1, error_status=500)
        running.instances[1].http.get("/v1/models").raise_for_status()
        wait(LOADED / 2)
        running.models.reset()
        running.upstream.faults(only="chat", missing_usage=True)
        wait(LOADED / 4)
        yield running


def shows(running: Stack, query: Query) -> bool:
    lines = running.prom.range(plain(query.expr, rate="20s", span="2m"), LOADED + WARM, STEP)
    return any(not math.isnan(value) for line in lines for value in line)


def test_every_query_of_every_panel_shows_something_or_is_listed_with_the_reason(
    loaded: Stack, note: Note
) -> None:
    empty = [
        f"{board.title}: {panel.title}: {query.legend or query.expr}"
        for board, panel, query in asked()
        if (panel.title, query.legend) not in EMPTY and not shows(loaded, query)
    ]
    queries = list(asked())
    panels = sum(len(board.panels) for board in BOARDS)
    note(f"{len(queries)} queries of {panels} panels, {len(EMPTY)} listed as empty")
    assert not empty, "\n".join(empty)
    assert set(EMPTY) <= {(panel.title, query.legend) for _, panel, query in queries}


def test_no_query_takes_long(loaded: Stack, note: Note) -> None:
    took: list[tuple[float, str]] = []
    for _, panel, query in asked():
        expr = plain(query.expr, rate="20s", span="1h")
        took.append((min(timed(loaded, expr) for _ in range(TRIES)), panel.title))
    slowest = sorted(took, reverse=True)[:3]
    said = ", ".join(f"{1000 * seconds:.0f} ms {title}" for seconds, title in slowest)
    note(f"slowest queries for an hour in steps of {STEP:.0f} s: {said}")
    assert slowest[0][0] <= AT_MOST


def timed(running: Stack, expr: str) -> float:
    began = time.perf_counter()
    running.prom.range(expr, WINDOW, STEP)
    return time.perf_counter() - began


def test_points_on_durations_lead_to_traces(loaded: Stack) -> None:
    for _, panel, query in asked():
        if query.exemplar:
            (series,) = query.metrics
            found = loaded.prom.exemplars(series)
            assert any({"trace_id", "span_id"} <= set(each) for each in found), panel.title


def test_only_the_board_instances_has_a_line_for_each_process(loaded: Stack) -> None:
    for board, panel, query in asked():
        labels = [labels for labels, _ in loaded.prom.series(plain(query.expr, rate="20s"))]
        if board.uid != "yychat-instances":
            assert not any("instance" in each for each in labels), panel.title
            assert len(labels) <= 20, panel.title


def test_the_banner_says_that_nobody_is_told(loaded: Stack) -> None:
    (banner,) = [panel for panel in BOARDS[0].panels if panel.title == "Who is told"]
    until(lambda: loaded.prom.value(banner.queries[0].expr) is not None)
    assert loaded.prom.value(banner.queries[0].expr) == 0


def test_the_totals_are_what_was_asked(loaded: Stack, note: Note) -> None:
    """Of the old dashboard: average and P95, cache hit rate, totals; all of them true."""
    (total,) = [panel for panel in BOARDS[0].panels if panel.title == "Chat requests"]
    loaded.load.questions = ()
    counted = "sum(yychat_chat_requests_total)"
    until(lambda: loaded.prom.value(counted) == loaded.load.counts.total())
    asked_for = loaded.load.counts.total()
    shown = loaded.prom.value(plain(total.queries[0].expr, span="10m"))
    assert shown is not None
    note(f"chat requests: {shown:.0f} shown, {asked_for} asked and counted")
    assert abs(shown - asked_for) <= 0.02 * asked_for
