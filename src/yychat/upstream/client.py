"""One upstream, asked through the OpenAI SDK's client with bytes in and bytes out.

``client.post(content=...)`` instead of ``create()``: the SDK would otherwise walk and rebuild
every message. tests/test_upstream_contract.py holds what is relied on here.
"""

import asyncio
import logging
import re
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any

import aiohttp
import httpx2
import msgspec
import openai

from .. import errors
from ..resilience import Breaker
from .config import Endpoint
from .sparing import SparingClient

log = logging.getLogger(__name__)

CHAT = "/chat/completions"

_IDENTIFIER = re.compile(r"[A-Za-z0-9_.\-\[\]]{1,96}\Z")
_HEADERS = {"Content-Type": "application/json"}
# A compressing proxy on the way would collect tokens until it has a block.
_STREAM_HEADERS = {**_HEADERS, "Accept-Encoding": "identity"}


class Timeouts(msgspec.Struct, frozen=True):
    """In seconds. ``first_byte`` is for streams; a complete answer has the whole request's time."""

    connect: float = 5.0
    first_byte: float = 60.0
    idle: float = 60.0
    total: float = 300.0


def connected(endpoint: Endpoint, timeouts: Timeouts) -> "Upstream":
    """The upstream at *endpoint*; nothing is sent yet. Raises ``ConfigurationError``."""
    try:
        client = SparingClient(
            base_url=endpoint.base_url,
            api_key=endpoint.key() or "none",  # local servers need none, the SDK insists on one
            max_retries=0,
            http_client=openai.DefaultAioHttpClient(),
        )
    except httpx2.InvalidURL as error:
        raise errors.ConfigurationError(
            f"upstream {endpoint.name}: its base URL cannot be used"
        ) from error
    # The SDK reads them from OPENAI_* variables, whoever the upstream is; None and {} would not
    # keep it from that as arguments.
    client.organization = client.project = None
    client._custom_headers = {}
    return Upstream(endpoint.name, client, timeouts, models=endpoint.model_map())


class Upstream:
    """A provider behind an OpenAI-compatible base URL. Raises ``UpstreamError``, nothing else.

    Each path has a breaker of its own: embeddings that fail say nothing about chat.
    """

    def __init__(
        self,
        name: str,
        client: openai.AsyncOpenAI,
        timeouts: Timeouts,
        *,
        models: dict[str, str] | None = None,
        breaker: Callable[[], Breaker] = Breaker,
    ) -> None:
        self.name = name
        self._breakers = defaultdict[str, Breaker](breaker)
        self._client, self._timeouts, self._models = client, timeouts, models
        whole = httpx2.Timeout(timeouts.total, connect=timeouts.connect, pool=timeouts.connect)
        streamed = httpx2.Timeout(timeouts.idle, connect=timeouts.connect, pool=timeouts.connect)
        self._whole: Any = {"timeout": whole, "headers": _HEADERS}
        self._streamed: Any = {"timeout": streamed, "headers": _STREAM_HEADERS}

    def model(self, asked: str) -> str | None:
        """What this upstream calls the model *asked* for; None when it does not have it."""
        return asked if self._models is None else self._models.get(asked)

    @property
    def models(self) -> dict[str, str] | None:
        return self._models

    @property
    def breaker(self) -> Breaker:
        """That of chat: whether the upstream does what it is there for."""
        return self.breaker_of(CHAT)

    def breaker_of(self, path: str) -> Breaker:
        return self._breakers[path]

    async def post(self, path: str, body: bytes) -> bytes:
        """Send a request and read the whole answer."""
        with self._judged(path):
            response = await self._client.post(
                path, content=body, cast_to=httpx2.Response, options=self._whole
            )
            return _something(response.content)

    async def get(self, path: str) -> bytes:
        """Ask for a list. No breaker: some upstreams are well and have no such path."""
        with translated():
            async with _within(self._timeouts.first_byte):
                response = await self._client.get(
                    path, cast_to=httpx2.Response, options=self._whole
                )
            return response.content

    async def stream(self, path: str, body: bytes) -> AsyncGenerator[bytes, None]:
        """Send a request and give the answer's bytes as they come.

        Failures up to the first byte are raised by the first ``anext``, and are the breaker's.
        """
        async with aclosing(self._reads(path, body)) as reads:
            with self._judged(path):
                async with _within(self._timeouts.first_byte):
                    first = _something(await anext(reads, b""))
            yield first
            async for data in reads:
                yield data

    async def close(self) -> None:
        await self._client.close()

    async def _reads(self, path: str, body: bytes) -> AsyncGenerator[bytes, None]:
        with translated():
            response = await self._open(path, body)
            try:
                # Not aiter_raw: some upstreams compress although they were asked not to.
                async with aclosing(response.aiter_bytes()) as reads:
                    async for data in reads:
                        yield data
            finally:
                await response.aclose()

    async def _open(self, path: str, body: bytes) -> httpx2.Response:
        # With this cast_to the SDK hands over the raw response, whatever stream_cls promises.
        response: object = await self._client.post(
            path,
            content=body,
            cast_to=httpx2.Response,
            options=self._streamed,
            stream=True,
            stream_cls=openai.AsyncStream[Any],
        )
        assert isinstance(response, httpx2.Response)
        return response

    @contextmanager
    def _judged(self, path: str) -> Iterator[None]:
        """Translate what goes wrong, and let the path's breaker know how it went."""
        breaker = self.breaker_of(path)
        before = breaker.state
        try:
            with self._told(breaker):
                yield
        finally:
            if breaker.state != before:
                log.warning("upstream %s: breaker of %s %s", self.name, path, breaker.state)

    @contextmanager
    def _told(self, breaker: Breaker) -> Iterator[None]:
        try:
            with translated():
                yield
        except errors.UpstreamRateLimited as error:
            breaker.limited(error.retry_after)
            raise
        except errors.UpstreamError as error:
            if _blameless(error):
                breaker.succeeded()
                raise
            if breaker.state == "closed" and not breaker.cooling:
                log.warning("upstream %s: %s", self.name, error)  # the first of a row
            breaker.failed()
            raise
        breaker.succeeded()


