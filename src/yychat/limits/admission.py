"""The door: whoever comes in has a place and a budget, and both are settled at the end."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager

from ..chat import ChatRequest, Chunk
from .budget import Budget
from .headers import rate_headers
from .inflight import Inflight
from .meter import Meter, tokens_of_embeddings
from .rates import Rates


class Admission:
    """One request that was let in. ``headers`` tell its caller how its limits stand."""

    def __init__(self, headers: Mapping[str, str], meter: Meter | None = None) -> None:
        self.headers, self._meter = headers, meter

    def metered(
        self, chunks: AsyncGenerator[Chunk, None], asked: ChatRequest
    ) -> AsyncGenerator[Chunk, None]:
        """*chunks*, with their tokens counted where they are limited."""
        return chunks if self._meter is None else self._meter.over(chunks, asked)

    def embedded(self, body: bytes, asked: str | list[str | int | list[int]]) -> None:
        """The same for embeddings."""
        if self._meter is not None:
            self._meter.count(tokens_of_embeddings(body, asked))


_UNLIMITED = Admission({})


class Door:
    def __init__(self, inflight: Inflight, rates: Rates) -> None:
        self.inflight, self.rates = inflight, rates

    @asynccontextmanager
    async def admitted(self, tenant: str, budget: Budget | None) -> AsyncIterator[Admission]:
        """Hold a place for the time of the block, and book what it used then.

        Raises ``CapacityExceeded`` and ``RateLimited``.
        """
        if budget is None:
            with self.inflight.place(tenant):
                yield _UNLIMITED
            return
        meter = Meter()
        try:
            with self.inflight.place(tenant):
                headers = rate_headers(await self.rates.admit(budget))
                yield Admission(headers, meter if budget.tokens else None)
        finally:
            await self.rates.book(budget, meter.tokens)
