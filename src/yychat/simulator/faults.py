"""What goes wrong on order: the settings behind /control, and how they spoil an answer."""

import random
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Service = Literal["chat", "embeddings"]
Span = Annotated[float, Meta(ge=0)]
Rate = Annotated[float, Meta(ge=0, le=1)]
Status = Annotated[int, Meta(ge=400, le=599)]
Count = Annotated[int, Meta(ge=0)]


class Faults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the simulator behaves; the defaults are an upstream without faults or delays.

    The first block holds for every request, the second only where ``only`` and
    ``fail_next`` say so. Chunks are SSE events, the one with the role included.
    """

    models: tuple[str, ...] = ()  # names served besides "simulated"
    require_key: str | None = None  # other bearers are a 401
    context_tokens: Count | None = None  # longer prompts are context_length_exceeded

    only: Service | None = None  # the service that is affected; both when null
    fail_next: Count | None = None  # how many requests are affected; all when null
    latency_ms: Span = 0  # before the first byte
    token_ms: Span = 0  # between tokens; whole answers wait as long as streamed ones
    error_rate: Rate = 0  # how many of 1 fail with error_status
    error_status: Status | dict[Status, Rate] = 500  # or a rate per status: {"429": 0.2}
    retry_after: Span | None = None  # seconds, sent with errors
    hang_before_first_byte: bool = False
    cut_after_chunks: Count | None = None  # close the connection; whole answers after one half
    error_event_after_chunks: Count | None = None  # streams only
    malformed_json: bool = False  # a whole answer broken off, or one broken event
    late_tool_ids: bool = False  # streams only: the id comes with the last piece of a call
    missing_tool_ids: bool = False
    empty_arguments: bool = False  # "" for every tool call
    merge_finish: bool = False  # finish_reason comes with the last content
    finish_missing: bool = False  # streams only
    done_missing: bool = False
    missing_usage: bool = False
    keepalive_comments: bool = False  # ": ping" before every event
    crlf: bool = False  # lines end in \r\n

    def __post_init__(self) -> None:
        if isinstance(self.error_status, int):
            return
        if self.error_rate:
            raise ValueError("field `error_rate` must be 0 where `error_status` has rates")
        if sum(self.error_status.values()) > 1:
            raise ValueError("field `error_status` must not have rates of more than 1 together")

    @property
    def error_rates(self) -> dict[int, float]:
        if isinstance(self.error_status, int):
            return {self.error_status: self.error_rate} if self.error_rate else {}
        return self.error_status


class FaultPlan:
    """The faults in force, and how many requests they are still for.

    Rates come from dice with a fixed seed: the same orders fail in the same places.
    """

    def __init__(self, faults: Faults) -> None:
        self.order(faults)

    def order(self, faults: Faults) -> None:
        self._faults = faults
        self._dice = random.Random(0)

    @property
    def faults(self) -> Faults:
        return self._faults

    def take(self, service: Service) -> Faults:
        """The faults for the next request to *service*; counts it."""
        faults = self._faults
        if faults.only not in (None, service) or faults.fail_next == 0:
            return Faults()
        if faults.fail_next is not None:
            self._faults = msgspec.structs.replace(faults, fail_next=faults.fail_next - 1)
        return faults

    def error(self, faults: Faults) -> int | None:
        """The status to fail with, if this request is to fail."""
        if not faults.error_rates:
            return None
        point = self._dice.random()
        for status, rate in faults.error_rates.items():
            if point < rate:
                return status
            point -= rate
        return None


class ConnectionCut(Exception):
    """The connection is to be closed here, in the middle of an answer."""


ERROR_EVENT = (
    b'data: {"error":{"message":"The simulated model failed on order.",'
    b'"type":"server_error","param":null,"code":"server_error"}}\n\n'
)
BROKEN_EVENT = b'data: {"id":"chatcmpl-broken","object":"chat.comple\n\n'


def spoiled_events(events: Iterable[bytes], faults: Faults) -> Iterator[bytes]:
    """*events* with the ordered faults; raises ConnectionCut where the stream is to break."""
    for sent, event in enumerate(events):
        if sent == faults.cut_after_chunks:
            raise ConnectionCut
        if sent == faults.error_event_after_chunks:
            yield _framed(ERROR_EVENT, faults)
            return
        if sent == 2 and faults.malformed_json:
            yield _framed(BROKEN_EVENT, faults)
        yield _framed(event, faults)


def spoiled_body(body: bytes, faults: Faults) -> Iterator[bytes]:
    """The *body* of a whole answer in pieces; raises ConnectionCut where it is to break."""
    if faults.cut_after_chunks is not None:
        yield body[: len(body) // 2]
        raise ConnectionCut
    yield body


def _framed(event: bytes, faults: Faults) -> bytes:
    if faults.keepalive_comments:
        event = b": ping\n\n" + event
    return event.replace(b"\n", b"\r\n") if faults.crlf else event
