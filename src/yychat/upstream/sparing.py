"""The OpenAI SDK's client, sparing: it builds the head of each kind of request once.

Merging URL and headers anew for every request is a third of what a request costs the SDK.
``_build_request`` is not public; tests/test_upstream_contract.py holds that what leaves is the
same with and without this class.
"""

from collections.abc import Hashable
from typing import Any, cast

import httpx2
import openai
from openai._models import FinalRequestOptions


class SparingClient(openai.AsyncOpenAI):
    """For bodies that are bytes; whatever else is asked is built by the SDK itself.

    Its key and its default headers must not change after the first request.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._heads: dict[Hashable, httpx2.Request] = {}

    @property
    def user_agent(self) -> str:
        """The SDK's own: it is the SDK that asks."""
        return f"{openai.AsyncOpenAI.__name__}/Python {openai.__version__}"

    def _build_request(
        self, options: FinalRequestOptions, *, retries_taken: int = 0
    ) -> httpx2.Request:
        kind = _kind(options)
        if kind is None or retries_taken:
            return super()._build_request(options, retries_taken=retries_taken)
        head = self._heads.get(kind)
        if head is None:
            head = self._heads[kind] = _without_body(super()._build_request(options))
        return httpx2.Request(
            head.method,
            head.url,
            headers=head.headers,
            content=cast(bytes, options.content),
            extensions=head.extensions,
        )


def _kind(options: FinalRequestOptions) -> Hashable:
    """All that makes the heads of two requests differ; None where that is not known here."""
    headers, timeout = options.headers, options.timeout
    if not isinstance(options.content, bytes) or options.params:
        return None
    if not isinstance(headers, dict) or not isinstance(timeout, httpx2.Timeout):
        return None
    times = (timeout.connect, timeout.read, timeout.write, timeout.pool)
    return options.method, options.url, times, *headers.items()


def _without_body(request: httpx2.Request) -> httpx2.Request:
    headers = request.headers
    del headers["content-length"]
    return httpx2.Request(
        request.method,
        request.url,
        headers=headers,
        stream=httpx2.ByteStream(b""),  # or it would get a Content-Length of its own
        extensions=request.extensions,
    )
