"""``yychat check`` says whether mem0_proxy could be selected, and what is missing for it."""

import sys
from pathlib import Path

import pytest

from postgres_server import postgres_server
from running import Simulator
from test_check_command import check, failures


def line(data: Path, **environment: str) -> str:
    done = check(data, **environment)
    return next(line for line in done.stdout.splitlines() if "mem0:" in line)


def test_it_needs_an_embedding_model(data: Path, upstream: Simulator) -> None:
    given = {"OPENAI_BASE_URL": upstream.base_url, "OPENAI_MODEL": "simulated"}
    assert line(data, **given).startswith("[ ok ] mem0: mem0_proxy cannot be selected: mem0 needs")
    done = check(data, CHAT_ENGINE="mem0_proxy", **given)
    assert "MEM0_EMBEDDING_MODEL" in failures(done)["mem0"]
    assert "can be selected; its memory is" in line(data, MEM0_EMBEDDING_MODEL="simulated", **given)
    assert not (data / "mem0").exists()


def test_it_needs_its_extra(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from yychat.memory.mem0_stores import ChromaStore

    monkeypatch.setitem(sys.modules, "psycopg_pool", None)
    assert ChromaStore(data).missing() is None
    given = {"MEM0_DATABASE_URL": "postgresql://127.0.0.1:1/x"}
    assert 'pip install "yychat[mem0-pgvector]"' in line(data, **given)


def test_a_postgresql_is_asked_whether_it_is_there(data: Path) -> None:
    away = check(data, MEM0_DATABASE_URL="postgresql://nobody:secret@127.0.0.1:1/none")
    assert failures(away)["mem0"].startswith("mem0 failed (PoolTimeout) look at MEM0_STORE")
    with postgres_server() as url:
        assert "its PostgreSQL answers" in line(data, MEM0_DATABASE_URL=url)
