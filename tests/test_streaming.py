"""Streams: the upstream's bytes unchanged where they can be, and one true answer over rounds."""

import asyncio
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import msgspec
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_promises import over
from fakes import (
    DONE,
    HANG,
    Echo,
    Replay,
    answers,
    asked,
    call,
    call_delta,
    chunk,
    completion,
    event,
    events,
    said,
    scripted_upstream,
    stream,
    tools,
    usage,
    usage_event,
    wire,
)
from running import Service, Simulator
from yychat.chat import Chunk
from yychat.engines.answer import answered
from yychat.engines.tool_loop import Limits, ToolLoop
from yychat.errors import UpstreamError, UpstreamFailed, UpstreamProtocolError

ASKS_USAGE = {"stream_options": {"include_usage": True}}
CALLS_ECHO = (
    chunk({"role": "assistant", "content": None})
    + chunk(call_delta(0, id="call_a", name="echo", arguments=""))
    + chunk(call_delta(0, arguments='{"text":'))
    + chunk(call_delta(0, arguments='"x"}'))
    + chunk({}, "tool_calls")
)
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


async def streamed(*rounds: bytes, **fields: Any) -> list[Chunk]:
    registry = fields.pop("registry", None) or tools(Echo())
    replay = Replay(*([each] for each in rounds))
    return await answers(replay, asked(stream=True, **fields), registry)


def text_of(chunks: list[Chunk]) -> str:
    deltas = (choice["delta"] for e in events(wire(chunks)) for choice in e["choices"])
    return "".join(delta.get("content") or "" for delta in deltas)


def finishes(chunks: list[Chunk]) -> list[str]:
    choices = (choice for each in events(wire(chunks)) for choice in each["choices"])
    return [choice["finish_reason"] for choice in choices if choice["finish_reason"]]


# A plain stream

PLAIN = {
    "as OpenAI sends it": said("Hello", " wörld", " 你好") + DONE,
    "with comments": b": ping\n\n" + said("a") + b": ping\n\n" + DONE,
    "with CRLF": (said("a", "b") + DONE).replace(b"\n", b"\r\n"),
    "with CR": (said("a", "b") + DONE).replace(b"\n", b"\r"),
    "with spaces and unknown fields": (
        b'data:{"choices": [ {"delta":{"content":"a","x":1.50}, "index":0} ],"y":null }\n\n'
        + chunk({}, "stop")
        + DONE
    ),
    "with names and ids of events": b"event: message\nid: 7\n" + said("a") + DONE,
    "with an event over two lines": (
        b'data: {"choices":\ndata: [{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n' + DONE
    ),
    "with an event without choices": event({"choices": [], "prompt_filter_results": []})
    + said("a")
    + DONE,
    "with finish in the last content": chunk({"content": "a"}, "stop") + DONE,
    "without finish": chunk({"content": "a"}) + DONE,
    "with an error that is null": chunk({"content": "a"}, "stop", error=None) + DONE,
    "with one large chunk": said("長い" * 100_000) + DONE,
    "with reasoning": chunk({"reasoning_content": "hm"}) + said("a") + DONE,
}


@pytest.mark.parametrize("case", PLAIN)
async def test_a_plain_stream_is_forwarded_byte_for_byte(case: str) -> None:
    assert wire(await streamed(PLAIN[case])) == PLAIN[case]


@pytest.mark.parametrize("case", ["with comments", "with CRLF", "with CR", "with reasoning"])
async def test_wherever_the_network_splits_a_stream_the_client_gets_the_same(case: str) -> None:
    whole = PLAIN[case]
    for at in range(len(whole)):
        replay = Replay([whole[:at], whole[at:]])
        assert wire(await answers(replay, asked(stream=True))) == whole


