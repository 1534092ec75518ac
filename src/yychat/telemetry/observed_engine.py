"""An engine, watched: one span for each answer, and the same ones for both engines."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
from opentelemetry.trace import Span

from ..chat import Answer, ChatRequest, Chunk, Usage
from ..engines.base import BaseEngine, EngineInfo, Health
from ..engines.tokens import estimate
from ..errors import (
    EngineError,
    InvalidRequest,
    RequestError,
    StoreError,
    UpstreamError,
    UpstreamModelUnknown,
    UpstreamRefused,
    YYChatError,
)
from ..memory.base import Record
from ..owner import Owner
from ..personalities.personality import Personality
from . import semconv
from .observation import Observation, current
from .spans import failed, under
from .tracer import Tracer

LONGEST = 32_768  # characters of a text in a span, where content is wanted there at all


class ObservedEngine:
    """See ``BaseEngine``: it promises what *engine* does. With *content*, spans that may be sent on
    hold what was asked and answered."""

    def __init__(self, engine: BaseEngine, tracer: Tracer, *, content: bool = False) -> None:
        self._engine, self._tracer, self._content = engine, tracer, content

    @property
    def name(self) -> str:
        return self._engine.name

    async def generate_response(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        observation = current()
        if observation is not None:
            observation.answered_by(self.name)
            observation.timeline.base("prompt")
        span = self._tracer.start_span(
            f"{semconv.INVOKE_AGENT} {self.name}",
            {
                semconv.OPERATION: semconv.INVOKE_AGENT,
                semconv.AGENT: self.name,
                semconv.REQUEST_MODEL: request.model,
                semconv.TENANT: request.tenant,
            },
        )
        told = self._content and span.get_span_context().trace_flags.sampled
        heard = _Heard(span, request, observation, content=told)
        try:
            async with aclosing(under(span, self._engine.generate_response(request))) as chunks:
                async for chunk in chunks:
                    heard.hear(chunk)
                    yield chunk
        except YYChatError as error:
            heard.failed(error)
            raise
        except (asyncio.CancelledError, GeneratorExit):
            heard.left()
            raise
        except RecursionError:  # only callers' JSON nests without bound
            heard.failed(InvalidRequest("it is nested too deeply"))
            raise
        finally:
            heard.end()

    def get_engine_info(self) -> EngineInfo:
        return self._engine.get_engine_info()

    async def health_check(self) -> Health:
        return await self._engine.health_check()

    async def get_conversation_memory(self, owner: Owner, limit: int) -> list[Record]:
        return await self._engine.get_conversation_memory(owner, limit)

    async def clear_conversation_memory(self, owner: Owner) -> int:
        return await self._engine.clear_conversation_memory(owner)

    def get_available_tools(self, personality_id: str | None) -> list[dict[str, Any]]:
        return self._engine.get_available_tools(personality_id)

    def get_supported_personalities(self) -> Sequence[Personality]:
        return self._engine.get_supported_personalities()


class _Heard:
    """What goes by on the way from an engine to the client, for the engine's span."""

    def __init__(
        self,
        span: Span,
        request: ChatRequest,
        observation: Observation | None,
        *,
        content: bool,
    ) -> None:
        self._span, self._request, self._observation = span, request, observation
        self._result = ""
        self._degraded = False
        self._pieces = 0
        self._answer: Answer | None = None
        self._content = content
        if content:
            asked = msgspec.json.encode(list(request.messages)).decode()
            span.set_attribute(semconv.INPUT_MESSAGES, asked[:LONGEST])

    def hear(self, chunk: Chunk) -> None:
        if chunk.about is not None:
            self._degraded = chunk.about.memory in ("degraded", "deadline")
            if chunk.about.memory == "off":  # nobody asked it, so nothing else can tell
                self._span.set_attribute(semconv.RECALL, "skipped")
            if chunk.about.injected:
                self._span.set_attribute(semconv.INJECTED_TOKENS, chunk.about.injected)
            if chunk.about.duplicates:
                self._span.set_attribute(semconv.DUPLICATES, chunk.about.duplicates)
        if chunk.tokens:
            self._pieces += 1
            if self._pieces == 1 and self._observation is not None:
                self._observation.first_token()
        if chunk.answer is not None:
            self._answer = chunk.answer
            if self._content:
                self._span.set_attribute(semconv.OUTPUT_MESSAGES, chunk.answer.text[:LONGEST])
            self._result = "memory_degraded" if self._degraded else "ok"
            if self._observation is not None:
                self._observation.usage = chunk.answer.usage
                self._observation.timeline.base("other")

    def failed(self, error: YYChatError) -> None:
        self._result = _result_of(error)
        failed(self._span, error)

    def left(self) -> None:
        """Nobody wants any more of it: it is cancelled, unless that was all."""
        self._result = self._result or "cancelled"

    def end(self) -> None:
        if not self._result:
            self.failed(EngineError("it gave no answer: a bug", code="engine_failed"))
        self._span.set_attribute(semconv.RESULT, self._result)
        if self._span.is_recording() and (self._answer is not None or self._pieces):
            self._count(self._answer)
        self._span.end()

    def _count(self, answer: Answer | None) -> None:
        usage = answer.usage if answer else None
        if usage is None:
            self._span.set_attribute(semconv.USAGE_ESTIMATED, True)
            usage = self._estimated(answer)
        for attribute, tokens in (
            (semconv.INPUT_TOKENS, usage.prompt_tokens),
            (semconv.OUTPUT_TOKENS, usage.completion_tokens),
            (semconv.CACHED_TOKENS, usage.cached),
            (semconv.REASONING_TOKENS, usage.reasoning),
        ):
            if tokens:
                self._span.set_attribute(attribute, tokens)

    def _estimated(self, answer: Answer | None) -> Usage:
        asked = sum(estimate(message.text) for message in self._request.view)
        said = max(self._pieces, estimate(answer.text) if answer else 0)
        return Usage(prompt_tokens=asked, completion_tokens=said)


def _result_of(error: YYChatError) -> str:
    """What an attempt of an engine came to, by whose fault it is."""
    if isinstance(error, RequestError | UpstreamRefused | UpstreamModelUnknown):
        return "client_error"
    if isinstance(error, UpstreamError):
        return "upstream_error"
    if isinstance(error, EngineError | StoreError):
        return "engine_error"
    return "engine_error"
