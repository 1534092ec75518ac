"""The rules of Prometheus: they are sound, and every alert fires when it should and only then."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from rules import BOARDS, ROOT, RULES, alert_names, alerts, read, rules
from yychat.alerting.notification import ALERTS
from yychat.telemetry.catalogue import CATALOGUE

PROMETHEUS = ROOT / "prometheus"
CASES = sorted((PROMETHEUS / "tests").glob("*.yml"))
# What is not ours: Prometheus' own series, the exporter's, and what rules and operators record.
FOREIGN = re.compile(
    r"(up|ALERTS|process_start_time_seconds|(redis|prometheus|alertmanager)_\w+|\w+:[\w:]+)\Z"
)
_NAMES = re.compile(r"\b[a-zA-Z_:][\w:]*(?=\s*[{\[]|\b)")
_QUOTED = re.compile(r'"[^"]*"')
_WORDS = {
    *("sum", "max", "min", "count", "by", "without", "on", "group_left", "group_right"),
    *("and", "or", "unless", "bool", "offset", "rate", "increase", "changes", "absent"),
    *("clamp_min", "vector", "avg_over_time", "sum_over_time", "max_over_time"),
}

# What Prometheus 2.42 and 3.x both have: what came later or is gone has no place here.
COMMON_KEYS = {
    *("global", "scrape_interval", "scrape_timeout", "evaluation_interval", "external_labels"),
    *("rule_files", "alerting", "alert_relabel_configs", "action", "regex", "alertmanagers"),
    *("scrape_configs", "job_name", "file_sd_configs", "files", "refresh_interval"),
    *("groups", "name", "interval", "rules", "record", "alert", "expr", "for"),
    *("labels", "annotations"),
}
COMMON_FUNCTIONS = {
    *("sum", "max", "min", "count", "rate", "increase", "changes", "absent", "vector"),
    *("clamp_min", "avg_over_time", "sum_over_time", "max_over_time"),
}


def promtool(*arguments: str | Path) -> str:
    """What promtool says; it has to be content."""
    assert shutil.which("promtool"), (
        "these tests need promtool (Debian: apt-get install prometheus)"
    )
    command = ["promtool", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def environment(folder: Path, name: str) -> Path:
    """Prometheus' files as they stand in the environment *name*."""
    shutil.copytree(PROMETHEUS, folder, symlinks=True)
    active = folder / "targets" / "active"
    active.unlink(missing_ok=True)
    os.symlink(name, active)
    return folder / "prometheus.yml"


def test_promtool_finds_nothing_in_the_rules() -> None:
    said = promtool("check", "rules", "--lint=all", "--lint-fatal", *RULES)
    assert said.count("SUCCESS") == len(RULES)


@pytest.mark.parametrize("name", ["stack", "compose"])
def test_promtool_finds_nothing_in_the_configuration(tmp_path: Path, name: str) -> None:
    promtool("check", "config", "--lint=all", "--lint-fatal", environment(tmp_path / "prom", name))


def keys(given: object) -> Iterator[str]:
    """The keys of a configuration, whatever they are in; names that are ours are left out."""
    if isinstance(given, list):
        for each in given:
            yield from keys(each)
    if isinstance(given, dict):
        for key, value in given.items():
            yield key
            if key not in {"labels", "annotations", "external_labels"}:
                yield from keys(value)


def test_prometheus_2_42_and_3_both_know_every_key_and_function() -> None:
    files = [PROMETHEUS / "prometheus.yml", *RULES]
    assert {key for path in files for key in keys(read(path))} <= COMMON_KEYS
    called = {
        name
        for rule in rules()
        for name in re.findall(r"\b([a-z_]+)\s*\(", _QUOTED.sub("", rule["expr"]))
    }
    assert called <= COMMON_FUNCTIONS | {"by", "on", "group_left", "group_right", "and", "or"}


def test_no_rule_means_something_else_in_prometheus_3() -> None:
    for rule in rules():
        # 3.x writes the bounds 1 and 10 of a histogram as 1.0 and 10.0.
        assert not re.search(r'le=~?"\d+"', rule["expr"]), rule
        # There a dot of a pattern matches a line's end, and ranges are open to the left: one of
        # two scrapes would hold one less.
        assert not re.search(r'[=!]~"[^"]*\.', rule["expr"]), rule
        assert not re.search(r"\[\d+s\]", rule["expr"]), rule


