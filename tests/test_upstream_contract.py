"""What src/yychat/upstream relies on in the OpenAI SDK, httpx2 and aiohttp: red when an update
changes it."""

import asyncio
import gzip
import random
import ssl
import zlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import httpx2
import openai
import pytest

from fakes import CUT, HANG, ScriptedUpstream, Step, answer, scripted_upstream, stream
from yychat.upstream.sender import Sender, Timeouts

JSON = {"Content-Type": "application/json"}
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
REDIRECTS = (301, 302, 303, 307, 308)


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted_upstream() as running:
        yield running


@pytest.fixture
async def elsewhere() -> AsyncIterator[ScriptedUpstream]:
    async with scripted_upstream() as running:
        running.script(answer(b"from elsewhere"))
        yield running


@pytest.fixture
async def sender(upstream: ScriptedUpstream) -> AsyncIterator[Sender]:
    sender = Sender(upstream.base_url, "sk-1", Timeouts())
    yield sender
    await sender.close()


async def opened(sender: Sender, streamed: bool = True) -> aiohttp.ClientResponse:
    return await sender.send("POST", "/chat", b"{}", streamed=streamed)


async def whole(sender: Sender, body: bytes = b"{}") -> bytes:
    return await (await sender.send("POST", "/chat", body)).read()


async def read(response: aiohttp.ClientResponse) -> bytes:
    data = b""
    try:
        while more := await response.content.readany():
            data += more
    finally:
        response.close()
    return data


# What leaves


async def test_post_sends_exactly_these_bytes(upstream: ScriptedUpstream, sender: Sender) -> None:
    upstream.script(answer({}))
    body = b'{"a" :1.0, "b":"\\u00e9 \xc3\xa9",\n"a":1e400}'
    await whole(sender, body)
    assert upstream.requests[0].body == body
    assert upstream.requests[0].line == "POST /v1/chat HTTP/1.1"


async def test_post_sends_the_key_and_our_content_type(
    upstream: ScriptedUpstream, sender: Sender
) -> None:
    upstream.script(answer({}))
    await whole(sender)
    headers = upstream.requests[0].headers
    assert (headers["authorization"], headers["content-type"]) == (
        "Bearer sk-1",
        "application/json",
    )


async def test_what_leaves_is_what_the_sdk_would_send(
    upstream: ScriptedUpstream, sender: Sender
) -> None:
    upstream.script(answer({}))
    await by_the_sdk(upstream)
    for body in (b'{"first": 1}', b'{"second": "\xc3\xa9"}'):
        await whole(sender, body)
    await read(await sender.send("POST", "/chat", b'{"third": 3}', streamed=True))
    await read(await sender.send("GET", "/models"))
    seen = [(request.line, request.headers, request.body) for request in upstream.requests]
    assert seen[:4] == seen[4:]
    assert seen[1][1]["content-length"] == "16"
    assert seen[2][1]["accept-encoding"] == "identity"


async def by_the_sdk(upstream: ScriptedUpstream) -> None:
    sdk = openai.AsyncOpenAI(
        base_url=upstream.base_url,
        api_key="sk-1",
        max_retries=0,
        http_client=openai.DefaultAioHttpClient(),
    )
    raw: Any = {"cast_to": httpx2.Response}
    of_whole: Any = {"timeout": httpx2.Timeout(300.0, connect=5.0), "headers": JSON}
    of_streams: Any = {
        "timeout": httpx2.Timeout(60.0, connect=5.0),
        "headers": {**JSON, "Accept-Encoding": "identity"},
    }
    async with sdk:
        await sdk.post("/chat", content=b'{"first": 1}', options=of_whole, **raw)
        await sdk.post("/chat", content=b'{"second": "\xc3\xa9"}', options=of_whole, **raw)
        await sdk.post("/chat", content=b'{"third": 3}', options=of_streams, **raw)
        await sdk.get("/models", options=of_whole, **raw)


async def test_no_cookie_is_kept(upstream: ScriptedUpstream, sender: Sender) -> None:
    upstream.script(answer({}, set_cookie="whose=mine; Path=/"))
    for _ in range(2):
        await whole(sender)
        await read(await opened(sender))
    assert not any("cookie" in request.headers for request in upstream.requests)