# What is not HTTP at all passes the SDK's transport as aiohttp's own error.
_BROKEN = (httpx2.StreamError, httpx2.DecodingError, openai.OpenAIError, aiohttp.ClientError)


@contextmanager
def translated() -> Iterator[None]:
    """Let no exception of the SDK or its transport out of this module."""
    try:
        yield
    except openai.APIStatusError as error:
        raise _from_status(error) from error
    except (openai.APIConnectionError, httpx2.TransportError) as error:
        raise _from_transport(error) from error
    except _BROKEN as error:
        raise errors.UpstreamProtocolError("the upstream broke the protocol") from error


@asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise errors.UpstreamTimeout("the upstream did not begin to answer in time") from error


def _something(data: bytes) -> bytes:
    if not data:
        raise errors.UpstreamProtocolError("the upstream sent an empty answer")
    return data


def _blameless(error: errors.UpstreamError) -> bool:
    """The upstream is well and did not take this one request. A key it does not accept is no such
    case: it takes none."""
    if isinstance(error, errors.UpstreamAuthFailed):
        return False
    cause = error.__cause__
    return isinstance(cause, openai.APIStatusError) and 400 <= cause.status_code < 500


def _from_transport(error: Exception) -> errors.UpstreamError:
    cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else error
    # The SDK reports a refused connection as a timeout whose cause is a ConnectTimeout.
    if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout):
        return errors.UpstreamUnreachable("the upstream cannot be reached")
    if isinstance(cause, httpx2.TimeoutException) or isinstance(error, openai.APITimeoutError):
        return errors.UpstreamTimeout("the upstream did not answer in time")
    return errors.UpstreamProtocolError("the upstream broke off the connection")


def _from_status(error: openai.APIStatusError) -> errors.UpstreamError:
    status = error.status_code
    body = error.body if isinstance(error.body, dict) else {}
    if status in (400, 413, 422):
        return errors.UpstreamRefused(
            "the upstream refused the request",
            param=_identifier(body.get("param")),
            code=_identifier(body.get("code")),
        )
    if status in (401, 402, 403):
        return errors.UpstreamAuthFailed("the upstream does not accept this service's credentials")
    if status == 404 and body.keys() & {"code", "message"}:  # not that of a wrong base URL
        return errors.UpstreamModelUnknown("the upstream does not know this model", param="model")
    if status == 404:
        return errors.UpstreamProtocolError("there is no chat API at the upstream's base URL")
    if status == 429:
        return errors.UpstreamRateLimited(
            "the upstream is limiting requests", retry_after=_retry_after(error.response) or 1
        )
    if status >= 500:
        return errors.UpstreamFailed(
            "the upstream failed", retry_after=_retry_after(error.response)
        )
    return errors.UpstreamProtocolError("the upstream answered with an unexpected status")


def _identifier(value: object) -> str | None:
    return value if isinstance(value, str) and _IDENTIFIER.match(value) else None


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds, from ``Retry-After`` (RFC 9110, 10.2.3; the date form is not used by providers)."""
    try:
        seconds = float(response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds < 86_400 else None