@settings(deadline=None)
@given(cuts=st.lists(st.integers(0, 900), max_size=40))
async def test_wherever_the_network_splits_a_round_of_tools_the_client_gets_the_same(
    cuts: list[int],
) -> None:
    def reads(data: bytes) -> list[bytes]:
        edges = sorted({0, *cuts, len(data)})
        return [data[a:b] for a, b in pairwise(edges)]

    rounds = [CALLS_ECHO + usage_event(1, 2) + DONE, said("ok") + usage_event(3, 4) + DONE]
    request = asked(stream=True, **ASKS_USAGE)
    expected = wire(await answers(Replay(*([r] for r in rounds)), request, tools(Echo())))
    assert wire(await answers(Replay(*map(reads, rounds)), request, tools(Echo()))) == expected


async def test_one_byte_at_a_time_is_a_stream_too() -> None:
    whole = PLAIN["with comments"]
    replay = Replay([bytes([byte]) for byte in whole])
    assert wire(await answers(replay, asked(stream=True))) == whole


async def test_a_stream_that_ends_without_done_gets_one() -> None:
    assert wire(await streamed(said("a"))) == said("a") + DONE


async def test_several_choices_are_forwarded_as_they_come() -> None:
    both = event(
        {
            "choices": [
                {"index": 1, "delta": {"content": "b"}, "finish_reason": "stop"},
                {"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"},
            ]
        }
    )
    chunks = await streamed(both + DONE, n=2)
    assert wire(chunks) == both + DONE
    assert chunks[-1].answer is not None
    assert chunks[-1].answer.text == "a"


async def test_nothing_comes_before_the_first_token() -> None:
    reads = [b": ping\n\n", chunk({"role": "assistant", "content": ""}), chunk({"content": "a"})]
    chunks = await answers(Replay([*reads, chunk({}, "stop"), DONE]), asked(stream=True))
    assert chunks[0].data == b"".join(reads)


async def test_a_chunk_says_whether_it_brings_tokens() -> None:
    reads = [chunk({"content": "a"}), b": ping\n\n", chunk({}, "stop"), DONE]
    chunks = await answers(Replay(reads), asked(stream=True))
    assert [c.tokens for c in chunks] == [True, False, False, False]


async def test_only_the_last_chunk_bears_the_answer() -> None:
    chunks = await answers(Replay([chunk({"content": "a"}), said("b"), DONE]), asked(stream=True))
    assert [c.answer is not None for c in chunks] == [False, False, True]


# Usage


async def test_usage_is_always_asked_for_upstream() -> None:
    replay = Replay([said("a"), DONE])
    await answers(replay, asked(stream=True))
    assert replay.payloads[0]["stream_options"] == {"include_usage": True}


async def test_other_stream_options_of_the_caller_stay() -> None:
    replay = Replay([said("a"), DONE])
    await answers(replay, asked(stream=True, stream_options={"include_obfuscation": False}))
    assert replay.payloads[0]["stream_options"] == {
        "include_obfuscation": False,
        "include_usage": True,
    }


async def test_the_usage_event_is_not_for_those_who_did_not_ask() -> None:
    chunks = await streamed(said("a") + usage_event(3, 1) + DONE)
    assert wire(chunks) == said("a") + DONE
    assert chunks[-1].answer is not None
    assert chunks[-1].answer.usage is not None
    assert chunks[-1].answer.usage.total_tokens == 4


async def test_the_usage_event_reaches_those_who_asked_as_it_is() -> None:
    whole = said("a") + usage_event(3, 1) + DONE
    assert wire(await streamed(whole, **ASKS_USAGE)) == whole


async def test_usage_is_summed_over_rounds() -> None:
    first, second = CALLS_ECHO + usage_event(10, 2) + DONE, said("a") + usage_event(20, 0) + DONE
    last = events(wire(await streamed(first, second, **ASKS_USAGE)))[-1]
    assert last["choices"] == []
    assert {name: last["usage"][name] for name in usage(0, 0)} == usage(30, 2)


async def test_usage_that_came_with_the_finish_is_summed_and_told_too() -> None:
    first = CALLS_ECHO.replace(chunk({}, "tool_calls"), chunk({}, "tool_calls", usage=usage(1, 1)))
    second = chunk({"content": "a"}) + chunk({}, "stop", usage=usage(2, 2))
    given = [e.get("usage") for e in events(wire(await streamed(first, second, **ASKS_USAGE)))]
    (told,) = filter(None, given)
    assert told["total_tokens"] == 6


