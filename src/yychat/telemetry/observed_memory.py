"""Memories and outboxes, watched."""

import asyncio
from collections.abc import Sequence

from msgspec.structs import replace
from opentelemetry.trace import Span, SpanKind

from ..errors import StoreError
from ..memory.base import Memory, Recollection, Record, Turn
from ..memory.embedder import Embedder, Vector
from ..memory.outbox import Backlog, Job, OutboxDoor
from ..owner import Owner
from . import semconv
from .observation import current, during
from .spans import traceparent
from .tracer import Tracer


class ObservedMemory:
    """See ``Memory``. A recall that is cut off has run out of time, unless its client has left."""

    def __init__(self, memory: Memory, tracer: Tracer) -> None:
        self._memory, self._tracer = memory, tracer

    @property
    def name(self) -> str:
        return self._memory.name

    async def recall(self, owner: Owner, query: str, limit: int) -> Recollection:
        told, kind = self._told(semconv.SEARCH_MEMORY), SpanKind.CLIENT
        embedded = _embedded()
        searching = self._tracer.start_span(semconv.SEARCH_MEMORY, told, kind)
        with during("recall_search"), searching as span:
            try:
                found = await self._memory.recall(owner, query, limit)
            except StoreError:
                span.set_attribute(semconv.RESULT, "error")
                raise
            except asyncio.CancelledError:
                span.set_attribute(semconv.RESULT, "cancelled" if _gone() else "deadline")
                raise
            _note(span, found)
            if (took := _embedded() - embedded) > 0:
                span.set_attribute(semconv.EMBEDDING, took)
            return found

    async def remember(self, owner: Owner, *turns: Turn) -> None:
        told = self._told(semconv.UPSERT_MEMORY)
        name, traces = semconv.UPSERT_MEMORY, [turn.trace for turn in turns]
        with self._tracer.start_span(name, told, SpanKind.CLIENT, linked=traces):
            await self._memory.remember(owner, *turns)

    async def listing(self, owner: Owner, limit: int) -> list[Record]:
        return await self._memory.listing(owner, limit)

    async def erase(self, owner: Owner) -> int:
        told = self._told(semconv.DELETE_MEMORY)
        with self._tracer.start_span(semconv.DELETE_MEMORY, told, SpanKind.CLIENT):
            return await self._memory.erase(owner)

    def _told(self, operation: str) -> dict[str, str]:
        return {semconv.OPERATION: operation, semconv.MEMORY_STORE: self.name}


class ObservedDoor:
    """The outbox as engines see it: the write that an answer's end waits for."""

    def __init__(self, outbox: OutboxDoor, tracer: Tracer) -> None:
        self._outbox, self._tracer = outbox, tracer

    async def put(self, job: Job) -> None:
        told = {semconv.DB_OPERATION: "put"}
        with during("save"), self._tracer.start_span("put", told, SpanKind.CLIENT) as span:
            turn = replace(job.turn, trace=traceparent(span))
            await self._outbox.put(replace(job, turn=turn))

    async def backlog(self) -> Backlog:
        return await self._outbox.backlog()


class ObservedEmbedder:
    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    @property
    def model(self) -> str:
        return self._embedder.model

    async def embed(self, questions: Sequence[str], answers: Sequence[str] = ()) -> list[Vector]:
        with during("recall_embed"):
            return await self._embedder.embed(questions, answers)


def _embedded() -> float:
    """Seconds that the request has waited for embeddings so far."""
    observation = current()
    return observation.timeline.spent.get("recall_embed", 0.0) if observation else 0.0


def _gone() -> bool:
    observation = current()
    return observation is not None and observation.gone


def _note(span: Span, found: Recollection) -> None:
    span.set_attribute(semconv.RESULT, _result_of(found))
    span.set_attribute(semconv.MEMORY_RECORDS, len(found.records))
    span.set_attribute(semconv.SOURCE, found.source)
    if found.records and found.records[0].score:
        span.set_attribute(semconv.TOP_SCORE, found.records[0].score)


def _result_of(found: Recollection) -> str:
    if found.degraded:
        return "error"
    return "hit" if found.records else "empty"