# Where to


async def test_a_proxy_of_the_environment_is_used_and_told_its_password(
    upstream: ScriptedUpstream, elsewhere: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://us:p%40w@127.0.0.1:{elsewhere.port}")
    sender = Sender(upstream.base_url, "sk-1", Timeouts())
    assert await whole(sender) == b"from elsewhere"
    await sender.close()
    asked = elsewhere.requests[0]
    assert asked.line == f"POST {upstream.base_url}/chat HTTP/1.1"
    assert asked.headers["proxy-authorization"] == "Basic dXM6cEB3"


@pytest.mark.parametrize("name", ["127.0.0.1", "*"])
async def test_no_proxy_is_asked_for_a_host_that_is_excepted(
    upstream: ScriptedUpstream,
    elsewhere: ScriptedUpstream,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{elsewhere.port}")
    monkeypatch.setenv("NO_PROXY", name)
    upstream.script(answer(b"direct"))
    sender = Sender(upstream.base_url, "sk-1", Timeouts())
    assert await whole(sender) == b"direct"
    await sender.close()


async def test_certificates_are_verified_and_looked_for_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    http: Any = openai.DefaultAioHttpClient()
    context = http._transport_for_url(httpx2.URL("https://a.example")).ssl_context
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    with pytest.raises(FileNotFoundError):
        Sender("https://a.example", "sk-1", Timeouts())


async def test_connections_are_many_and_kept_for_a_while() -> None:
    http: Any = openai.DefaultAioHttpClient()
    limits = http._transport_for_url(httpx2.URL("http://a.example")).limits
    assert (limits.max_connections, limits.keepalive_expiry) == (1000, 5.0)


def redirect(status: int, to: str) -> list[Step]:
    return answer(b"this way", status, location=to)


@pytest.mark.parametrize("status", REDIRECTS)
async def test_a_redirect_within_the_upstream_is_followed_with_the_key(
    upstream: ScriptedUpstream, sender: Sender, status: int
) -> None:
    upstream.script(redirect(status, "/v2/chat"), answer(b"there"))
    assert await whole(sender, b'{"x":1}') == b"there"
    asked = upstream.requests[1]
    kept = status >= 307
    assert asked.line == f"{'POST' if kept else 'GET'} /v2/chat HTTP/1.1"
    assert asked.body == (b'{"x":1}' if kept else b"")
    assert asked.headers["authorization"] == "Bearer sk-1"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("status", REDIRECTS)
async def test_a_redirect_to_others_takes_no_key_there(
    upstream: ScriptedUpstream,
    elsewhere: ScriptedUpstream,
    sender: Sender,
    status: int,
    host: str,
) -> None:
    there = f"{host}:{elsewhere.port}"
    upstream.script(redirect(status, f"http://{there}/chat"))
    assert await read(await opened(sender)) == b"from elsewhere"
    assert "sk-1" not in str(elsewhere.requests[0])
    assert elsewhere.requests[0].headers["host"] == there


async def test_a_redirect_to_tls_on_the_same_host_takes_the_key_along() -> None:
    request = httpx2.Request("POST", "http://a.example/v1", headers={"Authorization": "sk-1"})
    told = httpx2.Response(308, headers={"Location": "https://a.example/v1"}, request=request)
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: told)) as client:
        following = (await client.send(request)).next_request
    assert following is not None
    assert following.headers["Authorization"] == "sk-1"


@pytest.mark.parametrize("place", ["http://anna:zebra@127.0.0.1:{}/v2", f"http://{'a' * 300}/"])
async def test_a_redirect_to_where_nobody_can_go_is_a_broken_protocol(
    upstream: ScriptedUpstream, sender: Sender, place: str
) -> None:
    upstream.script(redirect(307, place.format(upstream.base_url.split(":")[2].split("/")[0])))
    with pytest.raises(aiohttp.InvalidURL):
        await whole(sender)


async def test_redirects_have_an_end(upstream: ScriptedUpstream, sender: Sender) -> None:
    upstream.script(redirect(308, "/v1/chat"))
    with pytest.raises(openai.APIStatusError):
        await whole(sender)
    assert len(upstream.requests) == 21


# What comes back


