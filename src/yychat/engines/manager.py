"""EngineManager: every request goes to the engine that is selected, and the other one stands by."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing

from msgspec.structs import replace

from ..background import place_of
from ..chat import ChatRequest, Chunk
from ..errors import (
    ConfigurationError,
    Conflict,
    DeadlineExceeded,
    EngineError,
    InvalidRequest,
    NotFound,
    Rejected,
    RequestError,
    UpstreamError,
    YYChatError,
)
from .base import BaseEngine
from .checkup import Checkup, Finding
from .selected import Selected
from .selection import Selection, checked_reason

log = logging.getLogger(__name__)

READY_WITHIN = 20.0  # seconds for the target of a switch to be well
NOT_ITS_OWN = (RequestError, Rejected, UpstreamError, DeadlineExceeded)


class EngineManager:
    """All engines, and which of them answers. A request keeps the engine it began with; owners
    keep theirs while shares are the same.

    An engine that fails before its first chunk for a cause of its own is answered for by another
    one, once. Its own is everything but the caller's, the upstream's and the lack of time or room:
    there the other would only fail as well. Who asked for an engine by name gets that one, or its
    failure.
    """

    def __init__(self, engines: Sequence[BaseEngine], selected: Selected) -> None:
        """Raises ``ConfigurationError`` where the first selection names none of *engines*."""
        self.registered: Mapping[str, BaseEngine] = {engine.name: engine for engine in engines}
        self.selected = selected
        self.notice: Callable[[str], None] = lambda _cause: None  # told of every change made here
        self._checkups = {engine.name: Checkup(engine) for engine in engines}
        self._failing: set[str] = set()
        if selected.first not in self.registered:
            raise ConfigurationError(f"CHAT_ENGINE: there is no engine {selected.first} here")

    @property
    def selection(self) -> Selection:
        return self.selected.current

    @property
    def in_force(self) -> list[BaseEngine]:
        """The engines that have a share, the largest first."""
        shares = self.selection.in_force
        found = [self.registered[name] for name in shares if name in self.registered]
        found.sort(key=lambda engine: -shares[engine.name])
        return found or [self.registered[self.selected.first]]

    def engine(self, name: str) -> BaseEngine:
        """Raises ``NotFound``."""
        engine = self.registered.get(name)
        if engine is None:
            known = ", ".join(sorted(self.registered))
            raise NotFound(f"there is no such engine; there are: {known}", param="engine")
        return engine

    def chosen(self, request: ChatRequest) -> BaseEngine:
        """The engine for *request*: the one it names, else by the selection. Raises ``NotFound``.

        A selection of engines that are all unknown here (a newer version's) leaves the first.
        """
        if request.engine is not None:
            return self.engine(request.engine)
        key = request.owner.key if request.owner else request.request_id
        return self.registered[self.selection.chosen(self.registered, key) or self.selected.first]

    async def generate_response(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """See ``BaseEngine``."""
        engine = self.chosen(request)
        begun = False
        try:
            async with aclosing(_answer(engine, request)) as chunks:
                async for chunk in chunks:
                    if not begun:
                        begun = True
                        self._recovered(engine)
                    yield chunk
        except YYChatError as error:
            if begun or request.engine is not None or isinstance(error, NOT_ITS_OWN):
                raise
            other = self._instead_of(engine, error)
        else:
            return
        async with aclosing(_answer(other, request)) as chunks:
            async for chunk in chunks:
                yield _fallen_back(chunk, engine.name)

    async def switch(
        self,
        name: str,
        *,
        by: str,
        reason: str,
        force: bool = False,
        if_revision: int | None = None,
    ) -> Selection:
        """Let *name* answer everything, if it is well or *force*.

        Raises ``NotFound``, ``InvalidRequest``, ``Conflict`` (it is not well; somebody else was
        faster) and ``StoreError`` (the shared state cannot be written).
        """
        self.engine(name)
        weights = {each: 100 if each == name else 0 for each in self.registered}
        wanted = () if force else (name,)
        changed = await self._change(weights, wanted, by, reason, if_revision)
        self.notice("manual")
        return changed

    async def split(
        self,
        weights: Mapping[str, int],
        *,
        by: str,
        reason: str,
        force: bool = False,
        if_revision: int | None = None,
    ) -> Selection:
        """Let engines answer by their shares; those whose share grows have to be well.

        Raises as ``switch`` does.
        """
        for name in weights:
            self._check_share(name)
        if not any(weights.values()):
            raise InvalidRequest("weights: one has to be more than 0", param="weights")
        shares = {name: weights.get(name, 0) for name in self.registered}
        wanted = () if force else _growing(self.selection.weights, shares)
        changed = await self._change(shares, wanted, by, reason, if_revision)
        self.notice("split")
        return changed

    async def health(self, within: float) -> dict[str, Finding]:
        """How all engines are, after at most *within* seconds."""
        return await self.health_of(self.registered.values(), within)

    async def health_of(self, engines: Iterable[BaseEngine], within: float) -> dict[str, Finding]:
        names = [engine.name for engine in engines]
        found = await asyncio.gather(*(self._checkups[name].finding(within) for name in names))
        return dict(zip(names, found, strict=True))

    async def close(self) -> None:
        for checkup in self._checkups.values():
            await checkup.close()

    def _check_share(self, name: str) -> None:
        try:
            self.engine(name)
        except NotFound as error:
            raise NotFound(f"weights: {error.message}", param="weights") from None

    async def _change(
        self,
        weights: Mapping[str, int],
        wanted: Iterable[str],
        by: str,
        reason: str,
        if_revision: int | None,
    ) -> Selection:
        reason = checked_reason(reason)
        base = await self.selected.base(if_revision)
        await self._check_well(wanted)
        return await self.selected.change(base, weights, by=by, reason=reason)

    async def _check_well(self, names: Iterable[str]) -> None:
        found = await self.health_of([self.registered[name] for name in names], READY_WITHIN)
        for name, finding in found.items():
            if not finding.health.healthy:
                raise Conflict(
                    f"{name} is not well: {_complaints(finding)}. Nothing was changed;"
                    " `force` changes it all the same",
                    code="engine_unhealthy",
                )

    def _instead_of(self, engine: BaseEngine, error: YYChatError) -> BaseEngine:
        """Who answers for *engine*. Raises *error* where there is nobody else."""
        other = next((each for each in self.registered.values() if each is not engine), None)
        if other is None:
            raise error
        if engine.name not in self._failing:  # one line for each time it begins
            self._failing.add(engine.name)
            log.warning("%s fails (%s): %s answers instead", engine.name, error, other.name)
        return other

    def _recovered(self, engine: BaseEngine) -> None:
        if engine.name in self._failing:
            self._failing.discard(engine.name)
            log.warning("%s answers again", engine.name)


async def _answer(engine: BaseEngine, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
    """What *engine* answers; a bug of it counts as its failure. Here is the one place for that."""
    begun = False
    try:
        async with aclosing(engine.generate_response(request)) as chunks:
            async for chunk in chunks:
                begun = True
                yield chunk
    except (YYChatError, RecursionError):  # only callers' JSON nests without bound
        raise
    except Exception as error:
        log.error("a bug in %s: %s", engine.name, place_of(error))  # noqa: TRY400
        raise EngineError(f"{engine.name} failed", code="engine_failed") from error
    if not begun:
        raise EngineError(f"{engine.name} gave no answer", code="engine_failed")


def _fallen_back(chunk: Chunk, failed: str) -> Chunk:
    if chunk.about is None:
        return chunk
    return replace(chunk, about=replace(chunk.about, fallback_from=failed))


def _growing(now: Mapping[str, int], then: Mapping[str, int]) -> list[str]:
    """The engines that get a larger part of the whole than they have."""
    had, gets = max(1, sum(now.values())), sum(then.values())
    return [name for name in then if then[name] * had > now.get(name, 0) * gets]


def _complaints(finding: Finding) -> str:
    found = finding.health.dependencies.items()
    return "; ".join(f"{name}: {why}" for name, why in found if why) or "it does not say why"
