"""The boards: generated, sound for Grafana, about series that there are, and with a way on."""

import json
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # comes with mem0, its stubs do not
from jsonschema import Draft7Validator

import build
from alertmanager_server import rendered
from board_parts import asked, plain, read, selectors, shown, where
from boards import BOARDS
from panels import TITLES, WIDE, Board
from rendering import COLOURS
from rules import ROOT, rules
from shown import places
from yychat.metrics_page import page
from yychat.telemetry.catalogue import CATALOGUE, CLOSED, CONFIGURED, MEMORIES
from yychat.telemetry.known import ATTEMPTS
from yychat.telemetry.metrics import Metrics
from yychat.telemetry.observation import STAGES
from yychat.telemetry.outcomes import OUTCOMES

GRAFANA = ROOT / "grafana"
BOARD = pytest.mark.parametrize("board", BOARDS, ids=[board.uid for board in BOARDS])
# What others export: each name is asked of the real programs by `make dashboard-test`.
EXPORTERS = {
    *("up", "ALERTS", "scrape_duration_seconds", "scrape_samples_scraped"),
    *("redis_up", "redis_memory_used_bytes", "redis_memory_max_bytes"),
    *("redis_commands_processed_total", "redis_evicted_keys_total"),
    *("redis_rejected_connections_total", "prometheus_rule_evaluation_failures_total"),
    *("prometheus_notifications_dropped_total", "alertmanager_integrations"),
    "alertmanager_notifications_failed_total",
}
LEGENDS = ("timeseries", "state-timeline")
PLUGINS = {"titleFormat", "textFormat", "target"}  # of an annotation: not the schema's to know


def schemas() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GRAFANA / "schema" / "grafana.json").read_text())["schemas"]
    return found


def process_series() -> set[str]:
    """What every process exports besides the catalogue."""
    families = Metrics().registry.collect()
    return {sample.name for family in families for sample in family.samples}


# Generated


def test_the_committed_files_are_what_the_boards_say_and_nothing_is_left_over() -> None:
    assert build.stale() == []


def test_generating_again_changes_nothing() -> None:
    assert build.wanted() == build.wanted()
    assert len(build.wanted()) == len(BOARDS) == len(TITLES)


# Sound for Grafana


@BOARD
def test_grafanas_published_schema_accepts_the_board(board: Board) -> None:
    made = read(board)
    for annotation in made["annotations"]["list"]:
        for name in PLUGINS:
            annotation.pop(name)
    assert list(Draft7Validator(schemas()["dashboard"]).iter_errors(made)) == []


@BOARD
def test_grafanas_published_schema_accepts_what_is_said_to_each_kind_of_panel(board: Board) -> None:
    known = schemas()
    for panel in read(board)["panels"]:
        said = {"options": panel.get("options")}
        said["custom"] = panel.get("fieldConfig", {}).get("defaults", {}).get("custom")
        for part, value in said.items():
            schema = known.get(f"{panel['type'].replace('-', '')}.{part}")
            if schema is not None:
                assert list(Draft7Validator(schema).iter_errors(value)) == [], panel["title"]


def test_the_schema_refuses_what_is_wrong() -> None:
    made = read(BOARDS[0])
    assert not Draft7Validator(schemas()["dashboard"]).is_valid(made | {"graphTooltip": "both"})
    assert not Draft7Validator(schemas()["dashboard"]).is_valid(made | {"pannels": []})
    options = shown(BOARDS[0])[0]["options"]
    assert Draft7Validator(schemas()["stat.options"]).is_valid(options)
    assert not Draft7Validator(schemas()["stat.options"]).is_valid(options | {"graphMode": "bars"})