async def test_no_usage_reaches_a_client_that_did_not_ask_after_rounds() -> None:
    chunks = await streamed(CALLS_ECHO + usage_event(1, 1) + DONE, said("a") + usage_event(1, 1))
    assert not any(each.get("usage") for each in events(wire(chunks)))


# Failures


async def failing(*reads: bytes | UpstreamError) -> tuple[bytes, UpstreamError]:
    """What the client had got when it failed, and with what."""
    got: list[bytes] = []
    request = asked(stream=True)
    loop = ToolLoop(tools(Echo()), request, None, Limits())
    try:
        async for each in answered(Replay(reads), request, request.messages, loop):
            got.append(each.data)  # noqa: PERF401 - what came before the failure counts
    except UpstreamError as error:
        return b"".join(got), error
    raise AssertionError("it did not fail")


async def test_a_stream_that_breaks_off_fails_after_what_it_said() -> None:
    got, error = await failing(chunk({"content": "a"}))
    assert got == chunk({"content": "a"})
    assert isinstance(error, UpstreamProtocolError)


async def test_an_error_event_fails_after_what_was_said_in_the_same_read() -> None:
    got, error = await failing(chunk({"content": "a"}) + event({"error": {"message": "secret"}}))
    assert got == chunk({"content": "a"})
    assert isinstance(error, UpstreamFailed)
    assert "secret" not in error.message


@pytest.mark.parametrize("bad", [b"data: {broken\n\n", b"data: []\n\n", b'data: {"choices":7}\n\n'])
async def test_an_event_that_is_no_chat_chunk_fails_after_what_was_said(bad: bytes) -> None:
    got, error = await failing(chunk({"content": "a"}) + bad)
    assert got == chunk({"content": "a"})
    assert isinstance(error, UpstreamProtocolError)


async def test_a_failure_before_the_first_token_comes_before_anything_else() -> None:
    got, _ = await failing(b": ping\n\n", chunk({"role": "assistant"}), event({"error": {}}))
    assert got == b""


async def test_an_event_without_end_does_not_eat_the_memory() -> None:
    got, error = await failing(chunk({"content": "a"}), b"data: " + b"x" * (9 * 1024 * 1024))
    assert isinstance(error, UpstreamProtocolError)
    assert got == chunk({"content": "a"})


def read_until_failure(yychat: Service, **fields: Any) -> bytes:
    answer = yychat.chat("write 9 words", stream=True, **fields)
    assert answer.status_code == 200
    return answer.content


def test_a_client_gets_one_error_event_and_no_done_when_the_upstream_is_cut(
    yychat: Service, upstream: Simulator
) -> None:
    upstream.faults(cut_after_chunks=4)
    *_, last, rest = read_until_failure(yychat).split(b"\n\n")
    error = msgspec.json.decode(last.removeprefix(b"data: "))["error"]
    assert (error["code"], rest) == ("upstream_protocol", b"")


def test_a_client_gets_one_error_event_and_no_done_for_the_upstreams_error_event(
    yychat: Service, upstream: Simulator
) -> None:
    upstream.faults(error_event_after_chunks=4)
    got = read_until_failure(yychat)
    assert got.count(b'"error"') == 1
    assert b"[DONE]" not in got


def test_a_failure_before_the_first_token_is_a_status(yychat: Service, upstream: Simulator) -> None:
    upstream.faults(error_event_after_chunks=1)
    assert yychat.chat("write 9 words", stream=True).status_code == 502


# Rounds with tools of ours


async def test_after_a_round_of_tools_the_client_sees_one_answer() -> None:
    second = said("all ", "done", id="chatcmpl-2").replace(b"1700000000", b"1700000009")
    chunks = await streamed(CALLS_ECHO + DONE, second + DONE)
    given = events(wire(chunks))
    assert {each["id"] for each in given} == {"chatcmpl-1"}
    assert {each["created"] for each in given} == {1700000000}
    roles = [c["delta"]["role"] for e in given for c in e["choices"] if "role" in c["delta"]]
    assert roles == ["assistant"]
    assert (text_of(chunks), finishes(chunks)) == ("all done", ["stop"])


