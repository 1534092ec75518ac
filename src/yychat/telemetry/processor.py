"""From ended spans to series: the one place where both are known.

A span and its metrics cannot disagree, as the second are made of the first. What goes wrong
here is counted and contained: a request must not fail because it was watched.
"""

from collections import deque
from collections.abc import Callable, Mapping

from opentelemetry.trace import SpanKind

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
        self._numbers, self._distributions = metrics.numbers, metrics.distributions
        self._waiting: deque[Ended] = deque()
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
        with self._metrics.lock:
            while self._waiting:
                try:
                    self._count(self._waiting.popleft())
                except Exception:  # noqa: BLE001 - it would come out of the request that is watched
                    self._metrics.count("yychat_telemetry_errors_total", "end")

    def _count(self, span: Ended) -> None:
        found = span.attributes
        # Not below 0, if somebody has set the clock meanwhile: a sum that falls is a restart.
        took = max(0, span.end_time - span.start_time) / 1e9
        # Of sampled spans only: a link to a trace that was never exported leads nowhere.
        exemplar = _exemplar(span) if span.sampled else None
        if span.kind is SpanKind.SERVER:
            self._server(found, took, exemplar)
            return
        operation = self._by_operation.get(found.get(semconv.OPERATION, ""))
        if operation is not None:
            operation(found, took, exemplar)
        elif semconv.DB_OPERATION in found:
            self._store(found, took, exemplar)

    def _server(self, found: Attributes, took: float, exemplar: Exemplar | None) -> None:
        numbers = self._numbers
        numbers["http_server_active_requests"][()].value -= 1
        route = found.get(semconv.HTTP_ROUTE, "")
        status = int(found.get(semconv.HTTP_STATUS, 0))
        outcome = found.get(semconv.OUTCOME)
        wrong = status >= 500 or status == 0 or outcome in _FAILED
        answered = route, found.get(semconv.HTTP_METHOD, ""), str(status or 499)
        numbers["yychat_http_responses_total"][answered].value += 1
        durations = self._distributions["http_server_request_duration_seconds"]
        durations[route, "error" if wrong else "ok"].observe(took, exemplar)
        if outcome is not None:
            self._chat(found, took, outcome, exemplar)

    def _chat(
        self, found: Attributes, took: float, outcome: str, exemplar: Exemplar | None
    ) -> None:
        numbers, engine = self._numbers, found[semconv.ENGINE]
        stream = "true" if found.get(semconv.STREAM) else "false"
        tenant = found.get(semconv.TENANT, "")
        numbers["yychat_chat_requests_total"][engine, outcome, stream].value += 1
        numbers["yychat_tenant_requests_total"][tenant, outcome].value += 1
        if (error := found.get(semconv.ERROR_TYPE)) is not None:
            numbers["yychat_chat_errors_total"][engine, error].value += 1
        if (failed := found.get(semconv.FALLBACK_FROM)) is not None:
            numbers["yychat_engine_fallbacks_total"][failed, engine].value += 1
        self._stages(found, took, engine, stream, exemplar)
        self._tokens_in_time(found, engine, outcome, exemplar)

    def _stages(
        self, found: Attributes, took: float, engine: str, stream: str, exemplar: Exemplar | None
    ) -> None:
        stages = self._distributions["yychat_stage_duration_seconds"]
        rest, others = took, 0.0
        for stage, attribute in ATTRIBUTES.items():
            spent = found.get(attribute)
            if spent is not None:
                rest -= spent
                others += spent if stage in _UPSTREAM_STAGES else 0.0
                stages[engine, stage].observe(spent, None)
        stages[engine, "other"].observe(max(0.0, rest), None)
        overheads = self._distributions["yychat_overhead_duration_seconds"]
        overheads[engine, stream].observe(max(0.0, took - others), exemplar)

    def _tokens_in_time(
        self, found: Attributes, engine: str, outcome: str, exemplar: Exemplar | None
    ) -> None:
        distributions, model = self._distributions, found.get(semconv.REQUEST_MODEL, "")
        first = found.get(semconv.FIRST_TOKEN)
        if first is not None:
            name = "gen_ai_server_time_to_first_token_seconds"
            distributions[name][engine, model].observe(first, exemplar)
        elif found.get(semconv.STREAM) and outcome in _FAILED:
            self._numbers["yychat_first_token_failures_total"][(engine,)].value += 1
        if (each := found.get(semconv.PER_TOKEN)) is not None:
            name = "gen_ai_server_time_per_output_token_seconds"
            distributions[name][engine, model].observe(each, exemplar)

    def _agent(self, found: Attributes, took: float, exemplar: Exemplar | None) -> None:
        numbers, engine = self._numbers, found[semconv.AGENT]
        result = found.get(semconv.RESULT, "cancelled")
        durations = self._distributions["gen_ai_invoke_agent_duration_seconds"]
        durations[engine, _well(result)].observe(took, exemplar)
        numbers["yychat_engine_attempts_total"][engine, result].value += 1
        memory = _MEMORIES.get(engine, "")
        if (recall := found.get(semconv.RECALL)) is not None:
            numbers["yychat_memory_recalls_total"][memory, recall, "none"].value += 1
        if injected := found.get(semconv.INJECTED_TOKENS):
            numbers["yychat_memory_injected_tokens_total"][(engine,)].value += injected
        if dropped := found.get(semconv.DUPLICATES):
            numbers["yychat_memory_duplicates_dropped_total"][(memory,)].value += dropped
        self._usage(found)

    def _usage(self, found: Attributes) -> None:
        numbers = self._numbers
        model, tenant = found.get(semconv.REQUEST_MODEL, ""), found.get(semconv.TENANT, "")
        for kind, attribute in _TOKENS.items():
            if tokens := found.get(attribute):
                numbers["yychat_tokens_total"][model, kind].value += tokens
                numbers["yychat_tenant_tokens_total"][tenant, kind].value += tokens
        if found.get(semconv.USAGE_ESTIMATED):
            numbers["yychat_usage_estimated_total"][(model,)].value += 1
        if self._prices is not None and semconv.OUTPUT_TOKENS in found:
            self._cost(found, model)

    def _cost(self, found: Attributes, model: str) -> None:
        price = self._prices.get(model) if self._prices else None
        if price is None:
            self._numbers["yychat_cost_unknown_total"][(model,)].value += 1
            return
        cost = price.of(*(found.get(attribute, 0) for attribute in _PRICED))
        self._numbers["yychat_cost_total"][model, price.currency].value += cost

    def _client(self, found: Attributes, took: float, exemplar: Exemplar | None) -> None:
        operation, provider = found[semconv.OPERATION], found.get(semconv.PROVIDER, "")
        model, upstream = found.get(semconv.REQUEST_MODEL, ""), found.get(semconv.UPSTREAM, "")
        result = found.get(semconv.ERROR_TYPE) or found.get(semconv.RESULT, "ok")
        durations = self._distributions["gen_ai_client_operation_duration_seconds"]
        durations[operation, provider, model, _well(result)].observe(took, exemplar)
        if result not in _BLAMELESS:
            self._numbers["yychat_upstream_attempts_total"][upstream, result].value += 1
        if (reason := found.get(semconv.RETRY_OF)) is not None:
            self._numbers["yychat_upstream_retries_total"][upstream, reason].value += 1

    def _recall(self, found: Attributes, took: float, exemplar: Exemplar | None) -> None:
        distributions, memory = self._distributions, found[semconv.MEMORY_STORE]
        result = found.get(semconv.RESULT, "error")
        if result == "cancelled":
            return
        failed = "error" if result in ("error", "deadline") else "ok"
        durations = distributions["yychat_memory_operation_duration_seconds"]
        durations[memory, "recall", failed].observe(took, exemplar)
        if (embedding := found.get(semconv.EMBEDDING)) is not None:
            durations[memory, "embed", failed].observe(embedding, None)
            took = max(0.0, took - embedding)
        durations[memory, "search", failed].observe(took, None)
        source = found.get(semconv.SOURCE, "none")
        self._numbers["yychat_memory_recalls_total"][memory, result, source].value += 1
        if result in ("hit", "empty"):
            records = found.get(semconv.MEMORY_RECORDS, 0)
            distributions["yychat_memory_recalled_records"][(memory,)].observe(records, None)
        if (score := found.get(semconv.TOP_SCORE)) is not None:
            distributions["yychat_memory_top_score"][(memory,)].observe(score, None)

    def _write(self, found: Attributes, took: float, exemplar: Exemplar | None) -> None:
        self._memory(found, "write", took, exemplar)

    def _erase(self, found: Attributes, took: float, exemplar: Exemplar | None) -> None:
        self._memory(found, "erase", took, exemplar)

    def _memory(self, found: Attributes, what: str, took: float, exemplar: Exemplar | None) -> None:
        failed = "error" if semconv.ERROR_TYPE in found else "ok"
        durations = self._distributions["yychat_memory_operation_duration_seconds"]
        durations[found[semconv.MEMORY_STORE], what, failed].observe(took, exemplar)

    def _tool(self, found: Attributes, took: float, exemplar: Exemplar | None) -> None:
        result, source = found.get(semconv.RESULT, "error"), found.get(semconv.TOOL_SOURCE, "")
        durations = self._distributions["gen_ai_execute_tool_duration_seconds"]
        durations[source, _well(result)].observe(took, exemplar)
        name = found.get(semconv.TOOL_NAME, "")
        self._numbers["yychat_tool_calls_total"][name, result].value += 1

    def _store(self, found: Attributes, took: float, exemplar: Exemplar | None) -> None:
        failed = "error" if semconv.ERROR_TYPE in found else "ok"
        durations = self._distributions["db_client_operation_duration_seconds"]
        durations[found[semconv.DB_OPERATION], failed].observe(took, exemplar)


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


def _exemplar(span: Ended) -> Exemplar:
    context = span.context
    labels = {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
    return Exemplar(labels, span.end_time / 1e9)
