"""Which models there are: the upstreams' lists as one, limited to what callers may use."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any

import msgspec

from ..cache.base import Cache
from ..cache.memory import MemoryCache
from ..cache.tiered import Cached
from ..errors import NotFound, UpstreamError, UpstreamProtocolError, UpstreamTimeout
from .base import Provider
from .router import Upstreams
from .wire import UNREADABLE, whole

log = logging.getLogger(__name__)

FAILED_FOR = 5.0  # seconds until an upstream that did not is asked again


class ModelEntry(msgspec.Struct):
    """A model as OpenAI lists it; ``created`` is Unix time in seconds, 0 where nobody says."""

    id: str
    created: int = 0
    owned_by: str = ""
    object: str = "model"


class _Listed(msgspec.Struct):
    """The same as upstreams tell it: any of it may be missing or null."""

    id: str
    created: Any = None
    owned_by: Any = None

    def entry(self) -> ModelEntry:
        owner = self.owned_by if isinstance(self.owned_by, str) else ""
        return ModelEntry(id=self.id, created=whole(self.created) or 0, owned_by=owner)


class _List(msgspec.Struct):
    data: list[_Listed]


def model_lists(l2: Cache | None = None, *, ttl: float = 60.0) -> Cached[list[ModelEntry]]:
    """Lists by upstream, shared through *l2*; *ttl* is in seconds."""
    return Cached(
        "models",
        encode=msgspec.msgpack.encode,
        decode=msgspec.msgpack.Decoder(list[ModelEntry]).decode,
        ttl=ttl,
        l1=MemoryCache(most_entries=64),
        l2=l2,
    )


class ModelCatalogue:
    """Asks the upstreams once per *ttl* seconds, for all callers at once, and gives each *within*
    seconds. While they are asked again, or are down, the last list serves; a failure is remembered
    for ``FAILED_FOR``."""

    def __init__(
        self,
        upstreams: Upstreams,
        allowed: Collection[str] = (),
        *,
        ttl: float = 60.0,
        within: float = 10.0,
        cache: Cached[list[ModelEntry]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._upstreams, self._allowed, self._cache = upstreams, allowed, cache
        self._ttl, self._within, self._clock = ttl, within, clock
        self._known: list[ModelEntry] | None = None
        self._lists: dict[str, list[ModelEntry]] = {}  # the last of each upstream, by its name
        self._failure: UpstreamError | None = None
        self._stale_at = -math.inf
        self._asking: asyncio.Task[None] | None = None

    def check(self, model: str) -> None:
        """Raises ``NotFound`` for a model that callers may not use."""
        if self._allowed and model not in self._allowed:
            raise _no_such_model()

    async def all(self) -> list[ModelEntry]:
        """Raises ``UpstreamError`` where there has never been a list."""
        if self._asking is None and self._clock() >= self._stale_at:
            self._asking = asyncio.create_task(self._ask())
        if self._known is None and self._asking is not None:
            await asyncio.shield(self._asking)  # others wait for it too
        if self._known is None:
            assert self._failure is not None
            raise self._failure.with_traceback(None)
        return self._known

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])
        if self._cache is not None:
            await self._cache.close()

    async def get(self, model: str) -> ModelEntry:
        """Raises ``NotFound``."""
        self.check(model)
        for entry in await self.all():
            if entry.id == model:
                return entry
        raise _no_such_model()

    async def _ask(self) -> None:
        try:
            upstreams = list(self._upstreams)
            failures = [f for f in await asyncio.gather(*map(self._refresh, upstreams)) if f]
            self._failure = failures[-1] if failures else None
            if self._lists or not failures:
                self._known = self._listed(upstreams)
            self._stale_at = self._clock() + (FAILED_FOR if failures else self._ttl)
        finally:
            self._asking = None

    def _listed(self, upstreams: Iterable[Provider]) -> list[ModelEntry]:
        found: dict[str, ModelEntry] = {}
        for upstream in upstreams:
            for entry in self._lists.get(upstream.name, ()):
                found.setdefault(entry.id, entry)
        return [e for e in found.values() if not self._allowed or e.id in self._allowed]

    async def _refresh(self, upstream: Provider) -> UpstreamError | None:
        """Ask one upstream; where that fails its last list stays, and the failure is returned."""
        try:
            async with asyncio.timeout(self._within):
                self._lists[upstream.name] = await self._list_of(upstream)
        except TimeoutError:
            failure: UpstreamError = UpstreamTimeout("the upstream did not list its models in time")
        except UpstreamError as error:
            failure = error
        else:
            return None
        log.warning("the models of %s stay as they were: %s", upstream.name, failure)
        return failure

    async def _list_of(self, upstream: Provider) -> list[ModelEntry]:
        if self._cache is None:
            return await _models_of(upstream)
        return await self._cache.get((upstream.name,), partial(_models_of, upstream))


async def _models_of(upstream: Provider) -> list[ModelEntry]:
    if upstream.models is not None:
        return [ModelEntry(id=name) for name in upstream.models]
    body = await upstream.get("/models")
    try:
        return [listed.entry() for listed in msgspec.json.decode(body, type=_List).data]
    except UNREADABLE as error:
        raise UpstreamProtocolError("the upstream's list of models cannot be read") from error


def _no_such_model() -> NotFound:
    return NotFound(
        "there is no such model here; GET /v1/models lists them",
        code="model_not_found",
        param="model",
    )
