"""The store of native turns, watched: one span for every question to it."""

from opentelemetry.trace import SpanKind

from ..memory.base import Turn
from ..memory.turns import Look, NewTurn, TurnStore
from ..owner import Owner
from . import semconv
from .tracer import Tracer


class ObservedTurns:
    """See ``TurnStore``."""

    def __init__(self, store: TurnStore, tracer: Tracer, system: str) -> None:
        self._store, self._tracer, self._system = store, tracer, system

    async def look(self, owner: Owner, *, epoch: int, after: int, mark: int = 0) -> Look:
        with self._tracer.start_span("look", self._told("look"), SpanKind.CLIENT):
            return await self._store.look(owner, epoch=epoch, after=after, mark=mark)

    async def append(self, owner: Owner, *new: NewTurn, keep: int) -> None:
        with self._tracer.start_span("append", self._told("append"), SpanKind.CLIENT):
            await self._store.append(owner, *new, keep=keep)

    async def expire(self, before: float) -> int:
        return await self._store.expire(before)

    async def newest(self, owner: Owner, limit: int) -> list[Turn]:
        return await self._store.newest(owner, limit)

    async def erase(self, owner: Owner) -> int:
        with self._tracer.start_span("erase", self._told("erase"), SpanKind.CLIENT):
            return await self._store.erase(owner)

    async def erase_tenant(self, tenant: str) -> int:
        return await self._store.erase_tenant(tenant)

    def _told(self, operation: str) -> dict[str, str]:
        return {semconv.DB_SYSTEM: self._system, semconv.DB_OPERATION: operation}
