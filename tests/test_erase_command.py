"""``yychat erase``: what an operator erases is gone, also from the memory of a running service."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engines_asked import ENGINES, MODELS, extracted, holding, memory, told
from environment import bare
from postgres_server import postgres_server
from redis_server import redis_server
from running import Service, Simulator, service

LAMP = "say my lamp is crimson"
QUESTION = "what is the colour of my lamp?"


@pytest.fixture
def yychat(data: Path, upstream: Simulator) -> Iterator[Service]:
    """A service whose data an operator gets at."""
    with service(data, OPENAI_BASE_URL=upstream.base_url, OPENAI_MODEL="simulated") as running:
        yield running


def erase(
    data: Path, *arguments: str, answer: str = "", **environment: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "yychat", "erase", *arguments],
        env=bare({"YYCHAT_DATA_DIR": str(data), **environment}),
        input=answer,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def erased(data: Path, *arguments: str, **environment: str) -> str:
    done = erase(data, *arguments, "--yes", **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def remembers(yychat: Service, upstream: Simulator, **whose: str) -> bool:
    """Whether the model is told of the lamp, and whether it is listed; both or neither."""
    kind, given_id = ("user", whose["user"]) if "user" in whose else ("conversation", "talk")
    listed = yychat.http.get(f"/v1/conversations/{given_id}/memory", params={"kind": kind})
    yychat.say(QUESTION, **whose)
    told: list[Any] = upstream.last()["chat"]["body"]["messages"][:-1]
    assert ("crimson" in listed.text) == ("crimson" in str(told))
    return "crimson" in listed.text


def test_a_users_memory_is_erased_while_the_service_runs(
    yychat: Service, upstream: Simulator, data: Path
) -> None:
    for user in ("anna", "bob"):
        yychat.say(LAMP, user=user)
        assert remembers(yychat, upstream, user=user)  # its index is warm now
    assert erased(data, "--tenant", "local", "--user", "anna") == "2 turns erased\n"
    assert not remembers(yychat, upstream, user="anna")
    assert remembers(yychat, upstream, user="bob")


def test_a_conversation_is_erased_and_a_user_of_the_same_name_is_not(
    yychat: Service, upstream: Simulator, data: Path
) -> None:
    yychat.say(LAMP, conversation_id="talk")
    yychat.say(LAMP, user="talk")
    assert remembers(yychat, upstream, conversation_id="talk")
    erased(data, "--tenant", "local", "--conversation", "talk")
    assert not remembers(yychat, upstream, conversation_id="talk")
    assert remembers(yychat, upstream, user="talk")


def test_a_tenant_is_erased_whole(yychat: Service, upstream: Simulator, data: Path) -> None:
    yychat.say(LAMP, user="anna")
    yychat.say(LAMP, conversation_id="talk")
    assert remembers(yychat, upstream, user="anna")
    assert erased(data, "--tenant", "local") == "3 turns erased\n"
    assert not remembers(yychat, upstream, user="anna")
    assert not remembers(yychat, upstream, conversation_id="talk")


def test_what_is_said_after_an_erasure_is_remembered(
    yychat: Service, upstream: Simulator, data: Path
) -> None:
    yychat.say("say my lamp is azure", user="anna")
    erased(data, "--tenant", "local", "--user", "anna")
    yychat.say(LAMP, user="anna")
    assert remembers(yychat, upstream, user="anna")


def test_turns_not_yet_delivered_are_erased_for_good(data: Path, upstream: Simulator) -> None:
    upstream.faults(only="embeddings", hang_before_first_byte=True)
    settings = {"OPENAI_BASE_URL": upstream.base_url, "OPENAI_MODEL": "simulated"}
    with service(data, YYCHAT_EMBEDDING_MODEL="simulated", **settings) as yychat:
        yychat.say(LAMP, user="anna")
        assert erased(data, "--tenant", "local", "--user", "anna") == "1 turns erased\n"
        upstream.reset()
        assert not remembers(yychat, upstream, user="anna")


def test_an_erased_word_is_nowhere_on_the_disk(
    yychat: Service, upstream: Simulator, data: Path
) -> None:
    yychat.say(LAMP, user="anna")
    assert remembers(yychat, upstream, user="anna")
    assert b"crimson" in written(data)
    erased(data, "--tenant", "local", "--user", "anna")
    assert b"crimson" not in written(data)
    yychat.say(LAMP, user="anna")
    yychat.http.delete("/v1/conversations/anna/memory", params={"kind": "user"})
    assert b"crimson" not in written(data)


def written(data: Path) -> bytes:
    """What the store has on the disk: the file and its log."""
    return b"".join(path.read_bytes() for path in data.glob("yychat.db*"))


def test_another_tenant_is_not_reached(yychat: Service, upstream: Simulator, data: Path) -> None:
    yychat.say(LAMP, user="anna")
    assert erased(data, "--tenant", "loca", "--user", "anna") == "0 turns erased\n"
    assert erased(data, "--tenant", "other") == "0 turns erased\n"
    assert remembers(yychat, upstream, user="anna")


def test_it_asks_before_it_erases(yychat: Service, upstream: Simulator, data: Path) -> None:
    yychat.say(LAMP, user="anna")
    refused = erase(data, "--tenant", "local", answer="n\n")
    assert refused.returncode != 0
    assert "EVERYTHING" in refused.stdout
    assert remembers(yychat, upstream, user="anna")
    agreed = erase(data, "--tenant", "local", "--user", "anna", answer="y\n")
    assert agreed.returncode == 0
    assert not remembers(yychat, upstream, user="anna")


def test_a_conversation_and_a_user_at_once_is_refused(data: Path) -> None:
    refused = erase(data, "--tenant", "local", "--user", "a", "--conversation", "b", "--yes")
    assert refused.returncode == 2
    assert "either" in refused.stderr


def test_a_folder_without_memory_is_said_to_be_one_and_stays_so(data: Path) -> None:
    refused = erase(data, "--tenant", "local", "--yes")
    assert refused.returncode == 1
    assert refused.stderr == f"Error: there is no memory in {data} (YYCHAT_DATA_DIR)\n"
    assert not data.exists()


@pytest.mark.parametrize("option", ["--tenant", "--conversation", "--user"])
def test_an_empty_name_erases_nothing(data: Path, option: str) -> None:
    """An empty variable of a script must not turn one user's erasure into everybody's."""
    given = {"--tenant": "acme", "--conversation": "c", option: ""}
    if option == "--user":
        del given["--conversation"]
    words = [word for pair in given.items() for word in pair]
    done = subprocess.run(
        [sys.executable, "-m", "yychat", "erase", *words, "--yes"],
        env={"YYCHAT_DATA_DIR": str(data)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "empty" in done.stderr


# mem0


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with postgres_server() as url:
        yield url


def places(store: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings that an operator has as well as the service."""
    url = request.getfixturevalue("postgres") if store == "pgvector" else ""
    return {"MEM0_DATABASE_URL": url} if url else {}


