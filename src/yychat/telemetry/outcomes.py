"""What an error counts as: a chat request's outcome, and a type by fault domain."""

from .. import errors

OUTCOMES = (
    "ok",
    "client_error",
    "rejected",
    "upstream_error",
    "engine_error",
    "timeout",
    "cancelled",
    "internal_error",
)

# The first that matches counts.
_TABLE: tuple[tuple[type[errors.YYChatError], str, str], ...] = (
    (errors.BodyTooLarge, "client_error", "too_large"),
    (errors.Unauthenticated, "client_error", "auth"),
    (errors.Forbidden, "client_error", "auth"),
    (errors.NotFound, "client_error", "not_found"),
    (errors.RequestError, "client_error", "bad_request"),
    (errors.RateLimited, "rejected", "rate_limited"),
    (errors.Rejected, "rejected", "capacity"),
    (errors.UpstreamRefused, "client_error", "bad_request"),
    (errors.UpstreamModelUnknown, "client_error", "not_found"),
    (errors.UpstreamRateLimited, "upstream_error", "upstream_rate_limit"),
    (errors.UpstreamAuthFailed, "upstream_error", "upstream_auth"),
    (errors.UpstreamFailed, "upstream_error", "upstream_5xx"),
    (errors.UpstreamProtocolError, "upstream_error", "upstream_protocol"),
    (errors.UpstreamUnreachable, "upstream_error", "upstream_connection"),
    (errors.UpstreamTimeout, "upstream_error", "upstream_timeout"),
    (errors.UpstreamError, "upstream_error", "upstream_protocol"),
    (errors.DeadlineExceeded, "timeout", "upstream_timeout"),
    (errors.EngineError, "engine_error", "engine_bug"),
    (errors.StoreError, "engine_error", "memory_unavailable"),
)
ERROR_TYPES = (*dict.fromkeys(kind for _, _, kind in _TABLE), "memory_timeout", "internal")


def outcome_of(error: errors.YYChatError) -> str:
    return next((o for kind, o, _ in _TABLE if isinstance(error, kind)), "internal_error")


def error_type_of(error: errors.YYChatError) -> str:
    return next((t for kind, _, t in _TABLE if isinstance(error, kind)), "internal")
