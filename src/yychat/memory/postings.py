"""Postings: for every term, the documents that have it and how often."""

from array import array
from bisect import bisect_left
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_COUNT_BITS = 8
_MOST = (1 << _COUNT_BITS) - 1

Held = dict[str, "array[int]"]


class Found(NamedTuple):
    """The entries of some terms, term by term: ``sizes[n]`` of them belong to the n-th."""

    sizes: list[int]
    positions: NDArray[np.int64]
    counts: NDArray[np.float64]


class Postings:
    """Grows at the end and forgets at the beginning, without ever going through all terms.

    There are two generations. The older one is dropped as a whole once all its documents are
    forgotten; until then its forgotten entries are skipped. So at most as many documents are
    kept in vain as were alive when the older generation closed.
    """

    def __init__(self) -> None:
        self._older: Held = {}
        self._newer: Held = {}
        self._first = 0
        self._closed = 0
        """The newer generation begins at this position."""

    def add(self, position: int, counts: Mapping[str, int]) -> None:
        """*position* is above all earlier ones; a count beyond 255 is as good as 255."""
        base, newer = position << _COUNT_BITS, self._newer
        for term, count in counts.items():
            entry = base | (count if count < _MOST else _MOST)
            held = newer.get(term)
            if held is None:
                newer[term] = array("q", (entry,))
            else:
                held.append(entry)

    def forget_before(self, first: int, *, end: int) -> None:
        """Forget all documents below *first*; *end* is one above the last position in use."""
        self._first = first
        if first > self._closed:
            self._older, self._newer, self._closed = self._newer, {}, end

    def find(self, terms: list[str], most: int) -> Found:
        """The entries of those of *terms* that occur; of the rarest *most*, if they are more."""
        held = sorted(filter(None, map(self._entries, dict.fromkeys(terms))), key=len)[:most]
        # Copied: a view would keep the arrays from growing for as long as it lives.
        packed = np.frombuffer(b"".join(held), np.int64)
        # What is calculated with whole numbers is converted each time; here it is once.
        counts = (packed & _MOST).astype(np.float64)
        return Found(list(map(len, held)), packed >> _COUNT_BITS, counts)

    def _entries(self, term: str) -> "array[int] | None":
        older, newer = self._older.get(term), self._newer.get(term)
        if older is None:
            return newer
        alive = older[bisect_left(older, self._first << _COUNT_BITS) :]
        return alive if newer is None else alive + newer
