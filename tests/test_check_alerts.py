"""``yychat check`` says when nobody will be paged, by what a real Alertmanager tells it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from alertmanager_server import Alertmanager, alertmanager, rendered
from rules import ROOT
from yychat.checks_alerts import alert_findings
from yychat.finding import Finding
from yychat.settings import Settings


@contextmanager
def telling(folder: Path, **environment: str) -> Iterator[Alertmanager]:
    """An Alertmanager as render.sh makes it with this environment."""
    done = rendered(folder / "config.yml", **environment)
    assert not done.returncode, done.stderr
    with alertmanager(folder / "data", folder / "config.yml") as running:
        yield running


async def found(**environment: str) -> list[Finding]:
    return await alert_findings(Settings.from_environment(environment))


async def people(url: str) -> Finding:
    (finding,) = await found(YYCHAT_ALERTMANAGER_URL=url)
    return finding


@pytest.fixture
def webhooks(tmp_path: Path) -> dict[str, str]:
    for name in ("PAGES", "TICKETS", "WATCHDOG"):
        (tmp_path / name).write_text(f"http://127.0.0.1:9/{name}")
    return {
        "PEOPLE": str(ROOT / "alertmanager" / "people" / "webhook.yml"),
        "PAGES_URL_FILE": str(tmp_path / "PAGES"),
        "TICKETS_URL_FILE": str(tmp_path / "TICKETS"),
    }


async def test_who_never_said_where_alertmanager_is_is_warned() -> None:
    (finding,) = await found()
    assert finding.level == "warn"
    assert "nobody will be paged" in finding.text
    assert "YYCHAT_ALERTMANAGER_URL" in finding.remedy


async def test_an_alertmanager_without_people_pages_nobody(tmp_path: Path) -> None:
    (tmp_path / "dog").write_text("http://127.0.0.1:9/dog")
    with telling(tmp_path, WATCHDOG_URL_FILE=str(tmp_path / "dog")) as running:
        finding = await people(running.url)
    assert finding.level == "warn"
    assert "nobody will be paged" in finding.text
    assert "PEOPLE" in finding.remedy


async def test_an_alertmanager_with_people_is_well(
    tmp_path: Path, webhooks: dict[str, str]
) -> None:
    with telling(tmp_path, **webhooks) as running:
        finding = await people(f"{running.url}/")
    assert (finding.level, finding.remedy) == ("ok", "")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nonsense", "http://[::1", "ftp://x"])
async def test_an_alertmanager_that_does_not_answer_is_a_failure(url: str) -> None:
    finding = await people(url)
    assert finding.failed
    assert "nobody will be paged" in finding.text
    assert finding.remedy


async def test_a_rollback_that_no_alert_can_ask_for_is_told() -> None:
    *_, finding = await found(YYCHAT_AUTO_ROLLBACK="on")
    assert finding.level == "warn"
    assert "YYCHAT_ALERT_TOKEN" in finding.remedy
    assert len(await found(YYCHAT_AUTO_ROLLBACK="on", YYCHAT_ALERT_TOKEN="t")) == 1