async def test_our_calls_never_reach_the_client() -> None:
    assert b"tool_calls" not in wire(await streamed(CALLS_ECHO + DONE, said("ok") + DONE))


async def test_what_is_said_before_a_call_reaches_the_client() -> None:
    first = chunk({"role": "assistant", "content": "Let me see. "}) + CALLS_ECHO
    assert text_of(await streamed(first + DONE, said("ok") + DONE)) == "Let me see. ok"


CALL_SHAPES = {
    "an id that comes late": (
        chunk(call_delta(0, name="echo", arguments='{"text":'))
        + chunk(call_delta(0, id="call_a", arguments='"x"}'))
    ),
    "an id that is null": chunk(call_delta(0, id=None, name="echo", arguments='{"text":"x"}')),
    "no id": chunk(call_delta(0, name="echo", arguments='{"text":"x"}')),
    "an index that is null": (
        chunk({"tool_calls": [{"index": None, "function": {"name": "echo", "arguments": ""}}]})
        + chunk({"tool_calls": [{"index": None, "function": {"arguments": '{"text":"x"}'}}]})
    ),
    "no index": chunk(call_delta(None, id="call_a", name="echo", arguments='{"text":"x"}')),
    "a name that comes after its arguments": (
        chunk(call_delta(0, id="call_a", arguments='{"text":"x"}'))
        + chunk(call_delta(0, name="echo"))
    ),
    "an index that begins at 3": chunk(call_delta(3, name="echo", arguments='{"text":"x"}')),
    "content beside it": chunk(
        {"content": "so", **call_delta(0, name="echo", arguments='{"text":"x"}')}
    ),
}


@pytest.mark.parametrize("finish", ["apart", "merged"])
@pytest.mark.parametrize("case", CALL_SHAPES)
async def test_a_call_is_understood_with(case: str, finish: str) -> None:
    first = CALL_SHAPES[case]
    if finish == "apart":
        first += chunk({}, "tool_calls")
    else:
        head, _, tail = first.rpartition(b'"finish_reason":null')
        first = head + b'"finish_reason":"tool_calls"' + tail
    echo, replay = Echo(), Replay([first + DONE], [said("ok") + DONE])
    chunks = await answers(replay, asked(stream=True), tools(echo))
    assert echo.calls == [{"text": "x"}]
    assert finishes(chunks) == ["stop"]
    assert text_of(chunks) == ("sook" if "content" in case else "ok")
    told = replay.payloads[1]["messages"]
    assert told[-2]["tool_calls"][0]["id"] == told[-1]["tool_call_id"] != ""


@pytest.mark.parametrize(
    "order", [[(0, 0), (1, 0), (0, 1), (1, 1)], [(1, 0), (0, 0), (1, 1), (0, 1)]]
)
async def test_two_calls_may_come_interleaved_and_out_of_order(
    order: list[tuple[int, int]],
) -> None:
    pieces = {
        (index, part): chunk(
            call_delta(index, id=f"call_{index}", name="echo", arguments='{"text":')
            if part == 0
            else call_delta(index, arguments=f'"{index}"}}')
        )
        for index, part in order
    }
    first = b"".join(pieces[each] for each in order) + chunk({}, "tool_calls")
    echo = Echo()
    await streamed(first + DONE, said("ok") + DONE, registry=tools(echo))
    assert sorted(each["text"] for each in echo.calls) == ["0", "1"]


