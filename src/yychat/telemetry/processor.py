"""From ended spans to series: the one place where both are known.

A span and its metrics cannot disagree, as the second are made of the first. What goes wrong
here is counted and contained: a request must not fail because it was watched.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping

from opentelemetry.trace import SpanKind, TraceFlags

from . import semconv
from .catalogue import ENGINES, MEMORIES
from .metrics import Metrics
from .observation import ATTRIBUTES
from .prices import Price
from .series import Exemplar
from .spans import Attributes, Begun, Ended

Told = Callable[[Ended], None]  # who else wants to see a request's span

_UPSTREAM_STAGES = ("upstream_first_byte", "upstream_stream", "tool")
# The caller's, not the upstream's.
_BLAMELESS = ("bad_request", "not_found", "too_large", "cancelled")


TOGETHER = 64  # spans that are counted at once: one by one they cost three times as much


class SpanMetrics:
    """Knows spans by their operation, and the server's by their kind.

    What has ended is counted before anybody reads the series, and when enough of it waits. *ended*
    is told of a request's span at once; it must not fail or wait. Any thread may call.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        ended: Told | None = None,
        prices: Mapping[str, Price] | None = None,
    ) -> None:
        self._metrics, self._ended, self._prices = metrics, ended, prices
        self._waiting: deque[Ended] = deque()
        self._counting = threading.RLock()  # what the garbage collector closes ends spans
        metrics.settle = self.settle
        self._by_operation: Mapping[str, Callable[[Attributes, float, Exemplar | None], None]] = {
            semconv.INVOKE_AGENT: self._agent,
            semconv.CHAT: self._client,
            semconv.EMBEDDINGS: self._client,
            semconv.SEARCH_MEMORY: self._recall,
            semconv.UPSERT_MEMORY: self._write,
            semconv.DELETE_MEMORY: self._erase,
            semconv.EXECUTE_TOOL: self._tool,
        }

    def on_start(self, span: Begun) -> None:
        try:
            if span.kind is SpanKind.SERVER:
                self._metrics.add("http_server_active_requests", by=1)
        except Exception:  # noqa: BLE001 - it would come out of the request that is watched
            self._metrics.count("yychat_telemetry_errors_total", "start")

    def on_end(self, span: Ended) -> None:
        self._waiting.append(span)
        if span.kind is SpanKind.SERVER and self._ended is not None:
            self._ended(span)
        if len(self._waiting) >= TOGETHER:
            self.settle()

    def settle(self) -> None:
        """Count all that has ended."""
        with self._counting:
            while self._waiting:
                try:
                    self._count(self._waiting.popleft())
                except Exception:  # noqa: BLE001 - it would come out of the request that is watched
                    self._metrics.count("yychat_telemetry_errors_total", "end")

    def _count(self, span: Ended) -> None:
        found = span.attributes or {}
        # Not below 0, if somebody has set the clock meanwhile: a sum that falls is a restart.
        took = max(0, (span.end_time or 0) - (span.start_time or 0)) / 1e9
        exemplar = _exemplar(span)
        if span.kind is SpanKind.SERVER:
            self._server(found, took, exemplar)
            return
        operation = self._by_operation.get(found.get(semconv.OPERATION, ""))
        if operation is not None:
            operation(found, took, exemplar)
        elif semconv.DB_OPERATION in found:
            self._store(found, took, exemplar)

    def _server(self, found: Attributes, took: float, exemplar: Exemplar | None) -> None:
        metrics = self._metrics
        metrics.add("http_server_active_requests", by=-1)
        route = found.get(semconv.HTTP_ROUTE, "")
        status = int(found.get(semconv.HTTP_STATUS, 0))
        outcome = found.get(semconv.OUTCOME)
        wrong = status >= 500 or status == 0 or outcome in _FAILED
        metrics.count(
            "yychat_http_responses_total",
            route,
            found.get(semconv.HTTP_METHOD, ""),
            str(status or 499),
        )
        metrics.observe(
            "http_server_request_duration_seconds",
            route,
            "error" if wrong else "ok",
            amount=took,
            exemplar=exemplar,
        )
        if outcome is not None:
            self._chat(found, took, outcome, exemplar)

    def _chat(
        self, found: Attributes, took: float, outcome: str, exemplar: Exemplar | None
    ) -> None:
        metrics, engine = self._metrics, found[semconv.ENGINE]
        stream = "true" if found.get(semconv.STREAM) else "false"
        metrics.count("yychat_chat_requests_total", engine, outcome, stream)
        metrics.count("yychat_tenant_requests_total", found.get(semconv.TENANT, ""), outcome)
        if (error := found.get(semconv.ERROR_TYPE)) is not None:
            metrics.count("yychat_chat_errors_total", engine, error)
        if (failed := found.get(semconv.FALLBACK_FROM)) is not None:
            metrics.count("yychat_engine_fallbacks_total", failed, engine)
        self._stages(found, took, engine, stream, exemplar)
        self._tokens_in_time(found, engine, outcome, exemplar)

    def _stages(
        self, found: Attributes, took: float, engine: str, stream: str, exemplar: Exemplar | None
    ) -> None:
        observe, rest, others = self._metrics.observe, took, 0.0
        for stage, attribute in ATTRIBUTES.items():
            spent = found.get(attribute)
            if spent is not None:
                rest -= spent
                others += spent if stage in _UPSTREAM_STAGES else 0.0
                observe("yychat_stage_duration_seconds", engine, stage, amount=spent)
        observe("yychat_stage_duration_seconds", engine, "other", amount=max(0.0, rest))
        ours = max(0.0, took - others)
        observe("yychat_overhead_duration_seconds", engine, stream, amount=ours, exemplar=exemplar)

    def _tokens_in_time(
        self, found: Attributes, engine: str, outcome: str, exemplar: Exemplar | None
    ) -> None:
        metrics, model = self._metrics, found.get(semconv.REQUEST_MODEL, "")
        first = found.get(semconv.FIRST_TOKEN)
        if first is not None:
            name = "gen_ai_server_time_to_first_token_seconds"
            metrics.observe(name, engine, model, amount=first, exemplar=exemplar)
        elif found.get(semconv.STREAM) and outcome in _FAILED:
            metrics.count("yychat_first_token_failures_total", engine)
        if (each := found.get(semconv.PER_TOKEN)) is not None:
            name = "gen_ai_server_time_per_output_token_seconds"
            metrics.observe(name, engine, model, amount=each, exemplar=exemplar)

    def _agent(self, found: Attributes, took: float, exemplar: Exemplar | None) -> None:
        metrics, engine = self._metrics, found[semconv.AGENT]
        result = found.get(semconv.RESULT, "cancelled")
        name = "gen_ai_invoke_agent_duration_seconds"
        metrics.observe(name, engine, _well(result), amount=took, exemplar=exemplar)
        metrics.count("yychat_engine_attempts_total", engine, result)
        if (recall := found.get(semconv.RECALL)) is not None:
            memory = _MEMORIES.get(engine, "")
            metrics.count("yychat_memory_recalls_total", memory, recall, "none")
        if injected := found.get(semconv.INJECTED_TOKENS):
            metrics.count("yychat_memory_injected_tokens_total", engine, by=injected)
        if dropped := found.get(semconv.DUPLICATES):
            memory = _MEMORIES.get(engine, "")
            metrics.count("yychat_memory_duplicates_dropped_total", memory, by=dropped)
        self._usage(found)

    def _usage(self, found: Attributes) -> None:
        metrics = self._metrics
        model, tenant = found.get(semconv.REQUEST_MODEL, ""), found.get(semconv.TENANT, "")
        for kind, attribute in _TOKENS.items():
            if tokens := found.get(attribute):
                metrics.count("yychat_tokens_total", model, kind, by=tokens)
                metrics.count("yychat_tenant_tokens_total", tenant, kind, by=tokens)
        if found.get(semconv.USAGE_ESTIMATED):
            metrics.count("yychat_usage_estimated_total", model)
        if self._prices is not None and semconv.OUTPUT_TOKENS in found:
            self._cost(found, model)

    def _cost(self, found: Attributes, model: str) -> None:
        price = self._prices.get(model) if self._prices else None
        if price is None:
            self._metrics.count("yychat_cost_unknown_total", model)
            return
        cost = price.of(*(found.get(attribute, 0) for attribute in _PRICED))
        self._metrics.count("yychat_cost_total", model, price.currency, by=cost)

    def _client(self, found: Attributes, took: float, exemplar: Exemplar | None) -> None:
        metrics = self._metrics
        result = found.get(semconv.ERROR_TYPE) or found.get(semconv.RESULT, "ok")
        metrics.observe(
            "gen_ai_client_operation_duration_seconds",
            found[semconv.OPERATION],
            found.get(semconv.PROVIDER, ""),
            found.get(semconv.REQUEST_MODEL, ""),
            _well(result),
            amount=took,
            exemplar=exemplar,
        )
        upstream = found.get(semconv.UPSTREAM, "")
        if result not in _BLAMELESS:
            metrics.count("yychat_upstream_attempts_total", upstream, result)
        if (reason := found.get(semconv.RETRY_OF)) is not None:
            metrics.count("yychat_upstream_retries_total", upstream, reason)

    def _recall(self, found: Attributes, took: float, exemplar: Exemplar | None) -> None:
        metrics, memory = self._metrics, found[semconv.MEMORY_STORE]
        result = found.get(semconv.RESULT, "error")
        if result == "cancelled":
            return
        failed = "error" if result in ("error", "deadline") else "ok"
        name = "yychat_memory_operation_duration_seconds"
        metrics.observe(name, memory, "recall", failed, amount=took, exemplar=exemplar)
        if (embedding := found.get(semconv.EMBEDDING)) is not None:
            metrics.observe(name, memory, "embed", failed, amount=embedding)
            took = max(0.0, took - embedding)
        metrics.observe(name, memory, "search", failed, amount=took)
        source = found.get(semconv.SOURCE, "none")
        metrics.count("yychat_memory_recalls_total", memory, result, source)
        if result in ("hit", "empty"):
            records = found.get(semconv.MEMORY_RECORDS, 0)
            metrics.observe("yychat_memory_recalled_records", memory, amount=records)
        if (score := found.get(semconv.TOP_SCORE)) is not None:
            metrics.observe("yychat_memory_top_score", memory, amount=score)

    def _write(self, found: Attributes, took: float, exemplar: Exemplar | None) -> None:
        self._memory(found, "write", took, exemplar)

    def _erase(self, found: Attributes, took: float, exemplar: Exemplar | None) -> None:
        self._memory(found, "erase", took, exemplar)

    def _memory(self, found: Attributes, what: str, took: float, exemplar: Exemplar | None) -> None:
        failed = "error" if semconv.ERROR_TYPE in found else "ok"
        name, memory = "yychat_memory_operation_duration_seconds", found[semconv.MEMORY_STORE]
        self._metrics.observe(name, memory, what, failed, amount=took, exemplar=exemplar)

    def _tool(self, found: Attributes, took: float, exemplar: Exemplar | None) -> None:
        result, source = found.get(semconv.RESULT, "error"), found.get(semconv.TOOL_SOURCE, "")
        name = "gen_ai_execute_tool_duration_seconds"
        self._metrics.observe(name, source, _well(result), amount=took, exemplar=exemplar)
        self._metrics.count("yychat_tool_calls_total", found.get(semconv.TOOL_NAME, ""), result)

    def _store(self, found: Attributes, took: float, exemplar: Exemplar | None) -> None:
        failed = "error" if semconv.ERROR_TYPE in found else "ok"
        name, operation = "db_client_operation_duration_seconds", found[semconv.DB_OPERATION]
        self._metrics.observe(name, operation, failed, amount=took, exemplar=exemplar)


_MEMORIES = dict(zip(ENGINES, MEMORIES, strict=True))
_FAILED = ("upstream_error", "engine_error", "timeout", "internal_error")
_PRICED = (semconv.INPUT_TOKENS, semconv.OUTPUT_TOKENS, semconv.CACHED_TOKENS)
_TOKENS = {
    "input": semconv.INPUT_TOKENS,
    "output": semconv.OUTPUT_TOKENS,
    "cached": semconv.CACHED_TOKENS,
    "reasoning": semconv.REASONING_TOKENS,
}


def _well(result: str) -> str:
    return "ok" if result in ("ok", "memory_degraded") else "error"


def _exemplar(span: Ended) -> Exemplar | None:
    """Of sampled spans only: a link to a trace that was never exported leads nowhere."""
    context = span.context
    if context is None or not context.trace_flags & TraceFlags.SAMPLED:
        return None
    labels = {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
    return Exemplar(labels, (span.end_time or 0) / 1e9)
