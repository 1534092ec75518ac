"""ChatEngine keeps the promises of every engine, and those of its own."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from engine_promises import EnginePromises, about, answer, replay, with_a_round_of_tools
from fakes import Echo, ListOutbox, ScriptedMemory, asked
from fakes import tools as registry_of
from running import Service
from yychat.chat import collect
from yychat.engines.base import BaseEngine
from yychat.engines.chat_engine import ChatEngine, Options
from yychat.memory.base import Memory
from yychat.memory.outbox import OutboxDoor
from yychat.personalities.loader import Personalities
from yychat.tools.base import Tool
from yychat.upstream.router import Upstreams


def chat_engine(
    upstreams: Upstreams,
    *,
    memory: Memory | None = None,
    outbox: OutboxDoor | None = None,
    tools: tuple[Tool, ...] = (),
    personalities: Personalities | None = None,
    **options: Any,
) -> ChatEngine:
    return ChatEngine(
        upstreams=upstreams,
        memory=memory or ScriptedMemory(),
        outbox=outbox or ListOutbox(),
        tools=registry_of(*tools),
        personalities=personalities or Personalities(),
        options=Options(**options),
        clock=lambda: 1_700_000_000.0,
    )


class TestChatEngine(EnginePromises):
    name = "chat_engine"
    memory_name = "native"

    def engine(
        self,
        upstreams: Upstreams,
        *,
        memory: Memory | None = None,
        outbox: OutboxDoor | None = None,
        tools: tuple[Tool, ...] = (),
        **options: Any,
    ) -> BaseEngine:
        return chat_engine(upstreams, memory=memory, outbox=outbox, tools=tools, **options)


@pytest.fixture
def personalities(tmp_path: Path) -> Personalities:
    for name, allowed in {"open": None, "one": ["a"], "none": []}.items():
        given = {"id": name, "name": name, "system_prompt": f"I am {name}."}
        (tmp_path / f"{name}.json").write_text(json.dumps({**given, "allowed_tools": allowed}))
    return Personalities(tmp_path)


@pytest.mark.parametrize(("personality", "offered"), [("open", ["a", "b"]), ("one", ["a"])])
async def test_a_personality_brings_its_prompt_and_its_tools(
    personalities: Personalities, personality: str, offered: list[str]
) -> None:
    upstreams = replay(streaming=False)
    engine = chat_engine(upstreams, tools=(Echo("a"), Echo("b")), personalities=personalities)
    await collect(engine.generate_response(asked(personality_id=personality)))
    sent = upstreams.payloads[0]
    assert sent["messages"][0] == {"role": "system", "content": f"I am {personality}."}
    assert [each["function"]["name"] for each in sent["tools"]] == offered


async def test_a_personality_without_tools_offers_none(personalities: Personalities) -> None:
    upstreams = replay(streaming=False)
    engine = chat_engine(upstreams, tools=(Echo("a"),), personalities=personalities)
    await collect(engine.generate_response(asked(personality_id="none")))
    assert "tools" not in upstreams.payloads[0]


async def test_the_default_personality_is_for_those_who_name_none(
    personalities: Personalities,
) -> None:
    upstreams = replay(streaming=False)
    engine = chat_engine(upstreams, personalities=personalities, default_personality="open")
    await collect(engine.generate_response(asked()))
    assert upstreams.payloads[0]["messages"][0]["content"] == "I am open."


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
async def test_a_personality_that_forbids_a_tool_forbids_its_run(
    personalities: Personalities, streaming: bool
) -> None:
    echo = Echo()
    engine = chat_engine(
        with_a_round_of_tools(streaming=streaming), tools=(echo,), personalities=personalities
    )
    chunks = await collect(engine.generate_response(asked(stream=streaming, personality_id="none")))
    assert echo.calls == []
    assert answer(chunks).text == "It echoed."


async def test_very_long_texts_are_remembered_up_to_a_length() -> None:
    outbox = ListOutbox()
    engine = chat_engine(replay("y" * 100, streaming=False), outbox=outbox, longest_text=10)
    await collect(
        engine.generate_response(asked(messages=[{"role": "user", "content": "x" * 100}]))
    )
    (job,) = outbox.jobs
    assert (job.turn.user, job.turn.assistant) == ("x" * 10, "y" * 10)


async def test_the_turn_bears_the_time_of_the_clock() -> None:
    outbox = ListOutbox()
    await collect(chat_engine(replay(streaming=False), outbox=outbox).generate_response(asked()))
    assert outbox.jobs[0].turn.at == 1_700_000_000.0


async def test_a_question_without_text_is_not_recalled_by() -> None:
    memory = ScriptedMemory("I like tea")
    image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    messages = [{"role": "user", "content": [image]}]
    engine = chat_engine(replay(streaming=False), memory=memory)
    chunks = await collect(engine.generate_response(asked(messages=messages)))
    assert (about(chunks)["memory"], memory.queries) == ("off", [])


@pytest.mark.parametrize(("characters", "at_once"), [(1_000, 1), (100_000, 0)])
async def test_a_huge_request_is_composed_beside_the_event_loop(
    characters: int, at_once: int
) -> None:
    upstreams = replay(streaming=False)
    messages = [{"role": "user", "content": "好" * characters}]
    answering = asyncio.create_task(
        collect(chat_engine(upstreams).generate_response(asked(messages=messages)))
    )
    await asyncio.sleep(0)  # it runs until it has to wait for something
    assert len(upstreams.bodies) == at_once
    await answering
    assert upstreams.payloads[0]["messages"] == messages


async def test_no_more_is_recalled_than_the_options_say() -> None:
    memory = ScriptedMemory(*"abcdef")
    engine = chat_engine(replay(streaming=False), memory=memory, recall_records=2)
    chunks = await collect(engine.generate_response(asked()))
    assert about(chunks)["recalled"] == 2


def test_the_headers_tell_engine_and_memory(yychat: Service) -> None:
    yychat.say("My cat is called Tom", user="headers")
    for stream in (False, True):
        headers = yychat.chat("What is my cat called?", user="headers", stream=stream).headers
        assert (headers["x-yychat-engine"], headers["x-yychat-memory"]) == ("chat_engine", "hit")
