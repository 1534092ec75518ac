"""The tools of a request: rounds and their limits, whose call it is, what the upstream is told."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from fakes import Echo, Replay, answers, asked, call, completion
from fakes import tools as registry_of
from tool_promises import CLIENTS_ECHO, OK, WEATHER, calling, encoded
from yychat.chat import Chunk
from yychat.engines.tool_loop import Limits, ToolLoop
from yychat.tools.registry import Registry

STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


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


# Rounds


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


# What the model gets wrong


async def test_tools_are_refused_where_none_is_allowed() -> None:
    echo = Echo()
    done = await run(calling(), OK, registry=registry_of(echo), allowed=[])
    assert echo.calls == []
    assert list(done.results[0]) == ["error"]


# Whose call it is


@STREAMED
async def test_a_name_nobody_offered_goes_to_a_client_that_has_tools(stream: bool) -> None:
    done = await run(calling("wether"), stream=stream, tools=[WEATHER])
    assert done.data == encoded(calling("wether"), stream)


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


async def test_a_tool_that_is_gone_since_it_was_offered_is_not_taken_for_the_clients() -> None:
    registry = registry_of(Echo())
    loop = ToolLoop(registry, asked(tools=[WEATHER]), None, Limits())
    registry.replace("builtin", [])
    book = loop.book()
    assert book is not None
    assert book.sort_whole([call("echo")]) == []
    assert [each.name for each in book.identified()] == ["echo"]


# What the upstream is told


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


async def test_the_size_of_a_request_counts_our_definitions() -> None:
    loop = ToolLoop(registry_of(Echo()), asked(), None, Limits())
    assert loop.size == len(registry_of(Echo()).definitions_json(None)["echo"])