TOGETHER = [
    {"id": "a", "function": {"name": "echo", "arguments": '{"text":"a"}'}},
    {"id": "b", "function": {"name": "echo", "arguments": '{"text":"b"}'}},
]
PARALLEL = {
    "all with index 0": (
        chunk(call_delta(0, id="a", name="echo", arguments='{"text":'))
        + chunk(call_delta(0, arguments='"a"}'))
        + chunk(call_delta(0, id="b", name="echo", arguments='{"text":'))
        + chunk(call_delta(0, arguments='"b"}'))
    ),
    "without indexes": b"".join(chunk({"tool_calls": [call_]}) for call_ in TOGETHER),
    "without indexes in one event": chunk({"tool_calls": TOGETHER}),
    "without indexes and ids in one event": chunk(
        {"tool_calls": [{"function": call_["function"]} for call_ in TOGETHER]}
    ),
    "with one index and without ids": (
        chunk(call_delta(0, id="", name="echo", arguments='{"text":"a"}'))
        + chunk(call_delta(0, id="", name="echo", arguments='{"text":'))
        + chunk(call_delta(0, arguments='"b"}'))
    ),
    "as if they were one": (
        chunk(call_delta(0, id="a", name="echo", arguments=""))
        + chunk(call_delta(0, name="", arguments='{"text":"a"}'))
        + chunk(call_delta(0, name="", arguments='{"text":"b"}'))
    ),
    "with ids and names in every delta": (
        chunk(call_delta(0, id="a", name="echo", arguments='{"text":'))
        + chunk(call_delta(0, id="b", name="echo", arguments='{"text":'))
        + chunk(call_delta(0, id="a", name="echo", arguments='"a"}'))
        + chunk(call_delta(0, id="b", name="echo", arguments='"b"}'))
    ),
}


@pytest.mark.parametrize("case", PARALLEL)
async def test_parallel_calls_stay_apart(case: str) -> None:
    echo, first = Echo(), PARALLEL[case] + chunk({}, "tool_calls")
    await streamed(first + DONE, said("ok") + DONE, registry=tools(echo))
    assert echo.calls == [{"text": "a"}, {"text": "b"}]


async def test_the_clients_parallel_calls_get_an_index_each() -> None:
    first = PARALLEL["all with index 0"].replace(b"echo", b"weather") + chunk({}, "tool_calls")
    chunks = await streamed(first + DONE, tools=[WEATHER])
    deltas = [c["delta"] for e in events(wire(chunks)) for c in e["choices"]]
    pieces = [piece for delta in deltas for piece in delta.get("tool_calls", ())]
    assert [piece["index"] for piece in pieces] == [0, 0, 1, 1]


async def test_a_choice_whose_index_is_null_is_the_answer() -> None:
    nulls = [(said("a") + DONE).replace(b'"index":0', b'"index":null')]
    chunks = await answers(Replay(nulls), asked(stream=True))
    assert chunks[-1].answer is not None
    assert (chunks[-1].answer.text, chunks[-1].answer.finish_reason) == ("a", "stop")


async def test_empty_arguments_are_no_arguments() -> None:
    first = chunk(call_delta(0, id="a", name="echo", arguments="")) + chunk({}, "tool_calls")
    echo, replay = Echo(), Replay([first + DONE], [said("ok") + DONE])
    await answers(replay, asked(stream=True), tools(echo))
    assert echo.calls == [{}]
    sent = replay.payloads[1]["messages"][-2]["tool_calls"][0]
    assert sent["function"]["arguments"] == "{}"


FOLLOW_UPS = {
    "says nothing": chunk({"role": "assistant", "content": ""}) + chunk({}, "stop") + DONE,
    "brings no finish": chunk({"role": "assistant", "content": ""}) + DONE,
    "is only [DONE]": DONE,
}


@pytest.mark.parametrize("case", FOLLOW_UPS)
async def test_the_stream_ends_with_finish_and_done_although_the_follow_up(case: str) -> None:
    assert finishes(await streamed(CALLS_ECHO + DONE, FOLLOW_UPS[case])) == ["stop"]


async def test_the_reason_for_the_end_is_the_last_rounds() -> None:
    chunks = await streamed(CALLS_ECHO + DONE, said("a", finish="length") + DONE)
    assert finishes(chunks) == ["length"]
    assert chunks[-1].answer is not None
    assert (chunks[-1].answer.finish_reason, chunks[-1].answer.rounds) == ("length", 2)


async def test_the_answers_text_is_that_of_the_last_round() -> None:
    chunks = await streamed(chunk({"content": "hm "}) + CALLS_ECHO + DONE, said("done") + DONE)
    assert chunks[-1].answer is not None
    assert chunks[-1].answer.text == "done"


