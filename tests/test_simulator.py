"""The simulated upstream, asked over real connections."""

import asyncio
import base64
import math
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from threading import Thread
from typing import Any

import anyio
import httpx2
import msgspec
import openai
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st

from yychat.simulator.app import create_app
from yychat.simulator.embeddings import embedding
from yychat.simulator.text import tokens
from yychat.simulator.wishes import example

CALCULATOR = {
    "type": "function",
    "function": {
        "name": "calculator",
        "parameters": {
            "type": "object",
            "properties": {
                "operation": {"type": "string", "enum": ["add", "subtract", "sqrt"]},
                "a": {"type": "number"},
                "b": {"type": "number"},
            },
            "required": ["operation", "a"],
        },
    },
}
CLOCK = {
    "type": "function",
    "function": {"name": "gettime", "parameters": {"type": "object", "properties": {}}},
}
TOOLS = [CALCULATOR, CLOCK]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    config = uvicorn.Config(
        create_app(), port=0, lifespan="off", ws="none", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    thread = Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
async def client(address: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=address) as client:
        await client.delete("/control")
        yield client
        await client.delete("/control")


@pytest.fixture
async def sdk(client: httpx2.AsyncClient, address: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0) as sdk:
        yield sdk


def ask(content: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "simulated", "messages": [{"role": "user", "content": content}], **fields}


async def order(client: httpx2.AsyncClient, **faults: Any) -> None:
    response = await client.put("/control", json=faults)
    assert response.status_code == 200, response.text


async def chat(client: httpx2.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    response = await client.post("/v1/chat/completions", json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def said(client: httpx2.AsyncClient, content: Any, **fields: Any) -> str:
    answer = await chat(client, ask(content, **fields))
    return str(answer["choices"][0]["message"]["content"])


async def called(client: httpx2.AsyncClient, content: str, **fields: Any) -> list[tuple[str, str]]:
    """The calls of a whole answer as (name, arguments)."""
    answer = await chat(client, ask(content, **{"tools": TOOLS, **fields}))
    calls = answer["choices"][0]["message"].get("tool_calls", [])
    assert (answer["choices"][0]["finish_reason"] == "tool_calls") == bool(calls)
    return [(call["function"]["name"], call["function"]["arguments"]) for call in calls]


async def streamed(client: httpx2.AsyncClient, body: dict[str, Any]) -> str:
    response = await client.post("/v1/chat/completions", json={"stream": True, **body})
    assert response.status_code == 200, response.text
    return response.text


def chunks(stream: str) -> list[dict[str, Any]]:
    """The events of a stream without its end mark."""
    lines = [line.removeprefix("data: ") for line in stream.splitlines() if line[:5] == "data:"]
    return [msgspec.json.decode(line) for line in lines if line != "[DONE]"]


def deltas(stream: str) -> list[dict[str, Any]]:
    return [chunk["choices"][0]["delta"] for chunk in chunks(stream) if chunk["choices"]]


def finishes(stream: str) -> list[str | None]:
    return [chunk["choices"][0]["finish_reason"] for chunk in chunks(stream) if chunk["choices"]]


async def refusal(client: httpx2.AsyncClient, path: str, body: Any) -> tuple[int, dict[str, Any]]:
    response = await client.post(path, json=body)
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return response.status_code, error


async def stats(client: httpx2.AsyncClient) -> dict[str, Any]:
    response = await client.get("/control/stats")
    found: dict[str, Any] = response.json()
    return found


async def in_flight_is(client: httpx2.AsyncClient, count: int) -> None:
    """Ask until *count* requests are being answered."""
    with anyio.fail_after(5):
        while (await stats(client))["in_flight"] != count:
            pass


# Models and refusals


async def test_the_only_model_is_the_simulated_one(client: httpx2.AsyncClient) -> None:
    listed = (await client.get("/v1/models")).json()
    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == ["simulated"]
    assert (await client.get("/v1/models/simulated")).json() == listed["data"][0]


async def test_an_unknown_model_is_a_404(client: httpx2.AsyncClient) -> None:
    status, error = await refusal(client, "/v1/chat/completions", ask("hi") | {"model": "gpt-4o"})
    assert (status, error["code"], error["param"]) == (404, "model_not_found", "model")
    assert (await client.get("/v1/models/gpt-4o")).status_code == 404


async def test_other_names_can_be_allowed_and_are_answered_to(client: httpx2.AsyncClient) -> None:
    await order(client, models=["vendor/large"])
    answer = await chat(client, ask("hi") | {"model": "vendor/large"})
    assert answer["model"] == "vendor/large"
    assert (await client.get("/v1/models/vendor/large")).json()["id"] == "vendor/large"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": [{"role": "user", "content": "hi"}]}, "model"),
        ({"model": "simulated"}, "messages"),
        ({"model": "simulated", "messages": []}, "messages"),
        ({"model": "simulated", "messages": [{"content": "hi"}]}, "messages[0].role"),
        (ask(7), "messages[0].content"),
        (ask("hi", n=0), "n"),
        (ask("hi", max_tokens=0), "max_tokens"),
        (ask("hi", tools=[]), "tools"),
        (ask("hi", tool_choice="auto"), "tool_choice"),
        (ask("hi", tools=TOOLS, tool_choice="maybe"), "tool_choice"),
        (ask("hi", stream_options={"include_usage": True}), "stream_options"),
        (
            ask("hi", tools=TOOLS, tool_choice={"type": "function", "function": {"name": "x"}}),
            "tool_choice",
        ),
    ],
)
async def test_a_wrong_request_is_a_400_that_names_the_field(
    client: httpx2.AsyncClient, body: dict[str, Any], param: str
) -> None:
    status, error = await refusal(client, "/v1/chat/completions", body)
    assert (status, error["param"]) == (400, param)
    assert error["type"] == "invalid_request_error"


async def test_a_body_that_is_no_json_is_a_400(client: httpx2.AsyncClient) -> None:
    response = await client.post("/v1/chat/completions", content=b'{"model": ')
    assert response.status_code == 400


async def test_unknown_paths_and_methods_are_errors_in_the_same_shape(
    client: httpx2.AsyncClient,
) -> None:
    status, _ = await refusal(client, "/v1/responses", {})
    assert status == 404
    assert (await client.get("/v1/embeddings")).json()["error"]["message"]


async def test_any_key_or_none_is_good_until_one_is_required(client: httpx2.AsyncClient) -> None:
    assert await said(client, "hi") == "You said: hi"
    await order(client, require_key="right")
    for headers in ({}, {"authorization": "Bearer wrong"}):
        response = await client.post("/v1/chat/completions", json=ask("hi"), headers=headers)
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "invalid_api_key"
    client.headers["authorization"] = "Bearer right"
    assert await said(client, "hi") == "You said: hi"


async def test_a_prompt_over_the_context_is_refused_as_openai_does(
    client: httpx2.AsyncClient,
) -> None:
    await order(client, context_tokens=50)
    status, error = await refusal(client, "/v1/chat/completions", ask("word " * 60))
    assert (status, error["code"]) == (400, "context_length_exceeded")


async def test_tool_calls_and_results_must_pair(client: httpx2.AsyncClient) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "gettime", "arguments": "{}"}}
    asking = {"role": "assistant", "content": None, "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": "c1", "content": "noon"}
    user = {"role": "user", "content": "hi"}
    for messages, at in (([user, result], 1), ([user, asking], 1), ([user, asking, user], 2)):
        status, error = await refusal(
            client, "/v1/chat/completions", {"model": "simulated", "messages": messages}
        )
        assert (status, error["param"]) == (400, f"messages.[{at}].role")


