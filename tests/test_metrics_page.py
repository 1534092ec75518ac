"""docs/metrics.md says what there is."""

from yychat.metrics_page import lines, page
from yychat.telemetry.catalogue import CATALOGUE


def test_every_metric_has_a_row_and_every_label_its_values() -> None:
    rows = [row for row in page().splitlines() if row.startswith("| `")]
    named = [row.split("`")[1] for row in rows]
    for metric in CATALOGUE:
        assert named.count(metric.name) == (2 if metric.buckets else 1)
        assert set(metric.labels) <= set(named)


def test_every_row_has_all_its_cells() -> None:
    table: list[int] = []
    for row in page().splitlines():
        table = [*table, row.replace("\\|", "").count("|")] if row.startswith("|") else []
        assert len(set(table)) <= 1, row


def test_where_a_metric_is_looked_at_is_said() -> None:
    name = CATALOGUE[0].name
    assert f"{CATALOGUE[0].source} | Overview, YYChatAbsent |" in page(
        {name: ["Overview", "YYChatAbsent"]}
    )


def test_the_command_finds_metrics_by_a_part_of_their_name() -> None:
    found = [line for line in lines("event_loop") if not line.startswith(" ")]
    assert found == [
        "yychat_event_loop_blocked_seconds_total  (counter)",
        "yychat_event_loop_lag_seconds  (histogram)",
    ]
    assert len(list(lines())) == 2 * len(CATALOGUE)
