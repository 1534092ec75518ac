"""The fast profile is what is shipped, in a hurry: times are shorter, and nothing else differs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from alertmanager_server import amtool, rendered
from rules import ROOT, RULES

LENGTH = re.compile(r"\b\d+(ms|s|m|h|d)\b")


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fast")
    assert not rendered(folder / "alertmanager.yml").returncode
    command = [ROOT / "prometheus" / "fast.py", folder / "prometheus", folder / "alertmanager.yml"]
    subprocess.run([sys.executable, *map(str, command)], check=True, timeout=30)
    return folder


@pytest.mark.parametrize("rules", RULES, ids=[path.stem for path in RULES])
def test_only_times_differ_from_what_is_shipped(fast: Path, rules: Path) -> None:
    hurried = (fast / "prometheus" / "rules" / rules.name).read_text(encoding="utf-8")
    shipped = rules.read_text(encoding="utf-8")
    assert LENGTH.sub("TIME", hurried) == LENGTH.sub("TIME", shipped)
    said = [line for line in shipped.splitlines() if "description" in line or "severity" in line]
    assert all(line in hurried.splitlines() for line in said)


def test_times_are_divided_by_one_factor_down_to_a_floor(fast: Path) -> None:
    rules = (fast / "prometheus" / "rules" / "slo.yml").read_text(encoding="utf-8")
    assert "job:yychat_answered_bad:rate5m[24000ms]" in rules  # 6 h
    assert "job:yychat_answered_bad:rate5m[288000ms]" in rules  # 3 d
    assert 'outcome="ok"}[4000ms]' in rules  # 5 m would be a third of a second
    assert "for: 12000ms" in rules  # 3 h
    assert "for: 1500ms" in rules  # 2 m would be less than two evaluations
    assert "bad:ratio_rate1h > 14.4 * 0.005" in rules
    manager = (fast / "alertmanager.yml").read_text(encoding="utf-8")
    assert "group_wait: 33ms" in manager  # 30 s
    assert "repeat_interval: 48000ms" in manager  # 12 h


def test_prometheus_and_alertmanager_take_it(fast: Path) -> None:
    paths = sorted((fast / "prometheus" / "rules").glob("*.yml"))
    command = ["promtool", "check", "rules", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    amtool("check-config", fast / "alertmanager.yml")
