"""What ``yychat check`` says of Redis, each time with a remedy."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import Done, command
from redis_server import RedisServer, redis_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis"), appendonly=True) as running:
        yield running


@pytest.fixture
def redis(server: RedisServer) -> Iterator[RedisServer]:
    """Set up as it should be; what a test sets ends with it."""
    usual = {
        "requirepass": "",
        "appendonly": "yes",
        "maxmemory": "0",
        "maxmemory-policy": "noeviction",
    }
    yield server
    for name, value in usual.items():
        server.cli("config", "set", name, value)
    server.cli("del", "yychat:v1:secret")


def check(data: Path, url: str) -> Done:
    return command("check", YYCHAT_DATA_DIR=str(data), REDIS_URL=url)


def found(done: Done) -> list[str]:
    """What was found of Redis, each with its remedy's line if it has one."""
    lines = done.stdout.splitlines()
    starts = [n for n, line in enumerate(lines) if "] redis:" in line]
    return [
        "\n".join([lines[n], *(follow for follow in lines[n + 1 : n + 2] if follow[:1] == " ")])
        for n in starts
    ]


def test_a_redis_that_is_well_set_up_is_named_with_its_version(
    redis: RedisServer, data: Path
) -> None:
    done = check(data, redis.url)
    version = redis.cli("info", "server").split("redis_version:")[1].split()[0]
    assert found(done) == [f"[ ok ] redis: answers: version {version}"]
    assert done.returncode == 0


def test_a_redis_that_keeps_no_log_is_warned_of(redis: RedisServer, data: Path) -> None:
    redis.cli("config", "set", "appendonly", "no")
    done = check(data, redis.url)
    _, warned = found(done)
    assert warned.startswith("[warn] redis: appendonly is off")
    assert "set appendonly yes" in warned
    assert done.returncode == 0


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-random"])
def test_a_policy_that_may_evict_memories_is_warned_of(
    redis: RedisServer, data: Path, policy: str
) -> None:
    redis.cli("config", "set", "maxmemory-policy", policy)
    _, warned = found(check(data, redis.url))
    assert warned.startswith(f"[warn] redis: maxmemory-policy is {policy}")
    assert "set maxmemory-policy to volatile-lru" in warned


def test_a_redis_nearly_full_that_evicts_nothing_is_warned_of(
    redis: RedisServer, data: Path
) -> None:
    used = int(redis.cli("info", "memory").split("used_memory:")[1].split()[0])
    redis.cli("config", "set", "maxmemory", str(int(used * 1.02)))
    _, warned = found(check(data, redis.url))
    assert "of maxmemory is used" in warned
    assert "raise maxmemory" in warned


@pytest.mark.parametrize(("policy", "times"), [("noeviction", 10), ("volatile-lru", 1)])
def test_room_in_redis_or_caches_to_give_way_are_no_reason_to_warn(
    redis: RedisServer, data: Path, policy: str, times: int
) -> None:
    used = int(redis.cli("info", "memory").split("used_memory:")[1].split()[0])
    redis.cli("config", "set", "maxmemory-policy", policy)
    redis.cli("config", "set", "maxmemory", str(int(used * 1.02) * times))
    assert len(found(check(data, redis.url))) == 1


@pytest.mark.parametrize("login", ["", ":wrong-hunter2@"])
def test_a_password_that_is_missing_or_wrong_fails_and_is_not_shown(
    redis: RedisServer, data: Path, login: str
) -> None:
    redis.cli("config", "set", "requirepass", "right-hunter2")
    try:
        done = check(data, redis.url.replace("//", f"//{login}"))
    finally:
        redis.cli("-a", "right-hunter2", "--no-auth-warning", "config", "set", "requirepass", "")
    (failed,) = found(done)
    assert failed.startswith("[FAIL] redis: Redis does not accept the password")
    assert "REDIS_PASSWORD" in failed
    assert done.returncode == 1
    assert "hunter2" not in done.stdout + done.stderr


def test_a_user_who_may_not_ask_fails(redis: RedisServer, data: Path) -> None:
    redis.cli("acl", "setuser", "shy", "on", ">secret", "~cache:*", "+get")
    try:
        (failed,) = found(check(data, redis.url.replace("//", "//shy:secret@")))
    finally:
        redis.cli("acl", "deluser", "shy")
    assert failed.startswith("[FAIL] redis: Redis refused (NOPERM)")
    assert "ACL" in failed


def test_a_redis_that_is_away_fails(tmp_path: Path, data: Path) -> None:
    away = RedisServer(tmp_path / "away")
    done = check(data, away.url)
    (failed,) = found(done)
    assert failed.startswith("[FAIL] redis: Redis cannot be reached")
    assert "REDIS_URL" in failed
    assert done.returncode == 1


def test_another_secret_than_the_others_have_fails(redis: RedisServer, data: Path) -> None:
    redis.cli("set", "yychat:v1:secret", "that of somebody else")
    done = check(data, redis.url)
    failed = found(done)[-1]
    assert failed.startswith("[FAIL] redis: the owner secret is not the one")
    assert "YYCHAT_OWNER_SECRET_FILE" in failed
    assert done.returncode == 1


def test_checking_lays_no_claim_to_the_secret(redis: RedisServer, data: Path) -> None:
    check(data, redis.url)
    assert redis.keys("yychat:*") == []


def test_without_redis_that_is_said_and_no_failure(data: Path) -> None:
    done = command("check", YYCHAT_DATA_DIR=str(data))
    (said,) = found(done)
    assert said.startswith("[ ok ] redis: none")
    assert done.returncode == 0
