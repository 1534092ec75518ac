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

    One text is a question. Several are a turn on its way to the store: nobody asks for these
    again, so they are neither looked for nor kept. A question's white space is one blank.
    """

    def __init__(self, embedder: Embedder, cache: Cached[Vector]) -> None:
        self._embedder, self.cache = embedder, cache

    @property
    def model(self) -> str:
        return self._embedder.model

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        if len(texts) != 1:
            return await self._embedder.embed(texts)
        text = _normalised(texts[0])

        async def load() -> Vector:
            return (await self._embedder.embed([text]))[0]

        return [await self.cache.get((self.model, text), load)]


def _normalised(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split()))


def _decoded(raw: bytes) -> Vector:
    """Read-only. Raises ``ValueError``."""
    return np.frombuffer(raw, "<f4").astype(np.float32, copy=False)
