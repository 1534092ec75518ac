"""Vectors: one optional embedding per document, compared by exact cosine."""

from array import array
from bisect import bisect_left

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float32]

_ROOM = 16


class Vectors:
    """Unit vectors by position, grown at the end and forgotten at the beginning.

    All are of one dimension. A vector of another one comes from another embedder, with which
    nothing can be compared: it replaces what was held. Zero and non-finite vectors count as none.
    """

    def __init__(self) -> None:
        self._rows: Vector = np.empty((0, 0), np.float32)
        self._positions = array("q")

    @property
    def nbytes(self) -> int:
        """What the rows take in memory, free ones included."""
        return self._rows.nbytes

    def add(self, position: int, vector: ArrayLike) -> None:
        """Positions come in order, as a rule; one that comes late finds its place."""
        unit = _unit(vector)
        if unit is None:
            return
        if len(unit) != self._rows.shape[1]:
            self._rows = np.empty((_ROOM, len(unit)), np.float32)
            self._positions = array("q")
        if len(self._positions) == len(self._rows):
            self._move(0, 2 * len(self._positions))
        end, place = len(self._positions), bisect_left(self._positions, position)
        self._rows[place + 1 : end + 1] = self._rows[place:end]
        self._rows[place] = unit
        self._positions.insert(place, position)

    def forget_before(self, first: int) -> None:
        """Rows are only moved once the forgotten are as many as the others."""
        start = bisect_left(self._positions, first)
        left = len(self._positions) - start
        if start > left:
            self._move(start, max(_ROOM, 2 * left))

    def cosines(self, vector: ArrayLike, first: int, end: int) -> NDArray[np.float64]:
        """The cosine of *vector* with each document from *first* to *end*; NaN where unknown."""
        cosines = np.full(end - first, np.nan)
        unit = _unit(vector)
        if unit is not None and len(unit) == self._rows.shape[1]:
            start = bisect_left(self._positions, first)
            positions = np.array(self._positions[start:], np.int64)
            # Row by row: a threaded BLAS product waits 15 ms for its turn on a busy machine.
            cosines[positions - first] = np.vecdot(self._rows[start : len(self._positions)], unit)
        return cosines

    def _move(self, start: int, room: int) -> None:
        kept = self._rows[start : len(self._positions)]
        rows = np.empty((room, kept.shape[1]), np.float32)
        rows[: len(kept)] = kept
        self._rows = rows
        del self._positions[:start]


def _unit(vector: ArrayLike) -> Vector | None:
    given = np.asarray(vector, np.float64).reshape(-1)
    largest = np.abs(given).max(initial=0.0)
    if not 0.0 < largest < np.inf:
        return None
    given = given / largest  # now its length cannot overflow
    unit: Vector = (given / np.linalg.norm(given)).astype(np.float32)
    return unit
