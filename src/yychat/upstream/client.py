"""One upstream: bytes in and bytes out, what goes wrong there in our words, and its breakers."""

import asyncio
import logging
import re
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable

import aiohttp
import httpx2
import openai

from .. import errors
from ..resilience import Breaker
from .config import Endpoint
from .sender import Sender, Timeouts, whole
from .sse import before_failure

log = logging.getLogger(__name__)

CHAT = "/chat/completions"

_IDENTIFIER = re.compile(r"[A-Za-z0-9_.\-\[\]]{1,96}\Z")


def connected(endpoint: Endpoint, timeouts: Timeouts) -> "Upstream":
    """The upstream at *endpoint*; nothing is sent yet. Raises ``ConfigurationError``."""
    key = endpoint.key() or "none"  # local servers need none, the SDK insists on one
    try:
        sender = Sender(endpoint.base_url, key, timeouts)
    except (httpx2.InvalidURL, ValueError) as error:
        raise errors.ConfigurationError(
            f"upstream {endpoint.name}: its base URL, or a proxy of the environment, cannot be used"
        ) from error
    return Upstream(endpoint.name, sender, timeouts, models=endpoint.model_map())


class Upstream:
    """A provider behind an OpenAI-compatible base URL. Raises ``UpstreamError``, nothing else.

    Each path has a breaker of its own: embeddings that fail say nothing about chat.
    """

    def __init__(
        self,
        name: str,
        sender: Sender,
        timeouts: Timeouts,
        *,
        models: dict[str, str] | None = None,
        breaker: Callable[[], Breaker] = Breaker,
    ) -> None:
        self.name = name
        self._breakers = defaultdict[str, Breaker](breaker)
        self._sender, self._timeouts, self._models = sender, timeouts, models

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
            response = await self._sender.send("POST", path, body)
            return _something(await whole(response))

    async def get(self, path: str) -> bytes:
        """Ask for a list. No breaker: some upstreams are well and have no such path."""
        with translated:
            async with asyncio.timeout(self._timeouts.first_byte):
                response = await self._sender.send("GET", path)
                return await whole(response)

    async def stream(self, path: str, body: bytes) -> AsyncGenerator[bytes, None]:
        """Send a request and give the answer's bytes as they come.

        Failures up to the first byte are raised by the first ``anext``, and are the breaker's.
        """
        response: aiohttp.ClientResponse | None = None
        try:
            with self._judged(path):
                async with asyncio.timeout(self._timeouts.first_byte):
                    response = await self._sender.send("POST", path, body, streamed=True)
                    data = _something(await response.content.readany())
                if before_failure(data) == b"":  # its status came too early
                    raise errors.UpstreamFailed("the upstream failed while answering")
            with translated:
                while data:
                    before = before_failure(data)
                    yield data if before is None else before
                    if before is not None:
                        raise errors.UpstreamFailed("the upstream failed while answering")
                    data = await response.content.readany()
        finally:
            if response is not None:
                response.close()

    async def close(self) -> None:
        await self._sender.close()

    def _judged(self, path: str) -> "_Judged":
        return _Judged(self.name, path, self._breakers[path])


class _Translated:
    """Lets no exception of aiohttp or the SDK out of this module."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None and (told := _translation(error)):
            raise told from error


translated = _Translated()


class _Judged:
    """Translates what goes wrong, and lets the path's breaker know how it went."""

    __slots__ = ("_before", "_breaker", "_name", "_path")

    def __init__(self, name: str, path: str, breaker: Breaker) -> None:
        self._name, self._path, self._breaker = name, path, breaker
        self._before = breaker.state

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        told = None if error is None else _translation(error)
        if error is None:
            self._breaker.succeeded()
        elif failure := told or (error if isinstance(error, errors.UpstreamError) else None):
            self._failed(failure, error)
        if self._breaker.state != self._before:
            log.warning(
                "upstream %s: breaker of %s %s", self._name, self._path, self._breaker.state
            )
        if told:
            raise told from error

    def _failed(self, failure: errors.UpstreamError, cause: BaseException) -> None:
        breaker = self._breaker
        if isinstance(failure, errors.UpstreamRateLimited):
            breaker.limited(failure.retry_after)
        elif _blameless(failure, cause):
            breaker.succeeded()
        else:
            if breaker.state == "closed" and not breaker.cooling:
                log.warning("upstream %s: %s", self._name, failure)  # the first of a row
            breaker.failed()


def _something(data: bytes) -> bytes:
    if not data:
        raise errors.UpstreamProtocolError("the upstream sent an empty answer")
    return data


def _blameless(failure: errors.UpstreamError, cause: BaseException) -> bool:
    """The upstream is well and did not take this one request. A key it does not accept is no such
    case: it takes none."""
    if isinstance(failure, errors.UpstreamAuthFailed):
        return False
    return isinstance(cause, openai.APIStatusError) and 400 <= cause.status_code < 500


def _translation(error: BaseException) -> errors.UpstreamError | None:
    """In our words; None where it is not the upstream's failure, or in our words already."""
    match error:
        case openai.APIStatusError():
            return _from_status(error)
        case aiohttp.SocketTimeoutError():
            return errors.UpstreamTimeout("the upstream did not answer in time")
        case aiohttp.ClientConnectionError():  # its timeouts, too
            return errors.UpstreamUnreachable("the upstream cannot be reached")
        case aiohttp.ClientPayloadError():
            return errors.UpstreamProtocolError("the upstream broke off the connection")
        case TimeoutError():  # ours
            return errors.UpstreamTimeout("the upstream did not begin to answer in time")
        case aiohttp.ClientError() | httpx2.HTTPError():
            return errors.UpstreamProtocolError("the upstream broke the protocol")
    return None


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
