"""Every metric there is: what it is called, what it counts, and where it comes from.

docs/metrics.md is made from this table, and ``Metrics`` exports exactly what stands here.
"""

from typing import Literal

import msgspec

from .observation import STAGES
from .outcomes import ERROR_TYPES, OUTCOMES

Kind = Literal["counter", "gauge", "histogram", "info"]

DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
OPERATIONS = (
    0.01,
    0.02,
    0.04,
    0.08,
    0.16,
    0.32,
    0.64,
    1.28,
    2.56,
    5.12,
    10.24,
    20.48,
    40.96,
    81.92,
)
FIRST_TOKENS = (0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0, 120.0)
PER_TOKEN = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
STAGE_TIMES = (0.0005, 0.001, 0.005, 0.02, 0.1, 0.3, 1.0, 3.0, 10.0, 60.0)
OURS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
STORES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
COUNTS = (0, 1, 2, 5, 10, 20, 50)
SCORES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
LAGS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


class Metric(msgspec.Struct, frozen=True):
    """``name`` as Prometheus shows it; ``source`` says which span or object it is taken from.

    ``reference``: on no board and in no alert, and why it is there nevertheless.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    source: str
    buckets: tuple[float, ...] = ()
    reference: str = ""

    @property
    def lines(self) -> int:
        """How many series one set of its labels' values is; a histogram has a sum, a count and
        +Inf besides its buckets."""
        return len(self.buckets) + 3 if self.kind == "histogram" else 1

    @property
    def unit(self) -> str:
        ends = (("_seconds", "seconds"), ("_seconds_total", "seconds"), ("_tokens_total", "tokens"))
        return next((unit for end, unit in ends if self.name.endswith(end)), "")


ENGINES = ("chat_engine", "mem0_proxy")
NO_ENGINE = "none"  # a request that was refused before there was one
MEMORIES = ("native", "mem0")

OTHER = "other"
CLOSED: dict[str, tuple[str, ...]] = {
    "engine": (*ENGINES, NO_ENGINE),
    "from_engine": (*ENGINES, NO_ENGINE),
    "to_engine": (*ENGINES, NO_ENGINE),
    "gen_ai_agent_name": (*ENGINES, NO_ENGINE),
    "memory": MEMORIES,
    "kind": MEMORIES,
    "outcome": OUTCOMES,
    "error_type": ERROR_TYPES,
    "stage": (*STAGES, "start", "end"),  # the latter are of telemetry's own failures
    "stream": ("true", "false"),
    "http_request_method": ("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"),
    "gen_ai_operation_name": ("chat", "embeddings"),
    "tier": ("l1", "l2"),
    "cache": ("recall", "embedding", "models"),
    "type": ("input", "output", "cached", "reasoning"),
    "operation": ("recall", "embed", "search", "write", "erase"),
    "source": ("lexical", "both", "none", "builtin"),
    "cause": ("manual", "split", "rollback"),
    "signal": ("spans", "records", "logs"),
    "db_operation_name": ("look", "append", "put", "claim", "done", "erase", "cache", "other"),
}
# Labels whose values only the configuration knows; until it has told them all are ``other``.
CONFIGURED = (
    "http_route",
    "gen_ai_request_model",
    "gen_ai_provider_name",
    "upstream",
    "target",
    "tool",
    "tenant",
    "alertname",
)
AT_MOST = {
    "gen_ai_request_model": 8,
    "gen_ai_provider_name": 8,
    "upstream": 8,
    "target": 8,
    "tool": 60,
    "source": 16,
    "tenant": 50,
}

HTTP = "SERVER span"
AGENT = "span invoke_agent"
CLIENT = "spans chat, embeddings"
MEMORY = "spans search_memory, upsert_memory, delete_memory"
TOOLS = "span execute_tool"
STORE = "store spans"

CATALOGUE: tuple[Metric, ...] = (
    Metric(
        "http_server_request_duration_seconds",
        "histogram",
        ("http_route", "result"),
        "How long requests took, from the first byte read to the last one handed over.",
        HTTP,
        DURATIONS,
    ),
    Metric(
        "yychat_http_responses_total",
        "counter",
        ("http_route", "http_request_method", "http_response_status_code"),
        "Responses by status; a crash counts as 500.",
        HTTP,
    ),
    Metric("http_server_active_requests", "gauge", (), "Requests under way.", HTTP),
    Metric(
        "yychat_chat_requests_total",
        "counter",
        ("engine", "outcome", "stream"),
        "Chat requests by how they ended, each counted once, at its end: the service's promise"
        " is measured by it.",
        HTTP,
    ),
    Metric(
        "yychat_chat_errors_total",
        "counter",
        ("engine", "error_type"),
        "Chat requests that failed, by whose fault it was.",
        HTTP,
    ),
    Metric(
        "gen_ai_invoke_agent_duration_seconds",
        "histogram",
        ("gen_ai_agent_name", "result"),
        "How long an engine took for a whole answer.",
        AGENT,
        OPERATIONS,
    ),
    Metric(
        "gen_ai_server_time_to_first_token_seconds",
        "histogram",
        ("gen_ai_agent_name", "gen_ai_request_model"),
        "From a streamed request to its first content, reasoning or tool delta.",
        HTTP,
        FIRST_TOKENS,
    ),
    Metric(
        "yychat_first_token_failures_total",
        "counter",
        ("engine",),
        "Streams that failed before their first token.",
        HTTP,
    ),
    Metric(
        "gen_ai_server_time_per_output_token_seconds",
        "histogram",
        ("gen_ai_agent_name", "gen_ai_request_model"),
        "Time between two tokens of a stream, on average over one answer.",
        HTTP,
        PER_TOKEN,
    ),
    Metric(
        "yychat_stage_duration_seconds",
        "histogram",
        ("engine", "stage"),
        "Where a chat request's time went; the stages of one request add up to its duration.",
        HTTP,
        STAGE_TIMES,
    ),
    Metric(
        "yychat_overhead_duration_seconds",
        "histogram",
        ("engine", "stream"),
        "A chat request's time without upstream and tools: what this service costs.",
        HTTP,
        OURS,
    ),
    Metric(
        "yychat_engine_attempts_total",
        "counter",
        ("engine", "result"),
        "What engines came to, before any fallback: an engine's own health.",
        AGENT,
    ),
    Metric(
        "yychat_engine_fallbacks_total",
        "counter",
        ("from_engine", "to_engine"),
        "Requests that one engine answered because another one failed.",
        HTTP,
    ),
    Metric(
        "yychat_engine_weight",
        "gauge",
        ("engine",),
        "An engine's share of the traffic, as this process sees the selection.",
        "EngineManager",
    ),
    Metric(
        "yychat_engine_selection_revision",
        "gauge",
        (),
        "Revision of the selection that this process follows.",
        "EngineManager",
    ),
    Metric(
        "yychat_engine_switches_total",
        "counter",
        ("cause",),
        "Changes of the selection that this process has made.",
        "EngineManager",
    ),
    Metric(
        "gen_ai_client_operation_duration_seconds",
        "histogram",
        ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "result"),
        "How long one attempt at an upstream took.",
        CLIENT,
        OPERATIONS,
    ),
    Metric(
        "yychat_upstream_attempts_total",
        "counter",
        ("upstream", "result"),
        "Attempts at upstreams by what they came to, without what was the caller's fault.",
        CLIENT,
    ),
    Metric(
        "yychat_upstream_retries_total",
        "counter",
        ("upstream", "reason"),
        "Attempts that followed a failed one of the same request.",
        CLIENT,
    ),
    Metric(
        "yychat_breaker_state",
        "gauge",
        ("target",),
        "0 closed, 1 half open, 2 open.",
        "Breaker",
    ),
    Metric(
        "yychat_tokens_total",
        "counter",
        ("gen_ai_request_model", "type"),
        "Tokens as upstreams counted them; cached and reasoning ones are parts of the others.",
        AGENT,
    ),
    Metric(
        "yychat_usage_estimated_total",
        "counter",
        ("gen_ai_request_model",),
        "Answers whose tokens are an estimate: the upstream told none, or was cut off.",
        AGENT,
    ),
    Metric(
        "yychat_cost_total",
        "counter",
        ("gen_ai_request_model", "currency"),
        "What answers cost by the price file.",
        AGENT,
    ),
    Metric(
        "yychat_cost_unknown_total",
        "counter",
        ("gen_ai_request_model",),
        "Answers of models that the price file does not know.",
        AGENT,
    ),
    Metric(
        "yychat_memory_operation_duration_seconds",
        "histogram",
        ("memory", "operation", "result"),
        "How long memories took. A recall is its embedding and its search; mem0 embeds by itself,"
        " within its search.",
        MEMORY,
        STORES,
    ),
    Metric(
        "yychat_memory_recalls_total",
        "counter",
        ("memory", "result", "source"),
        "Recalls by what they came to, and by which ways of searching; skipped are answers that had"
        " nobody to recall for.",
        MEMORY,
    ),
    Metric(
        "yychat_memory_recalled_records",
        "histogram",
        ("memory",),
        "Memories that a recall found.",
        MEMORY,
        COUNTS,
    ),
    Metric(
        "yychat_memory_top_score",
        "histogram",
        ("memory",),
        "Score of the best memory that a recall found.",
        MEMORY,
        SCORES,
    ),
    Metric(
        "yychat_memory_injected_tokens_total",
        "counter",
        ("engine",),
        "Estimated tokens of the memories that went into prompts.",
        AGENT,
    ),
    Metric(
        "yychat_memory_duplicates_dropped_total",
        "counter",
        ("memory",),
        "Memories that were found and left out, as the prompt said the same already.",
        AGENT,
    ),
    Metric(
        "yychat_outbox_pending",
        "gauge",
        ("kind",),
        "Turns that are not in their memory yet. Shared by all instances: take the maximum.",
        "Outbox.backlog",
    ),
    Metric(
        "yychat_outbox_oldest_seconds",
        "gauge",
        ("kind",),
        "Age of the oldest of them. Shared by all instances: take the maximum.",
        "Outbox.backlog",
    ),
    Metric(
        "yychat_outbox_dead",
        "gauge",
        ("kind",),
        "Dead letters. Shared by all instances: take the maximum.",
        "Outbox.backlog",
    ),
    Metric(
        "yychat_outbox_jobs_total",
        "counter",
        ("kind", "result"),
        "Deliveries by what they came to.",
        MEMORY,
    ),
    Metric(
        "yychat_spool_pending",
        "gauge",
        (),
        "Turns that wait on this instance's disk for Redis. Per instance: take the sum.",
        "SpooledOutbox",
    ),
    Metric(
        "yychat_cache_requests_total",
        "counter",
        ("cache", "tier", "result"),
        "Questions to the caches.",
        "Cached",
    ),
    Metric("yychat_redis_degraded", "gauge", (), "1 while Redis is left alone.", "RedisLink"),
    Metric(
        "db_client_operation_duration_seconds",
        "histogram",
        ("db_operation_name", "result"),
        "How long questions to SQLite or Redis took, the wait for a turn included.",
        STORE,
        STORES,
    ),
    Metric(
        "gen_ai_execute_tool_duration_seconds",
        "histogram",
        ("source", "result"),
        "How long tools took.",
        TOOLS,
        OPERATIONS,
    ),
    Metric(
        "yychat_tool_calls_total",
        "counter",
        ("tool", "result"),
        "Calls of tools by what they came to.",
        TOOLS,
    ),
    Metric(
        "yychat_tools_quarantined",
        "gauge",
        (),
        "Tools that are not served, as no model provider would take them.",
        "Registry",
        reference="the log and `yychat tools list` say which, and why",
    ),
    Metric("yychat_inflight_requests", "gauge", (), "Admitted requests under way.", "Inflight"),
    Metric(
        "yychat_inflight_limit", "gauge", (), "Requests that may be under way at once.", "Inflight"
    ),
    Metric(
        "yychat_tenant_inflight_requests",
        "gauge",
        ("tenant",),
        "Admitted requests under way by tenant.",
        "Inflight",
    ),
    Metric(
        "yychat_event_loop_blocked_seconds_total",
        "counter",
        (),
        "Time in which the event loop did not come round, as a watchdog thread saw it.",
        "Watchdog",
    ),
    Metric(
        "yychat_event_loop_lag_seconds",
        "histogram",
        (),
        "How late the event loop was.",
        "Watchdog",
        LAGS,
    ),
    Metric(
        "yychat_dependency_up",
        "gauge",
        ("dependency",),
        "1 where the last probe found a dependency well.",
        "health probes",
    ),
    Metric(
        "yychat_instances_registered",
        "gauge",
        (),
        "Processes that are registered for scraping. Shared by all: take the maximum.",
        "registry",
    ),
    Metric(
        "yychat_tenant_requests_total",
        "counter",
        ("tenant", "result"),
        "Chat requests by tenant.",
        HTTP,
    ),
    Metric(
        "yychat_tenant_tokens_total",
        "counter",
        ("tenant", "type"),
        "Tokens by tenant.",
        AGENT,
    ),
    Metric(
        "yychat_alerts_received_total",
        "counter",
        ("alertname", "status"),
        "Alerts that Alertmanager has sent here.",
        "POST /v1/alerts",
    ),
    Metric(
        "yychat_rollbacks_total",
        "counter",
        ("engine", "result"),
        "What alerts that ask for a rollback came to.",
        "POST /v1/alerts",
    ),
    Metric(
        "yychat_telemetry_errors_total",
        "counter",
        ("stage",),
        "Failures of telemetry itself; requests do not notice them.",
        "telemetry",
    ),
    Metric(
        "yychat_telemetry_dropped_total",
        "counter",
        ("signal",),
        "Spans, records and log lines that were dropped instead of waited for.",
        "telemetry",
    ),
    Metric(
        "yychat_series_dropped_total",
        "counter",
        ("metric",),
        "Observations that got no series of their own, as there were too many.",
        "telemetry",
    ),
    Metric("yychat_build_info", "info", ("version", "revision"), "Which version this is.", "start"),
    Metric(
        "yychat_config_info",
        "info",
        ("engine_set", "store"),
        "What this process is made of.",
        "start",
    ),
)
