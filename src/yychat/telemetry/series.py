"""Series, as they are counted between two scrapes.

prometheus_client's own metrics check and lock several times on each call, and a chat request makes
thirty: these cost it a quarter of that. What a scrape reads is in that library's terms again.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple, TypeVar

from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.samples import Exemplar as Shown
from prometheus_client.utils import floatToGoString

Values = tuple[str, ...]
T = TypeVar("T")

said: Callable[[float], str] = floatToGoString  # as Prometheus writes numbers


class Series(dict[Values, T]):
    """Those of one metric, by their labels' values in the catalogue's order. Values that are new
    get what *make* says: a series that was not there before, or one that they count as."""

    def __init__(self, make: Callable[[Values], T]) -> None:
        self._make = make

    def __missing__(self, values: Values) -> T:
        return self._make(values)


class Exemplar(NamedTuple):
    """What a trace is found by; ``at`` is when that was measured, in Unix time."""

    labels: dict[str, str]
    at: float


class Number:
    """Of a counter or a gauge."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0


class Distribution:
    """Of a histogram with the upper *bounds*, the last of which is infinite."""

    __slots__ = ("_buckets", "_exemplars", "_sum", "bounds")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds, self._sum = bounds, 0.0
        self._buckets = [0] * len(bounds)
        self._exemplars: dict[int, Shown] = {}

    def observe(self, amount: float, exemplar: Exemplar | None) -> None:
        bucket = bisect_left(self.bounds, amount)
        self._buckets[bucket] += 1
        self._sum += amount
        if exemplar is not None:
            self._exemplars[bucket] = Shown(exemplar.labels, amount, exemplar.at)

    def copy(self) -> "Distribution":
        twin = Distribution(self.bounds)
        twin._buckets, twin._sum = list(self._buckets), self._sum
        twin._exemplars = dict(self._exemplars)
        return twin

    def show(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        """Add it to *family*."""
        up_to = zip(map(said, self.bounds), accumulate(self._buckets), strict=True)
        buckets: list[Any] = [
            (bound, float(count), self._exemplars.get(bucket))
            for bucket, (bound, count) in enumerate(up_to)
        ]
        family.add_metric(labels, buckets, self._sum)

    def lines(self, beginnings: Sequence[str], *, exemplars: bool) -> list[str]:
        """Of a scrape: one for each bucket, the count and the sum, as they begin."""
        counts = list(map(said, accumulate(self._buckets)))
        ends = [*counts, counts[-1], said(self._sum)]
        if exemplars:
            for bucket, shown in self._exemplars.items():
                ends[bucket] += _shown(shown)
        return [f"{begins}{end}\n" for begins, end in zip(beginnings, ends, strict=True)]


def _shown(exemplar: Shown) -> str:
    """Identifiers need no escaping."""
    labels = ",".join(f'{name}="{value}"' for name, value in sorted(exemplar.labels.items()))
    return f" # {{{labels}}} {said(exemplar.value)} {exemplar.timestamp}"
