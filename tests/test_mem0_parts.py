"""What stands between us and mem0's library: threads, guards, a late start, its models."""

import asyncio
import logging
import threading
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from mem0_parts import ScriptedMem0, mem0
from remembering import turn
from yychat.errors import StoreError
from yychat.memory.mem0_aim import Aims
from yychat.memory.mem0_client import Mem0Client
from yychat.memory.mem0_context import Context
from yychat.memory.mem0_guard import Guard
from yychat.memory.mem0_lazy import LazyClient
from yychat.memory.mem0_threads import Threads
from yychat.upstream.config import Endpoint

KEY = f"u{1:032x}"

# A late start


async def test_mem0_is_made_once_however_many_need_it_at_once() -> None:
    made: list[Mem0Client] = []

    async def connect() -> Mem0Client:
        await asyncio.sleep(0.01)
        made.append(ScriptedMem0())
        return made[0]

    lazy = LazyClient(connect)
    assert made == []
    await asyncio.gather(lazy.search(KEY, "a", 1), lazy.listing(KEY), lazy.has(KEY, "j"))
    await lazy.close()
    assert [client.closed for client in made] == [1]  # type: ignore[attr-defined]


async def test_who_stops_waiting_does_not_stop_mem0s_start() -> None:
    gate = asyncio.Event()
    client = ScriptedMem0()

    async def connect() -> Mem0Client:
        await gate.wait()
        return client

    lazy = LazyClient(connect)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await lazy.search(KEY, "a", 1)
    gate.set()
    await lazy.search(KEY, "a", 1)
    assert len(client.searches) == 1


async def test_a_start_that_failed_is_told_at_once_and_not_repeated_at_once() -> None:
    attempts = []

    async def connect() -> Mem0Client:
        attempts.append(1)
        raise StoreError("there is no store")

    lazy = LazyClient(connect)
    for _ in range(3):
        with pytest.raises(StoreError, match="there is no store"):
            await lazy.probe()
    assert len(attempts) == 1
    await lazy.close()


async def test_what_was_never_needed_is_closed_without_being_made() -> None:
    async def connect() -> Mem0Client:
        raise AssertionError

    await LazyClient(connect).close()


async def test_where_nothing_was_ever_stored_nothing_is_made_to_find_it() -> None:
    made: list[Mem0Client] = []

    async def connect() -> Mem0Client:
        made.append(ScriptedMem0())
        return made[0]

    lazy = LazyClient(connect, used=lambda: bool(made))
    assert (await lazy.listing(KEY), await lazy.search(KEY, "a", 1)) == ((), ())
    assert (await lazy.delete(KEY), await lazy.delete_tenant("acme"), made) == (0, 0, [])
    await lazy.add(KEY, "acme", turn("I like tea"), since=0.0)
    assert len(await lazy.listing(KEY)) == 1


async def test_where_nothing_was_ever_stored_a_mem0_that_cannot_be_made_keeps_nobody_waiting() -> (
    None
):
    async def connect() -> Mem0Client:
        raise StoreError("it is not installed")

    lazy = LazyClient(connect, used=lambda: False)
    with pytest.raises(StoreError, match="not installed"):
        await lazy.probe()
    assert (await lazy.listing(KEY), await lazy.search(KEY, "a", 1)) == ((), ())
    assert (await lazy.delete(KEY), await lazy.delete_tenant("acme")) == (0, 0)


# Threads


async def test_work_runs_in_threads_of_its_own() -> None:
    threads = Threads("mine", 2, waiting=2)
    assert (await threads.run(lambda: threading.current_thread().name)).startswith("mine-")
    threads.close()


async def test_more_work_than_may_wait_is_refused() -> None:
    threads, gate = Threads("mine", 1, waiting=1), threading.Event()
    running = asyncio.create_task(threads.run(gate.wait))
    await asyncio.sleep(0.02)
    waiting = asyncio.create_task(threads.run(gate.wait))
    await asyncio.sleep(0)
    with pytest.raises(StoreError, match="too much to do"):
        await threads.run(gate.wait)
    gate.set()
    await asyncio.gather(running, waiting)
    threads.close()


async def test_work_nobody_waits_for_any_more_is_not_begun() -> None:
    threads, gate, begun = Threads("mine", 1, waiting=5), threading.Event(), []
    running = asyncio.create_task(threads.run(gate.wait))
    await asyncio.sleep(0.02)
    left = asyncio.create_task(threads.run(lambda: begun.append(1)))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.wait([left])
    gate.set()
    await running
    await threads.run(lambda: None)
    assert begun == []
    threads.close()