@BOARD
def test_panels_lie_within_the_grid_and_on_none_of_each_other(board: Board) -> None:
    taken: Counter[tuple[int, int]] = Counter()
    for panel in read(board)["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= WIDE
        assert at["w"] * at["h"] > 0
        for x in range(at["x"], at["x"] + at["w"]):
            taken.update((x, y) for y in range(at["y"], at["y"] + at["h"]))
    assert set(taken.values()) == {1}


@BOARD
def test_ids_and_titles_are_each_ones_own(board: Board) -> None:
    made = read(board)
    ids = [panel["id"] for panel in made["panels"]]
    assert sorted(ids) == list(range(1, len(ids) + 1))
    titles = Counter(panel.title for panel in board.panels)
    assert set(titles.values()) == {1}, titles
    assert len(board.uid) <= 40


@BOARD
def test_nothing_is_left_for_an_import_dialog_to_fill_in(board: Board) -> None:
    text = json.dumps(read(board))
    assert "__inputs" not in text
    assert "${DS_" not in text
    sources = re.findall(r'"uid": "([^"]*)"', text)
    assert set(sources) <= {"${datasource}", board.uid}


@BOARD
def test_it_follows_every_five_seconds_and_offers_one(board: Board) -> None:
    made = read(board)
    assert made["refresh"] == "5s"
    assert made["timepicker"]["refresh_intervals"][:2] == ["1s", "5s"]


@BOARD
def test_it_can_be_narrowed_down_and_marks_what_changed(board: Board) -> None:
    made = read(board)
    names = [variable["name"] for variable in made["templating"]["list"]]
    assert names == ["datasource", "job", "instance", "engine", "model"]
    marks = [annotation["name"] for annotation in made["annotations"]["list"]]
    assert marks == ["Change of the selection", "Deploy", "Alert"]


# Readable


@BOARD
def test_each_row_begins_with_what_it_answers_and_where_to_go_next(board: Board) -> None:
    panels = read(board)["panels"]
    rows = [number for number, panel in enumerate(panels) if panel["type"] == "row"]
    assert len(rows) == len(board.rows)
    for number, row in zip(rows, board.rows, strict=True):
        text = panels[number + 1]
        assert text["type"] == "text"
        assert "?**" in text["options"]["content"], "it asks what it answers"
        assert row.then, row.title
        for uid in row.then:
            assert f"/d/{uid}?" in text["options"]["content"]


@BOARD
def test_links_lead_to_boards_and_take_time_and_variables_along(board: Board) -> None:
    made = read(board)
    for link in made["links"]:
        assert link["keepTime"]
        assert link["includeVars"]
    assert {link["url"] for link in made["links"]} == {
        f"/d/{uid}" for uid in TITLES if uid != board.uid
    }
    kept = "?${__url_time_range}&${__all_variables}"
    for address in re.findall(r'/d/[^"\\]+', json.dumps(made["panels"])):
        uid, _, taken = address.removeprefix("/d/").partition("?")
        assert uid in TITLES
        assert uid != board.uid
        assert f"?{taken}" == kept


def test_from_the_overview_every_board_is_one_click_away_and_each_panel_leads_on() -> None:
    overview = BOARDS[0]
    alone = [panel.title for panel in overview.panels if not panel.leads]
    assert alone == ["Who is told"]
    led = {uid for panel in overview.panels for uid in panel.leads}
    assert led == set(TITLES) - {overview.uid}


@BOARD
def test_every_panel_says_what_it_shows_from_which_series_and_what_no_data_means(
    board: Board,
) -> None:
    for panel, made in zip(board.panels, shown(board), strict=True):
        assert len(panel.about) > 20, where(panel)
        assert panel.none, where(panel)
        assert panel.metrics, where(panel)
        for name in panel.metrics:
            assert f"`{name}`" in made["description"], where(panel)
        assert made["fieldConfig"]["defaults"]["noValue"] == panel.none
        assert made["fieldConfig"]["defaults"]["unit"]


def test_every_line_has_a_name_of_its_own() -> None:
    for board in BOARDS:
        for panel in board.panels:
            legends = [query.legend for query in panel.queries]
            if panel.kind in LEGENDS or len(legends) > 1:
                assert all(legends), where(panel)
            assert len(set(legends)) == len(legends), where(panel)


def test_a_legend_names_labels_that_its_query_keeps() -> None:
    every = {label for metric in CATALOGUE for label in metric.labels} | {"job", "instance"}
    for _, panel, query in asked():
        kept = {
            label.strip()
            for labels in re.findall(r"\bby \(([^)]*)\)", query.expr)
            for label in labels.split(",")
        }
        aggregated = re.search(r"\b(sum|min|max|count|quantile|topk)\b", query.expr)
        named = set(re.findall(r"{{(\w+)}}", query.legend))
        assert named <= (kept if aggregated else every), where(panel)
        if not aggregated:
            assert "instance" in named, where(panel)


def test_lists_of_instances_stand_on_the_board_instances_alone() -> None:
    for board, panel, query in asked():
        if board.uid == "yychat-instances":
            continue
        grouped = re.findall(r"\bby \(([^)]*)\)", query.expr)
        assert not any("instance" in labels.split(", ") for labels in grouped), where(panel)
        expr = query.expr.removeprefix("3600 * ")
        assert re.match(r"(sum|min|max|count|quantile|topk|histogram_quantile)\b", expr), where(
            panel
        )


def test_what_has_a_name_has_one_colour_on_all_boards() -> None:
    assert set(COLOURS) == {*OUTCOMES, *ATTEMPTS, *STAGES, *CLOSED["engine"], *MEMORIES}


def test_of_what_the_configuration_names_only_the_first_five_are_shown() -> None:
    for _, panel, query in asked():
        grouped = {
            label
            for labels in re.findall(r"\bby \(([^)]*)\)", query.expr)
            for label in labels.split(", ")
        }
        if grouped & set(CONFIGURED) and panel.kind != "table":  # a table can be scrolled
            assert query.expr.startswith("topk(5, "), where(panel)


def test_quantiles_of_durations_lead_to_traces() -> None:
    with_exemplars = {m.name for m in CATALOGUE if m.buckets and m.name.endswith("_seconds")}
    never = {"yychat_event_loop_lag_seconds", "yychat_stage_duration_seconds"}  # no span has them
    for _, panel, _ in asked():
        duration = [
            query
            for query in panel.queries
            if "histogram_quantile" in query.expr
            and {name.removesuffix("_bucket") for name in query.metrics} & (with_exemplars - never)
        ]
        if duration and panel.kind == "timeseries":
            assert any(query.exemplar for query in duration), where(panel)


def test_thresholds_are_those_of_the_promises() -> None:
    burn = {panel.title: panel for panel in BOARDS[0].panels if "burn" in panel.title}
    factors = {
        float(found)
        for rule in rules()
        if rule.get("labels", {}).get("window") in ("1h", "6h")
        for found in re.findall(r"> ([\d.]+) \* 0\.\d+", rule["expr"])
    }
    for panel in burn.values():
        assert {value for value, _ in panel.steps} == {1.0, *factors}
    allowed = {
        rule["record"].split(":")[1]: rule["expr"].rpartition("/ ")[2]
        for rule in rules()
        if rule.get("record", "").endswith(":left30d")
    }
    assert burn["Answered: burn"].queries[0].expr.endswith(f"/ {allowed['yychat_answered_budget']}")
    first = burn["First token: burn"].queries[0].expr
    assert first.endswith(f"/ {allowed['yychat_first_token_budget']}")
    for _, panel, query in asked():
        if "time_to_first_token" in query.expr:
            assert panel.steps == ((2.5, "red"),), where(panel)


# About series that there are


def test_every_series_asked_for_is_exported_recorded_or_another_programs() -> None:
    ours = {metric.name for metric in CATALOGUE if not metric.buckets}
    ours |= {
        f"{m.name}_{end}" for m in CATALOGUE if m.buckets for end in ("bucket", "sum", "count")
    }
    ours |= {rule["record"] for rule in rules() if "record" in rule}
    wanted = {name for *_, query in asked() for name in query.metrics}
    assert wanted - ours - process_series() <= EXPORTERS
    assert wanted >= EXPORTERS


def test_what_other_jobs_have_as_well_is_asked_of_the_services_own() -> None:
    ours = {name for metric in CATALOGUE for name in _series(metric.name, bool(metric.buckets))}
    for board, panel, query in asked():
        for selector in selectors(query.expr):
            if (
                selector.name not in ours
                and "$job" in selector.matchers
                and ":" not in selector.name
            ):
                assert 'job=~"yychat.*"' in selector.matchers, (board.title, panel.title)


def test_every_label_asked_for_is_one_that_the_series_has() -> None:
    labels = {name: set(m.labels) for m in CATALOGUE for name in _series(m.name, bool(m.buckets))}
    for _, panel, query in asked():
        for selector in selectors(query.expr):
            asked_for = set(re.findall(r"(\w+)(?:=~|!~|!=|=)", selector.matchers))
            if selector.name in labels:
                assert asked_for <= labels[selector.name] | {"job", "instance", "le"}, where(panel)


def test_every_value_asked_for_is_one_that_the_label_can_have() -> None:
    for _, panel, query in asked():
        for selector in selectors(query.expr):
            for label, values in re.findall(r'(\w+)(?:=~|!~|!=|=)"([^"]*)"', selector.matchers):
                known = CLOSED.get(label)
                if known and not values.startswith("$"):
                    assert set(values.split("|")) <= set(known), where(panel)


def test_every_metric_is_on_a_board_in_an_alert_or_there_for_a_reason_that_is_written() -> None:
    looked_at = places()
    unseen = {metric.name for metric in CATALOGUE if not looked_at.get(metric.name)}
    assert unseen == {metric.name for metric in CATALOGUE if metric.reference}


def test_the_page_of_metrics_says_where_each_is_looked_at() -> None:
    written = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert written == page(places()), "run `make docs`"


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    queries = [
        {"record": f"query:{number}:{panel.kind.replace('-', '_')}", "expr": plain(query.expr)}
        for number, (_, panel, query) in enumerate(asked())
    ]
    marks = [
        {"record": f"mark:{number}:annotation", "expr": plain(annotation["target"]["expr"])}
        for number, annotation in enumerate(read(BOARDS[0])["annotations"]["list"])
    ]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "boards", "rules": queries + marks}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", str(file)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(queries) + len(marks)} rules found" in done.stdout


