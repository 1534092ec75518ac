"""The engines' part of the API, before a service with two scripted engines."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from running import Service
from scripted_engine import two_engines
from test_auth import bearer, entry

ADMIN, USER, TRUSTED = "yy-admin", "yy-user", "yy-trusted"
KEYS = "\n".join(
    [
        entry(ADMIN, "ops", role="admin"),
        entry(USER, "app"),
        entry(TRUSTED, "lab", engines=True),
    ]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def keyed(folder: Path) -> Iterator[Service]:
    with two_engines(folder, YYCHAT_API_KEYS=KEYS) as running:
        yield running


@pytest.fixture
def service(keyed: Service, folder: Path) -> Service:
    """Begins with chat_engine, and with both engines well."""
    for left in folder.glob("*.trouble"):
        left.unlink()
    assert (
        post(keyed, "switch", engine="chat_engine", reason="start", force=True).status_code == 200
    )
    return keyed


def get(service: Service, what: str = "", key: str = ADMIN) -> httpx2.Response:
    return service.http.get(f"/v1/engines{what}", headers=bearer(key))


def post(service: Service, what: str, key: str = ADMIN, **body: Any) -> httpx2.Response:
    return service.http.post(f"/v1/engines/{what}", json=body, headers=bearer(key))


def problem(answer: httpx2.Response) -> tuple[int, str, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"]


def by(service: Service, text: str = "hi", key: str = ADMIN, **fields: Any) -> httpx2.Response:
    headers = {**bearer(key), **fields.pop("headers", {})}
    body = {"model": "m", "messages": [{"role": "user", "content": text}], **fields}
    return service.http.post("/v1/chat/completions", json=body, headers=headers)


def engine(answer: httpx2.Response) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-yychat-engine"])


def test_engines_are_listed_with_their_shares(service: Service) -> None:
    listed = get(service, key=USER).json()
    assert [(each["id"], each["weight"], each["selected"]) for each in listed["data"]] == [
        ("chat_engine", 100, True),
        ("mem0_proxy", 0, False),
    ]
    assert listed["data"][1]["description"] == "The scripted mem0_proxy."


def test_a_switch_is_answered_with_what_is_in_force_and_the_next_request_sees_it(
    service: Service,
) -> None:
    before = get(service, "/current").json()
    switched = post(service, "switch", engine="mem0_proxy", reason="a trial").json()
    assert switched["engine"] == "mem0_proxy"
    assert switched["weights"] == {"chat_engine": 0, "mem0_proxy": 100}
    assert switched["revision"] == before["revision"] + 1
    assert (switched["changed_by"], switched["reason"]) == ("ops", "a trial")
    assert switched["at"] > before["at"]
    assert get(service, "/current").json() == switched
    assert engine(by(service)) == "mem0_proxy"


def test_a_split_is_sticky_by_owner(service: Service) -> None:
    split = post(service, "split", weights={"chat_engine": 1, "mem0_proxy": 1}, reason="half")
    assert (split.json()["engine"], split.json()["weights"]["mem0_proxy"]) == (None, 1)
    users = [f"user-{n}" for n in range(30)]
    chosen = [engine(by(service, user=user)) for user in users]
    assert [engine(by(service, user=user)) for user in users] == chosen
    assert set(chosen) == {"chat_engine", "mem0_proxy"}


def test_the_history_is_newest_first(service: Service) -> None:
    post(service, "switch", engine="mem0_proxy", reason="one")
    post(service, "switch", engine="chat_engine", reason="two")
    history = get(service, "/history?limit=2").json()
    assert [each["reason"] for each in history["data"]] == ["two", "one"]


def test_the_health_of_every_engine_is_told_by_dependency(folder: Path) -> None:
    data = folder / "ill"
    data.mkdir()
    (data / "mem0_proxy.trouble").write_text('missing: pip install "yychat[mem0-local]"')
    with two_engines(data) as service:
        engines = service.http.get("/v1/engines/health").json()["engines"]
        assert engines["chat_engine"]["dependencies"] == {"memory": "ok"}
        assert (engines["chat_engine"]["healthy"], engines["chat_engine"]["selected"]) == (
            True,
            True,
        )
        ill = engines["mem0_proxy"]
        assert (ill["healthy"], ill["selected"]) == (False, False)
        assert ill["dependencies"] == {"memory": 'missing: pip install "yychat[mem0-local]"'}

        ready = service.http.get("/readyz").json()
        assert (ready["status"], "mem0_proxy:memory" in ready["dependencies"]) == ("ok", False)

        ask = {"engine": "mem0_proxy", "reason": "x"}
        refused = service.http.post("/v1/engines/switch", json=ask)
        assert problem(refused) == (409, "engine_unhealthy", None)
        assert 'pip install "yychat[mem0-local]"' in refused.json()["error"]["message"]
        assert service.http.get("/v1/engines/current").json()["engine"] == "chat_engine"

        forced = service.http.post("/v1/engines/switch", json={**ask, "force": True})
        assert (forced.status_code, forced.json()["changed_by"]) == (200, "keyless")
        degraded = service.http.get("/readyz")
        assert (degraded.status_code, degraded.json()["status"]) == (200, "degraded")


def test_a_change_of_what_is_not_in_force_any_more_is_a_409(service: Service) -> None:
    seen = get(service, "/current").json()["revision"]
    first = post(service, "switch", engine="mem0_proxy", reason="anna", if_revision=seen)
    second = post(service, "switch", engine="chat_engine", reason="bert", if_revision=seen)
    assert first.status_code == 200
    assert problem(second) == (409, "stale_revision", "if_revision")
    assert get(service, "/current").json() == first.json()


@pytest.mark.parametrize(
    ("what", "body", "status", "param"),
    [
        ("switch", {}, 400, "engine"),
        ("switch", {"engine": "mem0_proxy"}, 400, "reason"),
        ("switch", {"engine": "mem0_proxy", "reason": ""}, 400, "reason"),
        ("switch", {"engine": "mem0_proxy", "reason": " "}, 400, "reason"),
        ("switch", {"engine": "mem0_proxy", "reason": "a\nb"}, 400, "reason"),
        ("switch", {"engine": "mem0_proxy", "reason": "x" * 501}, 400, "reason"),
        ("switch", {"engine": "mem0_proxy", "reason": 7}, 400, "reason"),
        ("switch", {"engine": "", "reason": "x"}, 400, "engine"),
        ("switch", {"engine": "gpt", "reason": "x"}, 404, "engine"),
        ("switch", {"engine": "mem0_proxy", "reason": "x", "force": "yes"}, 400, "force"),
        ("switch", {"engine": "mem0_proxy", "reason": "x", "if_revision": -1}, 400, "if_revision"),
        ("switch", {"engine": "mem0_proxy", "reason": "x", "iff": 1}, 400, "iff"),
        ("split", {"weights": {}, "reason": "x"}, 400, "weights"),
        ("split", {"weights": {"chat_engine": 0}, "reason": "x"}, 400, "weights"),
        ("split", {"weights": {"chat_engine": -1}, "reason": "x"}, 400, "weights"),
        ("split", {"weights": {"chat_engine": 0.5}, "reason": "x"}, 400, "weights"),
        ("split", {"weights": {"chat_engine": 10**7}, "reason": "x"}, 400, "weights"),
        ("split", {"weights": {"gpt": 1}, "reason": "x"}, 404, "weights"),
        ("split", {"reason": "x"}, 400, "weights"),
    ],
)
def test_what_is_wrong_is_named_and_changes_nothing(
    service: Service, what: str, body: dict[str, Any], status: int, param: str
) -> None:
    before = get(service, "/current").json()
    answer = post(service, what, **body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
    assert get(service, "/current").json() == before


@pytest.mark.parametrize("what", ["switch", "split"])
def test_only_an_admin_changes_the_selection(service: Service, what: str) -> None:
    refused = post(service, what, key=USER, engine="mem0_proxy", reason="x")
    assert problem(refused) == (403, "forbidden", None)
    assert get(service, "/history", key=USER).status_code == 403
    assert get(service, "/history?limit=0").status_code == 400
    assert service.http.post(f"/v1/engines/{what}", json={}).status_code == 401


def test_who_changed_it_and_why_is_for_admins(service: Service) -> None:
    seen = get(service, "/current", key=USER).json()
    assert (seen["engine"], seen["changed_by"], seen["reason"]) == ("chat_engine", None, None)


# One request's engine


@pytest.mark.parametrize("key", [ADMIN, TRUSTED])
def test_who_may_names_the_engine_of_a_request(service: Service, key: str) -> None:
    assert engine(by(service, key=key, engine="mem0_proxy")) == "mem0_proxy"
    header = {"x-yychat-engine": "mem0_proxy"}
    assert engine(by(service, key=key, headers=header)) == "mem0_proxy"
    assert engine(by(service, key=key, headers=header, engine="mem0_proxy")) == "mem0_proxy"
    assert engine(by(service, key=key)) == "chat_engine"


def test_who_may_not_is_told_so(service: Service) -> None:
    assert problem(by(service, key=USER, engine="mem0_proxy")) == (403, "forbidden", "engine")
    named = by(service, key=USER, headers={"x-yychat-engine": "chat_engine"})
    assert problem(named) == (403, "forbidden", "engine")
    assert engine(by(service, key=USER)) == "chat_engine"


def test_body_and_header_have_to_agree(service: Service) -> None:
    both = by(service, engine="chat_engine", headers={"x-yychat-engine": "mem0_proxy"})
    assert problem(both) == (400, "invalid_value", "engine")


@pytest.mark.parametrize("named", ["gpt", "", "x" * 5000])
def test_an_engine_that_is_not_there_is_a_404(service: Service, named: str) -> None:
    answer = by(service, headers={"x-yychat-engine": named})
    assert problem(answer) == (404, "not_found", "engine")


# An engine that fails


@pytest.mark.parametrize("stream", [False, True])
def test_the_other_engine_answers_and_a_header_says_so(service: Service, stream: bool) -> None:
    answer = by(service, "chat_engine=store", stream=stream)
    assert engine(answer) == "mem0_proxy"
    assert answer.headers["x-yychat-fallback-from"] == "chat_engine"
    assert "chat_engine" not in answer.text


def test_without_a_failure_no_header_speaks_of_one(service: Service) -> None:
    assert "x-yychat-fallback-from" not in by(service).headers


def test_an_engine_that_was_named_and_fails_says_so(service: Service) -> None:
    away = by(service, "mem0_proxy=unavailable", engine="mem0_proxy")
    assert problem(away) == (503, "engine_unavailable", None)
    assert away.headers["retry-after"]
    bug = by(service, "mem0_proxy=bug", engine="mem0_proxy")
    assert problem(bug) == (500, "engine_failed", None)
    assert "secret" not in bug.text


def test_what_the_upstream_said_is_passed_on_and_not_tried_again(service: Service) -> None:
    answer = by(service, "chat_engine=upstream")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


def test_a_failure_in_the_middle_is_one_error_event(service: Service) -> None:
    answer = by(service, "chat_engine=middle", stream=True)
    assert engine(answer) == "chat_engine"
    assert "engine_failed" in answer.text.splitlines()[-2]
    assert "[DONE]" not in answer.text