async def test_closing_does_not_wait_for_what_hangs() -> None:
    threads, gate = Threads("mine", 1, waiting=5), threading.Event()
    running = asyncio.create_task(threads.run(gate.wait))
    await asyncio.sleep(0.02)
    threads.close(within=0.01)
    gate.set()
    await running


async def test_what_mem0_raises_is_a_store_error_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    threads = Threads("mine", 1, waiting=5)

    def fail() -> None:
        raise ValueError("my secret too") from KeyError("my secret")

    with pytest.raises(StoreError) as caught:
        await threads.run(fail)
    assert caught.value.message == "mem0 failed (ValueError: KeyError)"
    assert "secret" not in caplog.text
    threads.close()


async def test_our_own_error_inside_one_of_mem0s_is_the_one_that_is_raised() -> None:
    threads = Threads("mine", 1, waiting=5)

    def fail() -> None:
        raise RuntimeError from StoreError("not in its format")

    with pytest.raises(StoreError, match="not in its format"):
        await threads.run(fail)
    threads.close()


# Guards


class Fussy:
    """The parts of a mem0 that answer *answer*, and fail to embed or to insert what is bad."""

    def __init__(self, answer: Any = "") -> None:
        self.answer, self.inserted, self.embedded = answer, [], []  # type: ignore[var-annotated]
        self.llm = SimpleNamespace(generate_response=lambda **_: self.answer)
        self.embedding_model = SimpleNamespace(embed=self._embed, embed_batch=self._batch)
        self.vector_store = SimpleNamespace(insert=self._insert)

    def _embed(self, text: str, action: str = "add") -> list[float]:
        self.embedded.append(text)
        if "bad" in text:
            raise ConnectionError
        return [1.0]

    def _batch(self, texts: list[str], action: str = "add") -> list[list[float]]:
        return [self._embed(text) for text in texts]

    def _insert(self, rows: list[str]) -> None:
        if "bad" in rows:
            raise ConnectionError
        self.inserted += rows


def guarded(parts: Fussy) -> Guard:
    return Guard(parts, mem0("mem0.memory.utils"))


@pytest.mark.parametrize(
    "answer",
    [
        "I found nothing.",
        "",
        "[]",
        '["a"]',
        '{"facts": ["a"]}',
        '{"memory": ["a"]}',
        '{"memory": [{"id": "0"}]}',
        '{"memory": [{"text": 5}]}',
        '{"memory": "a"}',
        '{"memory": [{"text": "a"}',
        None,
        "[" * 100_000,
    ],
    ids=repr,
)
def test_an_answer_that_mem0_would_lose_is_an_error(answer: Any) -> None:
    parts = Fussy(answer)
    guarded(parts)
    with pytest.raises(StoreError):
        parts.llm.generate_response()


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ('{"memory": []}', []),
        ("{}", []),
        ('{"memory": [{"id": "0", "text": "a", "x": [1]}]}', [{"text": "a"}]),
        ('```json\n{"memory": [{"text": "a"}]}\n```', [{"text": "a"}]),
        ('<think>hm {</think>{"memory": [{"text": "a"}]}', [{"text": "a"}]),
        ('Here it is: {"memory": [{"text": "a"}]}', [{"text": "a"}]),
        (
            '{"memory": [{"text": "a", "attributed_to": "user"}, {"text": " "}]}',
            [{"text": "a", "attributed_to": "user"}],
        ),
    ],
)
def test_an_answer_in_the_format_is_taken(answer: str, found: list[Any]) -> None:
    parts = Fussy(answer)
    guarded(parts)
    assert msgspec.json.decode(parts.llm.generate_response()) == {"memory": found}


def test_an_add_of_which_a_part_cannot_be_stored_stores_nothing_more_and_fails() -> None:
    parts = Fussy()
    guard = guarded(parts)

    def add() -> None:
        with guard.whole():
            for rows in (["good", "bad"], ["good"]):  # mem0 goes on row by row
                with suppress(ConnectionError, StoreError):
                    parts.vector_store.insert(rows)

    with pytest.raises(StoreError, match="as a whole"):
        add()
    assert parts.inserted == []


