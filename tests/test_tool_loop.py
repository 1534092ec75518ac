"""The tools of a request: rounds and their limits, whose call it is, what the upstream is told."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from fakes import DONE, Echo, Replay, answers, asked, call, call_delta, chunk, completion, said
from fakes import tools as registry_of
from yychat.chat import Chunk
from yychat.engines.tool_loop import Limits, ToolLoop
from yychat.tools.registry import Registry

OK = completion("ok")
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
CLIENTS_ECHO = {"type": "function", "function": {"name": "echo", "description": "the client's"}}
STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def encoded(answer: dict[str, Any], stream: bool) -> bytes:
    """A whole answer's bytes, or the same as a stream."""
    if not stream:
        return msgspec.json.encode(answer)
    message = answer["choices"][0]["message"]
    calls = message.get("tool_calls") or []
    if not calls:
        return said(message["content"]) + DONE
    pieces = (
        chunk(call_delta(position, id=each["id"], **each["function"]))
        for position, each in enumerate(calls)
    )
    return b"".join(pieces) + chunk({}, "tool_calls") + DONE


class Run:
    """One answer to one request: what went upstream, and what came out."""

    def __init__(self, payloads: list[Any], chunks: Sequence[Chunk], stream: bool) -> None:
        self.payloads, self.stream = payloads, stream
        self.data = b"".join(each.data for each in chunks)
        assert chunks[-1].answer is not None
        self.answer = chunks[-1].answer

    @property
    def results(self) -> list[Any]:
        """What tools said, as the model was told it in the last round."""
        told = self.payloads[-1]["messages"]
        return [msgspec.json.decode(m["content"]) for m in told if m["role"] == "tool"]


async def run(
    *rounds: dict[str, Any],
    stream: bool = False,
    registry: Registry | None = None,
    limits: Limits | None = None,
    allowed: Sequence[str] | None = None,
    clock: Any = None,
    **fields: Any,
) -> Run:
    replay = Replay(*([encoded(each, stream)] for each in rounds))
    request = asked(stream=stream, **fields)
    given = {} if clock is None else {"clock": clock}
    registry = registry or registry_of(Echo())
    chunks = await answers(replay, request, registry, limits, allowed, **given)
    return Run(replay.payloads, chunks, stream)


def calling(name: str = "echo", arguments: str = '{"text":"x"}') -> dict[str, Any]:
    return completion(None, [call(name, arguments)])


def offered(payload: Any) -> list[str]:
    return [each["function"]["name"] for each in payload.get("tools", ())]


# Rounds


@STREAMED
async def test_the_model_may_call_in_several_rounds(stream: bool) -> None:
    echo = Echo()
    done = await run(
        calling(arguments='{"text":"1"}'),
        calling(arguments='{"text":"2"}'),
        OK,
        stream=stream,
        registry=registry_of(echo),
    )
    assert [each["text"] for each in echo.calls] == ["1", "2"]
    assert (done.answer.text, done.answer.rounds) == ("ok", 3)


@STREAMED
async def test_each_round_tells_the_model_what_it_called_and_what_came_of_it(stream: bool) -> None:
    done = await run(calling(), OK, stream=stream)
    question, asking, result = done.payloads[1]["messages"]
    assert question == {"role": "user", "content": "hi"}
    assert asking == {
        "role": "assistant",
        "content": None,
        "tool_calls": [call("echo", '{"text":"x"}')],
    }
    assert (result["role"], result["tool_call_id"]) == ("tool", "call_1")
    assert msgspec.json.decode(result["content"]) == {"echo": "x"}


async def test_what_the_model_said_beside_its_call_is_kept_for_it() -> None:
    first = completion("Let me see", [call("echo")])
    done = await run(first, OK)
    assert done.payloads[1]["messages"][1]["content"] == "Let me see"


@STREAMED
async def test_calls_of_one_round_run_side_by_side(stream: bool) -> None:
    gate = asyncio.Event()
    a, b = Echo("a", gate), Echo("b", gate)
    both = completion(None, [call("a", id="1"), call("b", id="2")])
    running = asyncio.create_task(run(both, OK, stream=stream, registry=registry_of(a, b)))
    async with asyncio.timeout(5):
        while (a.running, b.running) != (1, 1):  # noqa: ASYNC110 - tools have no event for it
            await asyncio.sleep(0)
        gate.set()
        told = (await running).payloads[1]["messages"]
    assert [each["tool_call_id"] for each in told[-2:]] == ["1", "2"]


@STREAMED
async def test_in_the_last_round_the_model_is_told_to_answer(stream: bool) -> None:
    rounds = [calling(arguments=f'{{"text":"{i}"}}') for i in range(2)]
    done = await run(*rounds, OK, stream=stream, limits=Limits(rounds=3))
    assert [each.get("tool_choice") for each in done.payloads] == [None, "auto", "none"]


