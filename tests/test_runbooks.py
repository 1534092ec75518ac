"""Alerts, runbooks and boards belong together, and runbooks only name what there is."""

import re
from pathlib import Path

import pytest

from rules import BOARDS, ROOT, alert_names, alerts
from yychat.cli import main
from yychat.settings import Settings
from yychat.telemetry.catalogue import CATALOGUE

BOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
BOOK = pytest.mark.parametrize("book", BOOKS, ids=[path.stem for path in BOOKS])
ELSEWHERE = {"YYCHAT_ALERT_TOKEN", "YYCHAT_AUTO_ROLLBACK"}


def test_every_alert_has_a_runbook_and_no_runbook_is_left_over() -> None:
    assert {path.stem for path in BOOKS} == alert_names()


@BOOK
def test_a_runbook_has_its_four_parts_and_something_in_each(book: Path) -> None:
    text = book.read_text(encoding="utf-8")
    assert text.startswith(f"# {book.stem}\n")
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert [part.partition("\n")[0] for part in parts] == [
        "Meaning",
        "Impact",
        "Diagnosis",
        "Mitigation",
    ]
    assert all(len(part.partition("\n")[2].strip()) > 5 for part in parts)
    assert "```promql" in parts[2]


@BOOK
def test_a_runbook_leads_to_the_board_that_the_alert_leads_to(book: Path) -> None:
    leads = {
        rule["annotations"]["dashboard_url"].rpartition("/")[2]
        for rule in alerts()
        if rule["alert"] == book.stem
    }
    linked = set(re.findall(r"/d/([\w-]+)", book.read_text(encoding="utf-8")))
    assert linked == leads
    assert linked <= BOARDS


@BOOK
def test_links_between_runbooks_lead_somewhere(book: Path) -> None:
    for target in re.findall(r"\]\((\w+\.md)\)", book.read_text(encoding="utf-8")):
        assert (book.parent / target).exists(), target


@BOOK
def test_commands_in_a_runbook_exist(book: Path) -> None:
    for words in re.findall(r"`yychat ([a-z ]+)", book.read_text(encoding="utf-8")):
        command = main
        for word in words.split():
            commands = getattr(command, "commands", {})
            if not commands:
                break
            assert word in commands, f"yychat {words}"
            command = commands[word]


@BOOK
def test_series_and_settings_in_a_runbook_exist(book: Path) -> None:
    text = book.read_text(encoding="utf-8")
    ours = {metric.name for metric in CATALOGUE}
    ours |= {f"{m.name}_{end}" for m in CATALOGUE for end in ("bucket", "sum", "count")}
    assert set(re.findall(r"(?<![:\w])yychat_\w+", text)) <= ours
    settings = {str(field.validation_alias) for field in Settings.model_fields.values()}
    assert set(re.findall(r"\bYYCHAT_[A-Z_]+", text)) <= settings | ELSEWHERE
