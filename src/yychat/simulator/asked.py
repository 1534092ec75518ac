"""What a client may ask: the two request bodies, read and lightly checked as OpenAI does."""

import re
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from .refusals import Refused

T = TypeVar("T")

Positive = Annotated[int, Meta(ge=1)]
FunctionName = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
_MODES = ("none", "auto", "required")
Role = Literal["system", "developer", "user", "assistant", "tool", "function"]


class Part(msgspec.Struct, frozen=True):
    type: str
    text: str | None = None


class FunctionCall(msgspec.Struct, frozen=True):
    name: FunctionName
    arguments: str


class ToolCall(msgspec.Struct, frozen=True):
    id: str
    function: FunctionCall | None = None


class Message(msgspec.Struct, frozen=True):
    role: Role
    content: str | list[Part] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.text)
        return self.content or ""

    @property
    def images(self) -> int:
        parts = self.content if isinstance(self.content, list) else ()
        return sum(part.type == "image_url" for part in parts)


class Function(msgspec.Struct, frozen=True):
    name: FunctionName
    parameters: dict[str, Any] | None = None


class ToolOffer(msgspec.Struct, frozen=True):
    type: str
    function: Function | None = None


class StreamOptions(msgspec.Struct, frozen=True):
    include_usage: bool | None = None


class ChatAsked(msgspec.Struct, frozen=True):
    """The fields of a chat completion that change the answer; all others are accepted unread."""

    model: str
    messages: Annotated[list[Message], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    stop: str | list[str] | None = None
    max_tokens: Positive | None = None
    max_completion_tokens: Positive | None = None
    tools: Annotated[list[ToolOffer], Meta(min_length=1)] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None

    @property
    def question(self) -> str:
        """What the user said last."""
        return next((m.text for m in reversed(self.messages) if m.role == "user"), "")

    @property
    def functions(self) -> dict[str, Function]:
        return {tool.function.name: tool.function for tool in self.tools or () if tool.function}

    @property
    def forced_function(self) -> str | None:
        choice = self.tool_choice
        if isinstance(choice, dict) and isinstance(function := choice.get("function"), dict):
            return str(function.get("name", ""))
        return None


class EmbeddingsAsked(msgspec.Struct, frozen=True):
    model: str
    input: str | Annotated[list[str | int | list[int]], Meta(min_length=1, max_length=2048)]
    dimensions: Annotated[int, Meta(ge=1, le=8192)] | None = None
    encoding_format: Literal["float", "base64"] | None = None

    @property
    def texts(self) -> list[str]:
        """The inputs as texts; a token array becomes a text of its numbers."""
        if isinstance(self.input, str):
            return [self.input]
        if all(isinstance(entry, int) for entry in self.input):
            return [_numbers(self.input)]
        return [entry if isinstance(entry, str) else _numbers(entry) for entry in self.input]


def read(body: bytes, kind: type[T]) -> T:
    """*body* as a *kind*, or a 400 that names the field."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise Refused(400, str(error), param=_field(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused(400, "We could not parse the JSON body of your request.") from None


def read_chat(body: bytes) -> ChatAsked:
    asked = read(body, ChatAsked)
    _check_options(asked)
    _check_tool_choice(asked)
    _check_tool_pairs(asked.messages)
    return asked


def read_embeddings(body: bytes) -> EmbeddingsAsked:
    asked = read(body, EmbeddingsAsked)
    if not all(asked.texts):
        raise Refused(400, "'input' must not be empty.", param="input")
    return asked


def _check_options(asked: ChatAsked) -> None:
    if asked.stream_options is not None and not asked.stream:
        raise Refused(
            400, "'stream_options' is only allowed with 'stream'.", param="stream_options"
        )
    if asked.parallel_tool_calls is not None and not asked.tools:
        raise Refused(
            400, "'parallel_tool_calls' is only allowed with 'tools'.", param="parallel_tool_calls"
        )


def _check_tool_choice(asked: ChatAsked) -> None:
    forced = asked.forced_function
    if isinstance(asked.tool_choice, str) and asked.tool_choice not in _MODES:
        raise Refused(400, "'tool_choice' must be none, auto or required.", param="tool_choice")
    if asked.tool_choice not in (None, "none") and not asked.tools:
        raise Refused(400, "'tool_choice' is only allowed with 'tools'.", param="tool_choice")
    if forced is not None and forced not in asked.functions:
        raise Refused(400, "'tool_choice' names no tool of 'tools'.", param="tool_choice")


def _check_tool_pairs(messages: list[Message]) -> None:
    """Every tool call has its result right behind it, and no result is without its call."""
    waiting: set[str] = set()
    for number, message in enumerate(messages):
        if message.role == "tool":
            if message.tool_call_id not in waiting:
                raise _unpaired(number, "a 'tool' message must answer a preceding tool call")
            waiting.discard(message.tool_call_id)
        elif waiting:
            raise _unpaired(number, "a message with 'tool_calls' must be followed by all results")
        else:
            waiting = {call.id for call in message.tool_calls or ()}
    if waiting:
        raise _unpaired(len(messages) - 1, "the results of the last 'tool_calls' are missing")


def _unpaired(number: int, why: str) -> Refused:
    return Refused(400, f"Invalid messages: {why}.", param=f"messages.[{number}].role")


def _numbers(entry: Any) -> str:
    numbers = entry if isinstance(entry, list) else [entry]
    return " ".join(f"t{number}" for number in numbers)


def _field(message: str) -> str | None:
    """The field that a msgspec message complains about, for example ``messages[0].role``."""
    path = re.search(r" - at `\$\.?(.*)`$", message)
    field = re.search(r"field `([^`]+)`", message)
    return ".".join(found[1] for found in (path, field) if found and found[1]) or None