async def test_a_history_with_a_name_that_is_none_is_refused_as_openai_does(
    client: httpx2.AsyncClient,
) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "a.b", "arguments": "{}"}}
    asking = {"role": "assistant", "content": None, "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": "c1", "content": "noon"}
    messages = [{"role": "user", "content": "hi"}, asking, result]
    body = {"model": "simulated", "messages": messages}
    status, error = await refusal(client, "/v1/chat/completions", body)
    assert (status, error["param"]) == (400, "messages[1].tool_calls[0].function.name")


# Whole answers and streams


async def test_a_whole_answer_has_every_field_of_a_completion(client: httpx2.AsyncClient) -> None:
    answer = await chat(client, ask("Hello there", seed=7, temperature=0.5, unknown_field=1))
    usage = answer["usage"]
    assert answer["object"] == "chat.completion"
    assert answer["id"].startswith("chatcmpl-")
    assert answer["model"] == "simulated"
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "You said: Hello there", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens_details"] == {"cached_tokens": 0}
    assert usage["completion_tokens_details"] == {"reasoning_tokens": 0}


async def test_every_answer_has_an_id_of_its_own(client: httpx2.AsyncClient) -> None:
    assert (await chat(client, ask("hi")))["id"] != (await chat(client, ask("hi")))["id"]


