"""Vectors without a model: hashed words and CJK bigrams, so that texts sharing them are near."""

import base64
import math
import struct
from collections import defaultdict
from zlib import crc32

from .text import empty, terms

DIMENSIONS = 256


def embedding(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """A unit vector for *text*, the same in every process."""
    weights: defaultdict[int, float] = defaultdict(float)
    for term in terms(text):
        digest = crc32(term.encode("utf-8", "surrogatepass"))
        sign = 1.0 if digest & 1 else -1.0
        weights[(digest >> 1) % dimensions] += sign * (0.2 if empty(term) else 1.0)
    return _unit(weights, dimensions)


def packed(vector: list[float]) -> str:
    """*vector* as OpenAI's base64 of little-endian 32-bit floats."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")


def _unit(weights: dict[int, float], dimensions: int) -> list[float]:
    vector = [0.0] * dimensions
    length = math.hypot(*weights.values())
    if not length:
        # Nothing to tell the text by: every such text is one and the same point.
        vector[0] = 1.0
        return vector
    for at, weight in weights.items():
        vector[at] = weight / length
    return vector
