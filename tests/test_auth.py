"""Keys, tenants and roles; and what a service without keys lets nobody do."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from commands import command
from running import Service, Simulator, service
from yychat.errors import ConfigurationError, Unauthenticated
from yychat.web.auth import KEYLESS, Keyring, new_key, parse_keys

ROTATION = 10.0  # seconds that a change of the key file may take


def entry(secret: str, key_id: str = "k", tenant: str = "acme", **more: Any) -> str:
    """The line of a key file for *secret*."""
    digest = hashlib.sha256(secret.encode()).hexdigest()
    return json.dumps({"id": key_id, "sha256": digest, "tenant": tenant, **more})


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def status(of: Service, secret: str) -> int:
    return of.http.get("/v1/personalities", headers=bearer(secret)).status_code


def eventually(holds: Callable[[], bool], within: float = ROTATION) -> bool:
    ends = time.monotonic() + within
    while not holds():
        if time.monotonic() > ends:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture(scope="module")
def guarded(
    shared_simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service with three keys: two of tenant acme, one of tenant globex."""
    keys = [
        json.loads(entry("yy-one", "one")),
        json.loads(entry("yy-two", "two", role="admin")),
        json.loads(entry("yy-three", "three", tenant="globex")),
    ]
    with service(
        tmp_path_factory.mktemp("data"),
        OPENAI_BASE_URL=shared_simulator.base_url,
        YYCHAT_API_KEYS=json.dumps(keys),
    ) as running:
        yield running


# Who is let in


def test_a_key_from_the_variable_is_let_in(guarded: Service) -> None:
    assert status(guarded, "yy-one") == 200