@STREAMED
async def test_a_model_that_calls_in_the_last_round_all_the_same_is_cut_short(stream: bool) -> None:
    done = await run(
        completion("so far", [call("echo")]) if not stream else calling(),
        stream=stream,
        limits=Limits(rounds=2),
    )
    assert len(done.payloads) == 2
    assert done.answer.finish_reason == "stop"
    assert b'"finish_reason":"stop"' in done.data
    assert b"tool_calls" not in done.data


@STREAMED
async def test_when_the_time_for_tools_is_over_the_model_is_told_to_answer(stream: bool) -> None:
    # The clock is read at the start, before every round and by every call.
    readings = iter([0.0, 1.0, 2.0, 61.0])
    done = await run(
        calling(), OK, stream=stream, limits=Limits(wall=60.0), clock=lambda: next(readings)
    )
    assert [each.get("tool_choice") for each in done.payloads] == [None, "none"]
    assert done.answer.text == "ok"


@STREAMED
async def test_the_same_call_is_run_twice_and_then_refused(stream: bool) -> None:
    echo = Echo()
    done = await run(*[calling()] * 3, OK, stream=stream, registry=registry_of(echo))
    assert len(echo.calls) == 2
    assert [list(each) for each in done.results] == [["echo"], ["echo"], ["error"]]


@STREAMED
async def test_calls_are_given_up_when_the_time_for_tools_is_over(stream: bool) -> None:
    stuck, quick = Echo("stuck", asyncio.Event()), Echo("quick")
    both = completion(None, [call("stuck", id="1"), call("quick", id="2")])
    readings = iter([0.0, 1.0, 60.0, 60.0, 61.0])
    async with asyncio.timeout(5):
        done = await run(
            both,
            OK,
            stream=stream,
            registry=registry_of(stuck, quick),
            limits=Limits(wall=60.0),
            clock=lambda: next(readings),
        )
    assert [list(each) for each in done.results] == [["error"], ["echo"]]
    assert (stuck.running, done.answer.text) == (0, "ok")
    assert done.payloads[1]["tool_choice"] == "none"


@STREAMED
async def test_more_calls_than_are_run_in_a_round_are_refused_and_the_model_told(
    stream: bool,
) -> None:
    echo = Echo()
    calls = [call("echo", f'{{"text":"{i}"}}', id=f"call_{i}") for i in range(20)]
    done = await run(completion(None, calls), OK, stream=stream, registry=registry_of(echo))
    assert len(echo.calls) == 16
    assert [list(each) for each in done.results] == [["echo"]] * 16 + [["error"]] * 4
    told = [m["tool_call_id"] for m in done.payloads[1]["messages"] if m["role"] == "tool"]
    assert told == [each["id"] for each in calls]


# What the model gets wrong


@STREAMED
@pytest.mark.parametrize("name", ["forbidden", "unknown"])
async def test_a_tool_that_may_not_be_used_is_refused_and_the_model_told(
    stream: bool, name: str
) -> None:
    forbidden = Echo("forbidden")
    registry = registry_of(Echo(), forbidden)
    done = await run(calling(name), OK, stream=stream, registry=registry, allowed=["echo"])
    assert (forbidden.calls, done.answer.text) == ([], "ok")
    assert list(done.results[0]) == ["error"]
    assert offered(done.payloads[0]) == ["echo"]


@pytest.mark.parametrize("arguments", ["{", "[1]", "text", '{"text": 5}', "\x00"])
async def test_arguments_that_do_not_fit_are_an_error_the_model_can_read(arguments: str) -> None:
    done = await run(calling(arguments=arguments), OK)
    assert list(done.results[0]) == ["error"]
    assert done.answer.text == "ok"


async def test_tools_are_refused_where_none_is_allowed() -> None:
    echo = Echo()
    done = await run(calling(), OK, registry=registry_of(echo), allowed=[])
    assert echo.calls == []
    assert list(done.results[0]) == ["error"]


# Whose call it is


@STREAMED
async def test_the_clients_tools_are_offered_beside_ours(stream: bool) -> None:
    done = await run(OK, stream=stream, tools=[WEATHER])
    assert offered(done.payloads[0]) == ["weather", "echo"]
    assert done.payloads[0]["tools"][0] == WEATHER


@STREAMED
async def test_a_call_of_the_clients_tool_goes_to_the_client(stream: bool) -> None:
    done = await run(calling("weather"), stream=stream, tools=[WEATHER])
    assert done.data == encoded(calling("weather"), stream)
    assert (len(done.payloads), done.answer.finish_reason) == (1, "tool_calls")


