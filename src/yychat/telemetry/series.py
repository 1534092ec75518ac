"""One series, as it is counted between two scrapes.

prometheus_client's own metrics check and lock several times on each call, and a chat request makes
thirty: these cost it a quarter of that. What a scrape reads is in that library's terms again.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from time import time
from typing import Any

from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.samples import Exemplar as Shown
from prometheus_client.utils import floatToGoString

Exemplar = dict[str, str] | None


class Number:
    """Of a counter or a gauge."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0


class Distribution:
    """Of a histogram with the upper *bounds*, the last of which is infinite."""

    __slots__ = ("_bounds", "_buckets", "_exemplars", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds, self._sum = bounds, 0.0
        self._buckets = [0] * len(bounds)
        self._exemplars: dict[int, Shown] = {}

    def observe(self, amount: float, exemplar: Exemplar) -> None:
        bucket = bisect_left(self._bounds, amount)
        self._buckets[bucket] += 1
        self._sum += amount
        if exemplar is not None:
            self._exemplars[bucket] = Shown(exemplar, amount, time())

    def copy(self) -> "Distribution":
        twin = Distribution(self._bounds)
        twin._buckets, twin._sum = list(self._buckets), self._sum
        twin._exemplars = dict(self._exemplars)
        return twin

    def show(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        """Add it to *family*."""
        up_to = zip(map(floatToGoString, self._bounds), accumulate(self._buckets), strict=True)
        buckets: list[Any] = [
            (bound, float(count), self._exemplars.get(bucket))
            for bucket, (bound, count) in enumerate(up_to)
        ]
        family.add_metric(labels, buckets, self._sum)
