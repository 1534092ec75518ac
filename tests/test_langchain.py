"""LangChain's OpenAI package, as it is installed, against the service."""

from collections.abc import AsyncIterator, Iterable
from functools import reduce
from operator import add
from typing import Any

import httpx2
import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, SecretStr

from running import Service, Simulator

A_SUM = "What is 17 * 23?"
ASKS_FOR_TWO = 'call get_weather {"city": "Rome"}\ncall get_weather {"city": "Oslo"}'


class Place(BaseModel):
    """A place on the map."""

    name: str
    capital: bool


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def model(yychat: Service, **fields: Any) -> ChatOpenAI:
    return ChatOpenAI(
        model="simulated",
        base_url=f"{yychat.url}/v1",
        api_key=SecretStr("any"),
        max_retries=0,
        stream_usage=True,
        **fields,
    )


@pytest.fixture
def chat(yychat: Service) -> ChatOpenAI:
    return model(yychat)


@pytest.fixture
async def async_chat(yychat: Service) -> AsyncIterator[ChatOpenAI]:
    """With a transport of its own: LangChain would share one among the event loops of all tests."""
    async with httpx2.AsyncClient() as transport:
        yield model(yychat, http_async_client=transport)


@pytest.fixture
def embeddings(yychat: Service) -> OpenAIEmbeddings:
    """Lengths unchecked: for that LangChain would fetch a tokenizer from the network."""
    return OpenAIEmbeddings(
        model="simulated-embedding",
        base_url=f"{yychat.url}/v1",
        api_key=SecretStr("any"),
        check_embedding_ctx_length=False,
    )


def joined(chunks: Iterable[Any]) -> AIMessageChunk:
    """Chunks added up as LangChain means it."""
    whole: AIMessageChunk = reduce(add, chunks)
    return whole


def test_invoke_gives_the_answer_its_reason_and_its_usage(chat: ChatOpenAI) -> None:
    answer = chat.invoke([SystemMessage("Be brief."), HumanMessage("say hello there")])
    assert answer.content == "hello there"
    assert answer.response_metadata["finish_reason"] == "stop"
    assert answer.response_metadata["model_name"] == "simulated"
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["output_tokens"] == 2


def test_stream_adds_up_to_the_same_answer(chat: ChatOpenAI) -> None:
    chunks = list(chat.stream("say one two 三 🦜"))
    whole = joined(chunks)
    assert len(chunks) > 3
    assert whole.content == "one two 三 🦜"
    assert whole.response_metadata["finish_reason"] == "stop"
    assert whole.usage_metadata == chat.invoke("say one two 三 🦜").usage_metadata


async def test_ainvoke_gives_the_answer(async_chat: ChatOpenAI) -> None:
    assert (await async_chat.ainvoke("say hello there")).content == "hello there"


async def test_astream_adds_up_to_the_answer(async_chat: ChatOpenAI) -> None:
    chunks = [chunk async for chunk in async_chat.astream("say one two three")]
    assert joined(chunks).content == "one two three"


async def test_a_batch_is_answered_in_its_order(async_chat: ChatOpenAI) -> None:
    answers = await async_chat.abatch([f"say number {number}" for number in range(10)])
    assert [answer.content for answer in answers] == [f"number {number}" for number in range(10)]


@pytest.mark.parametrize("streamed", [False, True], ids=["invoke", "stream"])
def test_bound_tools_make_the_round_trip(chat: ChatOpenAI, *, streamed: bool) -> None:
    bound = chat.bind_tools([get_weather])
    question = HumanMessage(ASKS_FOR_TWO)
    asked: Any = joined(bound.stream([question])) if streamed else bound.invoke([question])
    assert [call["args"] for call in asked.tool_calls] == [{"city": "Rome"}, {"city": "Oslo"}]
    assert asked.response_metadata["finish_reason"] == "tool_calls"
    results: list[ToolMessage] = [get_weather.invoke(call) for call in asked.tool_calls]
    answer = bound.invoke([question, asked, *results])
    assert answer.content == "The tools said:\n- sunny in Rome\n- sunny in Oslo"


@pytest.mark.parametrize("streamed", [False, True], ids=["invoke", "stream"])
def test_our_calculator_answers_without_langchain_seeing_a_call(
    chat: ChatOpenAI, *, streamed: bool
) -> None:
    answer: Any = joined(chat.stream(A_SUM)) if streamed else chat.invoke(A_SUM)
    assert "391" in answer.content
    assert answer.tool_calls == []
    assert answer.response_metadata["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("method", "question"),
    [
        ("json_schema", "say Rome"),
        ("function_calling", "Rome"),
    ],
)
def test_structured_output_is_parsed(chat: ChatOpenAI, method: Any, question: str) -> None:
    structured = chat.with_structured_output(Place, method=method)
    assert structured.invoke(question) == Place(name="Rome", capital=True)


def test_structured_output_is_parsed_from_json_mode(chat: ChatOpenAI) -> None:
    structured = chat.with_structured_output(Place, method="json_mode")
    answer = structured.invoke('say {"name": "Oslo", "capital": true}')
    assert answer == Place(name="Oslo", capital=True)


def test_memory_follows_the_conversation_id_of_extra_body(yychat: Service) -> None:
    mine = model(yychat, extra_body={"conversation_id": "langchain"})
    other = model(yychat, extra_body={"conversation_id": "langchain-other"})
    mine.invoke("My parrot is called Pieces.")
    assert "Pieces" in str(mine.invoke("What is my parrot called?").content)
    assert "Pieces" not in str(other.invoke("What is my parrot called?").content)


def test_memory_follows_the_user_of_model_kwargs(yychat: Service) -> None:
    mine = model(yychat, model_kwargs={"user": "langchain"})
    joined(mine.stream("My kite is green."))
    assert "green" in str(joined(mine.stream("What colour is my kite?")).content)


def test_images_go_upstream_in_openais_form(chat: ChatOpenAI, upstream: Simulator) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    text = {"type": "text", "text": "What is this?"}
    chat.invoke([HumanMessage(content=[text, picture])])
    (arrived,) = upstream.last()["chat"]["body"]["messages"]
    assert arrived["content"] == [text, picture]


def test_documents_and_queries_are_embedded(embeddings: OpenAIEmbeddings) -> None:
    texts = ["the quick brown fox", "敏捷的棕色狐狸"]
    documents = embeddings.embed_documents(texts)
    assert [len(vector) for vector in documents] == [256, 256]
    assert embeddings.embed_query(texts[1]) == pytest.approx(documents[1])
