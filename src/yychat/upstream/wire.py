"""What is read of the upstream's JSON: as little as engines need, and leniently."""

from typing import Any

import msgspec

from ..chat import Usage
from ..errors import UpstreamProtocolError


class CallDelta(msgspec.Struct):
    """A piece of one tool call; ``id`` and name may come late, arguments come in pieces."""

    class Function(msgspec.Struct):
        name: str | None = None
        arguments: str | None = None

    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[CallDelta] | None = None

    @property
    def speaks(self) -> bool:
        """There is something in it for a reader or a program: a token, as telemetry counts."""
        return bool(
            self.content
            or self.tool_calls
            or self.reasoning_content
            or self.reasoning
            or self.refusal
        )


class StreamChoice(msgspec.Struct):
    index: int = 0
    delta: Delta = msgspec.field(default_factory=Delta)
    finish_reason: str | None = None


class StreamEvent(msgspec.Struct):
    """One ``chat.completion.chunk``."""

    id: str | None = None
    created: int | float | None = None
    model: str | None = None
    choices: list[StreamChoice] = []
    usage: Usage | None = None
    error: Any = None


class Call(msgspec.Struct):
    class Function(msgspec.Struct):
        name: str | None = None
        arguments: str | None = None

    id: str | None = None
    function: Function | None = None


class ReplyMessage(msgspec.Struct):
    content: str | None = None
    tool_calls: list[Call] | None = None


class ReplyChoice(msgspec.Struct):
    index: int = 0
    message: ReplyMessage = msgspec.field(default_factory=ReplyMessage)
    finish_reason: str | None = None


class Reply(msgspec.Struct):
    """One ``chat.completion``."""

    choices: list[ReplyChoice]
    id: str | None = None
    created: int | float | None = None
    model: str | None = None
    usage: Usage | None = None


_event = msgspec.json.Decoder(StreamEvent)
_reply = msgspec.json.Decoder(Reply)
_anything = msgspec.json.Decoder(dict[str, Any])


def read_event(payload: bytes) -> StreamEvent:
    try:
        return _event.decode(payload)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UpstreamProtocolError(
            "the upstream sent an event that is not a chat chunk"
        ) from error


def read_reply(body: bytes) -> Reply:
    try:
        return _reply.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UpstreamProtocolError(
            "the upstream sent an answer that is not a completion"
        ) from error


def read_object(body: bytes) -> dict[str, Any]:
    """A JSON object in full, for the few places that have to rewrite one."""
    try:
        return _anything.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UpstreamProtocolError("the upstream sent something that is not JSON") from error
