"""What a scrape gets: the registry as text, made at most twice a second however many ask."""

import gzip
import re
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from prometheus_client.exposition import choose_encoder

FRESH = 0.5  # seconds that one rendering is good for
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PLAIN = "text/plain"
_LEVEL = 5  # of gzip: higher ones cost more than they save


class Said(Protocol):
    """See ``Metrics.text``."""

    def text(self, form: str) -> bytes: ...


class Page(NamedTuple):
    """A rendering and the headers that go with it."""

    body: bytes
    headers: dict[str, str]


class Exposition:
    """What *series* say, in the format and encoding that are asked for; exemplars are in
    OpenMetrics only.

    Any thread may ask. One of them renders, and those who ask meanwhile wait for the result.
    """

    def __init__(
        self,
        series: Said,
        *,
        fresh: float = FRESH,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._series, self._fresh, self._clock = series, fresh, clock
        self._lock = threading.Lock()
        self._made_at = float("-inf")
        self._made: dict[tuple[str, bool], bytes] = {}

    def page(self, accept: str = "", accept_encoding: str = "") -> Page:
        """The answer to a request with these headers."""
        form, zipped = negotiated(accept), zips(accept_encoding)
        _, content_type = choose_encoder(form)
        headers = {"content-type": content_type, "vary": "accept, accept-encoding"}
        if zipped:
            headers["content-encoding"] = "gzip"
        with self._lock:
            return Page(self._body(form, zipped), headers)

    def _body(self, form: str, zipped: bool) -> bytes:
        if self._clock() - self._made_at >= self._fresh:
            self._made.clear()
            self._made_at = self._clock()
        body = self._made.get((form, zipped))
        if body is None:
            body = self._packed(form) if zipped else self._series.text(form)
            self._made[form, zipped] = body
        return body

    def _packed(self, form: str) -> bytes:
        return gzip.compress(self._body(form, zipped=False), _LEVEL, mtime=0)


def zips(accept_encoding: str) -> bool:
    """Whether gzip is accepted: RFC 9110, section 12.5.3; a weight of 0 says that it is not."""
    for offer in accept_encoding.lower().split(","):
        name, *told = (part.strip() for part in offer.split(";"))
        if name == "gzip":
            return not any(_NEVER.match(each) for each in told)
    return False


_NEVER = re.compile(r"q\s*=\s*0(\.0*)?\Z")


def negotiated(accept: str) -> str:
    """One of two formats. Callers cannot make up others: each would be a cache entry."""
    try:
        _, content_type = choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is none
        return PLAIN
    return OPENMETRICS if content_type.startswith("application/openmetrics-text") else PLAIN
