"""What many records say together. Every name bears its unit.

Percentiles are nearest-rank: the smallest value that at least so many in a hundred do not exceed.
So each one is a duration that some request really had: of one request all are that one, and the
95th of fewer than twenty is the longest.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from .record import Record

ALL = "all"


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
    return Statistics(
        window_seconds=window,
        covered_seconds=covered,
        overall=_group(records, covered),
        engines={
            engine: _group([r for r in records if r.engine == engine], covered)
            for engine in sorted({record.engine for record in records})
        },
        whole=_group([r for r in records if not r.stream], covered),
        streamed=_group([r for r in records if r.stream], covered),
    )


def durations_of(seconds: Iterable[float]) -> Durations | None:
    """None where there are none."""
    values = np.sort(np.fromiter(seconds, dtype=np.float64))
    if not values.size:
        return None
    total = float(values.sum())
    return Durations(
        count=values.size,
        duration_total_seconds=total,
        duration_mean_seconds=total / values.size,
        duration_p50_seconds=float(values[_rank(50, values.size)]),
        duration_p95_seconds=float(values[_rank(95, values.size)]),
        duration_p99_seconds=float(values[_rank(99, values.size)]),
        duration_max_seconds=float(values[-1]),
    )


def _rank(percent: int, count: int) -> int:
    """Counted from 0: the whole number not below *percent* of *count*, without rounding errors."""
    return -(-percent * count // 100) - 1


def _group(records: Sequence[Record], covered: float) -> Group:
    counted = [r for r in records if r.input_tokens is not None or r.output_tokens is not None]
    return Group(
        requests=len(records),
        requests_per_second=len(records) / covered if covered > 0 else 0.0,
        outcomes=dict(Counter(r.outcome for r in records)),
        error_types=dict(Counter(r.error_type for r in records if r.error_type)),
        fallbacks=sum(1 for r in records if r.fallback_from),
        durations=_by_outcome(records),
        stages=_by_stage(records),
        first_token=durations_of(
            r.first_token_seconds for r in records if r.first_token_seconds is not None
        ),
        input_tokens=sum(r.input_tokens or 0 for r in counted),
        output_tokens=sum(r.output_tokens or 0 for r in counted),
        tokens_counted=len(counted),
    )


def _by_outcome(records: Sequence[Record]) -> dict[str, Durations]:
    spent: dict[str, list[float]] = {}
    for record in records:
        spent.setdefault(ALL, []).append(record.duration_seconds)
        spent.setdefault(record.outcome, []).append(record.duration_seconds)
    return _each(spent)


def _by_stage(records: Sequence[Record]) -> dict[str, Durations]:
    spent: dict[str, list[float]] = {}
    for record in records:
        for stage, seconds in record.stages.items():
            spent.setdefault(stage, []).append(seconds)
    return _each(spent)


def _each(spent: dict[str, list[float]]) -> dict[str, Durations]:
    found = ((name, durations_of(seconds)) for name, seconds in spent.items())
    return {name: durations for name, durations in found if durations is not None}
