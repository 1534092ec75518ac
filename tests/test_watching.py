"""What the service tells about itself, over HTTP, over a WebSocket and in its log."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from redis_server import RedisServer
from running import Service, Simulator, service
from yychat.web.auth import new_key

SECRET = "xyzzy-plugh"
ADMIN, ADMIN_KEY = new_key("ops", "operators", "admin")
USER, USER_KEY = new_key("user", "acme", "user")


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def got(of: Service, path: str, key: str = "") -> Any:
    answer = of.http.get(path, headers=bearer(key) if key else {})
    assert answer.status_code == 200, answer.text
    return answer.json()


@contextmanager
def guarded(data: Path, upstream: Simulator, **more: str) -> Iterator[Service]:
    keys = json.dumps(
        [{n: v for n, v in json.loads(key).items() if v is not None} for key in _entries()]
    )
    given = {"OPENAI_BASE_URL": upstream.base_url, "OPENAI_MODEL": "simulated", **more}
    with service(data, YYCHAT_API_KEYS=keys, **given) as running:
        yield running


def _entries() -> list[str]:
    import msgspec

    return [msgspec.json.encode(key).decode() for key in (ADMIN_KEY, USER_KEY)]


def test_a_request_is_in_the_statistics_and_among_the_recent_ones(yychat: Service) -> None:
    before = got(yychat, "/v1/performance/stats")["overall"]["requests"]
    answer = yychat.chat("hello")
    stream = yychat.chat("hello", stream=True)
    assert (answer.status_code, stream.status_code) == (200, 200)
    found = got(yychat, "/v1/performance/stats?window=60")
    assert found["overall"]["requests"] >= before + 2
    newest, older = got(yychat, "/v1/performance/recent?count=2")["data"]
    assert (older["stream"], newest["stream"]) == (False, True)
    assert older["trace_id"] == answer.headers["traceparent"].split("-")[1]
    assert (older["engine"], older["outcome"], older["tenant"]) == ("chat_engine", "ok", "local")
    assert older["input_tokens"] > 0
    assert older["output_tokens"] > 0
    assert sum(older["stages"].values()) == pytest.approx(older["duration_seconds"], abs=0.002)
    assert older["stages"]["upstream_first_byte"] > 0
    assert newest["first_token_seconds"] > 0


def test_failures_are_there_and_apart(yychat: Service, upstream: Simulator) -> None:
    upstream.faults(error_rate=1)
    assert yychat.chat("hello").status_code == 502
    [newest] = got(yychat, "/v1/performance/recent?count=1")["data"]
    assert (newest["outcome"], newest["error_type"]) == ("upstream_error", "upstream_5xx")
    found = got(yychat, "/v1/performance/stats")["overall"]
    assert found["durations"]["upstream_error"]["count"] >= 1


def test_two_instances_see_each_others_requests(
    upstream: Simulator, server: RedisServer, tmp_path: Path
) -> None:
    secret = tmp_path / "owner.secret"
    secret.write_text("ab" * 32)
    secret.chmod(0o600)
    shared = {"REDIS_URL": server.url, "YYCHAT_OWNER_SECRET_FILE": str(secret)}
    one = guarded(tmp_path / "one", upstream, **shared)
    other = guarded(tmp_path / "two", upstream, **shared)
    with one as first, other as second:
        for _ in range(3):
            first.say("hello", key=USER)
        second.say("hello", key=ADMIN)
        ends = time.monotonic() + 5
        while (seen := got(second, "/v1/performance/recent", ADMIN)["data"]) and len(seen) < 4:
            assert time.monotonic() < ends
        assert len({each["id"] for each in seen}) == 4
        assert len({each["instance"] for each in seen}) == 2
        mine = got(second, "/v1/performance/stats", USER)
        assert (mine["instances"], mine["overall"]["requests"]) == ("all", 3)
        assert first.http.delete("/v1/performance", headers=bearer(USER)).status_code == 403
        done = first.http.delete("/v1/performance", headers=bearer(ADMIN))
        assert done.json()["deleted_count"] == 4
        assert got(second, "/v1/performance/recent", ADMIN)["data"] == []


def test_the_dashboard_has_everything(yychat: Service) -> None:
    yychat.say("hello")
    found = got(yychat, "/v1/dashboard/realtime")
    assert found["missing"] == {}
    assert found["selection"]["weights"]["chat_engine"] == 100
    assert found["chat"]["overall"]["requests"] >= 1
    assert found["in_flight"]["requests"] == 0
    assert found["outbox"]["native"]["dead"] == 0
    assert set(found["breakers"].values()) == {"closed"}


async def closed(client: ClientConnection) -> int | None:
    async with asyncio.timeout(5):
        await client.wait_closed()
    return client.close_code


def live(of: Service, *protocols: str, **more: Any) -> connect:
    address = of.url.replace("http:", "ws:") + "/ws/dashboard"
    offered = [Subprotocol(each) for each in protocols] or None
    return connect(address, subprotocols=offered, proxy=None, **more)


async def test_the_dashboard_is_pushed_to_who_has_an_admins_key(
    upstream: Simulator, tmp_path: Path
) -> None:
    with guarded(tmp_path, upstream) as running:
        async with live(running, "yychat", f"yychat.key.{ADMIN}") as client:
            first, second = json.loads(await client.recv()), json.loads(await client.recv())
            assert second["at"] - first["at"] >= 0.5
            assert client.subprotocol == "yychat"
        async with live(running, additional_headers=bearer(ADMIN)) as client:
            await client.recv()
        for key, code in ((USER, 4403), ("wrong", 4401)):
            async with live(running, "yychat", f"yychat.key.{key}") as client:
                assert await closed(client) == code
        async with live(
            running, "yychat", f"yychat.key.{ADMIN}", additional_headers=bearer(ADMIN)
        ) as client:
            assert await closed(client) == 4401


async def test_without_keys_a_foreign_page_does_not_get_it(yychat: Service) -> None:
    async with live(yychat) as client:
        await client.recv()
    async with live(yychat, origin=Origin("https://evil.example")) as client:
        assert await closed(client) == 4403
    port = int(yychat.url.rpartition(":")[2])
    rebound = connect("ws://evil.example/ws/dashboard", host="127.0.0.1", port=port, proxy=None)
    async with rebound as client:
        assert await closed(client) == 4403


async def test_a_service_that_stops_lets_its_watchers_go(
    upstream: Simulator, tmp_path: Path
) -> None:
    with guarded(tmp_path, upstream) as running:
        async with live(running, additional_headers=bearer(ADMIN)) as client:
            await client.recv()
            begun = time.monotonic()
            code = await asyncio.to_thread(running.stop)
            assert (code, await closed(client)) == (0, 1012)
            assert time.monotonic() - begun < 10


def test_other_paths_are_no_websockets(yychat: Service) -> None:
    upgrade = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "x3JJHMbDL1EzLkh9GBhXDw==",
    }
    with httpx2.Client() as client:
        answer = client.get(f"{yychat.url}/v1/personalities", headers=upgrade)
    assert answer.status_code == 403


def test_the_log_is_json_and_holds_nothing_that_was_said(
    upstream: Simulator, tmp_path: Path
) -> None:
    given = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "YYCHAT_DATA_DIR": str(tmp_path),
        "OPENAI_BASE_URL": upstream.base_url,
        "YYCHAT_LOG_LEVEL": "DEBUG",
    }
    command = [sys.executable, "-m", "yychat", "serve", "--port", "0"]
    process = subprocess.Popen(
        command, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stderr
    greeting = ""
    while "listening on " not in greeting:
        greeting = process.stdout.readline()
        assert greeting, "it did not start"
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.append(process.stdout.read()))  # type: ignore[union-attr]
    reader.start()
    url = greeting.split("listening on ")[1].split()[0]
    with httpx2.Client(base_url=url, headers=bearer(SECRET), timeout=20) as client:
        body = {"messages": [{"role": "user", "content": SECRET}], "model": "simulated"}
        more = {"user": SECRET, "conversation_id": SECRET}
        for fields in ({}, {"stream": True}, more, {"model": SECRET}, {"engine": SECRET}):
            client.post("/v1/chat/completions", json={**body, **fields})
        upstream.faults(error_rate=1)
        client.post("/v1/chat/completions", json=body)
        upstream.reset()
        client.get(f"/v1/conversations/{SECRET}/memory?kind={SECRET}")
        client.delete(f"/v1/conversations/{SECRET}/memory")
        client.get(f"/{SECRET}?{SECRET}")
        client.get(f"/v1/models/{SECRET}")
        client.post("/v1/tools/call", json={"name": SECRET, "arguments": {SECRET: SECRET}})
        client.post("/v1/chat/completions", content=f'{{"messages": "{SECRET}"')
    process.terminate()
    assert process.wait(20) == 0
    reader.join(10)
    errors = process.stderr.read()
    process.stdout.close()
    process.stderr.close()
    assert errors == ""
    assert SECRET not in said[0]
    lines = [json.loads(line) for line in said[0].splitlines() if line.startswith("{")]
    requests = [line for line in lines if line["logger"] == "yychat.request"]
    assert len(requests) == 12
    assert all(len(line["trace_id"]) == 32 and line["duration_seconds"] > 0 for line in requests)
    assert {"/v1/chat/completions", "/v1/conversations/{id:id}/memory", "unmatched"} <= {
        line["route"] for line in requests
    }
    assert len(lines) + said[0].count("SIMULATED") == len(said[0].splitlines())