async def test_a_whole_answer_comes_back_as_the_bytes_that_were_sent(
    upstream: ScriptedUpstream, sender: Sender
) -> None:
    body = b'{"not": "decoded" , "x":1.50}'
    upstream.script(answer(body))
    assert await whole(sender) == body


@pytest.mark.parametrize("kind", ["gzip", "deflate"])
async def test_a_compressed_answer_is_unpacked(
    upstream: ScriptedUpstream, sender: Sender, kind: str
) -> None:
    packed = gzip.compress(b"text") if kind == "gzip" else zlib.compress(b"text")
    upstream.script(answer(packed, content_encoding=kind))
    assert await whole(sender) == b"text"


async def test_a_compressed_stream_is_unpacked(upstream: ScriptedUpstream, sender: Sender) -> None:
    packed = gzip.compress(b"data: x\n\n")
    upstream.script(stream(packed[:10], packed[10:], content_encoding="gzip"))
    assert await read(await opened(sender)) == b"data: x\n\n"


async def test_a_compressed_error_is_unpacked(upstream: ScriptedUpstream, sender: Sender) -> None:
    packed = gzip.compress(b'{"error": {"code": "c"}}')
    upstream.script(answer(packed, 400, content_encoding="gzip"))
    with pytest.raises(openai.BadRequestError) as caught:
        await whole(sender)
    assert caught.value.code == "c"


async def test_a_stream_gives_its_first_bytes_before_its_end(
    upstream: ScriptedUpstream, sender: Sender
) -> None:
    gate = asyncio.Event()
    upstream.script(stream(b"first", gate, b"second"))
    response = await opened(sender)
    assert await response.content.readany() == b"first"
    gate.set()
    assert await response.content.readany() == b"second"
    assert await response.content.readany() == b""


async def test_a_stream_that_is_no_event_stream_is_not_interpreted(
    upstream: ScriptedUpstream, sender: Sender
) -> None:
    sent = random.Random(1).randbytes(4_000)
    upstream.script(stream(sent))
    assert await read(await opened(sender)) == sent


# Connections


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_read_to_its_end_leaves_the_connection_for_the_next(
    upstream: ScriptedUpstream, sender: Sender, streamed: bool
) -> None:
    upstream.script(stream(b"x"))
    for _ in range(3):
        response = await opened(sender, streamed)
        await read(response)
        response.close()
    assert upstream.connections == 1


async def test_a_refusal_leaves_the_connection_for_the_next(
    upstream: ScriptedUpstream, sender: Sender
) -> None:
    upstream.script(answer({}, 400))
    for _ in range(3):
        with pytest.raises(openai.BadRequestError):
            await whole(sender)
    assert upstream.connections == 1


async def test_a_stream_closed_early_closes_its_connection_at_once(
    upstream: ScriptedUpstream, sender: Sender
) -> None:
    upstream.script(stream(b"x", HANG))
    response = await opened(sender)
    await response.content.readany()
    response.close()
    await asyncio.wait_for(upstream.left.wait(), 5)


@pytest.mark.parametrize("begun", [False, True], ids=["before its head", "in its body"])
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_cancelled_request_closes_its_connection_at_once(
    upstream: ScriptedUpstream, sender: Sender, streamed: bool, begun: bool
) -> None:
    upstream.script([HANG] if not begun else [b"HTTP/1.1 500 Scripted\r\n\r\n{", HANG])
    asking = asyncio.create_task(opened(sender, streamed))
    await upstream.asked.wait()
    asking.cancel()
    await asyncio.wait([asking])
    await asyncio.wait_for(upstream.left.wait(), 5)


async def test_nothing_is_sent_after_the_end(upstream: ScriptedUpstream) -> None:
    sender = Sender(upstream.base_url, "sk-1", Timeouts())
    await sender.close()
    with pytest.raises(aiohttp.ClientConnectionError):
        await whole(sender)


