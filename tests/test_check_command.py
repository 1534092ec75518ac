"""``yychat check``: every dependency is tried, and what fails comes with a remedy."""

import json
import os
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from running import Simulator
from yychat.cli import main


def check(data: Path, **environment: str) -> Result:
    """The command, which must end of itself: an exception would be a traceback."""
    ambient = [n for n in os.environ if n.startswith(("OPENAI_", "YYCHAT_", "TAVILY_"))]
    given = {"YYCHAT_DATA_DIR": str(data), "YYCHAT_PORT": "0", **environment}
    done = CliRunner().invoke(main, ["check"], env={**dict.fromkeys(ambient), **given})
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done


def failures(done: Result) -> dict[str, str]:
    """What failed, each with its text and the remedy below it; they are the exit code, too."""
    lines = done.stdout.splitlines()
    failed = {}
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("[FAIL]"):
            subject, _, text = line.removeprefix("[FAIL] ").partition(": ")
            assert below.startswith("       "), f"no remedy for: {line}"
            failed[subject] = f"{text} {below.strip()}"
    assert done.exit_code == (1 if failed else 0)
    return failed


def test_all_is_well_where_everything_is(data: Path, upstream: Simulator) -> None:
    done = check(
        data,
        OPENAI_BASE_URL=upstream.base_url,
        OPENAI_MODEL="simulated",
        YYCHAT_EMBEDDING_MODEL="simulated-embedding",
        TAVILY_API_KEY="k",
    )
    assert failures(done) == {}
    for said in ("address", "model: simulated is there", "dimensions", "tavily_search is on"):
        assert said in done.stdout


def test_without_anything_configured_it_warns_and_does_not_fail(data: Path) -> None:
    done = check(data)
    assert failures(done) == {}
    assert "[warn] upstream: none" in done.stdout
    assert "tavily_search is off" in done.stdout


@pytest.mark.parametrize(
    ("environment", "subject", "names"),
    [
        ({"OPENAI_BASE_URL": "localhost:1234/v1"}, "upstream", "OPENAI_BASE_URL"),
        ({"OPENAI_BASE_URL": "http://[::1"}, "upstream", "OPENAI_BASE_URL"),
        ({"OPENAI_API_KEY": "two\nlines"}, "upstream", "OPENAI_API_KEY"),
        ({"YYCHAT_UPSTREAMS_FILE": "/nowhere"}, "upstream", "YYCHAT_UPSTREAMS_FILE"),
        ({"YYCHAT_TIMEZONE": "Mars"}, "tools", "YYCHAT_TIMEZONE"),
        ({"YYCHAT_HOST": "0.0.0.0"}, "address", "YYCHAT_ALLOW_KEYLESS"),
        (
            {"YYCHAT_HOST": "192.0.2.1", "YYCHAT_ALLOW_KEYLESS": "1"},
            "address",
            "YYCHAT_HOST",
        ),
        ({"YYCHAT_HOST": "a..b", "YYCHAT_ALLOW_KEYLESS": "1"}, "address", "YYCHAT_HOST"),
        ({"YYCHAT_API_KEYS_FILE": "/nowhere"}, "keys", "YYCHAT_API_KEYS_FILE"),
        ({"YYCHAT_PERSONALITY": "nobody"}, "personalities", "YYCHAT_PERSONALITY"),
        ({"YYCHAT_DATA_DIR": "/dev/null/data"}, "store", "YYCHAT_DATA_DIR"),
    ],
)
def test_what_is_wrong_is_named_with_its_setting(
    data: Path, environment: dict[str, str], subject: str, names: str
) -> None:
    failed = failures(check(data, **environment))
    assert list(failed) == [subject]
    assert names in failed[subject]


@pytest.mark.parametrize("source", ["YYCHAT_API_KEYS", "YYCHAT_API_KEYS_FILE"])
@pytest.mark.parametrize("content", ["[]", "\n"], ids=["list", "lines"])
def test_keys_without_a_key_are_warned_of(
    data: Path, tmp_path: Path, source: str, content: str
) -> None:
    value = content
    if source == "YYCHAT_API_KEYS_FILE":
        (tmp_path / "keys.jsonl").write_text(content)
        value = str(tmp_path / "keys.jsonl")
    done = check(data, **{source: value})
    assert failures(done) == {}
    assert f"[warn] keys: {source} holds no key: nobody can call\n       make one" in done.stdout


def test_an_upstream_that_is_not_there_fails(data: Path) -> None:
    with socket.socket() as taken:  # bound and not listening: nobody answers here
        taken.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        failed = failures(check(data, OPENAI_BASE_URL=nowhere, OPENAI_MODEL="m"))
    assert list(failed) == ["upstream openai"]


def test_an_embedding_model_that_is_not_there_fails(data: Path, upstream: Simulator) -> None:
    failed = failures(check(data, OPENAI_BASE_URL=upstream.base_url, YYCHAT_EMBEDDING_MODEL="nope"))
    assert list(failed) == ["embeddings"]
    assert "YYCHAT_EMBEDDING_MODEL" in failed["embeddings"]


def test_a_default_model_that_callers_may_not_use_fails(data: Path, upstream: Simulator) -> None:
    failed = failures(
        check(
            data,
            OPENAI_BASE_URL=upstream.base_url,
            OPENAI_MODEL="simulated",
            YYCHAT_MODELS="another",
        )
    )
    assert "YYCHAT_MODELS" in failed["model"]


def test_a_default_model_that_is_not_listed_is_a_warning(data: Path, upstream: Simulator) -> None:
    done = check(data, OPENAI_BASE_URL=upstream.base_url, OPENAI_MODEL="nope")
    assert failures(done) == {}
    assert "[warn] model: no upstream lists nope" in done.stdout


@pytest.mark.parametrize(
    ("setting", "name", "subject"),
    [
        ("YYCHAT_API_KEYS_FILE", "keys.jsonl", "keys"),
        ("YYCHAT_UPSTREAMS_FILE", "upstreams.json", "upstream"),
        ("YYCHAT_OWNER_SECRET_FILE", "owner", "store"),
        ("", "data/yychat.db", "store"),
        ("", "data/owner.secret", "store"),
    ],
)
@pytest.mark.parametrize("content", [b"\xff\x00garbage", b"[[[["], ids=["bytes", "text"])
def test_a_file_of_garbage_is_named(
    data: Path, tmp_path: Path, setting: str, name: str, subject: str, content: bytes
) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    failed = failures(check(data, **({setting: str(file)} if setting else {})))
    assert list(failed) == [subject]


def test_an_upstream_of_a_file_is_named(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "upstreams.json"
    file.write_text(json.dumps([{"name": "main", "base_url": "localhost:1"}]))
    failed = failures(check(data, YYCHAT_UPSTREAMS_FILE=str(file)))
    assert "upstream main: base_url" in failed["upstream"]


def test_a_port_in_use_is_a_warning(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = check(data, YYCHAT_PORT=str(taken.getsockname()[1]))
    assert failures(done) == {}
    assert "[warn] address" in done.stdout
