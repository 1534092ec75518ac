"""An upstream, watched: one span for every attempt, whole or streamed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from time import perf_counter
from typing import Any

import msgspec
from opentelemetry.trace import Span, SpanKind

from ..errors import UpstreamTimeout, YYChatError
from ..resilience import Breaker
from ..upstream.base import Provider
from . import semconv
from .observation import Observation, Stage, current
from .outcomes import error_type_of
from .spans import failed, under
from .tracer import Tracer

CHAT = "/chat/completions"


class _Asked(msgspec.Struct):
    model: str = ""


_asked = msgspec.json.Decoder(_Asked)


class ObservedUpstream:
    """See ``Provider``: its attempts are told apart by path, model and what they came to."""

    def __init__(self, upstream: Provider, tracer: Tracer) -> None:
        self._upstream, self._tracer = upstream, tracer

    @property
    def name(self) -> str:
        return self._upstream.name

    @property
    def models(self) -> dict[str, str] | None:
        return self._upstream.models

    @property
    def breaker(self) -> Breaker:
        return self._upstream.breaker

    def model(self, asked: str) -> str | None:
        return self._upstream.model(asked)

    def breaker_of(self, path: str) -> Breaker:
        return self._upstream.breaker_of(path)

    async def get(self, path: str) -> bytes:
        return await self._upstream.get(path)

    async def close(self) -> None:
        await self._upstream.close()

    async def post(self, path: str, body: bytes) -> bytes:
        attempt = _Attempt(path)
        name, told = self._told(path, body, attempt)
        with self._tracer.start_span(name, told, SpanKind.CLIENT) as span:
            try:
                answer = await self._upstream.post(path, body)
            except (YYChatError, asyncio.CancelledError) as error:
                attempt.failed(span, error)
                raise
            finally:
                attempt.end()
            span.set_attribute(semconv.RESULT, "ok")
            return answer

    async def stream(self, path: str, body: bytes) -> AsyncGenerator[bytes, None]:
        attempt = _Attempt(path)
        name, told = self._told(path, body, attempt)
        span = self._tracer.start_span(name, told, SpanKind.CLIENT)
        try:
            async with aclosing(under(span, self._upstream.stream(path, body))) as reads:
                async for data in reads:
                    attempt.heard(span)
                    yield data
        except (YYChatError, asyncio.CancelledError) as error:
            attempt.failed(span, error)
            raise
        finally:
            attempt.end()
            span.end()

    def _told(self, path: str, body: bytes, attempt: "_Attempt") -> tuple[str, dict[str, Any]]:
        operation = semconv.CHAT if path == CHAT else semconv.EMBEDDINGS
        model = _asked.decode(body).model
        told = {
            semconv.OPERATION: operation,
            semconv.PROVIDER: self.name,
            semconv.REQUEST_MODEL: model,
            semconv.UPSTREAM: self.name,
            semconv.RESULT: "cancelled",  # unless it comes to something
        }
        if attempt.after is not None:
            told[semconv.RETRY_OF] = attempt.after
        return f"{operation} {model}", told


class _Attempt:
    """One attempt within a request: its stages, and after which failure it comes."""

    def __init__(self, path: str) -> None:
        self._observation: Observation | None = current() if path == CHAT else None
        self._stage: Stage = "upstream_first_byte"
        self._then: Stage = "prompt"  # after a failure: the wait for the next attempt
        self._begun, self._open = perf_counter(), True
        self.after: str | None = None
        if self._observation is not None:
            self.after = self._observation.retried_after()
            self._observation.timeline.enter(self._stage)

    def heard(self, span: Span) -> None:
        if self._stage == "upstream_stream":
            return
        span.set_attribute(semconv.RESULT, "ok")
        span.set_attribute(semconv.REQUEST_STREAM, True)
        span.set_attribute(semconv.FIRST_CHUNK, perf_counter() - self._begun)
        self._turn("upstream_stream")

    def failed(self, span: Span, error: YYChatError | asyncio.CancelledError) -> None:
        """What is cancelled is nobody's failure, but where a chat's time is up: the upstream took
        it. Embeddings are given up early, as nobody needs them enough."""
        if isinstance(error, asyncio.CancelledError):
            if self._observation is None or self._observation.gone:
                span.set_attribute(semconv.RESULT, "cancelled")
                return
            error = UpstreamTimeout("no answer in time")
        failed(span, error)
        self._then = "upstream_first_byte"
        if self._observation is not None:
            self._observation.attempt_failed(error_type_of(error))

    def end(self) -> None:
        if self._observation is not None and self._open:
            self._open = False
            self._observation.timeline.leave(self._stage)
            self._observation.timeline.base(self._then)

    def _turn(self, stage: Stage) -> None:
        if self._observation is not None:
            self._observation.timeline.leave(self._stage)
            self._observation.timeline.enter(stage)
        self._stage = stage
