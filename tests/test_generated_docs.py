"""Pages made from the code are current, and the written ones name what exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from yychat.settings import Settings

ROOT = Path(__file__).parent.parent
WRITTEN = ("README.md", "README.zh-CN.md", "CHANGELOG.md", "docs/operations.md")
MISSPELT = {"YYCHAT_PROT"}  # on purpose: what the start says to it is shown

_LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def anchors(page: str) -> set[str]:
    """The headings of *page* as addresses, as GitHub makes them."""
    headings = _HEADING.findall(_FENCED.sub("", text(page)))
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def leads_nowhere(page: str, path: str, anchor: str) -> bool:
    target = (ROOT / page).parent / path if path else ROOT / page
    if not target.exists():
        return True
    return bool(anchor) and anchor not in anchors(str(target.resolve().relative_to(ROOT)))


def test_the_configuration_page_is_what_the_settings_say() -> None:
    command = [sys.executable, "-m", "yychat", "docs", "configuration"]
    made = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    assert made.decode() == text("docs/configuration.md"), "run `make docs`"


@pytest.mark.parametrize("page", WRITTEN)
def test_every_setting_a_page_names_exists(page: str) -> None:
    settings = {str(field.validation_alias) for field in Settings.model_fields.values()}
    named = set(re.findall(r"\bYYCHAT_[A-Z_]+\b", text(page))) - MISSPELT
    assert named - settings - set(Settings.secrets()) == set()


@pytest.mark.parametrize("page", WRITTEN)
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    links = [link for link in _LINK.findall(text(page)) if "://" not in link[0]]
    assert [link for link in links if leads_nowhere(page, *link)] == []
