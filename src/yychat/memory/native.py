"""Native memory: verbatim turns, recalled by their words and, where possible, by their meaning."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Literal, TypeVar

import numpy as np
from msgspec.structs import replace

from ..errors import StoreError, UpstreamError
from ..owner import Owner
from .base import Recollection, Record, Turn
from .embedder import Embedder, Vector
from .ranking import Index
from .turns import Look, StoredTurn, TurnStore, Vectors

log = logging.getLogger(__name__)
T = TypeVar("T")
Speaker = Literal["user", "assistant"]

PAGE = 500  # characters; a document weighs one, and one more for each of these
INLINE = 40  # documents by weight; more new ones than this are indexed in a thread
EMPTY = 8  # documents by weight; what an index costs before its first one, roughly
DOCUMENT = 3_000  # bytes that a document weighs one for


class NativeMemory:
    """Keeps a warm index per active owner and extends it by what is new before every search.

    What counts is the store: a turn answered by any process, still in the outbox or already
    stored, is found by the next recall anywhere. The least recently used indexes go when all
    together weigh more than *documents* of a few lines. A turn is stored without vectors where
    the embedder takes longer than *store_within* seconds, and found without where it takes longer
    than *embed_within*.
    """

    name = "native"

    def __init__(
        self,
        store: TurnStore,
        *,
        embedder: Embedder | None = None,
        embed_within: float = 0.2,
        store_within: float = 10.0,
        keep: int = 5_000,
        days: int = 0,
        documents: int = 200_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._embedder, self._embed_within = store, embedder, embed_within
        self._store_within = store_within
        self._keep, self._clock = keep, clock
        self._age = days * 86_400.0 or None
        self._shelf = _Shelf(documents)
        self._running: set[asyncio.Task[Any]] = set()

    @property
    def held(self) -> int:
        """What the warm indexes weigh together; an empty one weighs a few documents."""
        return self._shelf.held

    async def recall(self, owner: Owner, query: str, limit: int) -> Recollection:
        vector = self._start(self._vector(query)) if self._embedder else None
        warm = self._warm(owner)
        look = await self._glance(owner, warm)
        if look is None:
            # A recall that runs out of time leaves its index warmer for the next one.
            look = await asyncio.shield(self._start(self._catch_up(owner, warm)))
        embedding = await asyncio.shield(vector) if vector else None
        async with warm.lock:
            now = self._clock()
            warm.forget_before(self._horizon())
            found = warm.search(query, limit, embedding, now)
        return replace(found, degraded=True) if look.degraded else found

    async def remember(self, owner: Owner, *turns: Turn) -> None:
        vectors = await self._vectors(turns)
        await self._store.append(owner, *zip(turns, vectors, strict=True), keep=self._keep)

    async def listing(self, owner: Owner, limit: int) -> list[Record]:
        turns = await self._store.newest(owner, limit)
        horizon = self._horizon()
        kept = (turn for turn in turns if turn.at >= horizon)
        records = [record for turn in kept for record in reversed(_records(turn))]
        return records[:limit]

    async def erase(self, owner: Owner) -> int:
        self._shelf.drop(owner.key)
        return await self._store.erase(owner)

    async def tidy(self, every: float = 3_600.0) -> None:
        """Let turns go that are older than *days*, and what erasures left, now and then; until
        cancelled."""
        while True:
            try:
                await self._store.expire(self._horizon())
            except StoreError as error:
                log.warning("old turns stay for now: %s", error)
            await asyncio.sleep(every)

    async def _glance(self, owner: Owner, warm: "_Warm") -> Look | None:
        """Take in what is new, where that is little and nobody else is at it: without a task of
        its own, as nothing is lost with it."""
        if not warm.looked or warm.lock.locked():
            return None
        reached = warm.reached
        look = await self._store.look(owner, **reached)
        if warm.lock.locked() or warm.reached != reached or _heavy(look):
            return None
        warm.extend(look, self._horizon())
        self._settle(warm)
        return look

    async def _catch_up(self, owner: Owner, warm: "_Warm") -> Look:
        async with warm.lock:
            look = await self._store.look(owner, **warm.reached)
            if _heavy(look):
                await asyncio.to_thread(warm.extend, look, self._horizon())
            else:
                warm.extend(look, self._horizon())
            self._settle(warm)
        return look

    def _settle(self, warm: "_Warm") -> None:
        warm.forget_beyond(self._keep)
        self._shelf.weigh(warm)

    def _horizon(self) -> float:
        """Turns answered before this Unix time are too old."""
        return self._clock() - self._age if self._age else 0.0

    def _warm(self, owner: Owner) -> "_Warm":
        warm = self._shelf.take(owner.key)
        if warm is None:
            model = self._embedder.model if self._embedder else None
            one_session = owner.kind == "conversation"
            warm = _Warm(owner.key, one_session=one_session, model=model)
            self._shelf.put(warm)
        return warm

    async def _vector(self, query: str) -> Vector | None:
        assert self._embedder is not None
        try:
            async with asyncio.timeout(self._embed_within):
                return (await self._embedder.embed([query]))[0]
        except (UpstreamError, TimeoutError):
            return None  # the lexical half answers alone

    async def _vectors(self, turns: Sequence[Turn]) -> Sequence[Vectors | None]:
        """The turns' vectors; None without an embedder, or while it is down: words are enough."""
        embedder = self._embedder
        questions = [turn.user for turn in turns if turn.user]
        answers = [turn.assistant for turn in turns if turn.assistant]
        if embedder is None or not (questions or answers):
            return [None] * len(turns)
        try:
            async with asyncio.timeout(self._store_within):
                embedded = [_packed(vector) for vector in await embedder.embed(questions, answers)]
        except (UpstreamError, TimeoutError) as error:
            log.warning("turns are stored without vectors: %s", str(error) or "no time left")
            return [None] * len(turns)
        asked, said = iter(embedded[: len(questions)]), iter(embedded[len(questions) :])
        return [
            Vectors(
                model=embedder.model,
                user=next(asked) if turn.user else b"",
                assistant=next(said) if turn.assistant else b"",
            )
            if _spoken(turn)
            else None
            for turn in turns
        ]

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task


