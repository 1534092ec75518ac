"""Alertmanager's webhook and the list of what came by it, behind a real server."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.routing import Route

from alerting_parts import Office, notification, opened, told
from test_auth import bearer, entry
from web_parts import Site, site
from yychat.web import alerts
from yychat.web.auth import Keyring, parse_keys

TOKEN = "an-alert-token"
ADMIN, USER = "yy-admin", "yy-user"
ROUTES = [Route("/v1/alerts", alerts.alerts, methods=["GET", "POST"])]
KEYS = "\n".join([entry(ADMIN, "ops", role="admin"), entry(USER, "app")])


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    with opened(tmp_path) as database:
        office = Office(database)
        yield office
        await office.manager.close()


@pytest.fixture
async def service(office: Office) -> AsyncIterator[Site]:
    async with site(ROUTES, Keyring(None), alerts=alerts.Alerts(office.desk, TOKEN)) as running:
        yield running


async def post(service: Site, body: Any, headers: dict[str, str] | None = None) -> httpx2.Response:
    given = bearer(TOKEN) if headers is None else headers
    return await service.http.post("/v1/alerts", json=body, headers=given)


async def test_a_firing_alert_moves_the_traffic_and_the_answer_says_so(
    service: Site, office: Office
) -> None:
    await office.select(mem0_proxy=100)
    answer = await post(service, notification(told(office.now)))
    assert answer.status_code == 200, answer.text
    (alert,) = answer.json()["data"]
    assert (alert["name"], alert["status"]) == ("YYChatEngineFailing", "firing")
    assert alert["rollback"]["result"] == "done"
    assert await office.shares() == {"chat_engine": 100}


async def test_what_was_received_is_listed_newest_first(service: Site, office: Office) -> None:
    await post(service, notification(told(office.now, action="", alertname="YYChatAbsent")))
    office.now += 60
    await post(service, notification(told(office.now, ended=office.now, fingerprint="f2")))
    listed = (await service.http.get("/v1/alerts")).json()
    assert [each["name"] for each in listed["data"]] == ["YYChatEngineFailing", "YYChatAbsent"]
    assert [each["ended"] for each in listed["data"]] == [office.now, None]
    assert [each["rollback"] for each in listed["data"]] == [None, None]
    limited = (await service.http.get("/v1/alerts", params={"limit": 1})).json()
    assert limited["data"] == listed["data"][:1]
    assert (await service.http.get("/v1/alerts?limit=0")).status_code == 400


@pytest.mark.parametrize(
    "headers", [{}, bearer("wrong"), {"authorization": TOKEN}, bearer(ADMIN), bearer("é")]
)
async def test_without_the_token_nothing_is_taken(
    service: Site, office: Office, headers: dict[str, str]
) -> None:
    await office.select(mem0_proxy=100)
    raw = {name.encode(): value.encode() for name, value in headers.items()}
    answer = await service.http.post("/v1/alerts", json=notification(told(office.now)), headers=raw)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert await office.shares() == {"mem0_proxy": 100}
    assert await office.desk.newest(1) == []


async def test_two_tokens_are_refused(service: Site, office: Office) -> None:
    twice = [("authorization", f"Bearer {TOKEN}")] * 2
    sent = await service.http.post("/v1/alerts", json=notification(), headers=twice)
    assert sent.status_code == 401


@pytest.mark.parametrize("token", [None, ""])
async def test_where_no_token_is_set_it_says_which_setting_is_missing(
    office: Office, token: str | None
) -> None:
    async with site(ROUTES, Keyring(None), alerts=alerts.Alerts(office.desk, token)) as service:
        answer = await post(service, notification(told(office.now)), bearer("x"))
    assert answer.status_code == 403
    assert "YYCHAT_ALERT_TOKEN" in answer.json()["error"]["message"]


async def test_the_list_is_for_admins(office: Office) -> None:
    keys = Keyring(parse_keys(KEYS))
    async with site(ROUTES, keys, alerts=alerts.Alerts(office.desk, TOKEN)) as service:
        statuses = [
            (await service.http.get("/v1/alerts", headers=bearer(key))).status_code
            for key in (ADMIN, USER, TOKEN)
        ]
    assert statuses == [200, 403, 401]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"version": "3"}, "version"),
        ({"alerts": "all"}, "alerts"),
        ({"alerts": [{}]}, "alerts[0].status"),
        ({"alerts": [{**told(1.0), "status": "quiet"}]}, "alerts[0].status"),
        ({"alerts": [{**told(1.0), "startsAt": "2026-01-01T00:00:00"}]}, "alerts[0].startsAt"),
        ({"alerts": [{**told(1.0), "labels": {"a": 1}}]}, "alerts[0].labels"),
    ],
)
async def test_what_is_wrong_is_named(service: Site, change: Any, param: str) -> None:
    answer = await post(service, {**notification(), **change})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param


async def test_alertmanagers_own_empty_notification_is_taken(service: Site) -> None:
    assert (await post(service, notification())).json()["data"] == []


async def test_very_long_texts_are_cut(service: Site, office: Office) -> None:
    told_of = told(office.now)
    told_of["labels"] |= {f"label{n:02}": "x" * 999 for n in range(50)}
    await post(service, notification(told_of))
    (kept,) = await office.desk.newest(1)
    assert len(kept.labels) == 30
    assert max(map(len, kept.labels.values())) == 200