async def test_every_rounds_stream_is_closed() -> None:
    replay = Replay([CALLS_ECHO, DONE, b": more\n\n"], [said("ok") + DONE])
    await answers(replay, asked(stream=True), tools(Echo()))
    assert replay.closed == 2


async def test_an_upstream_that_ends_a_moment_after_done_keeps_its_connection() -> None:
    async with scripted_upstream() as server:
        upstreams = over(server.base_url)
        for _ in range(2):
            ends = asyncio.Event()
            server.script(stream(said("a") + DONE, ends))
            asyncio.get_running_loop().call_later(0.01, ends.set)
            await answers(upstreams, asked(stream=True))
        await upstreams.close()
    assert server.connections == 1


async def test_the_last_event_does_not_wait_for_the_upstreams_end() -> None:
    replay, request = Replay([said("a") + DONE, b": more\n\n"]), asked(stream=True)
    loop = ToolLoop(tools(), request, None, Limits())
    async with aclosing(answered(replay, request, request.messages, loop)) as chunks:
        async for each in chunks:
            if each.answer is not None:
                break
        assert (each.data.endswith(DONE), replay.closed) == (True, 0)
    assert replay.closed == 1


async def test_an_upstream_that_does_not_end_after_done_is_left() -> None:
    async with scripted_upstream() as server, asyncio.timeout(5):
        server.script(stream(said("a") + DONE, HANG))
        upstreams = over(server.base_url)
        assert wire(await answers(upstreams, asked(stream=True))) == said("a") + DONE
        await server.left.wait()
        await upstreams.close()


# The client's own tools in a stream


async def test_the_clients_calls_are_forwarded_byte_for_byte() -> None:
    whole = CALLS_ECHO.replace(b"echo", b"weather") + DONE
    assert wire(await streamed(whole, tools=[WEATHER])) == whole


async def test_a_custom_tool_of_the_client_is_forwarded_byte_for_byte() -> None:
    custom = {"type": "custom", "custom": {"name": "sql"}}
    piece = {"index": 0, "id": "a", "type": "custom", "custom": {"name": "sql", "input": "SELECT"}}
    whole = chunk({"tool_calls": [piece]}) + chunk({}, "tool_calls") + DONE
    assert wire(await streamed(whole, tools=[custom])) == whole


async def test_beside_ours_the_clients_calls_have_indexes_without_gaps() -> None:
    first = (
        chunk(call_delta(0, id="o", name="echo", arguments="{}"))
        + chunk(call_delta(1, id="t1", name="weather", arguments="{"))
        + chunk(call_delta(2, id="t2", name="weather", arguments="{}"))
        + chunk(call_delta(1, arguments="}"))
        + chunk({}, "tool_calls")
    )
    echo = Echo()
    chunks = await streamed(first + DONE, tools=[WEATHER], registry=tools(echo))
    deltas = [c["delta"] for e in events(wire(chunks)) for c in e["choices"]]
    calls = [piece for delta in deltas for piece in delta.get("tool_calls", ())]
    assert [(piece["index"], piece.get("id")) for piece in calls] == [
        (0, "t1"),
        (1, "t2"),
        (0, None),
    ]
    assert (finishes(chunks), echo.calls) == (["tool_calls"], [])


# The same, not streamed


async def unstreamed(*rounds: dict[str, Any], **fields: Any) -> list[Chunk]:
    registry = fields.pop("registry", None) or tools(Echo())
    replay = Replay(*([msgspec.json.encode(each)] for each in rounds))
    return await answers(replay, asked(**fields), registry)


async def test_a_plain_answer_is_forwarded_byte_for_byte() -> None:
    body = b'{ "choices":[{"message":{"content":"a","x":1.50},"index":0}], "y":null}\n'
    assert wire(await answers(Replay([body]), asked(), tools(Echo()))) == body


async def test_the_clients_calls_in_a_whole_answer_are_forwarded_byte_for_byte() -> None:
    body = msgspec.json.encode(completion(None, [call("weather")])).replace(b",", b" ,")
    assert wire(await answers(Replay([body]), asked(tools=[WEATHER]), tools(Echo()))) == body


