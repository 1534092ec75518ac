"""Cutting an upstream's bytes into server-sent events (WHATWG HTML, section 9.2)."""

import re
from typing import Any

import msgspec

from ..errors import UpstreamProtocolError

LARGEST_EVENT = 8 * 1024 * 1024  # bytes; an event that never ends must not eat the memory
_END = re.compile(rb"\r\n\r\n|\n\r\n|\n\n|\r\r")


class EventSplitter:
    """Feeds on network reads, gives whole events: each with its terminator, byte for byte."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        buffer = self._rest + data if self._rest else data
        if b"\r" not in buffer:
            *events, self._rest = buffer.split(b"\n\n")
            whole = [event + b"\n\n" for event in events]
        else:
            whole = self._cut(buffer)
        if len(self._rest) > LARGEST_EVENT:
            raise UpstreamProtocolError("the upstream sent an event without end")
        return whole

    def _cut(self, buffer: bytes) -> list[bytes]:
        events, start = [], 0
        for end in _END.finditer(buffer):
            events.append(buffer[start : end.end()])
            start = end.end()
        self._rest = buffer[start:]
        return events


def payload(event: bytes) -> bytes | None:
    """The data of an event; None for comments and events without data."""
    if event.startswith(b"data: ") and event.count(b"\n") == 2 and b"\r" not in event:
        return event[6:-2]
    data = [line[5:].removeprefix(b" ") for line in event.splitlines() if line.startswith(b"data:")]
    return b"\n".join(data) if data else None


class _Failure(msgspec.Struct):
    error: Any = None


_failure = msgspec.json.Decoder(_Failure)


def before_failure(data: bytes) -> bytes | None:
    """What is said in *data* before an event by which the upstream fails; None where none does. One
    that comes in pieces is left to whoever reads on."""
    if b'"error"' not in data:
        return None
    said = b""
    for each in EventSplitter().feed(data):
        content = payload(each)
        if content is not None:
            if _fails(content):
                return said
            said += each
    return None


def _fails(content: bytes) -> bool:
    try:
        return _failure.decode(content).error is not None
    except msgspec.DecodeError:
        return False


def event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


DONE = event(b"[DONE]")
