"""What is read of the upstream's JSON: as little as engines need, and leniently.

What is not in the shape that it should have is as if it were not there, as far as answers can
still be told from nonsense: clients get the upstream's bytes, and may know better.
"""

import re
from typing import Any, TypeVar

import msgspec

from ..chat import CompletionTokensDetails, PromptTokensDetails, Usage
from ..errors import UpstreamProtocolError

T = TypeVar("T")


class CallDelta(msgspec.Struct):
    """A piece of one tool call; ``id`` and name may come late, arguments come in pieces."""

    class Function(msgspec.Struct):
        name: str | None = None
        arguments: Any = None  # text, from some upstreams an object

    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Delta(msgspec.Struct):
    said: Any = msgspec.field(name="content", default=None)
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: Any = None
    tool_calls: list[CallDelta] | None = None

    @property
    def content(self) -> str:
        return _text(self.said)

    @property
    def speaks(self) -> bool:
        """There is something in it for a reader or a program: a token, as telemetry counts."""
        return bool(
            self.said or self.tool_calls or self.reasoning_content or self.reasoning or self.refusal
        )


class StreamChoice(msgspec.Struct):
    index: int | None = 0
    finish_reason: str | None = None
    told: Delta | None = msgspec.field(name="delta", default=None)

    @property
    def delta(self) -> Delta:
        return self.told or _SILENCE


class StreamEvent(msgspec.Struct):
    """One ``chat.completion.chunk``."""

    id: Any = None
    created: Any = None
    model: str | None = None
    error: Any = None
    told: list[StreamChoice] | None = msgspec.field(name="choices", default=None)
    counted: Any = msgspec.field(name="usage", default=None)

    @property
    def choices(self) -> list[StreamChoice]:
        return self.told or []

    @property
    def usage(self) -> Usage | None:
        return _usage(self.counted)

    @property
    def piece(self) -> str | None:
        """The words of an event that brings some for the first choice and nothing else: as good
        as all events are such, so they have a short way."""
        told = self.told
        if told is None or len(told) != 1 or self.counted or self.error is not None:
            return None
        choice = told[0]
        delta = choice.told
        if delta is None or choice.index or choice.finish_reason or delta.tool_calls:
            return None
        if delta.reasoning_content:
            return None
        return delta.said if type(delta.said) is str and delta.said else None


class Call(msgspec.Struct):
    class Function(msgspec.Struct):
        name: str | None = None
        arguments: Any = None

    id: str | None = None
    function: Function | None = None


class ReplyMessage(msgspec.Struct):
    said: Any = msgspec.field(name="content", default=None)
    reasoning_content: Any = None
    tool_calls: list[Call] | None = None

    @property
    def content(self) -> str:
        return _text(self.said)

    @property
    def thought(self) -> str | None:
        """The model's reasoning; None where none was told."""
        return self.reasoning_content if isinstance(self.reasoning_content, str) else None


class ReplyChoice(msgspec.Struct):
    index: int | None = 0
    finish_reason: str | None = None
    told: ReplyMessage | None = msgspec.field(name="message", default=None)

    @property
    def message(self) -> ReplyMessage:
        return self.told or _NO_MESSAGE


class Reply(msgspec.Struct):
    """One ``chat.completion``."""

    id: Any = None
    created: Any = None
    model: str | None = None
    told: list[ReplyChoice] | None = msgspec.field(name="choices", default=None)
    counted: Any = msgspec.field(name="usage", default=None)

    @property
    def choices(self) -> list[ReplyChoice]:
        return self.told or []

    @property
    def usage(self) -> Usage | None:
        return _usage(self.counted)


UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_HIGH, _LOW = rb"\\u[dD][89abAB][0-9a-fA-F]{2}", rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPES = re.compile(rb"(?P<kept>%b%b|\\[^u])|%b|%b" % (_HIGH, _LOW, _HIGH, _LOW))
_SILENCE = Delta()
_NO_MESSAGE = ReplyMessage()
_event = msgspec.json.Decoder(StreamEvent)
_reply = msgspec.json.Decoder(Reply)
_anything = msgspec.json.Decoder(dict[str, Any])


def read_event(payload: bytes) -> StreamEvent:
    try:
        return _event.decode(payload)
    except UNREADABLE:
        return _mended(_event, payload, "an event that is not a chat chunk")


def read_reply(body: bytes) -> Reply:
    try:
        return _reply.decode(body)
    except UNREADABLE:
        return _mended(_reply, body, "an answer that is not a completion")


def read_object(body: bytes) -> dict[str, Any]:
    """A JSON object in full, for the few places that have to rewrite one."""
    try:
        return _anything.decode(body)
    except UNREADABLE:
        return _mended(_anything, body, "something that is not JSON")


def _mended(decoder: msgspec.json.Decoder[T], data: bytes, what: str) -> T:
    """What *data* says after all. Some upstreams cut a character that is written as two escapes
    in the middle: such halves are legal JSON that no text can hold, and are read as U+FFFD."""
    whole = _ESCAPES.sub(lambda found: found["kept"] or rb"\ufffd", data)
    try:
        return decoder.decode(whole)
    except UNREADABLE as error:
        raise UpstreamProtocolError(f"the upstream sent {what}") from error


def whole(value: Any) -> int | None:
    """A number that can be one of tokens or seconds."""
    return int(value) if isinstance(value, int | float) and 0 <= value < 2**53 else None


def _text(content: Any) -> str:
    """What is written in a content, be it text or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return "".join(text for text in texts if isinstance(text, str))


def _usage(told: Any) -> Usage | None:
    """The numbers that are numbers; None where nothing was told."""
    if not isinstance(told, dict):
        return None
    prompt, completion = told.get("prompt_tokens_details"), told.get("completion_tokens_details")
    return Usage(
        prompt_tokens=_count(told, "prompt_tokens") or 0,
        completion_tokens=_count(told, "completion_tokens") or 0,
        total_tokens=_count(told, "total_tokens") or 0,
        prompt_tokens_details=PromptTokensDetails(_count(prompt, "cached_tokens"))
        if prompt
        else None,
        completion_tokens_details=CompletionTokensDetails(_count(completion, "reasoning_tokens"))
        if completion
        else None,
    )


def _count(told: Any, name: str) -> int | None:
    return whole(told.get(name)) if isinstance(told, dict) else None