async def test_a_stream_is_role_pieces_finish_and_done(client: httpx2.AsyncClient) -> None:
    stream = await streamed(client, ask("Hello there"))
    assert stream.endswith("}\n\ndata: [DONE]\n\n")
    assert deltas(stream)[0]["role"] == "assistant"
    assert [d["content"] for d in deltas(stream)[1:-1]] == ["You", " said", ":", " Hello", " there"]
    assert finishes(stream) == [None] * 6 + ["stop"]
    assert all("usage" not in chunk for chunk in chunks(stream))
    assert len({chunk["id"] for chunk in chunks(stream)}) == 1


async def test_usage_is_streamed_last_and_only_when_asked_for(client: httpx2.AsyncClient) -> None:
    body = ask("Hello there")
    stream = await streamed(client, body | {"stream_options": {"include_usage": True}})
    *before, last = chunks(stream)
    assert all(chunk["usage"] is None for chunk in before)
    assert last["choices"] == []
    assert last["usage"] == (await chat(client, body))["usage"]
    assert last["usage"]["completion_tokens"] == 5


async def test_several_choices_are_interleaved_and_counted_together(
    client: httpx2.AsyncClient,
) -> None:
    answer = await chat(client, ask("hi", n=3))
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert answer["usage"]["completion_tokens"] == 12
    order = [
        chunk["choices"][0]["index"] for chunk in chunks(await streamed(client, ask("hi", n=2)))
    ]
    assert order == [0, 1] * 6


async def test_an_answer_ends_before_a_stop_sequence(client: httpx2.AsyncClient) -> None:
    assert await said(client, "say one two three", stop=["three", "two"]) == "one "
    assert await said(client, "say one two three", stop="two") == "one "


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
async def test_an_answer_over_the_token_limit_is_cut_and_says_so(
    client: httpx2.AsyncClient, limit: str
) -> None:
    answer = await chat(client, ask("say one two three", **{limit: 2}))
    assert answer["choices"][0]["message"]["content"] == "one two"
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 2


async def test_a_json_object_is_one_when_asked_for(client: httpx2.AsyncClient) -> None:
    json_object = {"type": "json_object"}
    assert await said(client, "hi", response_format=json_object) == '{"answer":"You said: hi"}'
    assert await said(client, 'say {"a": 1}', response_format=json_object) == '{"a": 1}'


async def test_a_json_schema_is_answered_with_what_it_requires(client: httpx2.AsyncClient) -> None:
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "unit": {"enum": ["C", "F"]},
            "days": {"type": "array", "items": {"type": "integer"}, "minItems": 2},
            "note": {"type": "string"},
        },
        "required": ["city", "unit", "days"],
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "weather", "schema": schema}}
    answer = msgspec.json.decode(await said(client, "say Oslo", response_format=wanted))
    assert answer == {"city": "Oslo", "unit": "C", "days": [1, 1]}


async def test_the_openai_sdk_reads_answers_and_streams(sdk: openai.AsyncOpenAI) -> None:
    whole = await sdk.chat.completions.create(**ask("hi"))
    assert whole.choices[0].message.content == "You said: hi"
    stream = await sdk.chat.completions.create(**ask("hi"), stream=True)
    pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(pieces) == "You said: hi"


# What it says


async def test_it_says_exactly_what_it_is_told_to(client: httpx2.AsyncClient) -> None:
    assert await said(client, "say  exactly, this!\nand that") == "exactly, this!\nand that"
    assert await said(client, "请说：你好") == "你好"


async def test_a_hundred_words_are_a_hundred_pieces(client: httpx2.AsyncClient) -> None:
    for wish in ("write 100 words", "Say 100 words please", "写100字"):
        contents = [d["content"] for d in deltas(await streamed(client, ask(wish)))[1:-1]]
        assert len(contents) == 100


async def test_it_echoes_in_the_language_it_is_spoken_to(client: httpx2.AsyncClient) -> None:
    assert await said(client, "你好") == "你说：你好"


async def test_a_long_input_is_echoed_shortened(client: httpx2.AsyncClient) -> None:
    assert len(await said(client, "x" * 5000)) < 500


async def test_images_and_parts_are_accepted(client: httpx2.AsyncClient) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    parts = [{"type": "text", "text": "look"}, image, image]
    assert await said(client, parts) == "You said: look (images sent: 2)"


async def test_a_message_without_content_is_accepted(client: httpx2.AsyncClient) -> None:
    assert await said(client, None) == "You said: "


