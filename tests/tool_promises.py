"""What every engine promises of tools, streamed and whole: a mix-in (see engine_promises.py)."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from fakes import (
    DONE,
    Echo,
    Replay,
    asked,
    call,
    call_delta,
    chunk,
    completion,
    events,
    wire,
)
from yychat.chat import collect
from yychat.engines.base import BaseEngine
from yychat.engines.tool_loop import Limits
from yychat.errors import UpstreamFailed, UpstreamProtocolError
from yychat.personalities.loader import Personalities
from yychat.simulator.asked import read_chat
from yychat.tools.base import Tool
from yychat.tools.registry import NAME
from yychat.upstream.router import Upstreams

BOTH = pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
OK = completion("ok")
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
CLIENTS_ECHO = {"type": "function", "function": {"name": "echo", "description": "the client's"}}
WEATHER_IN_OSLO = call("weather", '{"city":"Oslo"}', id="call_w")


def encoded(answer: dict[str, Any], streaming: bool) -> bytes:
    """A whole answer's bytes, or the same as a stream, its words in one event with its calls."""
    if not streaming:
        return msgspec.json.encode(answer)
    (choice,) = answer["choices"]
    message = choice["message"]
    pieces = [
        call_delta(position, id=each.get("id"), type=each["type"], **each["function"])
        for position, each in enumerate(message.get("tool_calls") or ())
    ] or [{}]
    others = {name: message[name] for name in message if name != "tool_calls"}
    pieces[0] = {**others, **pieces[0]}
    return b"".join(map(chunk, pieces)) + chunk({}, choice["finish_reason"]) + DONE


def calling(name: str = "echo", arguments: str = '{"text":"x"}') -> dict[str, Any]:
    return completion(None, [call(name, arguments)])


def offered(payload: Any) -> list[str]:
    return [each["function"]["name"] for each in payload.get("tools", ())]


class Tried:
    """One answer to one request: what the model was told, and what OpenAI's SDK makes of it."""

    def __init__(self, payloads: list[Any], data: bytes, streaming: bool) -> None:
        self.payloads, self.data = payloads, data
        given = _put_together(data) if streaming else ChatCompletion.model_validate_json(data)
        (choice,) = given.choices
        self.finish = choice.finish_reason
        self.said = choice.message.content
        self.calls = [
            (each.id, each.function.name, each.function.arguments)
            for each in choice.message.tool_calls or ()
            if each.type == "function"
        ]

    @property
    def results(self) -> list[Any]:
        """What tools said, as the model was told it in the last round."""
        told = self.payloads[-1]["messages"]
        return [msgspec.json.decode(m["content"]) for m in told if m["role"] == "tool"]


def _put_together(data: bytes) -> ChatCompletion:
    state = ChatCompletionStreamState()
    for each in events(data):
        state.handle_chunk(ChatCompletionChunk.model_validate(each))
    return state.get_final_completion()


def acceptable(payload: Mapping[str, Any]) -> None:
    """Fail where a strict provider would refuse *payload*."""
    read_chat(msgspec.json.encode({**payload, "model": "simulated"}))
    for message in payload["messages"]:
        calls = message.get("tool_calls") or ()
        assert len({each["id"] for each in calls}) == len(calls)
        for each in calls:
            assert NAME.fullmatch(each["function"]["name"])
            assert isinstance(msgspec.json.decode(each["function"]["arguments"]), dict)


def allowing(folder: Path, *names: str) -> Personalities:
    """Personalities with one called ``strict``, who may use the tools of these names."""
    given = {"id": "strict", "name": "Strict", "system_prompt": "x", "allowed_tools": names}
    (folder / "strict.json").write_text(json.dumps(given))
    return Personalities(folder)


class Does(Echo):
    """A tool that returns a value, or raises it."""

    def __init__(self, name: str, value: Any) -> None:
        super().__init__(name)
        self._value = value

    async def call(self, arguments: dict[str, Any]) -> Any:
        await super().call(arguments)
        if isinstance(self._value, Exception):
            raise self._value
        return self._value


