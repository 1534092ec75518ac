"""A column of numbers: grown at the end, forgotten at the beginning, read without copying."""

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.generic)

_ROOM = 16


class Column(Generic[Number]):
    """``values`` is a view; what grows or forgets afterwards does not show in it for certain."""

    def __init__(self, kind: type[Number]) -> None:
        self._cells: NDArray[Number] = np.empty(_ROOM, kind)
        self._start = self._end = 0

    def __len__(self) -> int:
        return self._end - self._start

    @property
    def values(self) -> NDArray[Number]:
        return self._cells[self._start : self._end]

    def append(self, value: Any) -> None:
        if self._end == len(self._cells):
            self._move()
        self._cells[self._end] = value
        self._end += 1

    def forget(self, count: int) -> None:
        """Drop the *count* oldest; the cells are freed when others need the room."""
        self._start += count

    def _move(self) -> None:
        """Into cells twice as many as are in use, so that an append costs a move rarely."""
        kept = self.values
        cells = np.empty(max(_ROOM, 2 * len(kept)), kept.dtype)
        cells[: len(kept)] = kept
        self._cells, self._start, self._end = cells, 0, len(kept)