@pytest.mark.parametrize(
    ("system", "question", "answer"),
    [
        (
            "You are a helpful assistant.\n- user: My dog is called Rex\n- I live in Oslo.",
            "What is my dog called?",
            "You asked: What is my dog called? I remember: user: My dog is called Rex",
        ),
        (
            "Earlier:\n* 我喜欢喝绿茶\n* 我住在北京",
            "我喜欢喝什么？",
            "你问：我喜欢喝什么？ 我记得：我喜欢喝绿茶",
        ),
        (
            "user: Where do my cats sleep?\nassistant: You said: The cat sleeps on the sofa",
            "Where do my cats sleep?",
            "You asked: Where do my cats sleep? I remember: The cat sleeps on the sofa",
        ),
        ("I live in Oslo.", "What is my dog called?", "You said: What is my dog called?"),
    ],
    ids=["english", "chinese", "own words are taken off", "nothing bears on it"],
)
async def test_it_shows_the_remembered_line_that_bears_on_the_question(
    client: httpx2.AsyncClient, system: str, question: str, answer: str
) -> None:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
    reply = await chat(client, {"model": "simulated", "messages": messages})
    assert reply["choices"][0]["message"]["content"] == answer


# Tools


async def test_it_calls_exactly_what_it_is_told_to(client: httpx2.AsyncClient) -> None:
    wish = 'call calculator {"operation":"add","a":2,"b":3}'
    assert await called(client, wish) == [("calculator", '{"operation":"add","a":2,"b":3}')]


async def test_a_call_needs_neither_json_nor_an_offered_tool(client: httpx2.AsyncClient) -> None:
    assert await called(client, "call calculator {oops") == [("calculator", "{oops")]
    assert await called(client, "调用 secret {}") == [("secret", "{}")]


async def test_several_lines_are_calls_in_parallel(client: httpx2.AsyncClient) -> None:
    wish = 'Please:\ncall calculator {"a":1}\ncall gettime'
    assert await called(client, wish) == [("calculator", '{"a":1}'), ("gettime", "{}")]
    assert await called(client, wish, parallel_tool_calls=False) == [("calculator", '{"a":1}')]


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("What time is it?", [("gettime", {})]),
        ("现在几点？", [("gettime", {})]),
        ("2 + 3", [("calculator", {"operation": "add", "a": 2, "b": 3})]),
        ("what is 2.5 * 4?", [("calculator", {"operation": "multiply", "a": 2.5, "b": 4})]),
        ("计算 10 除以 4", [("calculator", {"operation": "divide", "a": 10, "b": 4})]),
        ("2的平方根", [("calculator", {"operation": "sqrt", "a": 2})]),
        ("calculate 2 ^ 10", [("calculator", {"operation": "pow", "a": 2, "b": 10})]),
        ("call me tomorrow", []),
        ("What happened on 2024-05-01?", []),
        ("The years 2020 - 2024 were fine", []),
    ],
)
async def test_times_and_sums_are_understood_in_plain_words(
    client: httpx2.AsyncClient, text: str, calls: list[tuple[str, Any]]
) -> None:
    found = await called(client, text)
    assert [(name, msgspec.json.decode(arguments)) for name, arguments in found] == calls


async def test_tool_choice_is_obeyed(client: httpx2.AsyncClient) -> None:
    forced = {"type": "function", "function": {"name": "calculator"}}
    made_up = ("calculator", '{"operation":"add","a":1}')
    assert await called(client, "hello", tool_choice=forced) == [made_up]
    assert await called(client, "hello", tool_choice="required") == [made_up]
    assert await called(client, "what time is it", tool_choice="required") == [("gettime", "{}")]
    assert await called(client, "call gettime {}", tool_choice="none") == []
    assert await called(client, "hello") == []


def round_of(answer: dict[str, Any], result: str) -> list[dict[str, Any]]:
    """The messages a client adds after *answer* called tools."""
    message = answer["choices"][0]["message"]
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": result}
        for call in message["tool_calls"]
    ]
    return [message, *results]


async def test_it_tells_what_the_tools_said(client: httpx2.AsyncClient) -> None:
    body = ask("call gettime {}\ncall gettime {}", tools=TOOLS, tool_choice="required")
    body["messages"] += round_of(await chat(client, body), "noon")
    answer = await chat(client, body)
    assert answer["choices"][0]["message"]["content"] == "The tools said:\n- noon\n- noon"


