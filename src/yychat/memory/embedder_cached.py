"""An embedder that knows the last questions' vectors."""

import unicodedata
from collections.abc import Sequence

import numpy as np

from ..cache.base import Cache
from ..cache.memory import MemoryCache
from ..cache.tiered import Cached
from .embedder import Embedder, Vector


def vectors(l1: Cache | None = None, l2: Cache | None = None, *, ttl: float) -> Cached[Vector]:
    """The cache an embedder keeps its vectors in; *ttl* is in seconds."""
    return Cached(
        "embeddings",
        encode=lambda vector: vector.astype("<f4").tobytes(),
        decode=_decoded,
        ttl=ttl,
        l1=MemoryCache() if l1 is None else l1,
        l2=l2,
    )


class CachedEmbedder:
    """Embeds through *embedder*, a question once per TTL. Raises what *embedder* raises.

    One question alone is being asked, and kept. Otherwise they are turns on their way to the
    store: their questions have most often been asked just before, and nobody asks for what is
    missing again, so that is not kept. A question's white space is one blank.
    """

    def __init__(self, embedder: Embedder, cache: Cached[Vector]) -> None:
        self._embedder, self.cache = embedder, cache

    @property
    def model(self) -> str:
        return self._embedder.model

    async def embed(self, questions: Sequence[str], answers: Sequence[str] = ()) -> list[Vector]:
        if len(questions) == 1 and not answers:
            return [await self._asked(_normalised(questions[0]))]
        keys = [(self.model, _normalised(question)) for question in questions]
        known = [await self.cache.known(key) for key in keys]
        missing = [q for q, vector in zip(questions, known, strict=True) if vector is None]
        loaded = iter(await self._embedder.embed(missing, answers) if missing or answers else ())
        return [*(next(loaded) if vector is None else vector for vector in known), *loaded]

    async def _asked(self, question: str) -> Vector:
        async def load() -> Vector:
            return (await self._embedder.embed([question]))[0]

        return await self.cache.get((self.model, question), load)


def _normalised(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split()))


def _decoded(raw: bytes) -> Vector:
    """Read-only. Raises ``ValueError``."""
    return np.frombuffer(raw, "<f4").astype(np.float32, copy=False)