class ToolPromises:
    """See ``EnginePromises``."""

    def engine(
        self, upstreams: Upstreams, *, tools: tuple[Tool, ...] = (), **options: Any
    ) -> BaseEngine:
        raise NotImplementedError

    async def tried(
        self,
        streaming: bool,
        *rounds: dict[str, Any] | bytes,
        given: Sequence[Tool] | None = None,
        options: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Tried:
        """*rounds* are what the model says, *given* the tools of ours, *fields* the request's."""
        said = (each if isinstance(each, bytes) else encoded(each, streaming) for each in rounds)
        replay = Replay(*([each] for each in said))
        ours = (Echo(),) if given is None else tuple(given)
        data = await self.data(replay, ours, stream=streaming, **fields, options=options)
        for payload in replay.payloads:
            acceptable(payload)
        return Tried(replay.payloads, data, streaming)

    async def data(
        self,
        replay: Replay,
        given: tuple[Tool, ...] = (),
        options: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> bytes:
        """What the client gets."""
        engine = self.engine(replay, tools=given, **(options or {}))
        async with asyncio.timeout(10):
            return wire(await collect(engine.generate_response(asked(**fields))))

    # Rounds

    @BOTH
    async def test_several_rounds_are_one_answer(self, streaming: bool) -> None:
        echo = Echo()
        rounds = [calling(arguments=f'{{"text":"{number}"}}') for number in range(3)]
        done = await self.tried(streaming, *rounds, OK, given=[echo])
        assert [each["text"] for each in echo.calls] == ["0", "1", "2"]
        assert done.results == [{"echo": "0"}, {"echo": "1"}, {"echo": "2"}]
        assert (done.said, done.calls, done.finish) == ("ok", [], "stop")

    @BOTH
    async def test_parallel_calls_run_side_by_side(self, streaming: bool) -> None:
        gate = asyncio.Event()
        a, b = Echo("a", gate), Echo("b", gate)
        both = completion(None, [call("a", id="1"), call("b", id="2")])
        trying = asyncio.create_task(self.tried(streaming, both, OK, given=[a, b]))
        async with asyncio.timeout(5):
            while (a.running, b.running) != (1, 1):  # noqa: ASYNC110 - tools have no event for it
                await asyncio.sleep(0)
            gate.set()
            done = await trying
        told = done.payloads[1]["messages"]
        assert [each["tool_call_id"] for each in told[-2:]] == ["1", "2"]

    @BOTH
    async def test_sixty_four_parallel_calls_are_all_answered(self, streaming: bool) -> None:
        echo = Echo()
        calls = [call("echo", f'{{"text":"{i}"}}', id=f"call_{i}") for i in range(64)]
        done = await self.tried(streaming, completion(None, calls), OK, given=[echo])
        assert (len(echo.calls), len(done.results)) == (16, 64)
        assert [list(each) for each in done.results[16:]] == [["error"]] * 48
        assert done.said == "ok"

    @BOTH
    @pytest.mark.parametrize("ids", [("same", "same"), (None, None), ("", "")], ids=str)
    async def test_calls_without_ids_of_their_own_get_some(
        self, streaming: bool, ids: tuple[str | None, str | None]
    ) -> None:
        calls = [call("echo", f'{{"text":"{i}"}}') | {"id": id} for i, id in enumerate(ids)]
        done = await self.tried(streaming, completion(None, calls), OK)
        assert done.results == [{"echo": "0"}, {"echo": "1"}]

    async def test_an_id_may_come_after_the_rest_of_its_call(self) -> None:
        late = (
            chunk(call_delta(0, name="echo", arguments='{"text":'))
            + chunk(call_delta(0, arguments='"x"}'))
            + chunk(call_delta(0, id="call_late"))
        )
        done = await self.tried(True, late + chunk({}, "tool_calls") + DONE, OK)
        assert done.payloads[1]["messages"][-1]["tool_call_id"] == "call_late"
        assert (done.results, done.said) == ([{"echo": "x"}], "ok")

    @BOTH
    async def test_words_and_a_call_may_come_in_one_event(self, streaming: bool) -> None:
        first = completion("Let me see. ", [call("echo", '{"text":"x"}')])
        done = await self.tried(streaming, first, OK)
        assert done.payloads[1]["messages"][1]["content"] == "Let me see. "
        # Words that went out cannot be taken back; a whole answer is the last round's.
        assert done.said == ("Let me see. ok" if streaming else "ok")
        assert (done.results, done.calls, done.finish) == ([{"echo": "x"}], [], "stop")

    @BOTH
    async def test_a_model_that_thinks_is_reminded_of_its_thoughts(self, streaming: bool) -> None:
        first = calling()
        first["choices"][0]["message"]["reasoning_content"] = "I should echo."
        done = await self.tried(streaming, first, OK)
        assert done.payloads[1]["messages"][1]["reasoning_content"] == "I should echo."

    @BOTH
    async def test_what_a_provider_adds_to_a_call_comes_back_to_it(self, streaming: bool) -> None:
        signed = call("echo", id="a") | {"extra_content": {"google": {"thought_signature": "s"}}}
        answer = completion(None, [signed])
        first = encoded(answer, False)
        if streaming:
            delta = {"tool_calls": [{"index": 0, **signed}]}
            first = chunk(delta) + chunk({}, "tool_calls") + DONE
        done = await self.tried(streaming, first, OK)
        assert done.payloads[1]["messages"][1]["tool_calls"] == [signed]

    @BOTH
    async def test_an_upstream_that_fails_after_a_round_fails_before_any_chunk(
        self, streaming: bool
    ) -> None:
        replay = Replay([encoded(calling(), streaming)], [UpstreamFailed("no")])
        engine = self.engine(replay, tools=(Echo(),))
        with pytest.raises(UpstreamFailed):
            await anext(engine.generate_response(asked(stream=streaming)))

    # What the model gets wrong

    @BOTH
    @pytest.mark.parametrize("arguments", ["", " ", "{}"])
    async def test_no_arguments_are_an_empty_object(self, streaming: bool, arguments: str) -> None:
        echo = Echo()
        done = await self.tried(streaming, calling(arguments=arguments), OK, given=[echo])
        assert (echo.calls, done.said) == ([{}], "ok")

    @BOTH
    @pytest.mark.parametrize(
        "arguments",
        ["{", "text", "[1]", '"{}"', "null", '{"text":5}', '{"a":' * 10_000 + "1" + "}" * 10_000],
        ids=lambda arguments: arguments[:10],
    )
    async def test_arguments_that_do_not_fit_are_an_error_the_model_can_read(
        self, streaming: bool, arguments: str
    ) -> None:
        echo = Echo()
        done = await self.tried(streaming, calling(arguments=arguments), OK, given=[echo])
        assert (echo.calls, done.said) == ([], "ok")
        assert [list(each) for each in done.results] == [["error"]]

    @BOTH
    async def test_arguments_may_be_in_any_script(self, streaming: bool) -> None:
        arguments = '{"text":"北京 \\ud83e\\udd9c 🦜"}'
        done = await self.tried(streaming, calling(arguments=arguments), OK)
        assert done.results == [{"echo": "北京 🦜 🦜"}]

    @BOTH
    async def test_a_call_that_repeats_itself_is_run_twice_and_then_refused(
        self, streaming: bool
    ) -> None:
        echo = Echo()
        done = await self.tried(streaming, *[calling()] * 4, OK, given=[echo])
        assert len(echo.calls) == 2
        assert [list(each) for each in done.results] == [["echo"]] * 2 + [["error"]] * 2
        assert done.said == "ok"

    @BOTH
    async def test_a_model_that_calls_for_ever_is_made_to_answer(self, streaming: bool) -> None:
        done = await self.tried(streaming, calling())
        assert [each.get("tool_choice") for each in done.payloads] == [None, *["auto"] * 6, "none"]
        assert (done.calls, done.finish) == ([], "stop")

    @BOTH
    @pytest.mark.parametrize("name", ["forbidden", "unknown", "multi_tool_use.parallel", ""])
    async def test_a_tool_that_may_not_be_used_is_refused_and_the_model_told(
        self, streaming: bool, name: str, tmp_path: Path
    ) -> None:
        forbidden = Echo("forbidden")
        done = await self.tried(
            streaming,
            calling(name),
            OK,
            given=[Echo(), forbidden],
            options={"personalities": allowing(tmp_path, "echo")},
            personality_id="strict",
        )
        assert offered(done.payloads[0]) == ["echo"]
        assert (forbidden.calls, [list(each) for each in done.results]) == ([], [["error"]])
        assert (done.said, done.calls, done.finish) == ("ok", [], "stop")

    @BOTH
    @pytest.mark.parametrize("finish", ["length", "content_filter"])
    async def test_a_call_that_was_cut_off_is_not_run_and_the_answer_ends_as_it_did(
        self, streaming: bool, finish: str
    ) -> None:
        cut = completion("So", [call("echo", '{"te')])
        cut["choices"][0]["finish_reason"] = finish
        echo, replay = Echo(), Replay([encoded(cut, streaming)])
        data = await self.data(replay, (echo,), stream=streaming)
        given = events(data) if streaming else [msgspec.json.decode(data)]
        assert [c["finish_reason"] for e in given for c in e["choices"]][-1] == finish
        assert (len(replay.payloads), echo.calls, b"tool_calls" in data) == (1, [], False)

    # What tools get wrong

    @BOTH
    async def test_a_tool_that_raises_is_an_error_the_model_can_read(self, streaming: bool) -> None:
        broken = Does("echo", RuntimeError("s3cret"))
        done = await self.tried(streaming, calling(), OK, given=[broken])
        assert [list(each) for each in done.results] == [["error"]]
        assert "s3cret" not in str(done.payloads) + str(done.data)
        assert done.said == "ok"

    @BOTH
    @pytest.mark.parametrize("value", ["x" * 5_000_000, ["长"] * 1_000_000], ids=["text", "list"])
    async def test_a_result_of_megabytes_is_cut(self, streaming: bool, value: Any) -> None:
        done = await self.tried(streaming, calling(), OK, given=[Does("echo", value)])
        assert done.results[0]["truncated"] is True
        assert len(done.payloads[1]["messages"][-1]["content"]) <= 16_384

    @BOTH
    async def test_results_that_are_too_much_together_are_left_out_and_the_model_told(
        self, streaming: bool
    ) -> None:
        given = [Does("long", "word " * 100), Does("short", 1)]
        calls = [call("long", id="1"), call("short", id="2"), call("long", '{"text":"x"}', id="3")]
        limits = {"limits": Limits(tokens=150)}
        done = await self.tried(streaming, completion(None, calls), OK, given=given, options=limits)
        assert [type(each) for each in done.results] == [str, int, dict]
        assert "no room" in done.results[2]["error"]
        assert done.said == "ok"

    @BOTH
    async def test_a_tool_that_hangs_is_given_up_when_the_time_for_tools_is_over(
        self, streaming: bool
    ) -> None:
        stuck, quick = Echo("stuck", asyncio.Event()), Echo("quick")
        both = completion(None, [call("stuck", id="1"), call("quick", id="2")])
        limits = {"limits": Limits(wall=0.05)}
        done = await self.tried(streaming, both, OK, given=[stuck, quick], options=limits)
        assert [list(each) for each in done.results] == [["error"], ["echo"]]
        assert (stuck.running, done.payloads[1]["tool_choice"]) == (0, "none")
        assert (done.said, done.finish) == ("ok", "stop")

    @BOTH
    async def test_leaving_ends_a_tool_that_is_running(self, streaming: bool) -> None:
        echo = Echo(gate=asyncio.Event())
        first = encoded(completion("Wait.", [call("echo")]), streaming)
        engine = self.engine(Replay([first]), tools=(echo,))
        answering = asyncio.create_task(collect(engine.generate_response(asked(stream=streaming))))
        async with asyncio.timeout(5):
            while not echo.running:  # noqa: ASYNC110 - a tool has no event for it
                await asyncio.sleep(0)
            answering.cancel()
            await asyncio.wait([answering])
        assert echo.running == 0

    # The client's own tools

    @BOTH
    async def test_the_clients_calls_reach_it_byte_for_byte(self, streaming: bool) -> None:
        echo = Echo()
        first = completion(None, [WEATHER_IN_OSLO, call("weather", "{", id="call_2")])
        done = await self.tried(streaming, first, given=[echo], tools=[WEATHER])
        assert done.data == encoded(first, streaming)
        assert done.payloads[0]["tools"][0] == WEATHER
        assert offered(done.payloads[0]) == ["weather", "echo"]
        assert [each[0] for each in done.calls] == ["call_w", "call_2"]
        assert (len(done.payloads), echo.calls, done.finish) == (1, [], "tool_calls")

    @BOTH
    async def test_after_a_round_of_ours_the_clients_call_reaches_it(self, streaming: bool) -> None:
        done = await self.tried(
            streaming, calling(), completion(None, [WEATHER_IN_OSLO]), tools=[WEATHER]
        )
        assert done.calls == [("call_w", "weather", '{"city":"Oslo"}')]
        assert (done.results, done.finish) == ([{"echo": "x"}], "tool_calls")

    @BOTH
    async def test_where_both_are_called_the_client_gets_its_call_and_ours_is_not_run(
        self, streaming: bool
    ) -> None:
        echo = Echo()
        both = completion(None, [call("echo", id="o"), WEATHER_IN_OSLO, call("echo", id="p")])
        done = await self.tried(streaming, both, given=[echo], tools=[WEATHER])
        assert done.calls == [("call_w", "weather", '{"city":"Oslo"}')]
        assert (echo.calls, len(done.payloads), done.finish) == ([], 1, "tool_calls")

    @BOTH
    async def test_a_tool_of_the_clients_with_the_name_of_ours_is_the_clients(
        self, streaming: bool
    ) -> None:
        echo = Echo()
        given = [echo, Echo("other")]
        done = await self.tried(streaming, calling(), given=given, tools=[CLIENTS_ECHO])
        assert done.payloads[0]["tools"][0] == CLIENTS_ECHO
        assert offered(done.payloads[0]) == ["echo", "other"]
        assert (echo.calls, done.data) == ([], encoded(calling(), streaming))

    # What the client says of tools

    @BOTH
    async def test_with_tool_choice_none_nothing_of_ours_is_offered_or_run(
        self, streaming: bool
    ) -> None:
        echo = Echo()
        done = await self.tried(
            streaming, calling(), OK, given=[echo], tools=[WEATHER], tool_choice="none"
        )
        assert done.payloads[0]["tools"] == [WEATHER]
        assert [each["tool_choice"] for each in done.payloads] == ["none", "none"]
        assert (echo.calls, done.said, done.calls) == ([], "ok", [])

    @BOTH
    @pytest.mark.parametrize(
        "choice", ["required", {"type": "function", "function": {"name": "echo"}}], ids=str
    )
    async def test_a_forced_choice_among_ours_is_for_the_first_round(
        self, streaming: bool, choice: Any
    ) -> None:
        done = await self.tried(streaming, calling(), OK, tool_choice=choice)
        assert [each["tool_choice"] for each in done.payloads] == [choice, "auto"]
        assert done.said == "ok"

    @BOTH
    async def test_a_client_that_demands_a_call_gets_one_of_its_own(self, streaming: bool) -> None:
        rounds = [calling(), completion(None, [WEATHER_IN_OSLO])]
        done = await self.tried(streaming, *rounds, tools=[WEATHER], tool_choice="required")
        assert [each["tool_choice"] for each in done.payloads] == ["required", "required"]
        assert ([each[1] for each in done.calls], done.finish) == (["weather"], "tool_calls")

    @BOTH
    async def test_in_the_last_round_the_demanded_call_can_only_be_the_clients(
        self, streaming: bool
    ) -> None:
        done = await self.tried(
            streaming,
            calling(),
            completion(None, [WEATHER_IN_OSLO]),
            options={"limits": Limits(rounds=2)},
            tools=[WEATHER],
            tool_choice="required",
        )
        last = done.payloads[-1]
        assert (last["tools"], last["tool_choice"]) == ([WEATHER], "required")
        assert [each[1] for each in done.calls] == ["weather"]

    @BOTH
    async def test_that_calls_are_not_to_be_parallel_is_told_in_every_round(
        self, streaming: bool
    ) -> None:
        done = await self.tried(streaming, calling(), OK, parallel_tool_calls=False)
        assert [each["parallel_tool_calls"] for each in done.payloads] == [False, False]

    @BOTH
    async def test_with_several_choices_every_call_is_the_clients(self, streaming: bool) -> None:
        echo = Echo()
        fields: dict[str, Any] = {"n": 2, "tools": [WEATHER]}
        done = await self.tried(streaming, calling(), given=[echo], **fields)
        assert done.payloads[0]["tools"] == [WEATHER]
        assert (echo.calls, done.data) == ([], encoded(calling(), streaming))

    @BOTH
    async def test_legacy_functions_are_left_to_the_client(self, streaming: bool) -> None:
        functions = [{"name": "f", "parameters": {"type": "object"}}]
        function_call = {"name": "f", "arguments": '{"a":1}'}
        first = completion(None)
        first["choices"][0]["message"]["function_call"] = function_call
        first["choices"][0]["finish_reason"] = "function_call"
        done = await self.tried(streaming, first, functions=functions)
        assert done.payloads[0]["functions"] == functions
        assert "tools" not in done.payloads[0]
        assert done.data == encoded(first, streaming)

    @BOTH
    @pytest.mark.parametrize("field", ["functions", "function_call", "tools", "tool_choice"])
    async def test_a_field_that_is_null_is_as_good_as_left_out(
        self, streaming: bool, field: str
    ) -> None:
        done = await self.tried(streaming, calling(), OK, **{field: None})
        assert (offered(done.payloads[0]), done.results) == (["echo"], [{"echo": "x"}])

    # Characters that arrive in pieces

    async def test_wherever_a_call_in_chinese_is_cut_it_is_the_same_call(self) -> None:
        """Also within a character, within an escape, and between two halves of a pair."""
        arguments = '{"text":"北 \\ud83e\\udd9c \\u4eac🦜"}'
        for at in range(1, len(arguments)):
            first = (
                chunk(call_delta(0, id="a", name="echo", arguments=arguments[:at]))
                + chunk(call_delta(0, arguments=arguments[at:]))
                + chunk({}, "tool_calls")
            )
            done = await self.tried(True, first + DONE, OK)
            assert done.results == [{"echo": "北 🦜 京🦜"}]

    async def test_wherever_the_network_cuts_a_call_in_chinese_it_is_the_same_call(self) -> None:
        first = encoded(calling(arguments='{"text":"北\\u4eac🦜"}'), True)
        start = first.index(b"arguments")
        for at in range(start, start + 40):
            replay = Replay([first[:at], first[at:]], [encoded(OK, True)])
            await self.data(replay, (Echo(),), stream=True)
            told = replay.payloads[1]["messages"][-1]["content"]
            assert msgspec.json.decode(told) == {"echo": "北京🦜"}

    @BOTH
    async def test_half_a_pair_is_legal_json_and_goes_through(self, streaming: bool) -> None:
        """Upstreams that cut strings by UTF-16 units send the halves in two deltas."""
        given = encoded(completion("H"), streaming)
        high, low = (given.replace(b"H", half) for half in (rb"\\ud83e \ud83e", rb"\udd9c"))
        given = high.removesuffix(DONE) + low if streaming else high
        assert await self.data(Replay([given]), stream=streaming) == given

    @BOTH
    async def test_half_a_pair_after_a_call_of_ours_is_a_replacement_character(
        self, streaming: bool
    ) -> None:
        last = encoded(completion("H"), streaming).replace(b'"H"', b'"a \\ud83e"')
        assert (await self.tried(streaming, calling(), last)).said == "a \ufffd"

    @BOTH
    async def test_an_answer_that_is_no_utf_8_is_a_protocol_error(self, streaming: bool) -> None:
        broken = encoded(completion("H"), streaming).replace(b'"H"', b'"\xf0\x9f"')
        with pytest.raises(UpstreamProtocolError):
            await self.data(Replay([broken]), stream=streaming)