async def test_then_call_waits_for_the_round_before(client: httpx2.AsyncClient) -> None:
    body = ask('call gettime {}\nthen call calculator {"a":1}', tools=TOOLS)
    first = await chat(client, body)
    body["messages"] += round_of(first, "noon")
    second = await chat(client, body)
    assert second["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "calculator"
    body["messages"] += round_of(second, "1")
    last = await chat(client, body)
    assert last["choices"][0]["message"]["content"] == "The tool said: 1"


async def test_always_call_never_comes_to_an_end(client: httpx2.AsyncClient) -> None:
    body = ask("always call gettime {}", tools=TOOLS)
    for _ in range(3):
        answer = await chat(client, body)
        body["messages"] += round_of(answer, "noon")
        assert answer["choices"][0]["finish_reason"] == "tool_calls"


async def test_tool_calls_stream_id_and_name_first_then_arguments_in_pieces(
    client: httpx2.AsyncClient,
) -> None:
    body = ask('call calculator {"a": 12}\ncall gettime {}', tools=TOOLS)
    stream = await streamed(client, body)
    parts = [delta["tool_calls"][0] for delta in deltas(stream) if "tool_calls" in delta]
    first, second = ([part for part in parts if part["index"] == index] for index in (0, 1))
    assert first[0]["id"].startswith("call_")
    assert first[0]["function"] == {"name": "calculator", "arguments": ""}
    assert len(first) > 3
    assert all("id" not in part for part in first[1:])
    assert "".join(part["function"]["arguments"] for part in first) == '{"a": 12}'
    assert second[0]["function"]["name"] == "gettime"
    assert finishes(stream)[-1] == "tool_calls"


async def test_the_openai_sdk_puts_streamed_tool_calls_together(sdk: openai.AsyncOpenAI) -> None:
    body = ask('call calculator {"a":1}\ncall gettime {}', tools=TOOLS)
    async with sdk.chat.completions.stream(**body) as stream:
        completion = await stream.get_final_completion()
    calls = completion.choices[0].message.tool_calls or []
    assert [(call.function.name, call.function.arguments) for call in calls] == [
        ("calculator", '{"a":1}'),
        ("gettime", "{}"),
    ]


# Embeddings


def cosine(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


async def test_embeddings_are_unit_vectors_in_the_order_of_the_inputs(
    client: httpx2.AsyncClient,
) -> None:
    body = {"model": "simulated-embedding", "input": ["green tea", "绿茶", "..."]}
    answer = (await client.post("/v1/embeddings", json=body)).json()
    assert [entry["index"] for entry in answer["data"]] == [0, 1, 2]
    assert answer["model"] == "simulated-embedding"
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] > 0
    for entry in answer["data"]:
        assert len(entry["embedding"]) == 256
        assert math.isclose(math.hypot(*entry["embedding"]), 1)


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("I like green tea", "the tea I like", "my car is in the garage"),
        ("我喜欢喝绿茶", "他也喜欢喝茶", "今天天气不好"),
    ],
)
def test_texts_that_share_words_are_near(text: str, near: str, far: str) -> None:
    vector = embedding(text)
    assert cosine(vector, embedding(near)) > cosine(vector, embedding(far)) + 0.2


async def test_the_openai_sdk_reads_embeddings_in_either_encoding(sdk: openai.AsyncOpenAI) -> None:
    packed = await sdk.embeddings.create(model="simulated", input="green tea", dimensions=64)
    plain = await sdk.embeddings.create(
        model="simulated", input="green tea", dimensions=64, encoding_format="float"
    )
    assert len(packed.data[0].embedding) == 64
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding)


async def test_base64_is_little_endian_floats(client: httpx2.AsyncClient) -> None:
    body = {"model": "simulated", "input": "tea", "encoding_format": "base64"}
    answer = (await client.post("/v1/embeddings", json=body)).json()
    raw = base64.b64decode(answer["data"][0]["embedding"])
    assert list(struct.unpack("<256f", raw)) == pytest.approx(embedding("tea"))


async def test_token_arrays_are_inputs_too(client: httpx2.AsyncClient) -> None:
    for given_input, count in (([1, 2, 3], 1), ([[1, 2], [3]], 2)):
        body = {"model": "simulated", "input": given_input}
        answer = (await client.post("/v1/embeddings", json=body)).json()
        assert len(answer["data"]) == count


@pytest.mark.parametrize("empty", ["", [], ["tea", ""]])
async def test_an_empty_input_is_a_400(client: httpx2.AsyncClient, empty: Any) -> None:
    body = {"model": "simulated", "input": empty}
    status, error = await refusal(client, "/v1/embeddings", body)
    assert (status, error["param"]) == (400, "input")