@pytest.mark.slow
@pytest.mark.parametrize("file", CASES, ids=[path.stem for path in CASES])
def test_alerts_fire_when_they_should_and_only_then(file: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", file)


def test_every_alert_has_a_case_that_fires_and_one_that_must_not() -> None:
    fires: Counter[tuple[str, bool]] = Counter()
    for path in CASES:
        for case in read(path)["tests"]:
            name, _, verb = case["name"].partition(" ")
            if name in alert_names():
                expected = bool(case["promql_expr_test"][0]["exp_samples"])
                assert verb.startswith("fires" if expected else "does not fire"), case["name"]
                assert f'alertname="{name}"' in case["promql_expr_test"][0]["expr"]
                fires[name, expected] += 1
    assert {name for name, _ in fires} == alert_names()
    assert len(fires) == 2 * len(alert_names())


def test_every_window_of_the_budgets_has_both_cases() -> None:
    expressions = [
        (case["promql_expr_test"][0]["expr"], bool(case["promql_expr_test"][0]["exp_samples"]))
        for path in CASES
        for case in read(path)["tests"]
    ]
    for rule in alerts():
        if window := rule["labels"].get("window"):
            about = [
                expected
                for expr, expected in expressions
                if rule["alert"] in expr and f'window="{window}"' in expr
            ]
            assert set(about) == {True, False}, (rule["alert"], window)


def test_the_service_knows_the_alerts_by_name() -> None:
    assert set(ALERTS) == alert_names()
    assert len(ALERTS) <= 64  # as many values as a label may have


def test_every_alert_says_what_to_do_and_where_to_look() -> None:
    for rule in alerts():
        said = rule["annotations"]
        assert set(said) == {
            "summary",
            "summary_zh",
            "description",
            "value",
            "runbook_url",
            "dashboard_url",
        }, rule["alert"]
        assert all(said.values()), rule["alert"]
        assert re.search("[\u4e00-\u9fff]", said["summary_zh"]), rule["alert"]
        assert said["runbook_url"] == f"{{{{ $externalLabels.runbooks }}}}/{rule['alert']}.md"
        assert said["dashboard_url"].startswith("{{ $externalLabels.grafana }}/d/")
        assert said["dashboard_url"].rpartition("/")[2] in BOARDS
        assert rule["labels"]["severity"] in {"page", "ticket", "none"}
        ours = rule["alert"].startswith("YYChat")
        assert rule["labels"].get("service") == ("yychat" if ours else None)


def test_only_a_failing_engine_asks_for_a_rollback() -> None:
    asking = [rule["alert"] for rule in alerts() if "action" in rule["labels"]]
    assert asking == ["YYChatEngineFailing"]


def test_rules_use_series_that_there_are() -> None:
    ours = {metric.name for metric in CATALOGUE}
    ours |= {f"{m.name}_{end}" for m in CATALOGUE for end in ("bucket", "sum", "count")}
    labels = {label for metric in CATALOGUE for label in metric.labels}
    labels |= {"job", "instance", "le", "currency", "integration"}
    for rule in rules():
        expr = re.sub(r"#.*", "", rule["expr"])
        series = set(re.findall(r"\w*yychat_[\w|]+", " ".join(_QUOTED.findall(expr))))
        wanted = {name for names in series for name in names.split("|")}
        bare = re.sub(
            r"{[^}]*}|\[[^\]]*\]|\([\w, ]*\)(?=\s*(\(|group))", " ", _QUOTED.sub("", expr)
        )
        wanted |= {name for name in _NAMES.findall(bare) if not name[0].isdigit()}
        unknown = {
            name
            for name in wanted - _WORDS - labels - ours
            if not FOREIGN.match(name) and not re.fullmatch(r"\d*[smhd]", name)
        }
        assert not unknown, (rule.get("alert") or rule["record"], unknown)


def test_recorded_series_that_are_used_are_recorded() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    recorded.add("currency:yychat_cost_ceiling:day")  # the operator's: rules/ceiling.yml
    for rule in rules():
        used = set(re.findall(r"\b[a-z_]+:\w+:\w+", rule["expr"]))
        assert used <= recorded, rule


def test_recorded_series_say_their_level_metric_and_operation() -> None:
    for rule in rules():
        if "record" in rule:
            assert re.fullmatch(r"[a-z_]+:[a-z_]+:[a-z0-9_]+", rule["record"])


def test_every_ratio_is_guarded_against_no_traffic() -> None:
    for rule in rules():
        expr = re.sub(r"#.*", "", rule["expr"])
        for divisor in re.findall(r"/ (?:on \([\w, ]+\) group_left \(\) )?(\S)", expr):
            assert divisor == "(" or divisor.isdigit(), rule
        if "/" in expr:
            assert re.search(r"> 0\b|>= \d+", expr), rule


@pytest.fixture
def detection() -> ModuleType:
    spec = importlib.util.spec_from_file_location("detection", PROMETHEUS / "detection.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_documented_time_of_detection_is_the_measured_one(detection: ModuleType) -> None:
    documented = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    measured = " | ".join(detection.noticed(*detection.SHARES[0]))
    assert f"| 100 % | {measured} |" in documented
