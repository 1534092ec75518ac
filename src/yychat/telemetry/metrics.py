"""The series of this process: the catalogue, bound to prometheus_client, within closed sets."""

from collections.abc import Iterable, Mapping
from itertools import product

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from .catalogue import AT_MOST, CATALOGUE, CLOSED, CONFIGURED, OTHER, Metric

MOST = 500  # children of one metric
Exemplar = dict[str, str] | None

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each, for nothing


class Metrics:
    """Counts and observes by a metric's name and its labels' values, in the catalogue's order.

    A value outside a label's closed set becomes ``other``; so no caller can make a series. What
    the code does not know is *allowed* by the configuration, up to the bounds in ``AT_MOST``.
    """

    def __init__(self, allowed: Mapping[str, Iterable[str]] | None = None) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self._metrics = {metric.name: metric for metric in CATALOGUE}
        self._allowed: dict[str, frozenset[str]] = {
            label: frozenset(values) for label, values in CLOSED.items()
        }
        self._allowed |= {label: frozenset() for label in CONFIGURED}
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        self._children: dict[tuple[str, tuple[str, ...]], Counter | Gauge | Histogram] = {}
        self._sizes: dict[str, int] = {}
        for metric in CATALOGUE:
            self._register(metric)
        self.allow(allowed or {})
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)

    def allow(self, allowed: Mapping[str, Iterable[str]]) -> None:
        """Let these be the values of these labels, from now on."""
        for label, values in allowed.items():
            most = AT_MOST.get(label, 64)
            self._allowed[label] = frozenset(list(dict.fromkeys(values))[:most])

    def knows(self, label: str, value: str) -> bool:
        """Whether *value* is one of those that *label* may have."""
        return value in self._allowed.get(label, ())

    def count(self, name: str, *values: str, by: float = 1.0) -> None:
        child = self._child(name, values)
        if isinstance(child, Counter):
            child.inc(by)

    def set(self, name: str, *values: str, to: float) -> None:
        child = self._child(name, values)
        if isinstance(child, Gauge):
            child.set(to)

    def add(self, name: str, *values: str, by: float) -> None:
        child = self._child(name, values)
        if isinstance(child, Gauge):
            child.inc(by)

    def observe(self, name: str, *values: str, amount: float, exemplar: Exemplar = None) -> None:
        child = self._child(name, values)
        if isinstance(child, Histogram):
            child.observe(amount, exemplar)

    def prepare(self, name: str, *sets: Iterable[str]) -> None:
        """Let the series of these label values exist before anything has happened."""
        for values in product(*sets):
            self._child(name, values)

    @property
    def series(self) -> int:
        """How many lines a scrape has, comments left out."""
        return sum(len(family.samples) for family in self.registry.collect())

    def _child(self, name: str, values: tuple[str, ...]) -> Counter | Gauge | Histogram:
        child = self._children.get((name, values))
        if child is None:
            child = self._made(name, values)
        return child

    def _made(self, name: str, values: tuple[str, ...]) -> Counter | Gauge | Histogram:
        metric = self._metrics[name]
        closed = tuple(map(self._closed, metric.labels, values))
        family = self._family(name)
        if not metric.labels:
            self._children[name, values] = family
            return family
        known = self._children.get((name, closed))
        if known is None:
            if self._sizes.get(name, 0) >= MOST:
                self.count("yychat_series_dropped_total", name)
                return family.labels(*[OTHER] * len(metric.labels))
            known = self._children[name, closed] = family.labels(*closed)
            self._sizes[name] = self._sizes.get(name, 0) + 1
        return known

    def _closed(self, label: str, value: str) -> str:
        allowed = self._allowed.get(label)
        return value if allowed is None or value in allowed else OTHER

    def _family(self, name: str) -> Counter | Gauge | Histogram:
        family = self._counters.get(name) or self._gauges.get(name) or self._histograms.get(name)
        assert family is not None
        return family

    def _register(self, metric: Metric) -> None:
        name, meaning, labels = metric.name, metric.meaning, metric.labels
        if metric.kind == "counter":
            self._counters[name] = Counter(name, meaning, labels, registry=self.registry)
        elif metric.kind == "histogram":
            self._histograms[name] = Histogram(
                name, meaning, labels, buckets=metric.buckets, registry=self.registry
            )
        else:
            self._gauges[name] = Gauge(name, meaning, labels, registry=self.registry)