# Faults


async def test_unknown_settings_are_a_400_that_names_them(client: httpx2.AsyncClient) -> None:
    for body, param in (
        ({"latencyms": 5}, "latencyms"),
        ({"latency_ms": "5"}, "latency_ms"),
        ({"error_rate": 0.5, "error_status": {"429": 0.5}}, "error_rate"),
    ):
        response = await client.put("/control", json=body)
        assert response.status_code == 400
        assert response.json()["error"]["param"] == param


async def test_an_order_replaces_the_one_before(client: httpx2.AsyncClient) -> None:
    await order(client, crlf=True)
    await order(client, latency_ms=1)
    settings = (await client.get("/control")).json()
    assert (settings["crlf"], settings["latency_ms"]) == (False, 1)
    await client.delete("/control")
    assert (await client.get("/control")).json()["latency_ms"] == 0


async def test_errors_come_with_their_status_and_retry_after(client: httpx2.AsyncClient) -> None:
    await order(client, error_rate=1, error_status=429, retry_after=2)
    response = await client.post("/v1/chat/completions", json=ask("hi", stream=True))
    assert response.status_code == 429
    assert response.headers["retry-after"] == "2"
    assert response.json()["error"]["code"] == "rate_limit_exceeded"


async def test_error_rates_are_kept_and_repeat(client: httpx2.AsyncClient) -> None:
    async def statuses() -> list[int]:
        await order(client, error_status={"429": 0.25, "500": 0.25})
        answers = [await client.post("/v1/chat/completions", json=ask("hi")) for _ in range(60)]
        return [answer.status_code for answer in answers]

    first = await statuses()
    assert {200, 429, 500} == set(first)
    assert 15 < first.count(200) < 45
    assert await statuses() == first