@pytest.mark.parametrize(
    ("given", "code"),
    [
        pytest.param(None, "missing_api_key", id="no header"),
        pytest.param("", "missing_api_key", id="an empty header"),
        pytest.param("Bearer", "missing_api_key", id="no key"),
        pytest.param("yy-one", "missing_api_key", id="no scheme"),
        pytest.param("Basic yy-one", "missing_api_key", id="another scheme"),
        pytest.param("Bearer yy-on", "invalid_api_key", id="a part of a key"),
        pytest.param("Bearer yy-one2", "invalid_api_key", id="more than a key"),
        pytest.param("Bearer YY-ONE", "invalid_api_key", id="other letters"),
        pytest.param("Bearer yy-one yy-two", "invalid_api_key", id="two keys"),
        pytest.param("Bearer schlüssel", "invalid_api_key", id="not ASCII"),
        pytest.param(
            f"Bearer {hashlib.sha256(b'yy-one').hexdigest()}", "invalid_api_key", id="the hash"
        ),
    ],
)
def test_anything_but_a_key_is_a_401_that_says_what_to_send(
    guarded: Service, given: str | None, code: str
) -> None:
    headers = [] if given is None else [(b"authorization", given.encode())]
    answer = guarded.http.get("/v1/models", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["error"]["type"] == "authentication_error"
    assert answer.json()["error"]["code"] == code


def test_the_scheme_may_be_written_in_small_letters(guarded: Service) -> None:
    answer = guarded.http.get("/v1/models", headers={"authorization": "bearer yy-one"})
    assert answer.status_code == 200


def test_two_authorization_headers_are_a_401_even_if_one_is_right(guarded: Service) -> None:
    headers = [("authorization", "Bearer yy-one"), ("authorization", "Bearer yy-none")]
    assert guarded.http.get("/v1/models", headers=headers).status_code == 401


def test_an_unknown_path_tells_nothing_to_those_without_a_key(guarded: Service) -> None:
    assert guarded.http.get("/v1/nothing").status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json"])
def test_open_paths_need_no_key(guarded: Service, path: str) -> None:
    assert guarded.http.get(path).status_code == 200


@pytest.mark.parametrize(
    "path", ["//healthz", "/healthz/", "/healthz/x", "/healthz%2f../v1/models"]
)
def test_only_the_open_paths_themselves_need_no_key(guarded: Service, path: str) -> None:
    assert guarded.http.get(path).status_code in (401, 404)


def test_a_large_body_without_a_key_is_not_read(guarded: Service) -> None:
    assert guarded.http.post("/v1/embeddings", content=b"x" * 5_000_000).status_code == 401


# Tenants


def test_tenants_do_not_share_a_users_memory(guarded: Service) -> None:
    guarded.say("My cat is called Tom", user="u", key="yy-one", model="simulated")
    theirs = guarded.say("What is my cat called?", user="u", key="yy-three", model="simulated")
    assert "Tom" not in theirs


def test_keys_of_one_tenant_share_its_memory(guarded: Service) -> None:
    guarded.say("My fish is called Nemo", user="f", key="yy-one")
    assert "Nemo" in guarded.say("What is my fish called?", user="f", key="yy-two")


def test_a_tenant_reads_no_memory_of_another_one(guarded: Service) -> None:
    guarded.say("My bird is called Kiwi", conversation_id="c", key="yy-one")
    path = "/v1/conversations/c/memory"
    assert guarded.http.get(path, headers=bearer("yy-three")).json()["data"] == []


def test_a_tenant_erases_no_memory_of_another_one(guarded: Service) -> None:
    guarded.say("My frog is called Kermit", conversation_id="d", key="yy-one")
    path = "/v1/conversations/d/memory"
    erased = guarded.http.delete(path, headers=bearer("yy-three"))
    assert erased.json()["deleted_count"] == 0
    assert len(guarded.http.get(path, headers=bearer("yy-one")).json()["data"]) == 2


# Keys as they are written


def test_a_key_has_its_tenant_and_role() -> None:
    keyring = Keyring(parse_keys(entry("yy-a", role="admin") + "\n" + entry("yy-b", "b")))
    assert [keyring.caller(f"Bearer yy-{name}").role for name in "ab"] == ["admin", "user"]
    assert keyring.caller("Bearer yy-a").tenant == "acme"


def test_limits_come_with_the_key() -> None:
    keyring = Keyring(parse_keys(entry("yy-a", requests_per_minute=5, tokens_per_minute=900)))
    key = keyring.caller("Bearer yy-a").key
    assert key is not None
    assert (key.requests_per_minute, key.tokens_per_minute) == (5, 900)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("hello", id="not JSON"),
        pytest.param('{"id":"a"}', id="no hash"),
        pytest.param(entry("x", role="root"), id="a role that does not exist"),
        pytest.param(entry("x", tenant=""), id="no tenant"),
        pytest.param(entry("x", tenant="a b"), id="a tenant with a blank"),
        pytest.param(entry("x", requests_per_minute=0), id="a limit of nothing"),
        pytest.param(entry("x", colour="red"), id="a field that does not exist"),
        pytest.param(entry("x") + "\n" + entry("y"), id="two with one id"),
        pytest.param('{"id":"a","sha256":"yy-clear","tenant":"t"}', id="a key in the clear"),
    ],
)
def test_keys_that_cannot_be_right_are_refused_without_repeating_them(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_keys(text)
    assert "yy-clear" not in str(refused.value)


def test_an_empty_list_of_keys_locks_everybody_out() -> None:
    keyring = Keyring([])
    assert not keyring.keyless
    with pytest.raises(Unauthenticated):
        keyring.caller("Bearer yy-a")


def test_without_any_source_of_keys_everybody_is_the_local_admin() -> None:
    assert Keyring(None).caller(None) == KEYLESS
    assert (KEYLESS.tenant, KEYLESS.role) == ("local", "admin")


def test_every_new_key_is_another_one_and_kept_as_its_hash() -> None:
    (one, kept), (two, _) = (new_key("a", "t", "user") for _ in range(2))
    assert one != two
    assert len(one) >= 40
    assert kept.sha256 == hashlib.sha256(one.encode()).hexdigest()


# The key file


@pytest.fixture
def filed(data: Path, tmp_path: Path) -> Iterator[tuple[Service, Path]]:
    """A service with the key ``yy-old`` in a file, and the file."""
    keys = tmp_path / "keys.jsonl"
    keys.write_text(entry("yy-old", "old") + "\n")
    with service(data, YYCHAT_API_KEYS_FILE=str(keys)) as running:
        yield running, keys


def test_a_rotated_key_works_and_the_old_one_stops_and_memory_stays(
    filed: tuple[Service, Path],
) -> None:
    running, keys = filed
    running.say("My horse is called Fury", user="h", key="yy-old")
    keys.write_text(entry("yy-new", "new") + "\n")
    assert eventually(lambda: status(running, "yy-new") == 200)
    assert status(running, "yy-old") == 401
    assert "Fury" in running.say("What is my horse called?", user="h", key="yy-new")


def test_a_broken_or_missing_key_file_keeps_the_old_keys_until_it_is_mended(
    filed: tuple[Service, Path],
) -> None:
    running, keys = filed
    keys.write_text(entry("yy-new", "new") + "\n{")
    assert not eventually(lambda: status(running, "yy-old") != 200, within=3)
    keys.unlink()
    assert not eventually(lambda: status(running, "yy-old") != 200, within=3)
    keys.write_text(entry("yy-new", "new") + "\n")
    assert eventually(lambda: status(running, "yy-new") == 200)


def test_an_emptied_key_file_locks_everybody_out(filed: tuple[Service, Path]) -> None:
    running, keys = filed
    keys.write_text("")
    assert eventually(lambda: status(running, "yy-old") == 401)


@pytest.mark.parametrize("content", [None, "{", '[{"id": "a"}]'])
def test_a_service_does_not_start_with_a_key_file_it_cannot_read(
    data: Path, tmp_path: Path, content: str | None
) -> None:
    keys = tmp_path / "keys.jsonl"
    if content is not None:
        keys.write_text(content)
    ended = command(
        "serve", "--port", "0", YYCHAT_DATA_DIR=str(data), YYCHAT_API_KEYS_FILE=str(keys)
    )
    assert ended.returncode == 1
    assert "key" in ended.stderr
    assert "Traceback" not in ended.stderr


# yychat keys new


def test_keys_new_prints_the_key_and_nothing_else_on_standard_output() -> None:
    ended = command("keys", "new", "--id", "laptop", "--tenant", "acme", "--role", "admin")
    assert ended.returncode == 0
    secret = ended.stdout.removesuffix("\n")
    (key,) = parse_keys(next(line for line in ended.stderr.splitlines() if line[:1] == "{"))
    assert key.sha256 == hashlib.sha256(secret.encode()).hexdigest()
    assert (key.id, key.tenant, key.role) == ("laptop", "acme", "admin")


def test_keys_new_appends_to_the_file_what_lets_the_key_in(filed: tuple[Service, Path]) -> None:
    running, keys = filed
    ended = command("keys", "new", "--id", "b", "--tenant", "acme", "--file", str(keys))
    assert ended.returncode == 0
    assert eventually(lambda: status(running, ended.stdout.strip()) == 200)
    assert status(running, "yy-old") == 200


def test_keys_new_makes_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    keys = tmp_path / "keys.jsonl"
    command("keys", "new", "--id", "a", "--tenant", "t", "--file", str(keys))
    assert keys.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["keys.jsonl"]


def test_keys_new_leaves_the_file_readable_for_those_it_was_readable_for(tmp_path: Path) -> None:
    keys = tmp_path / "keys.jsonl"
    keys.write_text("")
    keys.chmod(0o640)
    command("keys", "new", "--id", "a", "--tenant", "t", "--file", str(keys))
    assert keys.stat().st_mode & 0o777 == 0o640


def test_keys_new_refuses_an_id_that_the_file_has(tmp_path: Path) -> None:
    keys = tmp_path / "keys.jsonl"
    keys.write_text(entry("yy-a", "laptop") + "\n")
    before = keys.read_bytes()
    ended = command("keys", "new", "--id", "laptop", "--tenant", "t", "--file", str(keys))
    assert ended.returncode == 1
    assert "laptop" in ended.stderr
    assert ended.stdout == ""
    assert keys.read_bytes() == before


def test_keys_new_leaves_a_broken_file_as_it_is(tmp_path: Path) -> None:
    keys = tmp_path / "keys.jsonl"
    keys.write_text("{")
    ended = command("keys", "new", "--id", "a", "--tenant", "t", "--file", str(keys))
    assert ended.returncode == 1
    assert keys.read_text() == "{"


def test_keys_made_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    keys = tmp_path / "keys.jsonl"
    line = [sys.executable, "-m", "yychat", "keys", "new", "--tenant", "t", "--file", str(keys)]
    running = [
        subprocess.Popen([*line, "--id", str(n)], stdout=subprocess.DEVNULL) for n in range(5)
    ]
    assert [process.wait(60) for process in running] == [0] * 5
    assert {key.id for key in parse_keys(keys.read_bytes())} == {"0", "1", "2", "3", "4"}


@pytest.mark.parametrize(
    ("key_id", "tenant"), [("a b", "t"), ("a", "t/u"), ("", "t"), ("a", "x" * 65)]
)
def test_keys_new_refuses_names_that_do_not_fit(key_id: str, tenant: str) -> None:
    ended = command("keys", "new", "--id", key_id, "--tenant", tenant)
    assert ended.returncode == 1
    assert ended.stdout == ""


def test_a_key_in_the_clear_is_in_no_file_and_no_output_of_the_service(
    data: Path, tmp_path: Path
) -> None:
    keys, output = tmp_path / "keys.jsonl", tmp_path / "output"
    secret = command(
        "keys", "new", "--id", "a", "--tenant", "t", "--file", str(keys)
    ).stdout.strip()
    environment = {
        "PATH": os.environ["PATH"],
        "YYCHAT_DATA_DIR": str(data),
        "YYCHAT_API_KEYS_FILE": str(keys),
        "YYCHAT_LOG_LEVEL": "DEBUG",
    }
    with output.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "yychat", "serve", "--port", "0"],
            env=environment,
            stdout=sink,
            stderr=sink,
        )
    try:
        assert eventually(lambda: b"listening on" in output.read_bytes(), within=30)
        url = next(w for w in output.read_text().split() if w.startswith("http://127.0.0.1"))
        with httpx2.Client(base_url=url, headers=bearer(secret), timeout=30) as client:
            body = {"messages": [{"role": "user", "content": "hello"}], "user": "u"}
            assert client.post("/v1/chat/completions", json=body).status_code == 200
            assert client.post("/v1/chat/completions", content=b"{").status_code == 400
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"keys.jsonl", "output"} <= {path.name for path in files}
    assert [path for path in files if secret.encode() in path.read_bytes()] == []