def both_are_told(yychat: Service, *users: str) -> None:
    for user in users:
        for engine in ENGINES:
            yychat.say(f"say the lamp of {user} is crimson", user=user, engine=engine)
    for user in users:
        extracted(yychat, user)


@pytest.mark.parametrize("store", ["chroma", "pgvector"])
def test_what_mem0_has_is_erased_as_well(
    store: str, data: Path, upstream: Simulator, request: pytest.FixtureRequest
) -> None:
    where = places(store, request)
    with service(data, OPENAI_BASE_URL=upstream.base_url, **MODELS, **where) as yychat:
        both_are_told(yychat, "anna", "bob", "carl")
        assert erased(data, "--tenant", "local", "--user", "anna", **where) == "2 turns erased\n"
        assert memory(yychat, "anna")["data"] == []
        for engine in ENGINES:
            assert told(yychat, upstream, QUESTION, user="anna", engine=engine)[0] == "empty"
            assert told(yychat, upstream, QUESTION, user="bob", engine=engine)[0] == "hit"
        assert holding("lamp of anna", data) == []
        assert holding("lamp of bob", data)

        assert erased(data, "--tenant", "locale", **where) == "0 turns erased\n"
        assert erased(data, "--tenant", "local", **where) == "4 turns erased\n"
        assert memory(yychat, "bob")["data"] == []
        assert holding("crimson", data) == []

        both_are_told(yychat, "anna")  # what is said afterwards is remembered
    assert holding("crimson", data)
    assert erased(data, "--tenant", "local", **where) == "2 turns erased\n"
    assert holding("crimson", data) == []


def test_what_mem0_has_is_erased_as_well_beside_a_redis(
    data: Path, upstream: Simulator, tmp_path: Path
) -> None:
    with redis_server(tmp_path / "redis") as redis:
        shared = {"REDIS_URL": redis.url}
        with service(data, OPENAI_BASE_URL=upstream.base_url, **MODELS, **shared) as yychat:
            both_are_told(yychat, "anna", "bob")
            erased(data, "--tenant", "local", "--user", "anna", **shared)
            assert memory(yychat, "anna")["data"] == []
            assert len(memory(yychat, "bob")["data"]) == 3
            erased(data, "--tenant", "local", **shared)
            assert memory(yychat, "bob")["data"] == []
            assert holding("crimson", data) == []


def test_what_still_waits_for_mem0_is_erased(data: Path, upstream: Simulator) -> None:
    upstream.faults(only="embeddings", error_rate=1)
    with service(data, OPENAI_BASE_URL=upstream.base_url, **MODELS) as yychat:
        yychat.say(LAMP, user="anna", engine="mem0_proxy")
        assert b"crimson" in written(data)
        assert erased(data, "--tenant", "local", "--user", "anna") == "1 turns erased\n"
        upstream.reset()
        assert memory(yychat, "anna")["data"] == []
        assert holding("crimson", data) == []


def test_a_mem0_that_cannot_be_reached_is_named_and_the_rest_is_erased(
    yychat: Service, upstream: Simulator, data: Path
) -> None:
    yychat.say(LAMP, user="anna")
    away = {"MEM0_DATABASE_URL": "postgresql://nobody:secret@127.0.0.1:1/none"}
    refused = erase(data, "--tenant", "local", "--user", "anna", "--yes", **away)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        "Error: not erased from mem0: mem0 failed (PoolTimeout)."
        " Erased from chat_engine's memory: 1 turns. Erase again\n"
    )
    assert not remembers(yychat, upstream, user="anna")


def test_without_mem0_and_its_extra_erasing_is_as_it_was(
    yychat: Service, upstream: Simulator, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['chromadb'] = None\n")
    paths = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    yychat.say(LAMP, user="anna")
    done = erased(data, "--tenant", "local", "--user", "anna", PYTHONPATH=paths)
    assert done == "1 turns erased\n"
