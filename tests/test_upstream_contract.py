"""What src/yychat/upstream/client.py relies on in the OpenAI SDK: red when an update changes it."""

import asyncio
import gzip
import random
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import aiohttp
import httpx2
import openai
import pytest

from fakes import CUT, HANG, ScriptedUpstream, answer, scripted_upstream, stream
from yychat.upstream.sparing import SparingClient

HEADERS = {"Content-Type": "application/json"}
STATUSES = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
    503: openai.InternalServerError,
}


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted_upstream() as running:
        yield running


@pytest.fixture
async def sdk(upstream: ScriptedUpstream) -> AsyncIterator[openai.AsyncOpenAI]:
    client = connected(upstream.base_url)
    yield client
    await client.close()


def connected(base_url: str, kind: type[openai.AsyncOpenAI] = SparingClient) -> openai.AsyncOpenAI:
    http = openai.DefaultAioHttpClient()
    return kind(base_url=base_url, api_key="sk-1", max_retries=0, http_client=http)


def options(read: float = 30.0, **headers: str) -> Any:
    timeout = httpx2.Timeout(read, connect=5.0, pool=5.0)
    return {"timeout": timeout, "headers": {**HEADERS, **headers}}


async def whole(sdk: openai.AsyncOpenAI, body: bytes = b"{}", **given: Any) -> httpx2.Response:
    return await sdk.post("/chat", content=body, cast_to=httpx2.Response, options=options(**given))


async def opened(sdk: openai.AsyncOpenAI, **given: Any) -> httpx2.Response:
    response: object = await sdk.post(
        "/chat",
        content=b"{}",
        cast_to=httpx2.Response,
        options=options(**given),
        stream=True,
        stream_cls=openai.AsyncStream[Any],
    )
    assert isinstance(response, httpx2.Response)
    return response


async def read(response: httpx2.Response) -> bytes:
    try:
        async with aclosing(response.aiter_bytes()) as reads:
            return b"".join([data async for data in reads])
    finally:
        await response.aclose()


async def test_post_sends_exactly_these_bytes(
    upstream: ScriptedUpstream, sdk: openai.AsyncOpenAI
) -> None:
    upstream.script(answer({}))
    body = b'{"a" :1.0, "b":"\\u00e9 \xc3\xa9",\n"a":1e400}'
    await whole(sdk, body)
    assert upstream.requests[0].body == body
    assert upstream.requests[0].line == "POST /v1/chat HTTP/1.1"


async def test_post_sends_the_key_and_our_content_type(
    upstream: ScriptedUpstream, sdk: openai.AsyncOpenAI
) -> None:
    upstream.script(answer({}))
    await whole(sdk)
    headers = upstream.requests[0].headers
    assert (headers["authorization"], headers["content-type"]) == (
        "Bearer sk-1",
        "application/json",
    )


async def test_the_sparing_client_sends_what_the_sdk_sends(upstream: ScriptedUpstream) -> None:
    upstream.script(answer({}))
    for kind in (openai.AsyncOpenAI, SparingClient):
        client = connected(upstream.base_url, kind)
        await whole(client, b'{"first": 1}')
        await whole(client, b'{"second": "\xc3\xa9"}')
        await whole(client, b'{"third": 3}', read=7.0, **{"Accept-Encoding": "identity"})
        await client.close()
    seen = [(request.line, request.headers, request.body) for request in upstream.requests]
    assert seen[:3] == seen[3:]
    assert seen[1][1]["content-length"] == "16"


async def test_a_header_of_ours_replaces_the_sdks(
    upstream: ScriptedUpstream, sdk: openai.AsyncOpenAI
) -> None:
    upstream.script(stream(b"x"))
    await read(await opened(sdk, **{"Accept-Encoding": "identity"}))
    assert upstream.requests[0].headers["accept-encoding"] == "identity"


async def test_a_whole_answer_comes_back_as_the_bytes_that_were_sent(
    upstream: ScriptedUpstream, sdk: openai.AsyncOpenAI
) -> None:
    body = b'{"not": "decoded" , "x":1.50}'
    upstream.script(answer(body))
    assert (await whole(sdk)).content == body


async def test_a_body_that_is_not_json_is_nobodys_business(
    upstream: ScriptedUpstream, sdk: openai.AsyncOpenAI
) -> None:
    upstream.script(answer(b"not json"))
    assert (await whole(sdk)).content == b"not json"


async def test_a_stream_gives_its_first_bytes_before_its_end(
    upstream: ScriptedUpstream, sdk: openai.AsyncOpenAI
) -> None:
    gate = asyncio.Event()
    upstream.script(stream(b"first", gate, b"second"))
    response = await opened(sdk)
    async with aclosing(response.aiter_bytes()) as reads:
        assert await anext(reads) == b"first"
        gate.set()
        assert await anext(reads) == b"second"
        assert await anext(reads, None) is None
    await response.aclose()


async def test_a_stream_that_is_no_event_stream_is_not_interpreted(
    upstream: ScriptedUpstream, sdk: openai.AsyncOpenAI
) -> None:
    sent = random.Random(1).randbytes(4_000)
    upstream.script(stream(sent))
    assert await read(await opened(sdk)) == sent


async def test_a_compressed_stream_is_unpacked(
    upstream: ScriptedUpstream, sdk: openai.AsyncOpenAI
) -> None:
    upstream.script(stream(gzip.compress(b"data: x\n\n"), content_encoding="gzip"))
    assert await read(await opened(sdk)) == b"data: x\n\n"