@STREAMED
async def test_after_a_round_of_ours_the_clients_call_goes_to_the_client(stream: bool) -> None:
    done = await run(calling(), calling("weather"), stream=stream, tools=[WEATHER])
    assert b'"weather"' in done.data
    assert b'"echo"' not in done.data
    assert done.answer.finish_reason == "tool_calls"


@STREAMED
async def test_a_tool_of_the_clients_with_the_name_of_ours_is_the_clients(stream: bool) -> None:
    echo = Echo()
    done = await run(
        calling(), stream=stream, tools=[CLIENTS_ECHO], registry=registry_of(echo, Echo("other"))
    )
    assert offered(done.payloads[0]) == ["echo", "other"]
    assert done.payloads[0]["tools"][0] == CLIENTS_ECHO
    assert echo.calls == []
    assert done.data == encoded(calling(), stream)


@STREAMED
async def test_a_name_nobody_offered_goes_to_a_client_that_has_tools(stream: bool) -> None:
    done = await run(calling("wether"), stream=stream, tools=[WEATHER])
    assert done.data == encoded(calling("wether"), stream)


@STREAMED
async def test_where_both_are_called_the_client_answers_first(stream: bool) -> None:
    echo = Echo()
    both = completion(None, [call("echo", id="o"), call("weather", id="t")])
    done = await run(both, stream=stream, tools=[WEATHER], registry=registry_of(echo))
    assert (echo.calls, len(done.payloads)) == ([], 1)
    assert b'"weather"' in done.data
    assert b'"echo"' not in done.data


async def test_a_custom_tool_of_the_client_goes_to_the_client() -> None:
    custom = {"id": "c", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}
    answer = completion(None, [custom])
    done = await run(answer, tools=[{"type": "custom", "custom": {"name": "sql"}}])
    assert done.data == msgspec.json.encode(answer)


async def test_a_custom_tool_of_the_client_takes_a_name_of_ours() -> None:
    echo = Echo()
    given = {"type": "custom", "custom": {"name": "echo"}}
    done = await run(calling(), tools=[given], registry=registry_of(echo))
    assert (done.payloads[0].get("tools"), echo.calls) == ([given], [])
    assert done.data == encoded(calling(), False)


@pytest.mark.parametrize("theirs", [None, [], [{"type": "web_search"}]])
async def test_tools_of_the_client_without_names_leave_ours_as_they_are(theirs: Any) -> None:
    echo = Echo()
    done = await run(calling(), OK, tools=theirs, registry=registry_of(echo))
    *before, ours = done.payloads[0]["tools"]
    assert (before, ours["function"]["name"]) == (theirs or [], "echo")
    assert len(echo.calls) == 1


# What the upstream is told


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "echo"}}])
async def test_a_forced_choice_is_for_the_first_round(choice: Any) -> None:
    done = await run(calling(), OK, tool_choice=choice)
    assert [each["tool_choice"] for each in done.payloads] == [choice, "auto"]


async def test_with_tool_choice_none_nothing_of_ours_is_offered() -> None:
    done = await run(OK, tool_choice="none", tools=[WEATHER])
    assert done.payloads[0]["tools"] == [WEATHER]
    assert done.payloads[0]["tool_choice"] == "none"


@STREAMED
async def test_with_several_choices_nothing_of_ours_is_offered_or_run(stream: bool) -> None:
    echo = Echo()
    done = await run(calling(), stream=stream, n=2, registry=registry_of(echo))
    assert "tools" not in done.payloads[0]
    assert echo.calls == []
    assert done.data == encoded(calling(), stream)


@STREAMED
async def test_with_use_tools_false_the_request_is_the_callers(stream: bool) -> None:
    echo = Echo()
    fields: dict[str, Any] = {"tools": [CLIENTS_ECHO], "tool_choice": "auto", "seed": 7}
    done = await run(
        calling(), stream=stream, use_tools=False, registry=registry_of(echo), **fields
    )
    sent = done.payloads[0]
    assert {name: sent[name] for name in fields} == fields
    assert set(sent) - {"stream", "stream_options"} == {"messages", "user", *fields}
    assert (done.data, echo.calls) == (encoded(calling(), stream), [])


@STREAMED
async def test_without_any_tool_the_request_names_none(stream: bool) -> None:
    done = await run(OK, stream=stream, allowed=[])
    assert not {"tools", "tool_choice"} & set(done.payloads[0])


async def test_legacy_functions_are_left_alone() -> None:
    functions = [{"name": "f", "parameters": {"type": "object"}}]
    done = await run(OK, functions=functions)
    assert done.payloads[0]["functions"] == functions
    assert "tools" not in done.payloads[0]


async def test_the_size_of_a_request_counts_our_definitions() -> None:
    loop = ToolLoop(registry_of(Echo()), asked(), None, Limits())
    assert loop.size == len(registry_of(Echo()).definitions_json(None)[0])
