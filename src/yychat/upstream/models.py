"""Which models there are: the upstreams' lists as one, limited to what callers may use."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import msgspec

from ..errors import NotFound, UpstreamError, UpstreamProtocolError
from .router import Upstreams

if TYPE_CHECKING:
    from .client import Upstream

log = logging.getLogger(__name__)


class ModelEntry(msgspec.Struct):
    """A model as OpenAI lists it; ``created`` is Unix time in seconds, 0 where nobody says."""

    id: str
    created: int = 0
    owned_by: str = ""
    object: str = "model"


class _List(msgspec.Struct):
    data: list[ModelEntry]


class ModelCatalogue:
    """Asks the upstreams once per *ttl* seconds; while they are down the last list serves."""

    def __init__(
        self,
        upstreams: Upstreams,
        allowed: Collection[str] = (),
        *,
        ttl: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._upstreams, self._allowed, self._ttl, self._clock = upstreams, allowed, ttl, clock
        self._known: list[ModelEntry] | None = None
        self._lists: dict[str, list[ModelEntry]] = {}  # the last of each upstream, by its name
        self._stale_at = 0.0
        self._lock = asyncio.Lock()

    def check(self, model: str) -> None:
        """Raises ``NotFound`` for a model that callers may not use."""
        if self._allowed and model not in self._allowed:
            raise _no_such_model()

    async def all(self) -> list[ModelEntry]:
        async with self._lock:
            if self._known is None or self._clock() >= self._stale_at:
                self._known = await self._ask()
                self._stale_at = self._clock() + self._ttl
            return self._known

    async def get(self, model: str) -> ModelEntry:
        """Raises ``NotFound``."""
        self.check(model)
        for entry in await self.all():
            if entry.id == model:
                return entry
        raise _no_such_model()

    async def _ask(self) -> list[ModelEntry]:
        upstreams = list(self._upstreams)
        failures = [f for f in await asyncio.gather(*map(self._refresh, upstreams)) if f]
        if failures and not self._lists:
            raise failures[-1]
        found: dict[str, ModelEntry] = {}
        for upstream in upstreams:
            for entry in self._lists.get(upstream.name, ()):
                found.setdefault(entry.id, entry)
        return [e for e in found.values() if not self._allowed or e.id in self._allowed]

    async def _refresh(self, upstream: "Upstream") -> UpstreamError | None:
        """Ask one upstream; where that fails its last list stays, and the failure is returned."""
        try:
            self._lists[upstream.name] = await _models_of(upstream)
        except UpstreamError as error:
            log.warning("the models of %s stay as they were: %s", upstream.name, error)
            return error
        return None


async def _models_of(upstream: "Upstream") -> list[ModelEntry]:
    if upstream.models is not None:
        return [ModelEntry(id=name) for name in upstream.models]
    body = await upstream.get("/models")
    try:
        return msgspec.json.decode(body, type=_List).data
    except msgspec.DecodeError as error:
        raise UpstreamProtocolError("the upstream's list of models cannot be read") from error


def _no_such_model() -> NotFound:
    return NotFound(
        "there is no such model here; GET /v1/models lists them",
        code="model_not_found",
        param="model",
    )