class _Shelf:
    """The warm indexes by owner; the least recently used go when all weigh more than *most*."""

    def __init__(self, most: int) -> None:
        self._most, self.held = most, 0
        self._warm: OrderedDict[str, _Warm] = OrderedDict()

    def take(self, key: str) -> "_Warm | None":
        warm = self._warm.get(key)
        if warm is not None:
            self._warm.move_to_end(key)
        return warm

    def put(self, warm: "_Warm") -> None:
        warm.weight = 0
        self._warm[warm.key] = warm
        self.weigh(warm)

    def weigh(self, warm: "_Warm") -> None:
        """Take notice of how much *warm* holds now, and make room."""
        if self._warm.get(warm.key) is not warm:
            return  # it was let go while somebody still searched it
        self.held += warm.size + EMPTY - warm.weight
        warm.weight = warm.size + EMPTY
        while self.held > self._most and len(self._warm) > 1:
            self.drop(next(iter(self._warm)))

    def drop(self, key: str) -> None:
        warm = self._warm.pop(key, None)
        self.held -= warm.weight if warm else 0


class _Warm:
    """One owner's index, and how far into the store it reaches.

    ``weight`` is what the shelf last knew of its ``size``; ``looked`` says that it has been filled.
    """

    def __init__(self, key: str, *, one_session: bool, model: str | None) -> None:
        self.key, self.weight, self.looked = key, 0, False
        self.lock = asyncio.Lock()
        self._one_session, self._model = one_session, model
        self._clear(epoch=0)

    def extend(self, look: Look, horizon: float) -> None:
        """Take in what is new and not older than *horizon*. In order of time, in which it is also
        forgotten: a dead letter comes last in a look however old it is."""
        if look.epoch != self.epoch:
            self._clear(look.epoch)
        for stored in sorted(look.turns, key=lambda stored: stored.turn.at):
            self._add(stored, horizon)
        self._mark, self.looked = look.mark, True

    @property
    def size(self) -> int:
        """What its documents weigh, and their vectors."""
        return self._words + self._index.nbytes_of_vectors // DOCUMENT

    @property
    def reached(self) -> dict[str, int]:
        """How far the last look went: what the next one has to say to the store."""
        return {"epoch": self.epoch, "after": self.seq, "mark": self._mark}

    def search(self, query: str, limit: int, vector: Vector | None, now: float) -> Recollection:
        hits = self._index.search(query, limit, vector=vector, now=now)
        records = []
        for hit in hits:
            turn, role = self._documents[hit.position]
            records.append(_record(turn, role, hit.score))
        source: Literal["lexical", "both"] = "lexical" if vector is None else "both"
        return Recollection(records=tuple(records), source=source)

    def forget_beyond(self, turns: int) -> None:
        """Let the oldest go; an eighth more than *turns* may stay, as in the store."""
        while len(self._known) > turns + turns // 8:
            self._forget_oldest()

    def forget_before(self, at: float) -> None:
        """Let turns go that were answered before *at*."""
        while self._known and self._oldest_at() < at:
            self._forget_oldest()

    def _oldest_at(self) -> float:
        positions = next(iter(self._known.values()))
        return self._documents[positions[0]][0].at if positions else 0.0

    def _forget_oldest(self) -> None:
        positions = self._known.pop(next(iter(self._known)))
        self._index.forget_oldest(len(positions))
        if positions:
            self._words -= _weight(self._documents[positions[0]][0])
        for position in positions:
            del self._documents[position]

    def _clear(self, epoch: int) -> None:
        self.epoch, self.seq, self._mark, self._words = epoch, 0, 0, 0
        self._index = Index()
        self._known: dict[str, list[int]] = {}  # turn id -> positions in the index
        self._documents: dict[int, tuple[Turn, Speaker]] = {}

    def _add(self, stored: StoredTurn, horizon: float) -> None:
        self.seq = max(self.seq, stored.seq or 0)
        if stored.turn.at < horizon:
            return
        spoken, known = _spoken(stored.turn), self._known.get(stored.turn.id)
        vectors = self._vectors(stored, spoken)
        if known is not None:  # first seen in the outbox; its vectors come with the stored row
            for position, vector in zip(known, vectors, strict=False):
                if vector is not None:
                    self._index.set_vector(position, vector)
            return
        positions = self._known[stored.turn.id] = []
        session = "one" if self._one_session else None
        for (role, text), vector in zip(spoken, vectors, strict=True):
            position = self._index.add(text, stored.turn.at, session=session, vector=vector)
            self._documents[position] = (stored.turn, role)
            positions.append(position)
        self._words += _weight(stored.turn)

    def _vectors(
        self, stored: StoredTurn, spoken: list[tuple[Speaker, str]]
    ) -> Sequence[Vector | None]:
        vectors = stored.vectors
        if vectors is None or vectors.model != self._model:
            return [None] * len(spoken)
        raw = {"user": vectors.user, "assistant": vectors.assistant}
        return [np.frombuffer(raw[role], np.float16).astype(np.float32) for role, _ in spoken]


def _heavy(look: Look) -> bool:
    """What is new would hold up the event loop."""
    return len(look.turns) > INLINE or sum(_weight(new.turn) for new in look.turns) > INLINE


def _spoken(turn: Turn) -> list[tuple[Speaker, str]]:
    both: list[tuple[Speaker, str]] = [("user", turn.user), ("assistant", turn.assistant)]
    return both if turn.user and turn.assistant else [said for said in both if said[1]]


def _packed(vector: Vector) -> bytes:
    return vector.astype(np.float16).tobytes()


def _weight(turn: Turn) -> int:
    return sum([1 + len(text) // PAGE for text in (turn.user, turn.assistant) if text])


def _records(turn: Turn) -> list[Record]:
    return [_record(turn, role, 0.0) for role, _ in _spoken(turn)]


def _record(turn: Turn, role: Speaker, score: float) -> Record:
    text = turn.user if role == "user" else turn.assistant
    return Record(
        id=f"{turn.id}.{role}", text=text, at=turn.at, engine=turn.engine, role=role, score=score
    )
