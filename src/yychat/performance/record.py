"""What one chat request came to, in numbers: made from its ended span.

There is no owner and no text in it, so nothing of it belongs to a conversation or a user: it can
be erased by tenant only.
"""

import msgspec

from ..telemetry import semconv
from ..telemetry.observation import ATTRIBUTES
from ..telemetry.spans import Attributes, Ended


class Record(msgspec.Struct, frozen=True, gc=False):
    """``at`` is when it ended, in Unix time; ``stages`` are seconds and add up to the duration.
    ``tenant`` and ``model`` are None where the request was refused before they were known; tokens
    are None where nobody counted them."""

    id: str
    at: float
    instance: str
    tenant: str | None
    engine: str
    model: str | None
    stream: bool
    outcome: str
    duration_seconds: float
    stages: dict[str, float]
    trace_id: str
    sampled: bool = False
    error_type: str | None = None
    fallback_from: str | None = None
    first_token_seconds: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


def record_of(span: Ended, instance: str) -> Record | None:
    """None for a span that is not a chat request's."""
    context, found = span.context, span.attributes
    if semconv.OUTCOME not in found:
        return None
    took = max(0, span.end_time - span.start_time) / 1e9
    return Record(
        id=f"{context.span_id:016x}",
        at=span.end_time / 1e9,
        instance=instance,
        tenant=found.get(semconv.TENANT),
        engine=found.get(semconv.ENGINE, "none"),
        model=found.get(semconv.REQUEST_MODEL),
        stream=bool(found.get(semconv.STREAM)),
        outcome=found[semconv.OUTCOME],
        duration_seconds=took,
        stages=_stages(found, took),
        trace_id=f"{context.trace_id:032x}",
        sampled=span.sampled,
        error_type=found.get(semconv.ERROR_TYPE),
        fallback_from=found.get(semconv.FALLBACK_FROM),
        first_token_seconds=found.get(semconv.FIRST_TOKEN),
        input_tokens=found.get(semconv.INPUT_TOKENS),
        output_tokens=found.get(semconv.OUTPUT_TOKENS),
    )


def _stages(found: Attributes, took: float) -> dict[str, float]:
    spent: dict[str, float] = {}
    for stage, attribute in ATTRIBUTES.items():
        seconds = found.get(attribute)
        if seconds is not None:
            spent[stage] = seconds
    spent["other"] = spent.get("other", 0.0) + max(0.0, took - sum(spent.values()))
    return spent