# What goes wrong


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("status", [429, 500])
async def test_a_failure_is_not_retried(
    upstream: ScriptedUpstream, sender: Sender, status: int, streamed: bool
) -> None:
    upstream.script(answer({}, status, retry_after="0"))
    with pytest.raises(openai.APIStatusError):
        await opened(sender, streamed)
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("status", STATUSES)
async def test_every_status_has_its_exception_with_the_error_object_as_its_body(
    upstream: ScriptedUpstream, sender: Sender, status: int, streamed: bool
) -> None:
    upstream.script(answer({"error": {"message": "m", "param": "p", "code": "c"}}, status))
    with pytest.raises(STATUSES[status]) as caught:
        await opened(sender, streamed)
    assert caught.value.status_code == status
    assert caught.value.body == {"message": "m", "param": "p", "code": "c"}


@pytest.mark.parametrize("status", [101, 300, 304, 308])
async def test_a_status_that_is_no_success_is_an_exception(
    upstream: ScriptedUpstream, sender: Sender, status: int
) -> None:
    upstream.script([*answer(b"", status), CUT])
    with pytest.raises(openai.APIStatusError) as caught:
        await whole(sender)
    assert caught.value.status_code == status


async def test_an_error_without_json_has_its_text_as_its_body(
    upstream: ScriptedUpstream, sender: Sender
) -> None:
    upstream.script(answer(b"<html>bad gateway</html>", 502))
    with pytest.raises(openai.InternalServerError) as caught:
        await whole(sender)
    assert caught.value.body == "<html>bad gateway</html>"


async def test_an_error_keeps_its_retry_after(upstream: ScriptedUpstream, sender: Sender) -> None:
    upstream.script(answer({}, 429, retry_after="17"))
    with pytest.raises(openai.RateLimitError) as caught:
        await whole(sender)
    assert caught.value.response.headers["retry-after"] == "17"


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_refused_connection_is_a_connection_error_and_no_timeout(streamed: bool) -> None:
    async with scripted_upstream() as closed:
        sender = Sender(closed.base_url, "sk-1", Timeouts())
    with pytest.raises(aiohttp.ClientConnectorError):
        await opened(sender, streamed)
    await sender.close()
    assert issubclass(aiohttp.ClientConnectorError, aiohttp.ClientConnectionError)


def test_of_the_timeouts_only_that_of_a_read_is_a_socket_timeout() -> None:
    assert issubclass(aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectionError)
    assert not issubclass(aiohttp.ConnectionTimeoutError, aiohttp.SocketTimeoutError)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_connection_cut_before_the_first_byte_is_a_connection_error(
    upstream: ScriptedUpstream, sender: Sender, streamed: bool
) -> None:
    upstream.script([CUT])
    with pytest.raises(aiohttp.ClientConnectionError):
        await opened(sender, streamed)


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\nx"])
@pytest.mark.parametrize("streamed", [False, True])
async def test_an_upstream_that_hangs_is_a_socket_timeout(
    upstream: ScriptedUpstream, streamed: bool, begun: bytes
) -> None:
    upstream.script([begun, HANG])
    sender = Sender(upstream.base_url, "sk-1", Timeouts(idle=0.02, total=0.02))
    with pytest.raises(aiohttp.SocketTimeoutError):
        await read(await opened(sender, streamed))
    await sender.close()


async def test_a_whole_answer_cut_in_the_middle_is_a_payload_error(
    upstream: ScriptedUpstream, sender: Sender
) -> None:
    upstream.script([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx", CUT])
    with pytest.raises(aiohttp.ClientPayloadError):
        await whole(sender)


async def test_a_stream_cut_in_the_middle_is_a_payload_error(
    upstream: ScriptedUpstream, sender: Sender
) -> None:
    upstream.script(stream(b"x", CUT))
    with pytest.raises(aiohttp.ClientPayloadError):
        await read(await opened(sender))


GARBAGE: dict[str, list[Step]] = {
    "no HTTP": [b"\x00 this is not HTTP\r\n\r\n", CUT],
    "a header too large": answer(b"x", x="y" * 9_000),
    "two lengths": [b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"],
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("case", GARBAGE)
async def test_what_is_not_http_is_another_error_of_aiohttp(
    upstream: ScriptedUpstream, sender: Sender, case: str, streamed: bool
) -> None:
    upstream.script(GARBAGE[case])
    with pytest.raises(aiohttp.ClientError) as caught:
        await opened(sender, streamed)
    assert not isinstance(caught.value, aiohttp.ClientConnectionError)