async def test_only_the_next_requests_fail(client: httpx2.AsyncClient) -> None:
    await order(client, error_rate=1, error_status=503, fail_next=2)
    answers = [await client.post("/v1/chat/completions", json=ask("hi")) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert (await client.get("/control")).json()["fail_next"] == 0


async def test_only_one_service_fails(client: httpx2.AsyncClient) -> None:
    await order(client, error_rate=1, only="embeddings")
    assert await said(client, "hi") == "You said: hi"
    status, error = await refusal(client, "/v1/embeddings", {"model": "simulated", "input": "x"})
    assert (status, error["type"]) == (500, "server_error")


async def test_a_stream_can_be_cut_in_the_middle(client: httpx2.AsyncClient) -> None:
    await order(client, cut_after_chunks=3)
    received = b""
    body = ask("write 50 words", stream=True)
    async with client.stream("POST", "/v1/chat/completions", json=body) as response:

        async def receive() -> None:
            nonlocal received
            async for data in response.aiter_raw():
                received += data

        with pytest.raises(httpx2.RemoteProtocolError):
            await receive()
    assert received.count(b"data: ") == 3


async def test_a_whole_answer_can_be_cut_in_the_middle(client: httpx2.AsyncClient) -> None:
    await order(client, cut_after_chunks=0)
    with pytest.raises(httpx2.RemoteProtocolError):
        await client.post("/v1/chat/completions", json=ask("hi"))


async def test_json_can_be_malformed(client: httpx2.AsyncClient) -> None:
    await order(client, malformed_json=True)
    for path, body in (
        ("/v1/chat/completions", ask("hi")),
        ("/v1/embeddings", {"model": "simulated", "input": "hi"}),
    ):
        response = await client.post(path, json=body)
        assert response.status_code == 200
        with pytest.raises(msgspec.DecodeError):
            msgspec.json.decode(response.content)


async def test_one_event_of_a_stream_can_be_malformed(client: httpx2.AsyncClient) -> None:
    await order(client, malformed_json=True)
    stream = await streamed(client, ask("hi"))
    with pytest.raises(msgspec.DecodeError):
        chunks(stream)
    assert stream.endswith("[DONE]\n\n")


async def test_an_error_can_come_in_the_middle_of_a_stream(client: httpx2.AsyncClient) -> None:
    await order(client, error_event_after_chunks=2)
    stream = await streamed(client, ask("hi"))
    assert len(chunks(stream)) == 3
    assert chunks(stream)[2]["error"]["type"] == "server_error"
    assert "[DONE]" not in stream


async def test_ids_of_tool_calls_can_be_late_or_missing(client: httpx2.AsyncClient) -> None:
    body = ask('call calculator {"a":1}', tools=TOOLS)
    for fault, places in (("late_tool_ids", "last"), ("missing_tool_ids", "nowhere")):
        await order(client, **{fault: True})
        stream = await streamed(client, body)
        parts = [delta["tool_calls"][0] for delta in deltas(stream) if "tool_calls" in delta]
        assert "id" not in parts[0]
        assert ("id" in parts[-1]) == (places == "last")
    whole = await chat(client, body)
    assert "id" not in whole["choices"][0]["message"]["tool_calls"][0]


async def test_arguments_of_tool_calls_can_be_empty(client: httpx2.AsyncClient) -> None:
    await order(client, empty_arguments=True)
    assert await called(client, "call gettime {}") == [("gettime", "")]
    stream = await streamed(client, ask("call gettime {}", tools=TOOLS))
    parts = [delta["tool_calls"][0] for delta in deltas(stream) if "tool_calls" in delta]
    assert [part["function"]["arguments"] for part in parts] == [""]


async def test_the_finish_can_be_merged_or_missing(client: httpx2.AsyncClient) -> None:
    await order(client, merge_finish=True)
    stream = await streamed(client, ask("say hi"))
    assert chunks(stream)[-1]["choices"][0]["delta"] == {"content": "hi"}
    assert finishes(stream) == [None, "stop"]
    await order(client, finish_missing=True)
    assert finishes(await streamed(client, ask("say hi"))) == [None, None]


async def test_done_and_usage_can_be_missing(client: httpx2.AsyncClient) -> None:
    await order(client, done_missing=True, missing_usage=True)
    body = ask("hi")
    stream = await streamed(client, body | {"stream_options": {"include_usage": True}})
    assert "[DONE]" not in stream
    assert all(chunk["choices"] for chunk in chunks(stream))
    assert "usage" not in await chat(client, body)


async def test_events_can_have_comments_and_crlf_between_them(client: httpx2.AsyncClient) -> None:
    await order(client, keepalive_comments=True, crlf=True)
    stream = await streamed(client, ask("say hi"))
    assert stream.startswith(": ping\r\n\r\ndata: {")
    assert stream.count(": ping\r\n\r\n") == stream.count("data: ") == 4
    assert stream.count("\n") == stream.count("\r\n")


async def test_answers_keep_their_pace(client: httpx2.AsyncClient) -> None:
    clock = asyncio.get_running_loop().time
    await order(client, latency_ms=30, token_ms=10)
    for body in (ask("write 5 words"), ask("write 5 words", stream=True)):
        start = clock()
        await client.post("/v1/chat/completions", json=body)
        assert clock() - start >= 0.08


# What it saw


async def test_it_shows_what_went_upstream_without_the_key(client: httpx2.AsyncClient) -> None:
    headers = {"authorization": "Bearer sk-secret", "x-note": "kept"}
    await client.post("/v1/chat/completions", json=ask("hi", seed=3), headers=headers)
    response = await client.get("/control/last")
    last = response.json()
    assert last["embeddings"] is None
    assert last["chat"]["body"] == ask("hi", seed=3)
    assert last["chat"]["authorized"] is True
    assert last["chat"]["headers"]["x-note"] == "kept"
    assert "sk-secret" not in response.text


async def test_requests_are_counted_by_kind(client: httpx2.AsyncClient) -> None:
    await said(client, "hi")
    await client.get("/v1/models")
    assert await stats(client) == {
        "requests": {"chat": 1, "embeddings": 0, "models": 1},
        "in_flight": 0,
        "peak_in_flight": 1,
        "disconnects": 0,
    }


@pytest.mark.parametrize("faults", [{"hang_before_first_byte": True}, {"latency_ms": 60_000}])
async def test_a_client_that_gives_up_waiting_is_dropped_at_once(
    client: httpx2.AsyncClient, address: str, faults: dict[str, Any]
) -> None:
    await order(client, **faults)
    async with httpx2.AsyncClient(base_url=address) as leaving:
        waiting = asyncio.create_task(leaving.post("/v1/chat/completions", json=ask("hi")))
        await in_flight_is(client, 1)
        waiting.cancel()
        await asyncio.wait([waiting])
    await in_flight_is(client, 0)
    assert (await stats(client))["disconnects"] == 1


async def test_a_client_that_leaves_a_stream_is_dropped_at_once(client: httpx2.AsyncClient) -> None:
    await order(client, token_ms=40)
    body = ask("write 10000 words", stream=True)
    async with client.stream("POST", "/v1/chat/completions", json=body) as response:
        pieces = response.aiter_raw()  # kept: a collected iterator closes the connection
        await anext(pieces)
        assert (await stats(client))["in_flight"] == 1
    await in_flight_is(client, 0)
    assert (await stats(client))["disconnects"] == 1


async def test_a_client_that_read_everything_did_not_leave_early(
    client: httpx2.AsyncClient, address: str
) -> None:
    async with httpx2.AsyncClient(base_url=address) as leaving:
        await leaving.post("/v1/chat/completions", json=ask("hi", stream=True))
    await in_flight_is(client, 0)
    assert (await stats(client))["disconnects"] == 0


# mem0's extraction

MEM0 = """
import asyncio, json, os, sys
address, home = sys.argv[1:]
os.environ.update(MEM0_TELEMETRY="False", MEM0_DIR=home)
from mem0 import AsyncMemory

provider = {"api_key": "any", "openai_base_url": address + "/v1"}
memory = AsyncMemory.from_config({
    "llm": {"provider": "openai", "config": {"model": "simulated", **provider}},
    "embedder": {"provider": "openai", "config": {"model": "simulated-embedding", **provider}},
    "vector_store": {
        "provider": "qdrant",
        "config": {"path": ":memory:", "embedding_model_dims": 256, "collection_name": "test"},
    },
    "history_db_path": ":memory:",
})

async def run():
    said = "My dog is called Rex.\\nI live in Oslo! What is a fjord? 我喜欢喝绿茶。"
    messages = [{"role": "user", "content": said}, {"role": "assistant", "content": "Noted."}]
    added = await memory.add(messages, user_id="u")
    again = await memory.add(messages, user_id="u")
    found = await memory.search("what is my dog called", filters={"user_id": "u"}, threshold=0)
    print(json.dumps([[m["memory"] for m in r["results"]] for r in (added, again, found)]))

asyncio.run(run())
"""


async def test_mem0_extracts_with_it_what_the_user_states(
    client: httpx2.AsyncClient, address: str, tmp_path: Any
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", "-c", MEM0, address, str(tmp_path)),
        stdout=subprocess.PIPE,
    )
    output, _ = await process.communicate()
    added, again, found = msgspec.json.decode(output.splitlines()[-1])
    assert added == ["My dog is called Rex.", "I live in Oslo!", "我喜欢喝绿茶。"]
    assert again == []
    assert found[0] == "My dog is called Rex."


# Running it

SERVE = "from yychat.simulator.serve import run; run('127.0.0.1', 0, exit_with_parent={})"
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE)
child.wait()
"""


async def announced(stream: asyncio.StreamReader | None) -> str:
    assert stream is not None
    line = (await stream.readline()).decode()
    assert line.startswith("yychat simulator listening on http://127.0.0.1:")
    return line.split()[-1]


async def test_it_says_where_it_listens_and_then_does() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVE.format(False)), stdout=subprocess.PIPE
    )
    address = await announced(process.stdout)
    async with httpx2.AsyncClient(base_url=address) as client:
        assert (await client.get("/v1/models")).status_code == 200
    process.terminate()
    await process.wait()


async def test_it_ends_with_its_parent_even_when_that_is_killed() -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, SERVE.format(True)), stdout=subprocess.PIPE
    )
    await announced(parent.stdout)
    parent.kill()
    await parent.wait()
    # The simulator holds the other end of this pipe: it is gone when the pipe ends.
    with anyio.fail_after(10):
        assert parent.stdout is not None
        assert await parent.stdout.read() == b""


# Text


@given(st.text())
def test_tokens_joined_are_the_text_again(text: str) -> None:
    assert "".join(tokens(text)) == text


@given(st.text(), st.integers(1, 64))
def test_every_text_has_a_unit_vector(text: str, dimensions: int) -> None:
    vector = embedding(text, dimensions)
    assert len(vector) == dimensions
    assert math.isclose(math.hypot(*vector), 1)


_KEYWORDS = ("type", "properties", "required", "enum", "items", "minItems", "anyOf", "minimum")
_JSON = st.recursive(
    st.none() | st.integers(-9, 9) | st.sampled_from(["string", "array", "object", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYWORDS), inner),
    max_leaves=12,
)


@given(_JSON)
def test_any_schema_has_an_example_however_odd_it_is(schema: Any) -> None:
    assert msgspec.json.encode(example(schema, "text"))
