"""``yychat engines``: an operator changes what is shared, whether the service runs or not."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import command, printed
from redis_server import RedisServer, redis_server
from scripted_engine import two_engines


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as running:
        yield running


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("service") / "data"
    with two_engines(folder):
        pass
    return folder


@pytest.fixture
def data(left_behind: Path, tmp_path: Path) -> Path:
    """The folder of a service that has run and is down."""
    return shutil.copytree(left_behind, tmp_path / "data")


def test_the_engines_are_listed_with_shares_and_the_last_change(data: Path) -> None:
    chat, mem0, change = printed("engines", "list", YYCHAT_DATA_DIR=str(data)).splitlines()
    assert (chat.split(), mem0.split()) == (["*", "chat_engine", "100"], ["mem0_proxy", "0"])
    assert change.startswith("revision 1  ")
    assert change.endswith("Z  configuration  chat_engine=100  CHAT_ENGINE")


def test_a_switch_in_the_file_reaches_the_service_that_runs_on_it(tmp_path: Path) -> None:
    folder = {"YYCHAT_DATA_DIR": str(tmp_path / "data")}
    with two_engines(tmp_path / "data") as service:
        assert service.chat("hi").headers["x-yychat-engine"] == "chat_engine"
        done = command("engines", "switch", "mem0_proxy", "--reason", "at night", **folder)
        assert (done.returncode, "mem0_proxy=100  at night" in done.stdout) == (0, True)
        assert done.stderr == "not looked at from here: whether these engines are well\n"
        while service.chat("hi").headers["x-yychat-engine"] != "mem0_proxy":
            pass
        last = service.http.get("/v1/engines/history?limit=1").json()["data"][0]
        assert (last["revision"], last["changed_by"][:4]) == (2, "cli:")
    assert "mem0_proxy   100" in printed("engines", "list", **folder)


def test_a_switch_in_redis_needs_no_file(redis: RedisServer, tmp_path: Path) -> None:
    shared = {"REDIS_URL": redis.url, "YYCHAT_DATA_DIR": str(tmp_path / "none")}
    printed("engines", "split", "chat_engine=9", "mem0_proxy=1", "--reason", "trial", **shared)
    printed("engines", "switch", "mem0_proxy", "--reason", "well", "--if-revision", "2", **shared)
    newest, split, _ = printed("engines", "history", **shared).splitlines()
    assert newest.endswith("mem0_proxy=100  well")
    assert split.endswith("chat_engine=9,mem0_proxy=1  trial")
    assert not (tmp_path / "none").exists()


def test_looking_changes_nothing(redis: RedisServer, tmp_path: Path) -> None:
    shared = {"REDIS_URL": redis.url, "YYCHAT_DATA_DIR": str(tmp_path / "none")}
    assert "revision 0" in printed("engines", "list", **shared)
    assert printed("engines", "history", **shared) == ""
    assert redis.keys() == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["switch", "gpt", "--reason", "x"], "no engine 'gpt'; there are: chat_engine, mem0_proxy"),
        (["switch", "mem0_proxy", "--reason", " "], "reason must have 1 to 500 characters"),
        (["switch", "mem0_proxy", "--reason", "x", "--if-revision", "9"], "revision 1 is in force"),
        (["split", "mem0_proxy=0", "--reason", "x"], "one engine has to have more than 0"),
    ],
)
def test_what_is_refused_is_one_line(data: Path, arguments: list[str], told: str) -> None:
    done = command("engines", *arguments, YYCHAT_DATA_DIR=str(data))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert told in done.stderr


@pytest.mark.parametrize("share", ["mem0_proxy", "mem0_proxy=x", "mem0_proxy=-1"])
def test_a_share_that_is_none_is_a_usage_error(data: Path, share: str) -> None:
    done = command("engines", "split", share, "--reason", "x", YYCHAT_DATA_DIR=str(data))
    assert (done.returncode, "ENGINE=WEIGHT" in done.stderr) == (2, True)


def test_a_redis_that_is_away_is_one_line(tmp_path: Path) -> None:
    nowhere = {"REDIS_URL": "redis://127.0.0.1:1/0", "YYCHAT_DATA_DIR": str(tmp_path)}
    done = command("engines", "switch", "mem0_proxy", "--reason", "x", **nowhere)
    assert done.returncode == 1
    assert done.stderr == "Error: nothing was changed: Redis cannot be reached\n"


def test_a_folder_where_no_service_has_run_is_named(tmp_path: Path) -> None:
    done = command("engines", "list", YYCHAT_DATA_DIR=str(tmp_path / "none"))
    assert (done.returncode, "YYCHAT_DATA_DIR" in done.stderr) == (1, True)
