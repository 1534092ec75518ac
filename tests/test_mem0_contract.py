"""What we rely on in mem0's library: an upgrade that changes it fails here, and says what."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mem0_parts import mem0
from running import Simulator
from yychat.memory.mem0_stores import NAME, ChromaStore

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def memory(shared_simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """mem0 as it comes, on chroma."""
    folder = tmp_path_factory.mktemp("mem0")
    model = {
        "provider": "openai",
        "config": {
            "model": "simulated",
            "api_key": "none",
            "openai_base_url": shared_simulator.base_url,
        },
    }
    store = ChromaStore(folder / "chroma")
    made = mem0().Memory.from_config(
        {
            "llm": model,
            "embedder": model,
            "vector_store": store.open(256),
            "history_db_path": ":memory:",
        }
    )
    yield made
    made.close()


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}, {"role": "assistant", "content": "I see."}]


def requests(upstream: Simulator) -> dict[str, int]:
    counted = upstream.stats()["requests"]
    return {name: counted[name] for name in ("chat", "embeddings")}


def parameters(method: Any) -> dict[str, Any]:
    return {
        name: parameter.default
        for name, parameter in inspect.signature(method).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }


def test_the_signatures_are_those_we_call() -> None:
    memory = mem0().Memory
    add, search = parameters(memory.add), parameters(memory.search)
    assert {name: add[name] for name in ("user_id", "metadata", "infer")} == {
        "user_id": None,
        "metadata": None,
        "infer": True,
    }
    assert {name: search[name] for name in ("top_k", "filters", "threshold", "rerank")} == {
        "top_k": 20,
        "filters": None,
        "threshold": 0.1,
        "rerank": False,
    }
    assert set(parameters(memory.get_all)) >= {"filters", "top_k"}


def test_its_history_is_used_by_the_methods_we_stand_in_for() -> None:
    source = inspect.getsource(mem0("mem0.memory.main").Memory)
    used = {word.partition("(")[0] for word in source.split("self.db.")[1:]}
    assert used == {
        "add_history",
        "batch_add_history",
        "close",
        "get_history",
        "get_last_messages",
        "reset",
        "save_messages",
    }


def test_an_add_is_one_extraction_and_two_embeddings_and_tells_what_it_added(
    memory: Any, upstream: Simulator
) -> None:
    before = requests(upstream)
    added = memory.add(said("I like tea. I live in Oslo."), user_id="adder")
    after = requests(upstream)
    assert {name: after[name] - before[name] for name in after} == {"chat": 1, "embeddings": 2}
    assert [set(row) for row in added["results"]] == [{"id", "memory", "event"}] * 2
    assert {row["event"] for row in added["results"]} == {"ADD"}


def test_a_search_is_one_embedding_and_brings_what_we_read(
    memory: Any, upstream: Simulator
) -> None:
    ours = {"job": "j", "at": 1.5, "tenant": "t", "created_at": "2020-01-01T00:00:00+00:00"}
    memory.add(said("I like cake."), user_id="searcher", metadata=ours)
    before = requests(upstream)
    found = memory.search("cake", filters={"user_id": "searcher"}, top_k=5, threshold=0.1)
    after = requests(upstream)
    assert {name: after[name] - before[name] for name in after} == {"chat": 0, "embeddings": 1}
    (row,) = found["results"]
    assert (row["memory"], row["user_id"], row["created_at"]) == (
        "I like cake.",
        "searcher",
        ours["created_at"],
    )
    assert row["metadata"] == {"job": "j", "at": 1.5, "tenant": "t"}
    assert 0.5 < row["score"] <= 1.0
    listed = memory.get_all(filters={"user_id": "searcher"}, top_k=5)["results"]
    assert listed[0]["metadata"] == row["metadata"]


def test_the_extractor_is_asked_in_the_form_our_guard_knows(
    memory: Any, upstream: Simulator
) -> None:
    memory.add(said("I like pie."), user_id="asker")
    body = upstream.last()["chat"]["body"]
    assert body["response_format"] == {"type": "json_object"}
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert '"memory"' in body["messages"][0]["content"]


def test_a_star_still_means_everybody_which_is_why_none_ever_reaches_it(memory: Any) -> None:
    for name in ("one", "two"):
        memory.add(said(f"I am {name}."), user_id=name)
    whose = {row["user_id"] for row in memory.get_all(filters={"user_id": "*"})["results"]}
    assert {"one", "two"} <= whose
    rows = memory.vector_store.list(filters={"user_id": "one", "job": "*"}, top_k=5)
    assert len(rows[0]) == 1  # so that what a job's look-up brings is looked at again


@pytest.mark.parametrize("answer", ["no JSON", "[]", '{"facts": ["a"]}'])
def test_an_answer_in_another_format_is_still_lost_without_a_word(memory: Any, answer: str) -> None:
    generate = memory.llm.generate_response
    memory.llm.generate_response = lambda **_: answer
    try:
        assert memory.add(said("I like tea."), user_id="loser") == {"results": []}
    finally:
        memory.llm.generate_response = generate


def test_its_parts_have_the_methods_that_are_guarded(memory: Any) -> None:
    for part, names in (
        (memory.llm, ["generate_response", "client", "config"]),
        (memory.embedding_model, ["embed", "embed_batch", "client", "config"]),
        (memory.vector_store, ["insert", "list"]),
    ):
        assert all(hasattr(part, name) for name in names)
    assert memory.vector_store.collection_name == NAME


def test_the_openai_sdk_still_takes_a_half_imported_httpx(monkeypatch: pytest.MonkeyPatch) -> None:
    """Why httpx is imported on the event loop; once this fails, it need not be."""
    from openai import _httpx2

    monkeypatch.setitem(sys.modules, "httpx", ModuleType("httpx"))
    with pytest.raises(AttributeError):
        _httpx2.http_response_types()


def test_telemetry_is_off(memory: Any) -> None:
    telemetry = mem0("mem0.memory.telemetry")
    assert telemetry.MEM0_TELEMETRY is False
    assert telemetry.client_telemetry.posthog is None


def test_it_reads_the_variables_that_we_set_or_drop(tmp_path: Path) -> None:
    for module, name in (
        ("mem0.memory.telemetry", "MEM0_TELEMETRY"),
        ("mem0.memory.setup", "MEM0_DIR"),
        ("mem0.llms.openai", "OPENROUTER_API_KEY"),
    ):
        assert f'"{name}"' in inspect.getsource(mem0(module))
