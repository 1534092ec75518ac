"""Series as text, word for word as prometheus_client would write them, in a tenth of its time.

It builds every line anew for every scrape: 60 ms for 3,000 of them in OpenMetrics. Here a line is
built once, but for its value.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from .series import Distribution, Values, said

Labels = list[tuple[str, str]]

BREATH = 32  # histograms after which the event loop may go on; else it waits for 5 ms at a time


class Snapshot(NamedTuple):
    """All series at one moment: each with its metric's name and its labels' values."""

    numbers: Sequence[tuple[str, Values, float]]
    distributions: Sequence[tuple[str, Values, Distribution]]


class Rendering:
    """Of the metrics whose empty *families* these are, in their order. *labels* are the names of
    their labels."""

    def __init__(self, families: Mapping[str, Family], labels: Mapping[str, Sequence[str]]) -> None:
        self._families, self._labels = families, labels
        self._heads: dict[str, dict[str, str]] = {}  # by form and metric
        self._beginnings: dict[tuple[str, Values], list[str]] = {}

    def text(self, snapshot: Snapshot, form: str) -> str:
        """*form* is a content type that prometheus_client knows."""
        exemplars = form.startswith("application/openmetrics-text")
        written = {name: [head] for name, head in self._heads_in(form).items()}
        for name, values, number in snapshot.numbers:
            (beginning,) = self._beginnings_of(name, values)
            written[name].append(f"{beginning}{said(number)}\n")
        for position, (name, values, distribution) in enumerate(snapshot.distributions):
            if position % BREATH == 0:
                time.sleep(0)
            beginnings = self._beginnings_of(name, values, distribution)
            written[name] += distribution.lines(beginnings, exemplars=exemplars)
        return "".join(chain.from_iterable(written.values()))

    def _heads_in(self, form: str) -> Mapping[str, str]:
        """What each metric begins with: its meaning and its type, as the library says them."""
        heads = self._heads.get(form)
        if heads is None:
            heads = {name: _head(family, form) for name, family in self._families.items()}
            self._heads[form] = heads
        return heads

    def _beginnings_of(
        self, name: str, values: Values, like: Distribution | None = None
    ) -> list[str]:
        """Of the lines of a number, or of a distribution: its buckets', the count's, the sum's."""
        known = self._beginnings.get((name, values))
        if known is None:
            labels = list(zip(self._labels[name], values, strict=True))
            made = [(name, labels)] if like is None else _parts(name, labels, like.bounds)
            known = self._beginnings[name, values] = [_beginning(*each) for each in made]
        return known


class _One(Collector):
    def __init__(self, family: Family) -> None:
        self._family = family

    def collect(self) -> Iterable[Family]:
        yield self._family


def _head(family: Family, form: str) -> str:
    encoder, _ = choose_encoder(form)
    text: str = encoder(_One(family)).decode()
    return text.removesuffix("# EOF\n")


def _parts(name: str, labels: Labels, bounds: Sequence[float]) -> list[tuple[str, Labels]]:
    buckets = [(f"{name}_bucket", [*labels, ("le", said(bound))]) for bound in bounds]
    return [*buckets, (f"{name}_count", labels), (f"{name}_sum", labels)]


def _beginning(name: str, labels: Labels) -> str:
    told = ",".join(f'{label}="{_escaped(value)}"' for label, value in sorted(labels))
    return f"{name}{{{told}}} " if told else f"{name} "


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