# Without keys


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_a_keyless_service_refuses_to_listen_beyond_loopback(data: Path, host: str) -> None:
    ended = command("serve", "--host", host, "--port", "0", YYCHAT_DATA_DIR=str(data))
    assert ended.returncode == 1
    assert "yychat keys new" in ended.stderr
    assert "YYCHAT_ALLOW_KEYLESS=1" in ended.stderr
    assert ended.stdout == ""


def test_a_keyless_service_listens_beyond_loopback_where_that_is_allowed(data: Path) -> None:
    with service(data, YYCHAT_HOST="0.0.0.0", YYCHAT_ALLOW_KEYLESS="1") as running:
        assert running.http.get("/healthz").status_code == 200


def test_a_service_with_keys_listens_beyond_loopback(data: Path) -> None:
    with service(data, YYCHAT_HOST="0.0.0.0", YYCHAT_API_KEYS=entry("yy-a")) as running:
        assert status(running, "yy-a") == 200
        assert status(running, "yy-b") == 401


@pytest.fixture
def keyless(yychat: Service) -> Service:
    return yychat


@pytest.mark.parametrize("given", [None, "Bearer anything", "Bearer", "Basic eA=="])
def test_a_keyless_service_takes_any_bearer_or_none(keyless: Service, given: str | None) -> None:
    headers = {} if given is None else {"authorization": given}
    assert keyless.http.get("/v1/models", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://localhost:3000", "http://127.0.0.1", "null"]
)
def test_a_keyless_service_refuses_browser_pages(keyless: Service, origin: str) -> None:
    for answer in (
        keyless.http.get("/v1/models", headers={"origin": origin}),
        keyless.http.post("/v1/chat/completions", content=b"{}", headers={"origin": origin}),
        keyless.http.delete("/v1/conversations/x/memory", headers={"origin": origin}),
    ):
        assert answer.status_code == 403
        assert answer.json()["error"]["type"] == "permission_error"
        assert "access-control-allow-origin" not in answer.headers


def test_a_service_with_keys_leaves_browser_pages_to_their_keys(guarded: Service) -> None:
    headers = {**bearer("yy-one"), "origin": "https://elsewhere.example"}
    assert guarded.http.get("/v1/models", headers=headers).status_code == 200


def test_a_keyless_service_answers_only_to_loopback_names(yychat: Service) -> None:
    """A page whose name was rebound to this machine sends no Origin, but its own Host."""
    answer = yychat.http.get("/v1/tools", headers={"host": "evil.example"})
    assert answer.status_code == 403
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
        assert yychat.http.get("/v1/tools", headers={"host": host}).status_code == 200


def test_a_trailing_slash_is_not_redirected(yychat: Service) -> None:
    """A redirect would go wherever the Host header says."""
    answer = yychat.http.get("/v1/tools/", follow_redirects=False)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
