"""Ranking: which of one owner's turns bear on a question, best first.

BM25 over stemmed words and CJK pairs, a share of the neighbouring turns' scores, and more weight
for a month the question names. Where there are vectors, their cosine is a second opinion.
"""

import math
from collections import Counter
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from .column import Column
from .months import month_of, named_months
from .postings import Postings
from .terms import parsed
from .vectors import Vectors

Scores = NDArray[np.float64]

K1 = 0.9
B = 0.4
NEIGHBOURS = (0.5, 0.25)
"""What a turn receives of the score of those one and two away in its session."""
MONTH_WEIGHT = 1.3
LEXICAL, DENSE = 0.7, 0.3
"""The two opinions' shares; with less for the lexical one, fusion can lose to BM25 alone."""
LONGEST_QUERY = 2000
"""Characters of a question that are searched for: half from its beginning, half from its end."""
MOST_TERMS = 48
"""The rarest terms of a question that are searched for; together these bound a search's time."""


class Hit(msgspec.Struct, frozen=True):
    """A document found: its place in the order of adding; a score comparable within a search."""

    position: int
    score: float


class Index:
    """The searchable turns of one owner, in order of time; not for several threads at once.

    A session is a stretch of neighbouring turns. It ends where the name of the session changes or,
    where it has none, after more than *session_gap* seconds of silence.
    """

    def __init__(self, *, session_gap: float = 1800.0) -> None:
        self._gap = session_gap
        self._first = 0
        self._postings = Postings()
        self._vectors = Vectors()
        self._lengths = Column(np.float64)
        self._words = 0
        """The sum of the lengths."""
        self._months = Column(np.int64)
        self._shares = [Column(np.float64) for _ in NEIGHBOURS]
        """What each document and the one so far before it give each other: 0 across sessions."""
        self._session = 0
        """How many of the newest documents are of one session."""
        self._newest: tuple[str | None, float] = (None, math.inf)

    def __len__(self) -> int:
        return len(self._lengths)

    @property
    def nbytes_of_vectors(self) -> int:
        return self._vectors.nbytes

    @property
    def _end(self) -> int:
        return self._first + len(self)

    def add(
        self,
        text: str,
        at: float,
        *,
        session: str | None = None,
        vector: NDArray[np.floating] | None = None,
    ) -> int:
        """Append a document of the Unix time *at*; returns its position, which it keeps."""
        position = self._end
        found = parsed(text)
        self._postings.add(position, Counter(found.content + found.function))
        if vector is not None:
            self._vectors.add(position, vector)
        self._join(session, at)
        self._months.append(month_of(at))
        self._lengths.append(len(found.content))
        self._words += len(found.content)
        return position

    def set_vector(self, position: int, vector: NDArray[np.floating]) -> None:
        """Give a document the vector it was added without; nothing where it is forgotten."""
        if position >= self._first:
            self._vectors.add(position, vector)

    def _join(self, name: str | None, at: float) -> None:
        """Put the next document into the session that goes on, or into a new one."""
        (last_name, last_at), self._newest = self._newest, (name, at)
        silent = name is None and at - last_at > self._gap
        self._session = 1 if silent or name != last_name else self._session + 1
        for away, (share, column) in enumerate(zip(NEIGHBOURS, self._shares, strict=True), 1):
            column.append(share if self._session > away else 0.0)

    def forget_oldest(self, count: int) -> None:
        """Drop the *count* oldest documents; the others keep their positions."""
        count = min(max(count, 0), len(self))
        self._words -= int(self._lengths.values[:count].sum())
        columns: list[Column[Any]] = [self._lengths, self._months, *self._shares]
        for column in columns:
            column.forget(count)
        self._first += count
        self._postings.forget_before(self._first, end=self._end)
        self._vectors.forget_before(self._first)

    def search(
        self,
        query: str,
        limit: int,
        *,
        vector: NDArray[np.floating] | None = None,
        now: float | None = None,
    ) -> list[Hit]:
        """At most *limit* documents that match or stand beside one that does, best first.

        Among equals the newer comes first. *vector* is the embedding of *query*; *now*, Unix time,
        lets it speak of "last month".
        """
        if limit <= 0 or not len(self):
            return []
        scores = self._lexical(_shortened(query), now)
        matched = scores > 0.0
        if vector is not None:
            cosines = self._vectors.cosines(vector, self._first, self._end)
            matched |= cosines > 0.0
            known = ~np.isnan(cosines)
            scores = _fused(scores, self._spread(np.nan_to_num(cosines)), known)
        rows = _best(scores, matched, limit)
        found = zip((rows + self._first).tolist(), scores[rows].tolist(), strict=True)
        return [Hit(position, score) for position, score in found]

    def _lexical(self, query: str, now: float | None) -> Scores:
        wanted = parsed(query)
        # "Who am I?" is all stop words and still a question.
        scores = self._spread(self._matching(wanted.content or wanted.function))
        months = named_months(query, now)
        if months:
            named = np.isin(self._months.values, list(months))
            scores[named] *= MONTH_WEIGHT
        return scores

    def _matching(self, terms: list[str]) -> Scores:
        """BM25 over the documents, oldest first; a word said twice in a question counts once."""
        found = self._postings.find(terms, MOST_TERMS)
        rows, documents = found.positions - self._first, len(self)
        scale = K1 * B * documents / max(self._words, documents)
        damping = (self._lengths.values * scale + K1 * (1.0 - B))[rows]
        damping += found.counts
        # A dozen terms are too few for numpy to be faster.
        rarity = [math.log1p((documents - n + 0.5) / (n + 0.5)) * (K1 + 1.0) for n in found.sizes]
        gains = np.repeat(np.array(rarity), found.sizes)
        gains *= found.counts
        gains /= damping
        # Without an entry at all, bincount counts in integers.
        return np.bincount(rows, gains, minlength=documents).astype(np.float64, copy=False)

    def _spread(self, own: Scores) -> Scores:
        """*own* and what neighbours give: an answer often shares no word with its question."""
        scores = own.copy()
        for away, column in enumerate(self._shares, 1):
            shares = column.values[away:]
            scores[away:] += shares * own[:-away]
            scores[:-away] += shares * own[away:]
        return scores


def _fused(lexical: Scores, cosines: Scores, known: NDArray[np.bool_]) -> Scores:
    """The weighted sum of both, each scaled to 0..1; a document without a vector keeps its own.

    So a missing second opinion neither helps nor hurts.
    """
    scores = _scaled(lexical)
    if known.any() and np.ptp(cosines[known]) > 0.0:
        scores[known] = LEXICAL * scores[known] + DENSE * _scaled(cosines[known])
    return scores


def _scaled(scores: Scores) -> Scores:
    span = float(np.ptp(scores))
    scaled: Scores = (scores - scores.min()) / (span or 1.0)
    return scaled


def _best(scores: Scores, matched: NDArray[np.bool_], limit: int) -> NDArray[np.intp]:
    """The rows of the *limit* best that matched, the newer of equals first."""
    if len(scores) > limit:
        ranked = np.where(matched, scores, -np.inf)
        ranked.partition(-limit)
        matched = matched & (scores >= ranked[-limit])
    rows = matched.nonzero()[0][::-1]
    order = (-scores[rows]).argsort(kind="stable")
    return rows[order][:limit]


def _shortened(query: str) -> str:
    if len(query) <= LONGEST_QUERY:
        return query
    return f"{query[: LONGEST_QUERY // 2]} {query[-LONGEST_QUERY // 2 :]}"
