"""What every engine promises: a mix-in that runs over any of them (see test_chat_engine.py)."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing, suppress
from typing import Any

import msgspec
import pytest

from fakes import (
    DONE,
    HANG,
    Echo,
    ListOutbox,
    Replay,
    ScriptedMemory,
    asked,
    call,
    call_delta,
    chunk,
    completion,
    said,
    scripted_upstream,
    stream,
)
from tool_promises import BOTH, ToolPromises
from yychat.chat import Answer, Chunk, collect
from yychat.engines.base import BaseEngine
from yychat.errors import NotFound, StoreError, UpstreamError, UpstreamFailed
from yychat.memory.base import Memory, Turn
from yychat.memory.outbox import OutboxDoor
from yychat.owner import Owner, Owners
from yychat.tools.base import Tool
from yychat.upstream.client import connected
from yychat.upstream.config import Endpoint
from yychat.upstream.router import Upstreams
from yychat.upstream.sender import Timeouts

QUESTION: dict[str, Any] = {"messages": [{"role": "user", "content": "What do I like?"}]}


def replay(text: str = "You like tea.", *, streaming: bool) -> Replay:
    if streaming:
        return Replay([said(*text.split(" ")).replace(b'"content":"', b'"content":" '), DONE])
    return Replay([msgspec.json.encode(completion(text))])


def with_a_round_of_tools(*, streaming: bool) -> Replay:
    if not streaming:
        rounds = completion(None, [call("echo")]), completion("It echoed.")
        return Replay(*([msgspec.json.encode(each)] for each in rounds))
    calling = chunk(call_delta(0, id="a", name="echo", arguments="{}")) + chunk({}, "tool_calls")
    return Replay([chunk({"content": "Wait. "}) + calling + DONE], [said("It echoed."), DONE])


def ended(text: str, finish: str, *, streaming: bool) -> list[bytes]:
    """An answer of *text* that ends because of *finish*."""
    if streaming:
        return [said(text, finish=finish), DONE]
    whole = completion(text)
    whole["choices"][0]["finish_reason"] = finish
    return [msgspec.json.encode(whole)]


def owner(of: str = "u") -> Owner:
    return Owners(b"s" * 32).owner("t", "user", of)


def about(chunks: list[Chunk]) -> Mapping[str, Any]:
    first = chunks[0].about
    assert first is not None
    return msgspec.structs.asdict(first)


def answer(chunks: list[Chunk]) -> Answer:
    last = chunks[-1].answer
    assert last is not None
    return last


class EnginePromises(ToolPromises):
    """``engine`` makes one out of parts; options are those that all engines share."""

    name: str
    memory_name: str

    def engine(
        self,
        upstreams: Upstreams,
        *,
        memory: Memory | None = None,
        outbox: OutboxDoor | None = None,
        tools: tuple[Tool, ...] = (),
        **options: Any,
    ) -> BaseEngine:
        raise NotImplementedError

    async def run(self, upstreams: Upstreams, streaming: bool, **parts: Any) -> list[Chunk]:
        request = asked(stream=streaming, **QUESTION)
        return await collect(self.engine(upstreams, **parts).generate_response(request))

    async def remembered(self, upstreams: Upstreams, streaming: bool, **parts: Any) -> list[Turn]:
        """The turns in the outbox after one answer, however it ended."""
        outbox = ListOutbox()
        with suppress(UpstreamError):
            await self.run(upstreams, streaming, outbox=outbox, **parts)
        assert all((job.owner, job.kind) == (owner(), self.memory_name) for job in outbox.jobs)
        return [job.turn for job in outbox.jobs]

    # The stream of chunks

    @BOTH
    async def test_the_first_chunk_says_how_it_came_about_and_no_other(
        self, streaming: bool
    ) -> None:
        chunks = await self.run(replay(streaming=streaming), streaming)
        assert [each.about is not None for each in chunks] == [True] + [False] * (len(chunks) - 1)
        assert about(chunks)["engine"] == self.name

    @BOTH
    async def test_the_last_chunk_bears_the_answer_and_no_other(self, streaming: bool) -> None:
        chunks = await self.run(replay("tea", streaming=streaming), streaming)
        assert [each.answer is not None for each in chunks] == [False] * (len(chunks) - 1) + [True]
        assert answer(chunks).text.strip() == "tea"
        assert (answer(chunks).finish_reason, answer(chunks).model) == ("stop", "m-1")

    async def test_a_complete_answer_is_one_chunk(self) -> None:
        assert len(await self.run(replay(streaming=False), False)) == 1

    @BOTH
    async def test_the_first_chunk_brings_tokens(self, streaming: bool) -> None:
        assert (await self.run(replay(streaming=streaming), streaming))[0].tokens

    @BOTH
    async def test_an_upstream_that_fails_at_once_fails_the_answer_before_any_chunk(
        self, streaming: bool
    ) -> None:
        chunks = self.engine(Replay([UpstreamFailed("no")])).generate_response(
            asked(stream=streaming)
        )
        with pytest.raises(UpstreamFailed):
            await anext(chunks)

    @BOTH
    async def test_an_unknown_personality_fails_before_the_upstream_is_asked(
        self, streaming: bool
    ) -> None:
        upstreams = replay(streaming=streaming)
        with pytest.raises(NotFound):
            await collect(
                self.engine(upstreams).generate_response(
                    asked(stream=streaming, personality_id="nobody")
                )
            )
        assert upstreams.bodies == []

    # Memory on the way in

    @BOTH
    async def test_what_is_recalled_reaches_the_model_and_is_told(self, streaming: bool) -> None:
        upstreams = replay(streaming=streaming)
        chunks = await self.run(upstreams, streaming, memory=ScriptedMemory("I like tea"))
        assert "I like tea" in upstreams.payloads[0]["messages"][0]["content"]
        assert (about(chunks)["memory"], about(chunks)["recalled"]) == ("hit", 1)

    async def test_recall_is_by_the_last_user_message(self) -> None:
        memory = ScriptedMemory()
        messages = [
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": "last"},
        ]
        engine = self.engine(replay(streaming=False), memory=memory)
        await collect(engine.generate_response(asked(messages=messages)))
        assert memory.queries == ["last"]

    async def test_nothing_recalled_is_told_as_empty(self) -> None:
        chunks = await self.run(replay(streaming=False), False)
        assert about(chunks)["memory"] == "empty"

    async def test_recalled_in_vain_is_told_as_empty(self) -> None:
        memory = ScriptedMemory("What do I like?")
        chunks = await self.run(replay(streaming=False), False, memory=memory)
        assert (about(chunks)["memory"], about(chunks)["recalled"]) == ("empty", 0)

    async def test_without_an_owner_memory_is_off_and_nothing_is_asked_or_stored(self) -> None:
        memory, outbox = ScriptedMemory("I like tea"), ListOutbox()
        engine = self.engine(replay(streaming=False), memory=memory, outbox=outbox)
        chunks = await collect(engine.generate_response(asked(user=None)))
        assert (about(chunks)["memory"], memory.queries, outbox.jobs) == ("off", [], [])

    async def test_with_recall_off_nothing_is_asked_and_turns_are_stored(self) -> None:
        memory, outbox = ScriptedMemory("I like tea"), ListOutbox()
        chunks = await self.run(
            replay(streaming=False), False, memory=memory, outbox=outbox, recall=False
        )
        assert (about(chunks)["memory"], memory.queries, len(outbox.jobs)) == ("off", [], 1)

    @BOTH
    async def test_a_memory_that_is_too_slow_is_done_without(self, streaming: bool) -> None:
        async with asyncio.timeout(5):
            chunks = await self.run(
                replay(streaming=streaming),
                streaming,
                memory=ScriptedMemory(slow=True),
                recall_within=0.01,
            )
        assert about(chunks)["memory"] == "deadline"

    @BOTH
    async def test_a_memory_that_fails_is_done_without(self, streaming: bool) -> None:
        upstreams = replay(streaming=streaming)
        chunks = await self.run(upstreams, streaming, memory=ScriptedMemory(broken=True))
        assert about(chunks)["memory"] == "degraded"
        assert upstreams.payloads[0]["messages"] == QUESTION["messages"]

    # Memory on the way out

    @BOTH
    async def test_the_question_and_the_final_text_are_remembered_once(
        self, streaming: bool
    ) -> None:
        (turn,) = await self.remembered(replay("tea", streaming=streaming), streaming)
        assert (turn.user, turn.assistant.strip()) == ("What do I like?", "tea")
        assert turn.engine == self.name

    @BOTH
    async def test_rounds_of_tools_are_one_turn_with_the_last_rounds_text(
        self, streaming: bool
    ) -> None:
        upstreams = with_a_round_of_tools(streaming=streaming)
        (turn,) = await self.remembered(upstreams, streaming, tools=(Echo(),))
        assert (turn.user, turn.assistant) == ("What do I like?", "It echoed.")

    @pytest.mark.parametrize(
        ("mode", "kept"),
        [("both", ("What do I like?", "tea")), ("user", ("What do I like?", "")),
         ("assistant", ("", "tea"))],
    )  # fmt: skip
    @BOTH
    async def test_the_save_mode_says_which_side_is_remembered(
        self, streaming: bool, mode: str, kept: tuple[str, str]
    ) -> None:
        upstreams = replay("tea", streaming=streaming)
        (turn,) = await self.remembered(upstreams, streaming, save=mode)
        assert (turn.user, turn.assistant.strip()) == kept

    async def test_two_answers_are_two_turns(self) -> None:
        outbox = ListOutbox()
        engine = self.engine(replay(streaming=False), outbox=outbox)
        for _ in range(2):
            await collect(engine.generate_response(asked()))
        assert len({job.id for job in outbox.jobs}) == 2

    async def test_an_engine_that_could_not_remember_says_so_until_it_can(self) -> None:
        """The store may answer and still refuse to write: a full disk does."""
        outbox = ListOutbox(slow=True)
        engine = self.engine(replay(streaming=False), outbox=outbox, save_within=0.01)
        for slow, healthy in ((True, False), (False, True)):
            outbox.slow = slow
            await collect(engine.generate_response(asked(stream=False, **QUESTION)))
            assert (await engine.health_check()).healthy is healthy

    async def test_the_turn_is_in_the_outbox_before_the_last_chunk(self) -> None:
        outbox = ListOutbox()
        engine = self.engine(replay(streaming=True), outbox=outbox)
        async for each in engine.generate_response(asked(stream=True)):
            assert bool(outbox.jobs) == (each.answer is not None)

    @BOTH
    async def test_an_answer_that_fails_is_not_remembered(self, streaming: bool) -> None:
        upstreams = Replay([UpstreamFailed("no")])
        assert await self.remembered(upstreams, streaming) == []

    async def test_a_stream_that_fails_in_the_middle_is_not_remembered(self) -> None:
        upstreams = Replay([chunk({"content": "You"}), UpstreamFailed("no")])
        assert await self.remembered(upstreams, True) == []

    async def test_an_abandoned_stream_is_not_remembered(self) -> None:
        outbox = ListOutbox()
        engine = self.engine(replay(streaming=True), outbox=outbox)
        async with aclosing(engine.generate_response(asked(stream=True))) as chunks:
            await anext(chunks)
        assert outbox.jobs == []

    async def test_calls_for_the_client_are_no_answer_to_remember(self) -> None:
        outbox = ListOutbox()
        upstreams = Replay([msgspec.json.encode(completion(None, [call("theirs")]))])
        theirs = {"type": "function", "function": {"name": "theirs"}}
        await collect(
            self.engine(upstreams, outbox=outbox).generate_response(asked(tools=[theirs]))
        )
        assert outbox.jobs == []

    @BOTH
    @pytest.mark.parametrize("finish", ["tool_calls", "function_call"])
    async def test_a_turn_that_goes_on_at_the_client_is_remembered_at_its_end(
        self, streaming: bool, finish: str
    ) -> None:
        outbox = ListOutbox()
        asking = ended("Let me see.", finish, streaming=streaming)
        upstreams = Replay(asking, ended("It rains.", "stop", streaming=streaming))
        engine = self.engine(upstreams, outbox=outbox)
        for _ in range(2):
            await collect(engine.generate_response(asked(stream=streaming)))
        assert [job.turn.assistant for job in outbox.jobs] == ["It rains."]

    async def test_a_turn_of_which_nothing_would_be_kept_is_not_remembered(self) -> None:
        outbox = ListOutbox()
        image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
        engine = self.engine(replay(streaming=False), outbox=outbox, save="user")
        messages = [{"role": "user", "content": [image]}]
        await collect(engine.generate_response(asked(messages=messages)))
        assert outbox.jobs == []

    @BOTH
    @pytest.mark.parametrize("trouble", ["broken", "slow"])
    async def test_the_answer_goes_out_even_where_it_cannot_be_remembered(
        self, streaming: bool, trouble: str
    ) -> None:
        outbox = ListOutbox(broken=trouble == "broken", slow=trouble == "slow")
        chunks = await self.run(
            replay("tea", streaming=streaming), streaming, outbox=outbox, save_within=0.01
        )
        assert answer(chunks).text.strip() == "tea"

    # What it holds and what it leaves alone

    @BOTH
    async def test_the_callers_request_is_not_changed(self, streaming: bool) -> None:
        request = asked(stream=streaming, **QUESTION)
        before = [bytes(raw) for raw in request.messages], dict(request.fields)
        engine = self.engine(
            with_a_round_of_tools(streaming=streaming),
            memory=ScriptedMemory("I like tea"),
            tools=(Echo(),),
        )
        await collect(engine.generate_response(request))
        assert ([bytes(raw) for raw in request.messages], dict(request.fields)) == before

    async def test_closing_early_leaves_the_upstream_at_once(self) -> None:
        async with scripted_upstream() as server, asyncio.timeout(5):
            server.script(stream(chunk({"content": "a"}), HANG))
            upstreams = over(server.base_url)
            chunks = self.engine(upstreams).generate_response(asked(stream=True))
            await anext(chunks)
            await chunks.aclose()
            await server.left.wait()
            await upstreams.close()

    @BOTH
    async def test_cancelling_leaves_the_upstream_at_once(self, streaming: bool) -> None:
        async with scripted_upstream() as server, asyncio.timeout(5):
            server.script([HANG])
            upstreams = over(server.base_url)
            chunks = self.engine(upstreams).generate_response(asked(stream=streaming))
            answering = asyncio.create_task(collect(chunks))
            await server.asked.wait()
            answering.cancel()
            await asyncio.wait([answering])
            await server.left.wait()
            await upstreams.close()

    # What it tells about itself

    async def test_it_names_itself_and_its_memory(self) -> None:
        info = self.engine(replay(streaming=False)).get_engine_info()
        assert (info.name, info.memory) == (self.name, self.memory_name)
        assert info.description
        assert info.features

    async def test_it_is_healthy_with_a_store_that_answers(self) -> None:
        health = await self.engine(replay(streaming=False)).health_check()
        assert health.healthy
        assert set(health.dependencies.values()) == {None}

    async def test_a_store_that_is_away_is_told_as_unhealthy(self) -> None:
        engine = self.engine(replay(streaming=False), outbox=ListOutbox(broken=True))
        health = await engine.health_check()
        assert not health.healthy
        assert any(health.dependencies.values())

    async def test_it_lists_and_erases_an_owners_memory(self) -> None:
        engine = self.engine(replay(streaming=False), memory=ScriptedMemory("a", "b"))
        listed = await engine.get_conversation_memory(owner(), 1)
        assert [each.text for each in listed] == ["a"]
        assert await engine.clear_conversation_memory(owner()) == 2

    async def test_a_memory_that_cannot_be_erased_is_an_error(self) -> None:
        engine = self.engine(replay(streaming=False), memory=ScriptedMemory(broken=True))
        with pytest.raises(StoreError):
            await engine.clear_conversation_memory(owner())

    async def test_it_shows_the_tools_a_personality_may_use(self) -> None:
        engine = self.engine(replay(streaming=False), tools=(Echo("a"), Echo("b")))
        assert [each["function"]["name"] for each in engine.get_available_tools(None)] == ["a", "b"]
        with pytest.raises(NotFound):
            engine.get_available_tools("nobody")

    async def test_it_shows_the_personalities(self) -> None:
        engine = self.engine(replay(streaming=False))
        assert len(engine.get_supported_personalities()) > 0


def over(base_url: str) -> Upstreams:
    return Upstreams([connected(Endpoint(name="scripted", base_url=base_url), Timeouts())])