def test_an_add_of_which_a_part_cannot_be_embedded_stores_nothing_and_fails() -> None:
    parts = Fussy()
    guard = guarded(parts)

    def add() -> None:
        with guard.whole():
            with suppress(ConnectionError):
                parts.embedding_model.embed_batch(["good", "bad"])
            for part in (parts.embedding_model.embed, parts.vector_store.insert):
                with suppress(StoreError):
                    part("good")

    with pytest.raises(StoreError, match="as a whole"):
        add()
    assert parts.embedded == ["good", "bad"]
    with guard.whole():
        parts.vector_store.insert(["later"])
    assert parts.inserted == ["later"]


def test_a_search_that_fails_does_not_spoil_the_next_add() -> None:
    parts = Fussy()
    guard = guarded(parts)
    with pytest.raises(ConnectionError):
        parts.embedding_model.embed("bad")
    with guard.whole():
        parts.vector_store.insert(["good"])
    parts.embedding_model.embed("good")


def test_a_very_long_text_is_embedded_by_its_beginning() -> None:
    parts = Fussy()
    guarded(parts)
    parts.embedding_model.embed("x" * 100_000, "search")
    parts.embedding_model.embed_batch(["y" * 100_000], "add")
    assert [len(text) for text in parts.embedded] == [6_000, 6_000]


# What was said before


def say(context: Context, text: str, *, at: float, since: float = 0.0, owner: str = KEY) -> None:
    context.begin(owner, at=at, since=since)
    context.save_messages([{"role": "user", "content": text}], f"user_id={owner}")


def said(context: Context, owner: str = KEY) -> list[str]:
    return [each["content"] for each in context.get_last_messages(f"user_id={owner}", limit=10)]


def test_the_last_messages_of_an_owner_are_known_and_no_more() -> None:
    context = Context()
    for n in range(15):
        say(context, f"{n}", at=float(n))
    assert said(context) == [f"{n}" for n in range(5, 15)]
    assert said(context, "another") == []


def test_what_was_said_before_an_erasure_is_forgotten() -> None:
    context = Context()
    say(context, "old", at=1.0)
    say(context, "new", at=3.0)
    context.begin(KEY, at=4.0, since=2.0)
    assert said(context) == ["new"]
    context.forget(KEY)
    assert said(context) == []


def test_the_owners_that_are_remembered_are_bounded() -> None:
    context = Context()
    for n in range(600):
        say(context, "x" * 10_000, at=1.0, owner=f"{n}")
    assert (said(context, "0"), len(said(context, "599")[0])) == ([], 2_000)


# Its models


def test_its_models_are_those_of_the_first_upstream_that_has_them() -> None:
    aims = Aims("gpt", "vectors")
    aims.use(
        [
            Endpoint(name="a", base_url="http://a/v1", models={"gpt": "gpt-at-a"}),
            Endpoint(name="b", base_url="http://b/v1", api_key="key of b"),
        ]
    )
    aim = aims()
    assert (aim.model.name, aim.model.base_url, aim.model.api_key) == (
        "gpt-at-a",
        "http://a/v1",
        "none",
    )
    assert (aim.embedder.name, aim.embedder.base_url) == ("vectors", "http://b/v1")
    assert "key of b" not in repr(aim)


@pytest.mark.parametrize(
    ("model", "embedder", "told"),
    [
        (None, "e", "MEM0_MODEL or OPENAI_MODEL"),
        ("m", None, "MEM0_EMBEDDING_MODEL or YYCHAT_EMBEDDING_MODEL"),
        ("m", "other", "no upstream has the model that MEM0_EMBEDDING_MODEL"),
    ],
)
def test_a_model_that_is_missing_is_named_by_its_setting(
    model: str | None, embedder: str | None, told: str
) -> None:
    aims = Aims(model, embedder)
    aims.use([Endpoint(name="a", base_url="http://a/v1", models=["m", "e"])])
    with pytest.raises(StoreError, match=told):
        aims()


def test_settings_that_are_missing_are_known_before_the_upstreams_are() -> None:
    assert Aims("m", "e").missing() is None
    assert Aims(None, "e").missing() == "mem0 needs MEM0_MODEL or OPENAI_MODEL"
    assert "MEM0_EMBEDDING_MODEL" in str(Aims("m", None).missing())


def test_before_the_upstreams_are_known_mem0_has_none() -> None:
    with pytest.raises(StoreError, match="none is connected yet"):
        Aims("m", "e")()
