"""The quick look at how requests did: numbers with units, each tenant's for itself."""

import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from starlette.routing import Route

from records import record
from web_parts import Site, site
from yychat.performance.record import Record
from yychat.performance.recorder import Recorder
from yychat.performance.ring import Ring
from yychat.performance.store import EVERYBODY
from yychat.web import performance
from yychat.web.auth import Keyring, new_key

ADMIN, ADMIN_KEY = new_key("ops", "operators", "admin")
ACME, ACME_KEY = new_key("acme", "acme", "user")
ROUTES = [
    Route("/v1/performance/stats", performance.stats),
    Route("/v1/performance/recent", performance.recent),
    Route("/v1/performance", performance.forget, methods=["DELETE"]),
]


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(ring=Ring())


@pytest.fixture
async def served(recorder: Recorder) -> AsyncIterator[Site]:
    async with site(ROUTES, Keyring([ADMIN_KEY, ACME_KEY]), recorder=recorder) as running:
        yield running


async def got(served: Site, path: str, key: str = ADMIN, status: int = 200) -> Any:
    answer = await served.http.get(path, headers=bearer(key))
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_statistics_have_units_in_their_names_and_say_what_they_are_of(
    served: Site, recorder: Recorder
) -> None:
    for n in range(1, 101):
        recorder.put(record(time.time() - 1, duration_seconds=n / 100, stream=n > 60))
    recorder.put(record(time.time() - 400))
    found = await got(served, "/v1/performance/stats?window=60")
    assert (found["object"], found["instances"]) == ("performance.stats", "this")
    assert (found["window_seconds"], found["covered_seconds"]) == (60, 60)
    assert found["overall"]["requests"] == 100
    assert found["overall"]["requests_per_second"] == pytest.approx(100 / 60)
    durations = found["overall"]["durations"]["all"]
    assert durations["duration_p95_seconds"] == 0.95
    assert durations["duration_mean_seconds"] == pytest.approx(0.505)
    assert (found["whole"]["requests"], found["streamed"]["requests"]) == (60, 40)
    assert list(found["engines"]) == ["chat_engine"]
    assert found["overall"]["stages"]["auth"]["duration_p50_seconds"] == 0.05


async def test_a_window_of_five_minutes_is_what_who_does_not_say_gets(
    served: Site, recorder: Recorder
) -> None:
    for ago in (1, 200, 400):
        recorder.put(record(time.time() - ago))
    found = await got(served, "/v1/performance/stats")
    assert (found["window_seconds"], found["overall"]["requests"]) == (300, 2)


async def test_recent_requests_are_shown_newest_first(served: Site, recorder: Recorder) -> None:
    added = [record(time.time() - ago, outcome="timeout") for ago in (3, 2, 1)]
    for each in added:
        recorder.put(each)
    found = await got(served, "/v1/performance/recent?count=2")
    assert found["object"] == "list"
    assert msgspec.convert(found["data"], list[Record]) == [added[2], added[1]]


async def test_a_user_sees_its_own_tenant_and_an_admin_sees_all(
    served: Site, recorder: Recorder
) -> None:
    for tenant in ("acme", "other", None):
        recorder.put(record(time.time() - 1, tenant=tenant))
    for path, count in (
        ("stats", lambda found: found["overall"]["requests"]),
        ("recent", lambda found: len(found["data"])),
    ):
        assert count(await got(served, f"/v1/performance/{path}", ACME)) == 1
        assert count(await got(served, f"/v1/performance/{path}?tenant=acme", ACME)) == 1
        assert count(await got(served, f"/v1/performance/{path}")) == 3
        assert count(await got(served, f"/v1/performance/{path}?tenant=other")) == 1
        problem = await got(served, f"/v1/performance/{path}?tenant=other", ACME, status=403)
        assert problem["error"]["param"] == "tenant"


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("stats?window=0", "window"),
        ("stats?window=86401", "window"),
        ("stats?window=1.5", "window"),
        ("stats?window=-1", "window"),
        ("stats?window=", "window"),
        ("recent?count=0", "count"),
        ("recent?count=1001", "count"),
        ("recent?count=many", "count"),
        ("recent?tenant=%2A", "tenant"),
        ("stats?count=5", None),
        ("stats?window=5&window=6", None),
    ],
)
async def test_what_is_out_of_bounds_is_named(served: Site, query: str, param: str | None) -> None:
    problem = await got(served, f"/v1/performance/{query}", status=400)
    assert problem["error"]["param"] == param


async def test_only_an_admin_erases(served: Site, recorder: Recorder) -> None:
    recorder.put(record(time.time(), tenant="acme"))
    refused = await served.http.delete("/v1/performance", headers=bearer(ACME))
    assert refused.status_code == 403
    assert len((await recorder.newest(5)).records) == 1
    done = await served.http.delete("/v1/performance", headers=bearer(ADMIN))
    assert done.json() == {"deleted": True, "deleted_count": 1, "object": "performance.deleted"}
    assert (await recorder.newest(5)).records == []


async def test_a_tenant_can_be_erased_alone(served: Site, recorder: Recorder) -> None:
    kept = record(time.time(), tenant="other")
    for each in (record(time.time(), tenant="acme"), kept):
        recorder.put(each)
    done = await served.http.delete("/v1/performance?tenant=acme", headers=bearer(ADMIN))
    assert done.json()["deleted_count"] == 1
    assert (await recorder.newest(5)).records == [kept]


@pytest.mark.parametrize("query", ["tenant=", "tenant=a&tenant=b", "tennant=acme", "tenant=a/b"])
async def test_a_typo_erases_nothing(served: Site, recorder: Recorder, query: str) -> None:
    recorder.put(record(time.time()))
    answer = await served.http.delete(f"/v1/performance?{query}", headers=bearer(ADMIN))
    assert answer.status_code == 400
    assert len((await recorder.newest(5)).records) == 1


async def test_without_a_key_nothing_is_shown(served: Site) -> None:
    for path in ("stats", "recent"):
        answer = await served.http.get(f"/v1/performance/{path}")
        assert answer.status_code == 401


async def test_rates_are_over_what_is_covered_when_there_was_more_than_is_kept() -> None:
    recorder = Recorder(ring=Ring(most=10))
    for n in range(40):
        recorder.put(record(time.time() - 4 + n / 10))
    async with site(ROUTES, Keyring([ADMIN_KEY]), recorder=recorder) as served:
        found = await got(served, "/v1/performance/stats?window=300")
    assert found["overall"]["requests"] == 10
    assert found["window_seconds"] == 300
    assert 1 <= found["covered_seconds"] < 60
    assert found["overall"]["requests_per_second"] == pytest.approx(10 / found["covered_seconds"])


def test_no_tenant_can_be_called_as_everybody_is() -> None:
    with pytest.raises(msgspec.ValidationError):
        new_key("k", EVERYBODY, "user")