# In step with alerts and runbooks


def test_a_runbook_names_a_panel_that_its_board_has() -> None:
    titles = {board.uid: {panel.title for panel in board.panels} for board in BOARDS}
    for path in sorted((ROOT / "docs" / "runbooks").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        (found,) = re.findall(r"/d/([\w-]+)\), panel \*([^*]+)\*", text)
        assert found[1] in titles[found[0]], path.name


@pytest.mark.parametrize("people", [None, "email", "slack", "webhook", "wecom"])
def test_the_banner_knows_from_the_number_of_integrations_whether_there_are_people(
    people: str | None, tmp_path: Path
) -> None:
    file = ROOT / "alertmanager" / "people" / f"{people}.yml"
    wanted = re.findall(r"\$\{([A-Z_]+)\}", file.read_text()) if people else []
    (tmp_path / "value").write_text("http://127.0.0.1:1/")
    given = {f"{name}_FILE": str(tmp_path / "value") for name in ["WATCHDOG_URL", *wanted]}
    given |= {"PEOPLE": str(file)} if people else {}
    done = rendered(tmp_path / "alertmanager.yml", **given)
    assert done.returncode == 0, done.stderr
    receivers = yaml.safe_load((tmp_path / "alertmanager.yml").read_text())["receivers"]
    integrations = sum(len(r[kind]) for r in receivers for kind in r if kind.endswith("_configs"))
    assert (integrations > 2) is (people is not None)


# Provisioned


def provisioned(kind: str) -> Any:
    (path,) = (GRAFANA / "provisioning" / kind).glob("*.yml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_data_sources_are_the_three_that_boards_and_links_know() -> None:
    sources = {source["uid"]: source for source in provisioned("datasources")["datasources"]}
    assert list(sources) == ["prometheus", "alertmanager", "tempo"]
    assert [source["type"] for source in sources.values()] == list(sources)
    assert not any(source["editable"] for source in sources.values())
    assert [uid for uid, source in sources.items() if source.get("isDefault")] == ["prometheus"]
    chosen = read(BOARDS[0])["templating"]["list"][0]["current"]
    assert chosen == {"text": sources["prometheus"]["name"], "value": "prometheus"}


def test_exemplars_lead_to_tempo_by_the_label_that_they_have() -> None:
    prometheus = provisioned("datasources")["datasources"][0]["jsonData"]
    (to,) = prometheus["exemplarTraceIdDestinations"]
    assert (to["name"], to["datasourceUid"]) == ("trace_id", "tempo")


def test_rates_are_taken_over_the_interval_that_is_scraped_with() -> None:
    prometheus = provisioned("datasources")["datasources"][0]["jsonData"]
    config = yaml.safe_load((ROOT / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    assert prometheus["timeInterval"] == config["global"]["scrape_interval"]


def test_boards_are_provided_read_only() -> None:
    (provider,) = provisioned("dashboards")["providers"]
    assert provider["disableDeletion"]
    assert not provider["allowUiUpdates"]


def _series(name: str, histogram: bool) -> list[str]:
    return [f"{name}_{end}" for end in ("bucket", "sum", "count")] if histogram else [name]
