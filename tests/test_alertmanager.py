"""Who is told of which alert: the configuration of Alertmanager, asked of its own programs."""

import json
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from alertmanager_server import Alertmanager, alertmanager, amtool, rendered
from rules import ROOT, alert_names, alerts, read
from webhook_inbox import inbox

FOLDER = ROOT / "alertmanager"
CONFIG = FOLDER / "alertmanager.yml"
TABLE = read(FOLDER / "routes.yml")
PEOPLE = sorted((FOLDER / "people").glob("*.yml"))
ROLLBACK = {"alertname": "YYChatEngineFailing", "action": "rollback", "engine": "mem0_proxy"}


def labelled(labels: dict[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in labels.items())


def until(state: Callable[[], bool], within: float = 20.0) -> None:
    ends = time.monotonic() + within
    while not state():
        assert time.monotonic() < ends, "it did not come to that"
        time.sleep(0.05)


@pytest.fixture
def given(tmp_path: Path) -> dict[str, str]:
    """All that any file of people/ needs; what is awkward is in the secrets."""
    secrets = {
        "SLACK_URL": "http://127.0.0.1:9/slack",
        "SMTP_PASSWORD": "s",
        "WECOM_SECRET": "a|&\\",
    }
    secrets |= {"PAGES_URL": "http://127.0.0.1:9/p?a=1&b=2", "TICKETS_URL": "http://127.0.0.1:9/t"}
    files = {}
    for name, secret in secrets.items():
        (tmp_path / name).write_text(f"{secret}\n")
        files[f"{name}_FILE"] = str(tmp_path / name)
    plain = {
        "EMAIL_PAGES": "pages@example.org",
        "EMAIL_TICKETS": "tickets@example.org",
        "SMTP_FROM": "yychat@example.org",
        "SMTP_HOST": "mail.example.org:587",
        "SMTP_USER": "yychat",
        "SLACK_PAGES": "#pages",
        "SLACK_TICKETS": "#tickets",
        "WECOM_CORP_ID": "corp",
        "WECOM_AGENT_ID": "1000002",
        "WECOM_PAGES": "ops|boss",
        "WECOM_TICKETS": "ops",
    }
    return {**files, **plain}


def test_amtool_finds_nothing_in_the_configuration() -> None:
    assert "1 templates" in amtool("check-config", CONFIG)


@pytest.mark.parametrize("people", PEOPLE, ids=[path.stem for path in PEOPLE])
def test_amtool_finds_nothing_in_what_is_rendered(
    tmp_path: Path, given: dict[str, str], people: Path
) -> None:
    target = tmp_path / "out.yml"
    done = rendered(target, PEOPLE=str(people), YYCHAT_URL="http://yychat:8000", **given)
    assert done.returncode == 0, done.stderr
    amtool("check-config", target)
    found = {each["name"]: each for each in read(target)["receivers"]}
    assert {*found} == {"nobody", "watchdog", "yychat", "pages", "tickets"}
    assert found["yychat"]["webhook_configs"][0]["url"] == "http://yychat:8000/v1/alerts"
    assert len(found["pages"]) == len(found["tickets"]) == 2  # the name, and a way
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_secrets_are_put_in_as_they_are(tmp_path: Path, given: dict[str, str]) -> None:
    target = tmp_path / "out.yml"
    assert not rendered(target, PEOPLE=str(FOLDER / "people" / "wecom.yml"), **given).returncode
    pages = next(each for each in read(target)["receivers"] if each["name"] == "pages")
    assert pages["wechat_configs"][0]["api_secret"] == "a|&\\"


def test_without_people_it_is_what_is_shipped(tmp_path: Path) -> None:
    target = tmp_path / "out.yml"
    assert not rendered(target).returncode
    mine, shipped = read(target), read(CONFIG)
    assert mine["receivers"] == shipped["receivers"]
    assert mine["route"] == shipped["route"]


def test_the_watchdog_leaves_the_host_where_an_address_is_given(tmp_path: Path) -> None:
    (tmp_path / "dog").write_text("https://alive.example.org/abc?x=1&y=2\n")
    target = tmp_path / "out.yml"
    assert not rendered(target, WATCHDOG_URL_FILE=str(tmp_path / "dog")).returncode
    dog = next(each for each in read(target)["receivers"] if each["name"] == "watchdog")
    assert dog["webhook_configs"][0]["url"] == "https://alive.example.org/abc?x=1&y=2"
    amtool("check-config", target)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"SMTP_USER": ""}, "SMTP_USER"),
        ({"SMTP_FROM": "it's"}, "SMTP_FROM"),
        ({"SMTP_HOST": "a\nb"}, "SMTP_HOST"),
    ],
)
def test_what_is_missing_or_would_break_out_is_named(
    tmp_path: Path, given: dict[str, str], change: dict[str, str], named: str
) -> None:
    people = str(FOLDER / "people" / "email.yml")
    done = rendered(tmp_path / "out.yml", PEOPLE=people, **{**given, **change})
    assert done.returncode != 0
    assert named in done.stderr
    assert not (tmp_path / "out.yml").exists()


@pytest.mark.parametrize(
    "route", TABLE["routes"], ids=[each["labels"]["alertname"] for each in TABLE["routes"]]
)
def test_alerts_reach_who_the_table_says(route: dict[str, Any]) -> None:
    said = amtool(
        "config",
        "routes",
        "test",
        f"--config.file={CONFIG}",
        f"--verify.receivers={','.join(route['receivers'])}",
        *(f"{name}={value}" for name, value in route["labels"].items()),
    )
    assert said == ",".join(route["receivers"])


