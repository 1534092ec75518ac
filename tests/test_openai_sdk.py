"""OpenAI's own Python SDK, as it is installed, against the service: what works."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI, pydantic_function_tool
from openai.types.chat import (
    ChatCompletionChunk,
    ChatCompletionMessageParam,
    ChatCompletionToolParam,
)
from pydantic import BaseModel

from running import Service, Simulator

MODEL = "simulated"
EMBEDDER = "simulated-embedding"
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
ASKS_FOR_ROME = 'call get_weather {"city": "Rome"}'
ASKS_FOR_TWO = 'call get_weather {"city": "Rome"}\ncall get_weather {"city": "Oslo"}'
A_SUM = "What is 17 * 23?"
MIXED = '你好，世界！ 🦜👩‍👩‍👧 Ünïcödé "quotes" \\n \u2028 naïve '


class GetWeather(BaseModel):
    city: str


class Place(BaseModel):
    name: str
    capital: bool


@pytest.fixture(scope="module")
def module_client(module_service: Service) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{module_service.url}/v1", api_key="any", max_retries=0) as made:
        yield made


@pytest.fixture
def client(yychat: Service, module_client: OpenAI) -> OpenAI:
    return module_client


@pytest.fixture
async def async_client(yychat: Service) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{yychat.url}/v1", api_key="any", max_retries=0) as made:
        yield made


def user(text: str) -> ChatCompletionMessageParam:
    return {"role": "user", "content": text}


def result(call_id: str, text: str) -> ChatCompletionMessageParam:
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def said(chunks: Iterable[ChatCompletionChunk]) -> str:
    """The text of choice 0."""
    return "".join(
        choice.delta.content or ""
        for chunk in chunks
        for choice in chunk.choices
        if not choice.index
    )


def asked_upstream(upstream: Simulator) -> Any:
    """The body of the last chat request that reached the upstream."""
    return upstream.last()["chat"]["body"]


async def eventually(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.02)


# Answers


def test_a_completion_has_everything_the_sdk_reads(client: OpenAI) -> None:
    completion = client.chat.completions.create(model=MODEL, messages=[user("say hello there")])
    choice = completion.choices[0]
    assert (choice.message.role, choice.message.content) == ("assistant", "hello there")
    assert (choice.index, choice.finish_reason, choice.message.tool_calls) == (0, "stop", None)
    assert completion.object == "chat.completion"
    assert completion.model == MODEL
    assert completion.usage is not None
    assert completion.usage.total_tokens == (
        completion.usage.prompt_tokens + completion.usage.completion_tokens
    )


def test_a_stream_brings_the_same_words_and_no_usage_unasked(client: OpenAI) -> None:
    with client.chat.completions.create(
        model=MODEL, messages=[user("say one two three")], stream=True
    ) as stream:
        chunks = list(stream)
    assert said(chunks) == "one two three"
    assert len({chunk.id for chunk in chunks}) == 1
    assert [c.choices[0].finish_reason for c in chunks][-1] == "stop"
    assert all(chunk.usage is None for chunk in chunks)


def test_a_stream_ends_with_its_usage_where_that_is_asked_for(client: OpenAI) -> None:
    messages = [user("say one two three")]
    whole = client.chat.completions.create(model=MODEL, messages=messages)
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=messages, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_the_stream_helper_accumulates_the_final_completion(client: OpenAI) -> None:
    with client.chat.completions.stream(
        model=MODEL,
        messages=[user("say one two three")],
        stream_options={"include_usage": True},
    ) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    assert "".join(deltas) == final.choices[0].message.content == "one two three"
    assert (final.choices[0].message.role, final.choices[0].finish_reason) == ("assistant", "stop")
    assert final.usage is not None


def test_a_stream_ends_in_done_on_the_wire(client: OpenAI) -> None:
    with client.chat.completions.with_streaming_response.create(
        model=MODEL, messages=[user("say hi")], stream=True
    ) as response:
        lines = [line for line in response.iter_lines() if line]
    assert response.headers["content-type"].startswith("text/event-stream")
    assert lines[-1] == "data: [DONE]"
    assert all(line.startswith("data: {") for line in lines[:-1])


def test_two_choices_come_whole_and_interleaved(client: OpenAI) -> None:
    messages = [user("say one two")]
    whole = client.chat.completions.create(model=MODEL, messages=messages, n=2)
    assert [(c.index, c.message.content) for c in whole.choices] == [(0, "one two"), (1, "one two")]
    with client.chat.completions.stream(model=MODEL, messages=messages, n=2) as stream:
        final = stream.until_done().get_final_completion()
    assert [(c.index, c.message.content) for c in final.choices] == [(0, "one two"), (1, "one two")]


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_a_short_limit_is_the_finish_reason(client: OpenAI, limit: str) -> None:
    fields: dict[str, Any] = {limit: 3}
    completion = client.chat.completions.create(
        model=MODEL, messages=[user("write 50 words")], **fields
    )
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 3


def test_an_answer_ends_before_the_stop_sequence(client: OpenAI) -> None:
    completion = client.chat.completions.create(
        model=MODEL, messages=[user("say one two END three")], stop=["END", "FIN"]
    )
    assert completion.choices[0].message.content == "one two "


def test_json_mode_answers_an_object(client: OpenAI) -> None:
    completion = client.chat.completions.create(
        model=MODEL, messages=[user("say hi")], response_format={"type": "json_object"}
    )
    assert json.loads(completion.choices[0].message.content or "") == {"answer": "hi"}


def test_a_pydantic_model_as_response_format_is_parsed(client: OpenAI) -> None:
    completion = client.chat.completions.parse(
        model=MODEL, messages=[user("say Rome")], response_format=Place
    )
    assert completion.choices[0].message.parsed == Place(name="Rome", capital=True)


def test_a_pydantic_model_is_parsed_from_a_stream(client: OpenAI) -> None:
    with client.chat.completions.stream(
        model=MODEL, messages=[user("say Rome")], response_format=Place
    ) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.parsed == Place(name="Rome", capital=True)


def test_fifty_thousand_characters_of_all_kinds_come_back_as_they_went(client: OpenAI) -> None:
    text = (MIXED * 2_000)[:50_000].strip()
    completion = client.chat.completions.create(model=MODEL, messages=[user(f"say {text}")])
    assert completion.choices[0].message.content == text


def test_chinese_and_emoji_survive_being_streamed_in_pieces(client: OpenAI) -> None:
    text = (MIXED * 10).strip()
    chunks = client.chat.completions.create(
        model=MODEL, messages=[user(f"说：{text}")], stream=True
    )
    assert said(chunks) == text


# What reaches the upstream


def test_images_and_text_parts_go_upstream_unchanged(client: OpenAI, upstream: Simulator) -> None:
    message: ChatCompletionMessageParam = {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is in these pictures?"},
            {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
        ],
    }
    completion = client.chat.completions.create(model=MODEL, messages=[message])
    assert "images sent: 2" in (completion.choices[0].message.content or "")
    assert asked_upstream(upstream)["messages"] == [message]


def test_every_openai_field_and_unknown_ones_reach_the_upstream(
    client: OpenAI, upstream: Simulator
) -> None:
    sent: dict[str, Any] = {
        "seed": 7,
        "logit_bias": {"50256": -100},
        "logprobs": True,
        "top_logprobs": 2,
        "temperature": 0.5,
        "metadata": {"ticket": "42"},
        "service_tier": "auto",
    }
    unknown = {"min_p": 0.05, "guided_json": {"type": "object"}, "毫": None}
    client.chat.completions.create(
        model=MODEL, messages=[user("say hi")], extra_body=unknown, **sent
    )
    arrived = asked_upstream(upstream)
    assert {name: arrived.get(name) for name in sent} == sent
    assert {name: arrived[name] for name in unknown} == unknown


def test_our_own_fields_do_not_reach_the_upstream(client: OpenAI, upstream: Simulator) -> None:
    own = {
        "conversation_id": "own-fields",
        "personality_id": "friendly",
        "use_tools": False,
        "engine": "chat_engine",
    }
    client.chat.completions.create(model=MODEL, messages=[user("say hi")], extra_body=own)
    arrived = asked_upstream(upstream)
    assert not own.keys() & arrived.keys()
    assert "tools" not in arrived
    assert [message["role"] for message in arrived["messages"]] == ["system", "user"]


def test_history_with_null_content_beside_tool_calls_is_kept(
    client: OpenAI, upstream: Simulator
) -> None:
    history: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": "Be brief."},
        user("How is the weather?"),
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city": "Rome"}'},
                }
            ],
        },
        result("call_1", "sunny"),
        {"role": "assistant", "content": "It is sunny."},
        user("say thanks"),
    ]
    completion = client.chat.completions.create(model=MODEL, messages=history, tools=[WEATHER])
    assert completion.choices[0].message.content == "thanks"
    assert asked_upstream(upstream)["messages"] == history


# The client's tools


def test_a_tool_of_the_client_makes_the_round_trip(client: OpenAI) -> None:
    messages = [user(ASKS_FOR_ROME)]
    first = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
    asked = first.choices[0]
    assert (asked.finish_reason, asked.message.content) == ("tool_calls", None)
    assert asked.message.tool_calls is not None
    (call,) = asked.message.tool_calls
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "get_weather",
        {"city": "Rome"},
    )
    history: Any = [*messages, asked.message, result(call.id, "sunny")]
    second = client.chat.completions.create(model=MODEL, messages=history, tools=[WEATHER])
    assert second.choices[0].message.content == "The tool said: sunny"
    assert second.choices[0].finish_reason == "stop"


def test_parallel_calls_of_the_client_are_answered_together(client: OpenAI) -> None:
    messages = [user(ASKS_FOR_TWO)]
    first = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
    calls = first.choices[0].message.tool_calls or []
    assert len({call.id for call in calls}) == 2
    results = [result(call.id, f"weather {at}") for at, call in enumerate(calls)]
    history: Any = [*messages, first.choices[0].message, *results]
    second = client.chat.completions.create(model=MODEL, messages=history, tools=[WEATHER])
    assert second.choices[0].message.content == "The tools said:\n- weather 0\n- weather 1"


def test_parallel_calls_can_be_forbidden(client: OpenAI) -> None:
    completion = client.chat.completions.create(
        model=MODEL, messages=[user(ASKS_FOR_TWO)], tools=[WEATHER], parallel_tool_calls=False
    )
    assert len(completion.choices[0].message.tool_calls or []) == 1


def test_the_stream_helper_puts_parallel_calls_together(client: OpenAI) -> None:
    tool = pydantic_function_tool(GetWeather, name="get_weather")
    messages = [user(ASKS_FOR_TWO)]
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=[tool]) as stream:
        done = [e for e in stream if e.type == "tool_calls.function.arguments.done"]
        final = stream.get_final_completion().choices[0]
    assert [event.parsed_arguments for event in done] == [
        GetWeather(city="Rome"),
        GetWeather(city="Oslo"),
    ]
    assert final.finish_reason == "tool_calls"
    calls = final.message.tool_calls or []
    assert [call.function.parsed_arguments for call in calls] == [
        GetWeather(city="Rome"),
        GetWeather(city="Oslo"),
    ]
    history: Any = [*messages, final.message, *(result(call.id, "fine") for call in calls)]
    with client.chat.completions.stream(model=MODEL, messages=history, tools=[tool]) as stream:
        answer = stream.get_final_completion().choices[0].message.content
    assert answer == "The tools said:\n- fine\n- fine"


def test_a_call_streamed_in_pieces_starts_with_its_id_and_name(client: OpenAI) -> None:
    chunks = client.chat.completions.create(
        model=MODEL, messages=[user(ASKS_FOR_ROME)], tools=[WEATHER], stream=True
    )
    pieces = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    functions = [piece.function for piece in pieces if piece.function]
    assert pieces[0].id
    assert functions[0].name == "get_weather"
    assert {piece.index for piece in pieces} == {0}
    assert json.loads("".join(f.arguments or "" for f in functions)) == {"city": "Rome"}


def test_a_forced_tool_is_called_whatever_the_text(client: OpenAI) -> None:
    completion = client.chat.completions.create(
        model=MODEL,
        messages=[user("How are you?")],
        tools=[WEATHER],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
    )
    (call,) = completion.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert call.function.name == "get_weather"


# Our tools


def test_our_calculator_answers_without_the_client_seeing_a_call(client: OpenAI) -> None:
    completion = client.chat.completions.create(model=MODEL, messages=[user(A_SUM)])
    choice = completion.choices[0]
    assert "391" in (choice.message.content or "")
    assert (choice.finish_reason, choice.message.tool_calls) == ("stop", None)


def test_our_calculator_is_as_invisible_in_a_stream(client: OpenAI) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=[user(A_SUM)])
    chunks = list(
        client.chat.completions.create(
            model=MODEL,
            messages=[user(A_SUM)],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert said(chunks) == whole.choices[0].message.content
    assert not any(choice.delta.tool_calls for choice in choices)
    assert [c.finish_reason for c in choices if c.finish_reason] == ["stop"]
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[-1].usage == whole.usage


def test_the_stream_helper_sees_one_ordinary_answer_through_our_tools(client: OpenAI) -> None:
    with client.chat.completions.stream(model=MODEL, messages=[user(A_SUM)]) as stream:
        final = stream.get_final_completion().choices[0]
    assert "391" in (final.message.content or "")
    assert (final.message.role, final.finish_reason) == ("assistant", "stop")
    assert not final.message.tool_calls


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_our_tool_runs_and_the_clients_call_comes_out_of_one_answer(
    client: OpenAI, *, streamed: bool
) -> None:
    wish = f'call calculator {{"operation": "add", "a": 40, "b": 2}}\nthen {ASKS_FOR_ROME}'
    tool = pydantic_function_tool(GetWeather, name="get_weather")
    if streamed:
        with client.chat.completions.stream(
            model=MODEL, messages=[user(wish)], tools=[tool]
        ) as stream:
            choice = stream.get_final_completion().choices[0]
    else:
        answer = client.chat.completions.parse(model=MODEL, messages=[user(wish)], tools=[tool])
        choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls"
    calls = choice.message.tool_calls or []
    assert [call.function.parsed_arguments for call in calls] == [GetWeather(city="Rome")]


# Upstreams with habits of their own

HABITS = (
    "crlf",
    "done_missing",
    "keepalive_comments",
    "late_tool_ids",
    "merge_finish",
    "missing_usage",
)


@pytest.mark.parametrize("habit", HABITS)
def test_the_stream_helper_understands_every_upstream(
    client: OpenAI, upstream: Simulator, habit: str
) -> None:
    upstream.faults(**{habit: True})
    with client.chat.completions.stream(model=MODEL, messages=[user("say one two")]) as stream:
        final = stream.get_final_completion().choices[0]
    assert (final.message.content, final.finish_reason) == ("one two", "stop")


@pytest.mark.parametrize("habit", HABITS)
def test_our_tools_stay_invisible_with_every_upstream(
    client: OpenAI, upstream: Simulator, habit: str
) -> None:
    upstream.faults(**{habit: True})
    with client.chat.completions.stream(model=MODEL, messages=[user(A_SUM)]) as stream:
        final = stream.get_final_completion().choices[0]
    assert "391" in (final.message.content or "")
    assert (final.message.role, final.finish_reason) == ("assistant", "stop")
    assert not final.message.tool_calls


@pytest.mark.parametrize("habit", HABITS)
def test_the_clients_calls_come_whole_with_every_upstream(
    client: OpenAI, upstream: Simulator, habit: str
) -> None:
    upstream.faults(**{habit: True})
    tool = pydantic_function_tool(GetWeather, name="get_weather")
    with client.chat.completions.stream(
        model=MODEL, messages=[user(ASKS_FOR_TWO)], tools=[tool]
    ) as stream:
        final = stream.get_final_completion().choices[0]
    calls = final.message.tool_calls or []
    assert final.finish_reason == "tool_calls"
    assert len({call.id for call in calls}) == 2
    assert [call.function.parsed_arguments for call in calls] == [
        GetWeather(city="Rome"),
        GetWeather(city="Oslo"),
    ]


# Memory


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_conversation_is_remembered_without_its_history(
    client: OpenAI, *, streamed: bool
) -> None:
    own = {"conversation_id": f"sdk-{streamed}"}
    ask = client.chat.completions.create
    told = "My parrot is called Pieces."
    if streamed:
        said(ask(model=MODEL, messages=[user(told)], extra_body=own, stream=True))
        question = [user("What is my parrot called?")]
        answer = said(ask(model=MODEL, messages=question, extra_body=own, stream=True))
    else:
        ask(model=MODEL, messages=[user(told)], extra_body=own)
        completion = ask(model=MODEL, messages=[user("What is my parrot called?")], extra_body=own)
        answer = completion.choices[0].message.content or ""
    assert "Pieces" in answer


def test_a_user_is_remembered_by_openais_own_field(client: OpenAI) -> None:
    ask = client.chat.completions.create
    ask(model=MODEL, messages=[user("我的鹦鹉叫做阿宝。")], user="sdk-user")
    answer = ask(model=MODEL, messages=[user("我的鹦鹉叫什么名字？")], user="sdk-user")
    stranger = ask(model=MODEL, messages=[user("我的鹦鹉叫什么名字？")], user="sdk-stranger")
    assert "阿宝" in (answer.choices[0].message.content or "")
    assert "阿宝" not in (stranger.choices[0].message.content or "")


def test_headers_tell_the_request_the_engine_and_the_memory(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response
    told = raw.create(model=MODEL, messages=[user("My boat is blue.")], user="sdk-headers")
    asked = raw.create(model=MODEL, messages=[user("What is my boat?")], user="sdk-headers")
    assert told.headers["x-yychat-engine"] == "chat_engine"
    assert (told.headers["x-yychat-memory"], asked.headers["x-yychat-memory"]) == ("empty", "hit")
    assert told.request_id
    assert told.request_id != asked.request_id
    assert "blue" in (asked.parse().choices[0].message.content or "")


def test_a_request_id_of_the_callers_own_comes_back(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=[user("say hi")], extra_headers={"x-request-id": "mine-1"}
    )
    assert raw.request_id == "mine-1"
    assert raw.headers["x-yychat-memory"] == "off"


# Models and embeddings


def test_models_are_listed_and_retrieved(client: OpenAI) -> None:
    listed = list(client.models.list())
    assert MODEL in [model.id for model in listed]
    assert client.models.retrieve(MODEL) in listed


def test_embeddings_are_the_same_as_base64_and_as_floats(client: OpenAI) -> None:
    texts = ["the quick brown fox", "敏捷的棕色狐狸 🦊"]
    packed = client.embeddings.create(model=EMBEDDER, input=texts)
    plain = client.embeddings.create(model=EMBEDDER, input=texts, encoding_format="float")
    assert [entry.index for entry in packed.data] == [0, 1]
    for one, other in zip(packed.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
    assert packed.usage == plain.usage


def test_embeddings_take_dimensions_and_token_ids(client: OpenAI, upstream: Simulator) -> None:
    answer = client.embeddings.create(model=EMBEDDER, input=[[1, 2], [3]], dimensions=8)
    assert [len(entry.embedding) for entry in answer.data] == [8, 8]
    assert upstream.last()["embeddings"]["body"] == {
        "model": EMBEDDER,
        "input": [[1, 2], [3]],
        "dimensions": 8,
        "encoding_format": "base64",
    }


# The asynchronous client


async def test_the_async_client_gets_an_answer(async_client: AsyncOpenAI) -> None:
    completion = await async_client.chat.completions.create(
        model=MODEL, messages=[user("say hello there")]
    )
    assert completion.choices[0].message.content == "hello there"


async def test_the_async_client_streams(async_client: AsyncOpenAI) -> None:
    stream = await async_client.chat.completions.create(
        model=MODEL, messages=[user("say one two three")], stream=True
    )
    assert said([chunk async for chunk in stream]) == "one two three"


async def test_the_async_stream_helper_goes_through_our_tools(async_client: AsyncOpenAI) -> None:
    async with async_client.chat.completions.stream(model=MODEL, messages=[user(A_SUM)]) as stream:
        final = await stream.get_final_completion()
    assert "391" in (final.choices[0].message.content or "")


async def test_the_async_client_makes_the_tool_round_trip(async_client: AsyncOpenAI) -> None:
    ask = async_client.chat.completions.create
    first = await ask(model=MODEL, messages=[user(ASKS_FOR_ROME)], tools=[WEATHER])
    (call,) = first.choices[0].message.tool_calls or []
    history: Any = [user(ASKS_FOR_ROME), first.choices[0].message, result(call.id, "sunny")]
    second = await ask(model=MODEL, messages=history, tools=[WEATHER])
    assert second.choices[0].message.content == "The tool said: sunny"


async def test_the_async_client_remembers_lists_and_embeds(async_client: AsyncOpenAI) -> None:
    ask = async_client.chat.completions.create
    await ask(model=MODEL, messages=[user("My kite is green.")], user="sdk-async")
    answer = await ask(model=MODEL, messages=[user("What is my kite?")], user="sdk-async")
    models = [model.id async for model in async_client.models.list()]
    embedded = await async_client.embeddings.create(model=EMBEDDER, input="kite")
    assert "green" in (answer.choices[0].message.content or "")
    assert MODEL in models
    assert len(embedded.data[0].embedding) == 256


async def test_a_client_cancelled_in_mid_stream_frees_the_upstream(
    async_client: AsyncOpenAI, upstream: Simulator
) -> None:
    upstream.faults(token_ms=20)
    heard = asyncio.Event()

    async def listen() -> None:
        stream = await async_client.chat.completions.create(
            model=MODEL, messages=[user("write 5000 words")], stream=True
        )
        async for _ in stream:
            heard.set()

    listening = asyncio.create_task(listen())
    await heard.wait()
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening
    await eventually(lambda: upstream.stats()["in_flight"] == 0)
    assert upstream.stats()["disconnects"] == 1


async def test_thirty_chats_at_once_get_thirty_answers(async_client: AsyncOpenAI) -> None:
    async def ask(number: int) -> str:
        stream = await async_client.chat.completions.create(
            model=MODEL,
            messages=[user(f"say number {number}")],
            user=f"sdk-crowd-{number}",
            stream=True,
        )
        return said([chunk async for chunk in stream])

    answers = await asyncio.gather(*map(ask, range(30)))
    assert answers == [f"number {number}" for number in range(30)]
