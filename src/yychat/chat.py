"""The words of a chat: what a caller asked, and what engines answer it with.

A request keeps every field as the bytes the caller sent (``msgspec.Raw``); the parsed view
beside them is for reading only, so nothing is changed by passing through.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Literal

import msgspec

from .owner import Owner

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]
MemoryResult = Literal["hit", "empty", "deadline", "degraded", "off"]


class Part(msgspec.Struct, frozen=True):
    """One part of a message's content; only text is ever read here."""

    type: str
    text: str | None = None


class FunctionCall(msgspec.Struct, frozen=True):
    name: str
    arguments: str = ""


class ToolCall(msgspec.Struct, frozen=True):
    """A call the model asked for. ``id`` ties the answer to it."""

    id: str
    function: FunctionCall | None = None
    type: str = "function"


class Message(msgspec.Struct, frozen=True):
    """The readable side of a message; see ``ChatRequest.messages`` for the bytes."""

    role: Role
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    function_call: FunctionCall | None = None
    refusal: str | None = None
    audio: dict[str, object] | None = None

    @property
    def text(self) -> str:
        """All text of the message, parts joined by newlines."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content or () if part.text)


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One chat request of one caller, ready for an engine.

    ``messages`` and ``fields`` are the caller's own bytes; ``view`` reads the same messages.
    ``fields`` holds what goes upstream besides messages, model and stream. ``owner`` is None
    where nothing may be remembered. ``size`` is the length of the caller's body in bytes.
    """

    messages: Sequence[msgspec.Raw]
    view: Sequence[Message]
    fields: Mapping[str, msgspec.Raw]
    model: str
    stream: bool = False
    include_usage: bool = False
    choices: int = 1
    tenant: str = "local"
    owner: Owner | None = None
    personality_id: str | None = None
    use_tools: bool = True
    engine: str | None = None
    request_id: str = ""
    size: int = 0
    reply_tokens: int | None = None

    @property
    def question(self) -> str:
        """The text of the last user message: what is recalled by, and what is remembered."""
        return next((m.text for m in reversed(self.view) if m.role == "user"), "")


class PromptTokensDetails(msgspec.Struct, frozen=True):
    cached_tokens: int | None = None


class CompletionTokensDetails(msgspec.Struct, frozen=True):
    reasoning_tokens: int | None = None


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tokens as the upstream counted them, summed over the rounds of one answer."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None

    @property
    def cached(self) -> int:
        details = self.prompt_tokens_details
        return (details.cached_tokens or 0) if details else 0

    @property
    def reasoning(self) -> int:
        details = self.completion_tokens_details
        return (details.reasoning_tokens or 0) if details else 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            total_tokens=self.total_tokens + other.total_tokens,
            prompt_tokens_details=PromptTokensDetails(self.cached + other.cached),
            completion_tokens_details=CompletionTokensDetails(self.reasoning + other.reasoning),
        )


class About(msgspec.Struct, frozen=True):
    """How an answer came about; known before its first byte, and told in headers. ``injected`` is
    in estimated tokens, ``duplicates`` counts memories that the history had already."""

    engine: str
    memory: MemoryResult = "off"
    recalled: int = 0
    trimmed: int = 0
    injected: int = 0
    duplicates: int = 0
    fallback_from: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """The whole answer, looked back on at its end. ``text`` is choice 0 of the last round."""

    text: str
    finish_reason: str | None
    usage: Usage | None
    model: str | None
    rounds: int = 1


class Chunk(msgspec.Struct, frozen=True):
    """A piece of an answer: wire bytes for the client, and what is known at this point.

    ``about`` is set on the first chunk only and ``answer`` on the last only. ``tokens`` says
    that these bytes bring content, reasoning or tool deltas. A complete (unstreamed) answer is
    one chunk.
    """

    data: bytes
    tokens: bool = False
    about: About | None = None
    answer: Answer | None = None


async def collect(chunks: AsyncGenerator[Chunk, None]) -> list[Chunk]:
    """Every chunk of an answer, for those who want it whole."""
    async with aclosing(chunks):
        return [chunk async for chunk in chunks]