async def test_a_stream_read_to_its_end_leaves_the_connection_for_the_next(
    upstream: ScriptedUpstream, sdk: openai.AsyncOpenAI
) -> None:
    upstream.script(stream(b"x"))
    for _ in range(3):
        await read(await opened(sdk))
    assert upstream.connections == 1


async def test_a_stream_closed_early_closes_its_connection_at_once(
    upstream: ScriptedUpstream, sdk: openai.AsyncOpenAI
) -> None:
    upstream.script(stream(b"x", HANG))
    response = await opened(sdk)
    async with aclosing(response.aiter_bytes()) as reads:
        await anext(reads)
    await response.aclose()
    await asyncio.wait_for(upstream.left.wait(), 5)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_cancelled_request_closes_its_connection_at_once(
    upstream: ScriptedUpstream, sdk: openai.AsyncOpenAI, streamed: bool
) -> None:
    upstream.script([HANG])
    asking = asyncio.create_task(opened(sdk) if streamed else whole(sdk))
    await upstream.asked.wait()
    asking.cancel()
    await asyncio.wait([asking])
    await asyncio.wait_for(upstream.left.wait(), 5)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("status", [429, 500])
async def test_max_retries_0_asks_once(
    upstream: ScriptedUpstream, sdk: openai.AsyncOpenAI, status: int, streamed: bool
) -> None:
    upstream.script(answer({}, status, retry_after="0"))
    with pytest.raises(openai.APIStatusError):
        await (opened(sdk) if streamed else whole(sdk))
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("status", STATUSES)
async def test_every_status_has_its_exception_with_the_error_object_as_its_body(
    upstream: ScriptedUpstream, sdk: openai.AsyncOpenAI, status: int, streamed: bool
) -> None:
    upstream.script(answer({"error": {"message": "m", "param": "p", "code": "c"}}, status))
    with pytest.raises(STATUSES[status]) as caught:
        await (opened(sdk) if streamed else whole(sdk))
    assert caught.value.status_code == status
    assert caught.value.body == {"message": "m", "param": "p", "code": "c"}


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_error_without_json_has_its_text_as_its_body(
    upstream: ScriptedUpstream, sdk: openai.AsyncOpenAI, streamed: bool
) -> None:
    upstream.script(answer(b"<html>bad gateway</html>", 502))
    with pytest.raises(openai.InternalServerError) as caught:
        await (opened(sdk) if streamed else whole(sdk))
    assert caught.value.body == "<html>bad gateway</html>"


async def test_an_error_keeps_its_retry_after(
    upstream: ScriptedUpstream, sdk: openai.AsyncOpenAI
) -> None:
    upstream.script(answer({}, 429, retry_after="17"))
    with pytest.raises(openai.RateLimitError) as caught:
        await whole(sdk)
    assert caught.value.response.headers["retry-after"] == "17"


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_refused_connection_is_a_timeout_error_caused_by_a_connect_timeout(
    upstream: ScriptedUpstream, streamed: bool
) -> None:
    async with scripted_upstream() as closed:
        address = closed.base_url
    sdk = connected(address)
    with pytest.raises(openai.APITimeoutError) as caught:
        await (opened(sdk) if streamed else whole(sdk))
    await sdk.close()
    assert isinstance(caught.value.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_connection_cut_before_the_first_byte_looks_like_a_refused_one(
    upstream: ScriptedUpstream, sdk: openai.AsyncOpenAI, streamed: bool
) -> None:
    upstream.script([CUT])
    with pytest.raises(openai.APIConnectionError) as caught:
        await (opened(sdk) if streamed else whole(sdk))
    assert isinstance(caught.value.__cause__, httpx2.ConnectTimeout)
    assert isinstance(caught.value.__cause__.__cause__, aiohttp.ServerDisconnectedError)


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_upstream_that_hangs_is_a_timeout_error_caused_by_a_read_timeout(
    upstream: ScriptedUpstream, sdk: openai.AsyncOpenAI, streamed: bool
) -> None:
    upstream.script([HANG])
    with pytest.raises(openai.APITimeoutError) as caught:
        await (opened(sdk, read=0.02) if streamed else whole(sdk, read=0.02))
    assert isinstance(caught.value.__cause__, httpx2.ReadTimeout)


async def test_a_whole_answer_cut_in_the_middle_is_a_connection_error(
    upstream: ScriptedUpstream, sdk: openai.AsyncOpenAI
) -> None:
    upstream.script([answered_to_half(), CUT])
    with pytest.raises(openai.APIConnectionError) as caught:
        await whole(sdk)
    assert isinstance(caught.value.__cause__, httpx2.ReadError)


async def test_a_stream_cut_in_the_middle_is_a_read_error_of_the_transport(
    upstream: ScriptedUpstream, sdk: openai.AsyncOpenAI
) -> None:
    upstream.script(stream(b"x", CUT))
    with pytest.raises(httpx2.ReadError):
        await read(await opened(sdk))


async def test_a_stream_that_stalls_is_a_read_timeout_of_the_transport(
    upstream: ScriptedUpstream, sdk: openai.AsyncOpenAI
) -> None:
    upstream.script(stream(b"x", HANG))
    with pytest.raises(httpx2.ReadTimeout):
        await read(await opened(sdk, read=0.02))


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_is_not_http_passes_the_sdk_as_an_error_of_aiohttp(
    upstream: ScriptedUpstream, sdk: openai.AsyncOpenAI, streamed: bool
) -> None:
    upstream.script([b"\x00 this is not HTTP\r\n\r\n", CUT])
    with pytest.raises(aiohttp.ClientError):
        await (opened(sdk) if streamed else whole(sdk))


def answered_to_half() -> bytes:
    (response,) = answer({"a": "long answer"})
    assert isinstance(response, bytes)
    return response[:-5]
