"""A record is what a request's span says."""

from fakes import EndedSpan
from yychat.performance.record import record_of
from yychat.telemetry import semconv

SECOND = 1_000_000_000


def ended(**attributes: object) -> EndedSpan:
    """A span of two seconds, ended 1,000 seconds after the epoch."""
    return EndedSpan(attributes, start_time=998 * SECOND, end_time=1000 * SECOND, sampled=True)


def test_a_span_of_another_request_is_none() -> None:
    assert record_of(ended(**{semconv.HTTP_ROUTE: "/v1/models"}), "here:1") is None


def test_a_whole_answer_is_a_record_with_its_stages() -> None:
    said = {
        semconv.OUTCOME: "ok",
        semconv.ENGINE: "mem0_proxy",
        semconv.STREAM: True,
        semconv.TENANT: "acme",
        semconv.REQUEST_MODEL: "gpt",
        semconv.FALLBACK_FROM: "chat_engine",
        semconv.FIRST_TOKEN: 0.5,
        semconv.INPUT_TOKENS: 10,
        semconv.OUTPUT_TOKENS: 20,
        semconv.STAGE + "auth": 0.25,
        semconv.STAGE + "upstream_stream": 1.5,
    }
    span = ended(**said)
    record = record_of(span, "here:1")
    assert record is not None
    assert record.id == f"{span.context.span_id:016x}"
    assert record.trace_id == f"{span.context.trace_id:032x}"
    assert (record.at, record.duration_seconds, record.instance) == (1000.0, 2.0, "here:1")
    assert (record.engine, record.model, record.tenant) == ("mem0_proxy", "gpt", "acme")
    assert (record.stream, record.outcome, record.sampled) == (True, "ok", True)
    assert (record.error_type, record.fallback_from) == (None, "chat_engine")
    assert (record.first_token_seconds, record.input_tokens, record.output_tokens) == (0.5, 10, 20)
    assert record.stages == {"auth": 0.25, "upstream_stream": 1.5, "other": 0.25}
    assert sum(record.stages.values()) == record.duration_seconds


def test_a_request_that_was_refused_has_no_model_and_no_tenant() -> None:
    said = {semconv.OUTCOME: "rejected", semconv.ENGINE: "none", semconv.ERROR_TYPE: "capacity"}
    record = record_of(ended(**said), "here:1")
    assert record is not None
    assert (record.model, record.tenant, record.error_type) == (None, None, "capacity")
    assert record.input_tokens is None
    assert record.stages == {"other": 2.0}
