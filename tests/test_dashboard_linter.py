"""The 17 rules of Grafana's dashboard-linter (0.2.0), by their names, as far as they are about
what we have. A panel that breaks one says so itself, with the reason (``Panel.excused``)."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # comes with mem0, its stubs do not

from board_parts import Selector, plain, read, selectors, shown
from boards import BOARDS
from panels import Board, Panel

RULES = {
    *("template-datasource-rule", "template-job-rule", "template-instance-rule"),
    *("template-label-promql-rule", "template-on-time-change-reload-rule"),
    *("panel-datasource-rule", "panel-title-description-rule", "panel-units-rule"),
    *("panel-no-targets-rule", "target-logql-rule", "target-logql-auto-rule"),
    *("target-promql-rule", "target-rate-interval-rule", "target-job-rule"),
    *("target-instance-rule", "target-counter-agg-rule", "uneditable-dashboard"),
}
# Those of Grafana's units that are used.
UNITS = {"none", "short", "percentunit", "s", "bytes", "reqps", "ops"}
BOARD = pytest.mark.parametrize("board", BOARDS, ids=[board.uid for board in BOARDS])

Breaks = Callable[[Selector], bool]


def variables(board: Board) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read(board)["templating"]["list"]
    return found


def each(board: Board) -> Iterator[tuple[Panel, dict[str, Any]]]:
    return zip(board.panels, shown(board), strict=True)


def broken(board: Board, rule: str, breaks: Breaks) -> list[str]:
    """Titles of the panels that break *rule* without an excuse, or have one without need."""
    found = []
    for panel, made in each(board):
        chosen = [each for target in made["targets"] for each in selectors(target["expr"])]
        assert chosen, panel.title
        if any(map(breaks, chosen)) != (rule in panel.excused):
            found.append(panel.title)
    return found


def test_there_are_17_rules_and_excuses_are_from_some_of_them() -> None:
    assert len(RULES) == 17
    excuses = [rule for board in BOARDS for panel in board.panels for rule in panel.excused]
    assert set(excuses) <= {"target-job-rule", "target-instance-rule"}
    reasons = [why for board in BOARDS for panel in board.panels for why in panel.excused.values()]
    assert all(len(why) > 10 for why in reasons)


@BOARD
def test_template_datasource_rule_there_is_one_data_source_to_choose(board: Board) -> None:
    (source,) = [each for each in variables(board) if each["type"] == "datasource"]
    assert (source["name"], source["label"]) == ("datasource", "Data source")
    assert source["query"] == "prometheus"


@BOARD
@pytest.mark.parametrize("name", ["job", "instance"])
def test_template_job_rule_and_template_instance_rule_each_can_be_chosen(
    board: Board, name: str
) -> None:
    (variable,) = [each for each in variables(board) if each["name"] == name]
    assert variable["type"] == "query"
    assert variable["datasource"]["uid"] == "${datasource}"
    assert variable["label"] == name.title()
    assert variable["multi"]
    assert variable["allValue"] == ".+"


@BOARD
def test_template_label_promql_rule_choices_are_asked_for_in_promql(
    board: Board, tmp_path: Path
) -> None:
    rules = []
    for variable in variables(board)[1:]:
        match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"])
        assert match, variable["query"]
        rules.append({"record": f"choice:{match[2]}:of", "expr": plain(match[1])})
    file = tmp_path / "choices.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "choices", "rules": rules}]}))
    assert subprocess.run(["promtool", "check", "rules", str(file)], timeout=60).returncode == 0


@BOARD
def test_template_on_time_change_reload_rule_choices_follow_the_time(board: Board) -> None:
    assert {each["refresh"] for each in variables(board) if each["type"] == "query"} == {2}


@BOARD
def test_panel_datasource_rule_each_panel_asks_the_chosen_one(board: Board) -> None:
    for _, made in each(board):
        assert made["datasource"]["uid"] == "${datasource}"
        assert {t["datasource"]["uid"] for t in made["targets"]} == {"${datasource}"}


@BOARD
def test_panel_title_description_rule_each_panel_has_both(board: Board) -> None:
    assert all(made["title"] and made["description"] for _, made in each(board))


@BOARD
def test_panel_units_rule_each_panel_has_a_unit_that_grafana_knows(board: Board) -> None:
    assert {made["fieldConfig"]["defaults"]["unit"] for _, made in each(board)} <= UNITS


@BOARD
def test_panel_no_targets_rule_each_panel_asks_something(board: Board) -> None:
    assert all(made["targets"] for _, made in each(board))


@BOARD
def test_target_logql_rule_and_target_logql_auto_rule_nothing_is_asked_of_loki(
    board: Board,
) -> None:
    assert "loki" not in json.dumps(read(board)).lower()


@BOARD
def test_target_promql_rule_each_target_is_promql(board: Board, tmp_path: Path) -> None:
    rules = [
        {"record": "target:query:of", "expr": plain(target["expr"])}
        for _, made in each(board)
        for target in made["targets"]
    ]
    file = tmp_path / "targets.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "targets", "rules": rules}]}))
    assert subprocess.run(["promtool", "check", "rules", str(file)], timeout=60).returncode == 0


@BOARD
def test_target_rate_interval_rule_rates_are_taken_over_the_rate_interval(board: Board) -> None:
    def breaks(selector: Selector) -> bool:
        rated = selector.function in ("rate", "irate")
        if selector.range == "$__rate_interval":
            return selector.function is None
        return rated

    assert broken(board, "target-rate-interval-rule", breaks) == []


@BOARD
@pytest.mark.parametrize("name", ["job", "instance"])
def test_target_job_rule_and_target_instance_rule_each_target_follows_the_choice(
    board: Board, name: str
) -> None:
    def breaks(selector: Selector) -> bool:
        return f'{name}=~"${name}"' not in selector.matchers.split(",")

    assert broken(board, f"target-{name}-rule", breaks) == []


@BOARD
def test_target_counter_agg_rule_of_counters_rates_and_increases_are_shown(board: Board) -> None:
    def breaks(selector: Selector) -> bool:
        counts = selector.name.endswith(("_total", "_sum", "_count", "_bucket"))
        return counts and selector.function not in ("rate", "irate", "increase")

    assert broken(board, "target-counter-agg-rule", breaks) == []


@BOARD
def test_uneditable_dashboard_it_is_changed_in_the_repository_and_nowhere_else(
    board: Board,
) -> None:
    assert read(board)["editable"] is False
