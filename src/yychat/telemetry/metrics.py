"""The series of this process: the catalogue's, within closed sets, and what a scrape reads."""

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import product
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from .catalogue import AT_MOST, CATALOGUE, CLOSED, CONFIGURED, OTHER, Metric
from .rendering import Rendering, Snapshot
from .series import Distribution, Exemplar, Number, Series, Values

MOST = 3_000  # series of a process, prometheus_client's own included
OWN = 40  # of those, what prometheus_client says of process and interpreter
EACH = 900  # of those, what a single metric may have
DROPPED = "yychat_series_dropped_total"
REMEMBERED = 1_000  # values that callers made up, and what they count as
T = TypeVar("T")


class Metrics(Collector):
    """Counts and observes by a metric's name and its labels' values, in the catalogue's order.

    A value outside a label's closed set becomes ``other``; so no caller can make a series. What
    the code does not know is *allowed* by the configuration, up to the bounds in ``AT_MOST``.
    Any thread may call. Who has much to count does so in ``numbers`` and ``distributions``
    themselves, and holds ``lock`` meanwhile.
    """

    def __init__(self, allowed: Mapping[str, Iterable[str]] | None = None) -> None:
        self.settle: Callable[[], None] = lambda: None  # asked before the series are read
        self.registry = CollectorRegistry(auto_describe=False)
        self._process = CollectorRegistry(auto_describe=False)
        self._allowed: dict[str, frozenset[str]] = {
            label: frozenset(values) for label, values in CLOSED.items()
        }
        self._allowed |= {label: frozenset() for label in CONFIGURED}
        # Of all series. Whom the garbage collector interrupts may come here again.
        self.lock = threading.RLock()
        self.numbers = {
            metric.name: self._series(metric, Number)
            for metric in CATALOGUE
            if metric.kind != "histogram"
        }
        self.distributions = {
            metric.name: self._series(metric, partial(Distribution, (*metric.buckets, math.inf)))
            for metric in CATALOGUE
            if metric.kind == "histogram"
        }
        self._meant: dict[tuple[str, Values], Values] = {}  # of values that are none of the labels'
        self._sizes: dict[str, int] = {}
        # Every metric keeps a place for ``other``, where goes what finds no place of its own, and
        # one for the number of those.
        self._left = MOST - OWN - sum(metric.lines + 1 for metric in CATALOGUE)
        for metric in CATALOGUE:
            if not metric.labels:
                self.prepare(metric.name)
        self.allow(allowed or {})
        self.registry.register(self)
        for kind in (ProcessCollector, PlatformCollector, GCCollector):
            self.registry.register(kind(registry=self._process))
        labels = {metric.name: metric.labels for metric in CATALOGUE}
        self._rendering = Rendering(_families(), labels)

    def allow(self, allowed: Mapping[str, Iterable[str]]) -> None:
        """Let these be the values of these labels, from now on."""
        with self.lock:
            for label, values in allowed.items():
                most = AT_MOST.get(label, 64)
                self._allowed[label] = frozenset(list(dict.fromkeys(values))[:most])
            self._meant.clear()

    def knows(self, label: str, value: str) -> bool:
        """Whether *value* is one of those that *label* may have."""
        return value in self._allowed.get(label, ())

    def count(self, name: str, *values: str, by: float = 1.0) -> None:
        with self.lock:
            self.numbers[name][values].value += by

    add = count  # of a gauge, which may fall as well

    def set(self, name: str, *values: str, to: float) -> None:
        self.numbers[name][values].value = to

    def forget(self, name: str, *values: str) -> None:
        """Take a series away that ``set`` has made: what it says is not known any more."""
        with self.lock:
            if self.numbers[name].pop(values, None) is not None:
                self._sizes[name] -= 1
                self._left += 1

    def observe(
        self, name: str, *values: str, amount: float, exemplar: Exemplar | None = None
    ) -> None:
        with self.lock:
            self.distributions[name][values].observe(amount, exemplar)

    def prepare(self, name: str, *sets: Iterable[str]) -> None:
        """Let the series of these label values exist before anything has happened."""
        known = self.distributions[name] if name in self.distributions else self.numbers[name]
        for values in product(*sets):
            _ = known[values]

    @property
    def series(self) -> int:
        """How many lines a scrape has, comments left out."""
        return sum(len(family.samples) for family in self.registry.collect())

    def collect(self) -> Iterator[Family]:
        """For ``prometheus_client``: everything as it is now."""
        now = self._snapshot()
        families = _families()
        for name, values, value in now.numbers:
            families[name].add_metric(values, value)
        for name, values, distribution in now.distributions:
            distribution.show(families[name], values)
        yield from families.values()

    def text(self, form: str) -> bytes:
        """What ``collect`` gives and what prometheus_client itself says of the process, as text
        of the content type *form*."""
        encoder, _ = choose_encoder(form)
        return self._rendering.text(self._snapshot(), form).encode() + encoder(self._process)

    def _snapshot(self) -> Snapshot:
        self.settle()
        with self.lock:
            return Snapshot(
                [
                    (name, values, number.value)
                    for name, series in self.numbers.items()
                    for values, number in series.items()
                ],
                [
                    (name, values, each.copy())
                    for name, series in self.distributions.items()
                    for values, each in series.items()
                ],
            )

    def _series(self, metric: Metric, new: Callable[[], T]) -> Series[T]:
        known: Series[T] = Series(lambda values: self._made(metric, known, new, values))
        return known

    def _made(self, metric: Metric, known: Series[T], new: Callable[[], T], values: Values) -> T:
        """The new series of *values*, or the one that they count as."""
        name = metric.name
        with self.lock:
            meant = self._meant.get((name, values), values)
            if meant in known:
                return known[meant]
            meant = tuple(map(self._closed, metric.labels, values))
            if meant not in known and not self._fits(metric, meant):
                self.count(DROPPED, name)
                meant = (OTHER,) * len(metric.labels)
            elif meant != values and len(self._meant) < REMEMBERED:
                self._meant[name, values] = meant
            return known[meant] if meant in known else known.setdefault(meant, new())

    def _fits(self, metric: Metric, closed: Values) -> bool:
        """Whether there is room for another one of *metric*, which it has then."""
        if metric.name == DROPPED or set(closed) <= {OTHER}:
            return True
        size = self._sizes.get(metric.name, 0) + metric.lines
        if size > EACH or metric.lines > self._left:
            return False
        self._sizes[metric.name] = size
        self._left -= metric.lines
        return True

    def _closed(self, label: str, value: str) -> str:
        allowed = self._allowed.get(label)
        return value if allowed is None or value in allowed else OTHER


def _families() -> dict[str, Any]:
    return {metric.name: _family(metric) for metric in CATALOGUE}


def _family(metric: Metric) -> Any:
    kinds = {"counter": CounterMetricFamily, "histogram": HistogramMetricFamily}
    kind = kinds.get(metric.kind, GaugeMetricFamily)
    return kind(metric.name, metric.meaning, labels=metric.labels)
