"""Turning texts into vectors: the port, and the adapter over an upstream's /embeddings."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..errors import UpstreamProtocolError

Vector = NDArray[np.float32]

LONGEST = 6_000  # characters of a text that are embedded; models refuse what is much longer


class Embedder(Protocol):
    """Raises ``UpstreamError`` and nothing else. Vectors of different models never meet."""

    @property
    def model(self) -> str: ...

    async def embed(self, texts: Sequence[str]) -> list[Vector]: ...


class _Row(msgspec.Struct):
    index: int
    embedding: list[float]


class _Reply(msgspec.Struct):
    data: list[_Row]


class UpstreamEmbedder:
    """Embeds through an OpenAI-compatible upstream."""

    def __init__(self, model: str, post: Callable[[dict[str, Any]], Awaitable[bytes]]) -> None:
        self.model = model
        self._post = post

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        cut = [text[:LONGEST] for text in texts]
        answer = await self._post({"input": cut, "encoding_format": "float"})
        try:
            rows = sorted(msgspec.json.decode(answer, type=_Reply).data, key=lambda row: row.index)
        except msgspec.DecodeError as error:
            raise UpstreamProtocolError("the embedder answered something else") from error
        if len(rows) != len(texts):
            raise UpstreamProtocolError("the embedder answered for another number of texts")
        return [np.asarray(row.embedding, dtype=np.float32) for row in rows]