def test_every_alert_that_is_more_than_a_sign_of_life_reaches_people() -> None:
    wanted = {"page": "pages", "ticket": "tickets"}
    for rule in alerts():
        labels = {"alertname": rule["alert"], **rule["labels"]}
        if labels["severity"] in wanted:
            pairs = [f"{name}={value}" for name, value in labels.items()]
            said = amtool("config", "routes", "test", f"--config.file={CONFIG}", *pairs)
            assert wanted[labels["severity"]] in said.split(","), rule["alert"]


def test_rollback_alerts_have_a_route_of_their_own() -> None:
    (route,) = [
        each for each in read(CONFIG)["route"]["routes"] if 'action="rollback"' in each["matchers"]
    ]
    assert route["group_by"] == ["alertname", "engine"]
    assert (route["group_wait"], route["continue"], route["receiver"]) == ("0s", True, "yychat")


def test_inhibition_names_alerts_that_there_are() -> None:
    names: set[str] = set()
    for rule in read(CONFIG)["inhibit_rules"]:
        for matcher in [*rule["source_matchers"], *rule["target_matchers"]]:
            said = matcher.partition('"')[2].rstrip('"')
            if "alertname=~" in matcher:
                head, _, rest = said.partition("(")
                names |= {head + each for each in rest.rstrip(")").split("|")}
            elif "alertname" in matcher:
                names.add(said)
        assert 'action!="rollback"' in rule["target_matchers"]
    assert names <= alert_names()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    folder = tmp_path_factory.mktemp("alertmanager")
    assert not rendered(folder / "config.yml", YYCHAT_URL="http://127.0.0.1:9").returncode
    with alertmanager(folder, folder / "config.yml") as started:
        yield started


@pytest.mark.parametrize("number", range(len(TABLE["inhibited"])))
def test_an_alert_is_silenced_by_another_where_the_table_says_so(
    running: Alertmanager, number: int
) -> None:
    row = TABLE["inhibited"][number]
    # An environment of its own for each row: they must not silence each other.
    firing, alert = (
        {**row[which], "environment": f"{number}{row[which].get('environment', '')}"}
        for which in ("firing", "alert")
    )
    running.tell(firing)
    until(lambda: running.state(firing) is not None)
    running.tell(alert)
    until(lambda: running.state(alert) is not None)
    if row["silenced"]:
        until(lambda: bool(running.state(alert)["inhibitedBy"]))
    else:
        until(lambda: running.state(alert)["state"] == "active")
        assert running.state(alert)["inhibitedBy"] == []


def test_a_rollback_alert_comes_at_once_with_the_token_and_a_silence_keeps_it_back(
    tmp_path: Path,
) -> None:
    (tmp_path / "token").write_text("an-alert-token")
    with inbox() as taking:
        config = tmp_path / "config.yml"
        token = str(tmp_path / "token")
        done = rendered(config, YYCHAT_URL=taking.url, YYCHAT_ALERT_TOKEN_FILE=token)
        assert not done.returncode, done.stderr
        with alertmanager(tmp_path / "am", config) as manager:
            silenced = {**ROLLBACK, "engine": "chat_engine"}
            assert manager.silence(alertname="YYChatEngineFailing", engine="chat_engine")
            manager.tell(silenced)
            until(lambda: bool((manager.state(silenced) or {}).get("silencedBy")))
            manager.tell(ROLLBACK)
            until(lambda: bool(taking.got))
    assert taking.got[0].authorization == "Bearer an-alert-token"
    assert taking.got[0].told["version"] == "4"
    engines = {alert["labels"]["engine"] for delivery in taking.got for alert in delivery.alerts}
    assert engines == {"mem0_proxy"}


def test_what_people_read_has_both_languages_the_value_the_runbook_and_the_board() -> None:
    said = {
        "summary": "mem0_proxy fails",
        "summary_zh": "引擎 mem0_proxy 出现故障",
        "description": "It fails.",
        "value": "31%",
        "runbook_url": "docs/runbooks/YYChatEngineFailing.md",
        "dashboard_url": "http://127.0.0.1:3000/d/yychat-engines",
    }
    alert = {
        "status": "firing",
        "labels": {**ROLLBACK, "severity": "ticket"},
        "annotations": said,
        "startsAt": "2026-01-02T03:04:05Z",
    }
    data = {
        "status": "firing",
        "groupLabels": {"alertname": "YYChatEngineFailing"},
        "commonLabels": alert["labels"],
        "alerts": [alert],
    }
    for text, wanted in (
        ('{{ template "yychat.text" . }}', {*said.values(), "2026-01-02 03:04:05Z"}),
        ('{{ template "yychat.title" . }}', {"[FIRING 1] ticket YYChatEngineFailing"}),
        ('{{ template "yychat.link" . }}', {said["dashboard_url"]}),
    ):
        printed = shown(text, data)
        assert not [each for each in wanted if each not in printed], printed


def shown(text: str, data: Any) -> str:
    """*text* as Alertmanager's templates make it."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(data, file)
        file.flush()
        return amtool(
            "template",
            "render",
            f"--template.glob={FOLDER / 'templates' / '*.tmpl'}",
            f"--template.text={text}",
            f"--template.data={file.name}",
        )
