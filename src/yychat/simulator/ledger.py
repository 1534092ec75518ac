"""What reached the simulator: counts, who is answered now, the last request of each kind."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from starlette.datastructures import Headers

from .faults import Service


class Received(msgspec.Struct, frozen=True):
    """One request as it came in; a key is only told to be there."""

    headers: dict[str, str]
    authorized: bool
    body: Any


class Ledger:
    def __init__(self) -> None:
        self._in_flight = 0
        self.clear()

    def clear(self) -> None:
        """Forget everything but the requests being answered."""
        self._requests: Counter[str] = Counter(chat=0, embeddings=0, models=0)
        self._peak = self._in_flight
        self._disconnects = 0
        self._last: dict[Service, tuple[Headers, bytes]] = {}

    def count(self, name: str) -> None:
        self._requests[name] += 1

    def disconnected(self) -> None:
        """Note a client that left before its answer was complete."""
        self._disconnects += 1

    @contextmanager
    def answering(self, service: Service, headers: Headers, body: bytes) -> Iterator[None]:
        self.count(service)
        self._last[service] = (headers, body)
        self._in_flight += 1
        self._peak = max(self._peak, self._in_flight)
        try:
            yield
        finally:
            self._in_flight -= 1

    @property
    def stats(self) -> dict[str, Any]:
        return {
            "requests": dict(self._requests),
            "in_flight": self._in_flight,
            "peak_in_flight": self._peak,
            "disconnects": self._disconnects,
        }

    @property
    def last(self) -> dict[str, Received | None]:
        return {service: self._received(service) for service in ("chat", "embeddings")}

    def _received(self, service: Service) -> Received | None:
        if service not in self._last:
            return None
        headers, body = self._last[service]
        shown = {name: value for name, value in headers.items() if name != "authorization"}
        return Received(headers=shown, authorized="authorization" in headers, body=_shown(body))


def _shown(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body.decode("utf-8", "replace")