async def test_a_whole_answer_after_rounds_is_one_answer() -> None:
    second = completion("done", id="chatcmpl-2", created=1700000009, usage=usage(20, 0))
    (chunk_,) = await unstreamed(completion(None, [call("echo")]), second)
    body = msgspec.json.decode(chunk_.data)
    assert (body["id"], body["created"]) == ("chatcmpl-1", 1700000000)
    assert {name: body["usage"][name] for name in usage(0, 0)} == usage(30, 2)
    assert body["choices"][0]["message"]["content"] == "done"
    assert chunk_.answer is not None
    assert (chunk_.answer.text, chunk_.answer.rounds) == ("done", 2)


async def test_beside_ours_the_clients_calls_stay_in_a_whole_answer() -> None:
    echo = Echo()
    both = completion(None, [call("echo", id="o"), call("weather", id="t")])
    (chunk_,) = await unstreamed(both, tools=[WEATHER], registry=tools(echo))
    choice = msgspec.json.decode(chunk_.data)["choices"][0]
    assert [each["id"] for each in choice["message"]["tool_calls"]] == ["t"]
    assert (choice["finish_reason"], echo.calls) == ("tool_calls", [])


async def test_a_call_without_id_gets_one_in_a_whole_answer() -> None:
    replay = Replay(
        [msgspec.json.encode(completion(None, [call("echo", id=None)]))],
        [msgspec.json.encode(completion())],
    )
    await answers(replay, asked(), tools(Echo()))
    told = replay.payloads[1]["messages"]
    assert told[-2]["tool_calls"][0]["id"] == told[-1]["tool_call_id"] != ""


@pytest.mark.parametrize("body", [b"{}", b"[]", b"{", b'{"error":{}}', b'{"choices":[]}'])
async def test_a_whole_answer_that_is_no_completion_is_a_protocol_error(body: bytes) -> None:
    with pytest.raises(UpstreamProtocolError):
        await answers(Replay([body]), asked())


# What the SDK makes of it

ROUNDS = 'call calculator {"operation":"add","a":1,"b":2}\nthen call calculator {"operation":"add"}'
FAULTS: list[dict[str, bool]] = [
    {},
    {"late_tool_ids": True},
    {"missing_tool_ids": True},
    {"merge_finish": True},
    {"done_missing": True},
    {"keepalive_comments": True, "crlf": True},
]


async def accumulated(yychat: Service, text: str, **fields: Any) -> Any:
    """What the SDK's own accumulator ends with."""
    sdk = openai.AsyncOpenAI(base_url=f"{yychat.url}/v1", api_key="any")
    async with (
        sdk,
        sdk.chat.completions.stream(
            model="simulated", messages=[{"role": "user", "content": text}], **fields
        ) as events_,
    ):
        return await events_.get_final_completion()


@pytest.mark.parametrize("faults", FAULTS, ids=lambda faults: "+".join(faults) or "no fault")
async def test_the_sdk_accumulates_a_stream_with_rounds_of_tools(
    yychat: Service, upstream: Simulator, faults: dict[str, bool]
) -> None:
    upstream.faults(**faults)
    final = await accumulated(yychat, ROUNDS, stream_options={"include_usage": True})
    (choice,) = final.choices
    assert choice.message.content is not None
    assert choice.message.content.startswith("The tool said")
    assert (choice.message.role, choice.finish_reason) == ("assistant", "stop")
    assert not choice.message.tool_calls
    assert final.usage is not None
    assert final.usage.total_tokens > 0


async def test_the_sdk_accumulates_the_clients_own_calls(
    yychat: Service, upstream: Simulator
) -> None:
    weather: Any = {"type": "function", "function": {"name": "weather", "parameters": {}}}
    wanted = 'call weather {"city":"Oslo"}\ncall weather {}'
    final = await accumulated(yychat, wanted, tools=[weather])
    (choice,) = final.choices
    called = choice.message.tool_calls or []
    assert [each.function.arguments for each in called] == ['{"city":"Oslo"}', "{}"]
    assert choice.finish_reason == "tool_calls"
