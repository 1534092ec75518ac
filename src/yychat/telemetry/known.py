"""Series that are there from the start: a rate needs a zero before its first one."""

from .catalogue import CLOSED, ENGINES
from .metrics import Metrics

ATTEMPTS = ("ok", "memory_degraded", "engine_error", "upstream_error", "client_error", "cancelled")


def prepare(metrics: Metrics) -> None:
    """What any process may count."""
    metrics.prepare("yychat_outbox_jobs_total", CLOSED["kind"], ("done", "retried", "dead"))
    metrics.prepare("yychat_telemetry_errors_total", ("start", "end"))
    metrics.prepare("yychat_telemetry_dropped_total", CLOSED["signal"])
    metrics.prepare("yychat_event_loop_blocked_seconds_total")


def prepare_chat(metrics: Metrics) -> None:
    """What one counts besides that answers chats."""
    closed = CLOSED
    engines = closed["engine"]
    metrics.prepare("yychat_chat_requests_total", engines, closed["outcome"], closed["stream"])
    metrics.prepare("yychat_chat_errors_total", engines, closed["error_type"])
    metrics.prepare("yychat_engine_attempts_total", ENGINES, ATTEMPTS)
    metrics.prepare("yychat_first_token_failures_total", ENGINES)
    metrics.prepare("yychat_engine_fallbacks_total", ENGINES[:1], ENGINES[1:])
    metrics.prepare("yychat_engine_fallbacks_total", ENGINES[1:], ENGINES[:1])
    metrics.prepare("yychat_engine_switches_total", closed["cause"])
    recalls = ("hit", "empty", "deadline", "error", "skipped")
    metrics.prepare("yychat_memory_recalls_total", closed["memory"], recalls, ("none",))
