"""What many records say together. Every name bears its unit.

Percentiles are nearest-rank: the smallest value that at least so many in a hundred do not exceed.
So each one is a duration that some request really had: of one request all are that one, and the
95th of fewer than twenty is the longest.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from .record import Record

ALL = "all"
Column = NDArray[np.float64]


class Durations(msgspec.Struct, frozen=True):
    """Of ``count`` requests; ``duration_total_seconds`` is their sum."""

    count: int
    duration_total_seconds: float
    duration_mean_seconds: float
    duration_p50_seconds: float
    duration_p95_seconds: float
    duration_p99_seconds: float
    duration_max_seconds: float


class Group(msgspec.Struct, frozen=True):
    """Requests that have something in common, failed and cancelled ones among them.

    ``durations`` are of ``all``, and apart by outcome. ``stages`` are of the requests that came to
    that stage. ``first_token`` is of streams. ``tokens_counted`` says of how many requests the
    tokens are known.
    """

    requests: int
    requests_per_second: float
    outcomes: dict[str, int]
    error_types: dict[str, int]
    fallbacks: int
    durations: dict[str, Durations]
    stages: dict[str, Durations]
    first_token: Durations | None
    input_tokens: int
    output_tokens: int
    tokens_counted: int


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """``covered_seconds`` is the end of the window that records are kept of, and what rates are
    counted over. ``whole`` and ``streamed`` are the two kinds of answers."""

    window_seconds: float
    covered_seconds: float
    overall: Group
    engines: dict[str, Group]
    whole: Group
    streamed: Group


def statistics(records: Sequence[Record], window: float, covered: float) -> Statistics:
    """Of *records*, which ended in the last *covered* seconds; *window* were asked for."""
    everything = _Requests(records)
    engines = sorted({record.engine for record in records})
    return Statistics(
        window_seconds=window,
        covered_seconds=covered,
        overall=_group(everything, covered),
        engines={engine: _group(everything.of(engine), covered) for engine in engines},
        whole=_group(everything.those(lambda r: not r.stream), covered),
        streamed=_group(everything.those(lambda r: r.stream), covered),
    )


def durations_of(seconds: Iterable[float]) -> Durations | None:
    """None where there are none."""
    return _durations(_column(seconds))


class _Requests:
    """Records with their durations and stages as columns: what is looked at from several sides is
    read once. A stage that a request did not come to is not a number."""

    def __init__(
        self,
        records: Sequence[Record],
        seconds: Column | None = None,
        stages: Mapping[str, Column] | None = None,
    ) -> None:
        self.records = records
        self.seconds = _column(r.duration_seconds for r in records) if seconds is None else seconds
        self.stages = _stages(records) if stages is None else stages

    def of(self, engine: str) -> "_Requests":
        return self.those(lambda record: record.engine == engine)

    def those(self, meant: Callable[[Record], bool]) -> "_Requests":
        mask = np.fromiter(map(meant, self.records), dtype=np.bool_, count=len(self.records))
        chosen = [r for r, is_meant in zip(self.records, mask, strict=True) if is_meant]
        stages = {stage: column[mask] for stage, column in self.stages.items()}
        return _Requests(chosen, self.seconds[mask], stages)


def _stages(records: Sequence[Record]) -> dict[str, Column]:
    names = {stage: None for record in records for stage in record.stages}
    return {name: _column(r.stages.get(name, np.nan) for r in records) for name in names}


def _column(values: Iterable[float]) -> Column:
    return np.fromiter(values, dtype=np.float64)


def _durations(values: Column) -> Durations | None:
    if not values.size:
        return None
    ranked, total = np.sort(values), float(values.sum())
    return Durations(
        count=ranked.size,
        duration_total_seconds=total,
        duration_mean_seconds=total / ranked.size,
        duration_p50_seconds=float(ranked[_rank(50, ranked.size)]),
        duration_p95_seconds=float(ranked[_rank(95, ranked.size)]),
        duration_p99_seconds=float(ranked[_rank(99, ranked.size)]),
        duration_max_seconds=float(ranked[-1]),
    )


def _rank(percent: int, count: int) -> int:
    """Counted from 0: the whole number not below *percent* of *count*, without rounding errors."""
    return -(-percent * count // 100) - 1


def _group(requests: _Requests, covered: float) -> Group:
    records = requests.records
    counted = [r for r in records if r.input_tokens is not None or r.output_tokens is not None]
    first = [r.first_token_seconds for r in records if r.first_token_seconds is not None]
    stages = {name: column[~np.isnan(column)] for name, column in requests.stages.items()}
    return Group(
        requests=len(records),
        requests_per_second=len(records) / covered if covered > 0 else 0.0,
        outcomes=dict(Counter(r.outcome for r in records)),
        error_types=dict(Counter(r.error_type for r in records if r.error_type)),
        fallbacks=sum(1 for r in records if r.fallback_from),
        durations=_each({ALL: requests.seconds, **_by_outcome(requests)}),
        stages=_each(stages),
        first_token=_durations(_column(first)),
        input_tokens=sum(r.input_tokens or 0 for r in counted),
        output_tokens=sum(r.output_tokens or 0 for r in counted),
        tokens_counted=len(counted),
    )


def _by_outcome(requests: _Requests) -> dict[str, Column]:
    positions: dict[str, list[int]] = {}
    for position, record in enumerate(requests.records):
        positions.setdefault(record.outcome, []).append(position)
    return {outcome: requests.seconds[found] for outcome, found in positions.items()}


def _each(columns: Mapping[str, Column]) -> dict[str, Durations]:
    found = ((name, _durations(column)) for name, column in columns.items())
    return {name: durations for name, durations in found if durations is not None}
