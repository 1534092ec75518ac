"""Several upstreams as one: in order, around those that are down, retried before the first byte."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

import msgspec

from ..errors import (
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamModelUnknown,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from ..resilience import Backoff, Breaker
from .base import Provider

Payload = Mapping[str, Any]
LOOK_WITHIN = 2.0  # seconds for one upstream to say that it is there
LONGEST_WAIT = 3.0  # seconds; a longer Retry-After is the caller's to wait for

_HOPELESS = (UpstreamRefused,)  # the same anywhere
_HOPELESS_HERE = (UpstreamAuthFailed, UpstreamModelUnknown, UpstreamTimeout)  # only others help


class _Candidate(NamedTuple):
    """An upstream that has the model, what it calls it, and how well it does there."""

    upstream: Provider
    model: str
    breaker: Breaker


class Upstreams:
    """Asks the first upstream that has the model and is well; then the next, then again.

    Raises ``UpstreamError`` and nothing else: the last one met, or ``UpstreamUnreachable`` while
    every breaker is open.
    """

    def __init__(self, upstreams: Sequence[Provider] = (), backoff: Backoff | None = None) -> None:
        self._upstreams = upstreams
        self._backoff = backoff or Backoff()

    def use(self, upstreams: Sequence[Provider]) -> None:
        """From now on ask these: they come after the service has begun to listen."""
        self._upstreams = upstreams

    def __iter__(self) -> Iterator[Provider]:
        return iter(self._upstreams)

    async def post(self, path: str, model: str, payload: Payload) -> bytes:
        """The whole answer to *payload* with *model*, as the upstream sent it."""
        attempts = _Attempts(self._candidates(path, model), self._backoff)
        while True:
            upstream, name, _ = await attempts.next()
            try:
                return await upstream.post(path, _body(payload, name))
            except UpstreamError as error:
                attempts.failed(upstream, error)

    async def stream(self, path: str, model: str, payload: Payload) -> AsyncGenerator[bytes, None]:
        """The answer's bytes as they come. Nothing is retried once there are some."""
        attempts = _Attempts(self._candidates(path, model), self._backoff)
        while True:
            upstream, name, _ = await attempts.next()
            async with aclosing(upstream.stream(path, _body(payload, name))) as reads:
                try:
                    first = await anext(reads)
                except UpstreamError as error:
                    attempts.failed(upstream, error)
                    continue
                yield first
                async for data in reads:
                    yield data
                return

    async def look(self) -> None:
        """Ask for the lists of models, which costs nothing, until an upstream answers: one without
        such a list is well, too. Raises ``UpstreamError`` where none does."""
        trouble: UpstreamError | None = None
        for upstream in self._upstreams:
            try:
                async with asyncio.timeout(LOOK_WITHIN):
                    await upstream.get("/models")
            except (UpstreamUnreachable, UpstreamTimeout, UpstreamAuthFailed) as error:
                trouble = error
            except TimeoutError:
                trouble = UpstreamTimeout("the upstream did not answer in time")
            except UpstreamError:
                return
            else:
                return
        if trouble is not None:
            raise trouble

    async def close(self) -> None:
        await asyncio.gather(*(upstream.close() for upstream in self._upstreams))

    def _candidates(self, path: str, model: str) -> list[_Candidate]:
        having = [
            _Candidate(upstream, name, upstream.breaker_of(path))
            for upstream in self._upstreams
            if (name := upstream.model(model)) is not None
        ]
        if not having:
            raise UpstreamModelUnknown(
                "no upstream has this model; GET /v1/models lists them", param="model"
            )
        if len(having) > 1:
            having.sort(key=lambda candidate: candidate.breaker.cooling)
        return having


class _Attempts:
    """Whom to ask next, and when to give up, for one request."""

    def __init__(self, candidates: list[_Candidate], backoff: Backoff) -> None:
        self._hopeful = candidates
        self._fresh = list(candidates)
        self._backoff = backoff
        self._retried = 0
        self._asked_to_wait: dict[str, float | None] = {}
        self._error: UpstreamError | None = None

    async def next(self) -> _Candidate:
        """The next candidate whose breaker lets us; raises the last error when there is none."""
        while self._fresh:
            candidate = self._fresh.pop(0)
            if candidate.breaker.admit():
                return candidate
        while self._error and self._retried < self._backoff.retries:
            again = self._soonest()
            if again is None:
                break
            wait = self._asked_to_wait.get(again.upstream.name)
            pause = self._backoff.pause(self._retried, wait)
            if pause > LONGEST_WAIT:
                break
            self._retried += 1
            await asyncio.sleep(pause)
            if again.breaker.admit():
                return again
        raise self._error or self._all_open()

    def failed(self, upstream: Provider, error: UpstreamError) -> None:
        """Note a failure; raises it where no other attempt can help."""
        if isinstance(error, _HOPELESS):
            raise error
        self._error = error
        self._asked_to_wait[upstream.name] = error.retry_after
        if isinstance(error, _HOPELESS_HERE):
            self._hopeful = [c for c in self._hopeful if c.upstream is not upstream]

    def _soonest(self) -> _Candidate | None:
        """Of those worth asking again, the one that failed longest ago or asked for least."""
        closed = [c for c in self._hopeful if c.breaker.state != "open"]
        return min(closed, key=lambda c: c.breaker.cools_for, default=None)

    def _all_open(self) -> UpstreamUnreachable:
        soonest = min((c.breaker.reopens_in for c in self._hopeful), default=1.0)
        return UpstreamUnreachable(
            "the upstream has failed repeatedly and is left alone for a moment",
            retry_after=max(1.0, soonest),
        )


def _body(payload: Payload, model: str) -> bytes:
    return msgspec.json.encode({**payload, "model": model})
