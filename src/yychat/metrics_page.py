"""docs/metrics.md and ``yychat metrics``, written from the catalogue itself."""

from collections.abc import Iterator, Mapping, Sequence

from .telemetry.catalogue import AT_MOST, CATALOGUE, CLOSED, CONFIGURED, Metric

Shown = Mapping[str, Sequence[str]]  # boards and alerts by metric

HEAD = """# Metrics

Generated from `src/yychat/telemetry/catalogue.py` by `make docs`; do not edit.

Each process exports its own series, and never another's. Durations are seconds; a label has a value
of its closed set or `other`. `process_*` and `python_*` are there besides, as prometheus_client
makes them. Durations' histograms carry exemplars (`trace_id`, `span_id`) of sampled traces, for
those who ask for OpenMetrics. The last column: boards and alerts that look at it, also by way of
what is recorded from it.

| metric | type | unit | labels | meaning | taken from | shown |
|---|---|---|---|---|---|---|
"""
LABELS = """
## Labels

| label | values |
|---|---|
"""
BUCKETS = """
## Buckets

Upper bounds, `+Inf` left out.

| histogram | buckets |
|---|---|
"""


def page(shown: Shown | None = None) -> str:
    """*shown*: where a metric is looked at, boards and alerts by its name."""
    metrics = "".join(_row(metric, (shown or {}).get(metric.name, ())) for metric in CATALOGUE)
    labels = "".join(f"| `{label}` | {_values(label)} |\n" for label in _labels())
    histograms = (metric for metric in CATALOGUE if metric.buckets)
    buckets = "".join(f"| `{metric.name}` | {_bounds(metric)} |\n" for metric in histograms)
    return f"{HEAD}{metrics}{LABELS}{labels}{BUCKETS}{buckets}"


def lines(part: str = "") -> Iterator[str]:
    """The metrics whose names contain *part*, to read in a terminal."""
    for metric in CATALOGUE:
        if part in metric.name:
            labels = f"{{{','.join(metric.labels)}}}" if metric.labels else ""
            yield f"{metric.name}{labels}  ({metric.kind})"
            yield f"    {metric.meaning}"


def _row(metric: Metric, places: Sequence[str]) -> str:
    labels = " ".join(f"`{label}`" for label in metric.labels) or "–"
    shown = ", ".join(places) or metric.reference or "–"
    cells = (
        f"`{metric.name}`",
        metric.kind,
        metric.unit or "–",
        labels,
        metric.meaning,
        metric.source,
        shown,
    )
    return f"| {' | '.join(cells)} |\n"


def _labels() -> list[str]:
    return sorted({label for metric in CATALOGUE for label in metric.labels})


def _values(label: str) -> str:
    if label in CLOSED:
        return ", ".join(f"`{value}`" for value in CLOSED[label])
    if label in CONFIGURED:
        most = f", at most {AT_MOST[label]}" if label in AT_MOST else ""
        return f"from the configuration{most}; else `other`"
    return "a few that the code knows"


def _bounds(metric: Metric) -> str:
    return " ".join(f"{bound:g}" for bound in metric.buckets)
