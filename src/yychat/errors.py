"""Everything that can go wrong, as one tree; web/problems.py gives each its HTTP status.

YYChatError
    RequestError                 the caller has to change something
        InvalidRequest           a field is missing or wrong; names it
        BodyTooLarge
        BodyTimeout              the body did not arrive in time
        Unauthenticated
        Forbidden
        NotFound                 no such model, personality, tool or path
        Conflict
    Rejected                     a policy of ours said "not now"; says when to come back
        CapacityExceeded
        RateLimited
        Draining                 this process is starting or stopping
    UpstreamError                the model's provider could not answer
        UpstreamRefused          it found the request itself wrong
        UpstreamModelUnknown
        UpstreamAuthFailed       it does not accept *our* key
        UpstreamRateLimited
        UpstreamFailed           5xx
        UpstreamProtocolError    it answered, and not in the protocol
        UpstreamUnreachable      nothing was there to ask
        UpstreamTimeout          it did not answer in time
    EngineError                  the engine itself could not answer
        EngineUnavailable        what it stands on is missing or away
    DeadlineExceeded             the request's own time is up
    StoreError                   a store (SQLite, Redis, mem0) could not be used
    ToolError                    a tool did not work; its text is written for the model
    ConfigurationError           the service cannot start like this

Messages are written for callers: no exception text of a library, no secret
and nothing a user wrote is ever part of one.
"""

from collections.abc import Mapping


class YYChatError(Exception):
    """The root. ``param`` names the offending field, ``code`` is stable for programs,
    ``retry_after`` is in seconds; ``headers`` go out with it."""

    code: str = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code or type(self).code
        self.retry_after = retry_after
        self.headers = headers or {}


class RequestError(YYChatError):
    code = "invalid_request"


class InvalidRequest(RequestError):
    code = "invalid_value"


class BodyTooLarge(RequestError):
    code = "body_too_large"


class BodyTimeout(RequestError):
    code = "body_timeout"


class Unauthenticated(RequestError):
    code = "invalid_api_key"


class Forbidden(RequestError):
    code = "forbidden"


class NotFound(RequestError):
    code = "not_found"


class Conflict(RequestError):
    code = "conflict"


class Rejected(YYChatError):
    code = "rejected"


class CapacityExceeded(Rejected):
    code = "capacity_exceeded"


class RateLimited(Rejected):
    code = "rate_limit_exceeded"


class Draining(Rejected):
    code = "draining"


class UpstreamError(YYChatError):
    code = "upstream_error"


class UpstreamRefused(UpstreamError):
    code = "upstream_refused"


class UpstreamModelUnknown(UpstreamError):
    code = "model_not_found"


class UpstreamAuthFailed(UpstreamError):
    code = "upstream_auth"


class UpstreamRateLimited(UpstreamError):
    code = "upstream_rate_limit"


class UpstreamFailed(UpstreamError):
    code = "upstream_5xx"


class UpstreamProtocolError(UpstreamError):
    code = "upstream_protocol"


class UpstreamUnreachable(UpstreamError):
    code = "upstream_connection"


class UpstreamTimeout(UpstreamError):
    code = "upstream_timeout"


class EngineError(YYChatError):
    code = "engine_error"


class EngineUnavailable(EngineError):
    code = "engine_unavailable"


class DeadlineExceeded(YYChatError):
    code = "deadline_exceeded"


class StoreError(YYChatError):
    code = "store_unavailable"


class ToolError(YYChatError):
    code = "tool_error"


class ConfigurationError(YYChatError):
    code = "configuration"
