"""Requests to one upstream: the OpenAI SDK says what leaves, aiohttp alone sends it.

The SDK's own way, through httpx2 to aiohttp, costs three times what aiohttp does. Some of what is
used here of SDK and httpx2 is not public; tests/test_upstream_contract.py holds it.
"""

from functools import cache
from typing import Any, NamedTuple

import aiohttp
import httpx2
import msgspec
import openai
from openai._models import FinalRequestOptions

from ..errors import UpstreamProtocolError

MOST_REDIRECTS = 20  # of httpx2
LONGEST = 128 * 2**20  # bytes of a whole answer; the most embeddings of one request are half of it

_HEADERS = {"Content-Type": "application/json"}
# A compressing proxy on the way would collect tokens until it has a block.
_STREAM_HEADERS = {**_HEADERS, "Accept-Encoding": "identity"}
_SENDERS_OWN = ("host", "content-length")


class Timeouts(msgspec.Struct, frozen=True):
    """In seconds. ``first_byte`` is for streams; a complete answer has the whole request's time."""

    connect: float = 5.0
    first_byte: float = 60.0
    idle: float = 60.0
    total: float = 300.0


class _Head(NamedTuple):
    """All of a request but its body."""

    request: httpx2.Request
    url: str
    headers: dict[str, str]
    proxy: str | None
    timeout: aiohttp.ClientTimeout


class Sender:
    """Sends what the SDK would send, to where its settings and the environment's proxies say.

    Raises ``openai.APIStatusError`` for a status that is no success, and what aiohttp raises.
    Raises ``httpx2.InvalidURL`` for a *base_url* that is none, ``ValueError`` for such a proxy.
    """

    def __init__(self, base_url: str, api_key: str, timeouts: Timeouts) -> None:
        self._http: Any = openai.DefaultAioHttpClient()  # knows proxies and certificates
        self._sdk = openai.AsyncOpenAI(
            base_url=base_url, api_key=api_key, max_retries=0, http_client=self._http
        )
        # The SDK reads them from OPENAI_* variables, whoever the upstream is; None and {} would
        # not keep it from that as arguments.
        self._sdk.organization = self._sdk.project = None
        self._sdk._custom_headers = {}
        self._timeouts = timeouts
        self._head = cache(self._built)
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def send(
        self, method: str, path: str, body: bytes | None = None, *, streamed: bool = False
    ) -> aiohttp.ClientResponse:
        """The answer, once its head is there. Who gets it reads it to its end, or closes it."""
        session = self._session or self._opened()
        head = self._head(method, path, streamed)
        response = await _sent(session, head, body)
        if 200 <= response.status < 300:
            return response
        return await self._followed(session, head, body, response)

    async def close(self) -> None:
        """Whoever sends from now on gets ``aiohttp.ClientConnectionError``."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _followed(
        self,
        session: aiohttp.ClientSession,
        head: _Head,
        body: bytes | None,
        response: aiohttp.ClientResponse,
    ) -> aiohttp.ClientResponse:
        """Where redirects lead to, if anywhere."""
        told = await _told(head.request, response)
        for _ in range(MOST_REDIRECTS):
            following = await _following(told)
            if following is None:
                break
            if following.method != head.request.method:
                body = None
            head = self._of(following, head.timeout)
            try:
                response = await _sent(session, head, body)
            except ValueError as error:  # a place that cannot be: credentials, a name without end
                raise aiohttp.InvalidURL("a redirect") from error
            if 200 <= response.status < 300:
                return response
            told = await _told(head.request, response)
        raise self._sdk._make_status_error_from_response(told)

    def _built(self, method: str, path: str, streamed: bool) -> _Head:
        """As the SDK builds it; the same for all requests of a kind."""
        idle = self._timeouts.idle if streamed else self._timeouts.total
        connect = self._timeouts.connect
        options = FinalRequestOptions.construct(
            method=method.lower(),
            url=path,
            headers=_STREAM_HEADERS if streamed else _HEADERS,
            timeout=httpx2.Timeout(idle, connect=connect, pool=connect),
            content=b"",
        )
        timeout = aiohttp.ClientTimeout(connect=connect, sock_connect=connect, sock_read=idle)
        return self._of(self._sdk._build_request(options), timeout)

    def _of(self, request: httpx2.Request, timeout: aiohttp.ClientTimeout) -> _Head:
        headers = {n: v for n, v in request.headers.items() if n not in _SENDERS_OWN}
        proxy = _url_of(self._http._transport_for_url(request.url).proxy)
        return _Head(request, str(request.url), headers, proxy, timeout)

    def _opened(self) -> aiohttp.ClientSession:
        if self._closed:
            raise aiohttp.ClientConnectionError("no more is sent there")
        transport = self._http._transport_for_url(self._sdk.base_url)
        connector = aiohttp.TCPConnector(
            limit=transport.limits.max_connections,
            keepalive_timeout=transport.limits.keepalive_expiry,
            ssl=transport.ssl_context,
        )
        jar = aiohttp.DummyCookieJar()  # nothing of one caller is told for another
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=jar)
        return self._session


async def _sent(
    session: aiohttp.ClientSession, head: _Head, body: bytes | None
) -> aiohttp.ClientResponse:
    return await session.request(
        head.request.method,
        head.url,
        data=body,
        headers=head.headers,
        proxy=head.proxy,
        timeout=head.timeout,
        allow_redirects=False,
    )


async def whole(response: aiohttp.ClientResponse) -> bytes:
    """All of an answer. Raises ``UpstreamProtocolError`` where that would not end."""
    read, size = [], 0
    try:
        async for data in response.content.iter_any():
            read.append(data)
            if (size := size + len(data)) > LONGEST:
                raise UpstreamProtocolError("the upstream's answer is too long")
    finally:
        response.close()  # nothing, where it has been read to its end
    return b"".join(read)


async def _told(request: httpx2.Request, response: aiohttp.ClientResponse) -> httpx2.Response:
    """*response* as SDK and httpx2 know it."""
    content = await whole(response)
    headers = [each for each in response.raw_headers if each[0].lower() != b"content-encoding"]
    return httpx2.Response(response.status, headers=headers, content=content, request=request)


async def _following(told: httpx2.Response) -> httpx2.Request | None:
    """The request that a redirect asks for; it is httpx2 that takes the key out for others."""
    if not told.has_redirect_location:
        return None
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: told)) as client:
        return (await client.send(told.request, follow_redirects=False)).next_request


def _url_of(proxy: httpx2.Proxy | None) -> str | None:
    if proxy is None:
        return None
    user, password = proxy.auth or ("", "")
    return str(proxy.url.copy_with(username=user, password=password))
