"""Errors on their way out: one shape, true statuses."""

import math

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from .. import errors
from ..telemetry.observation import current


class Problem(msgspec.Struct):
    """What went wrong, in OpenAI's shape."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(msgspec.Struct):
    error: Problem


# Looked up along the class's own ancestry, most special first.
STATUS: dict[type[errors.YYChatError], int] = {
    errors.InvalidRequest: 400,
    errors.BodyTooLarge: 413,
    errors.BodyTimeout: 408,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.RequestError: 400,
    errors.Rejected: 429,
    errors.Draining: 503,
    errors.UpstreamRefused: 400,
    errors.UpstreamModelUnknown: 404,
    errors.UpstreamAuthFailed: 502,
    errors.UpstreamRateLimited: 429,
    errors.UpstreamUnreachable: 503,
    errors.UpstreamTimeout: 504,
    errors.UpstreamError: 502,
    errors.DeadlineExceeded: 504,
    errors.EngineError: 500,
    errors.EngineUnavailable: 503,
    errors.StoreError: 503,
    errors.YYChatError: 500,
}

TYPE = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
    502: "upstream_error",
    503: "service_unavailable_error",
    504: "timeout_error",
}


def status_of(error: errors.YYChatError) -> int:
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def body_of(error: errors.YYChatError) -> bytes:
    """The JSON of *error*; also the data of a stream's last event."""
    kind = TYPE.get(status_of(error), "server_error")
    problem = Problem(message=error.message, type=kind, param=error.param, code=error.code)
    return msgspec.json.encode(ErrorBody(error=problem))


def problem(error: errors.YYChatError) -> Response:
    """The response that *error* becomes; here is where a request's failure gets known."""
    if (observation := current()) is not None:
        observation.failed(error)
    headers = dict(error.headers)
    status = status_of(error)
    if error.retry_after is not None or status in (429, 503):
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after or 1)))
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    return Response(body_of(error), status, headers, media_type="application/json")


async def on_error(_request: Request, error: Exception) -> Response:
    """Starlette's handler for our own tree."""
    assert isinstance(error, errors.YYChatError)
    return problem(error)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Starlette's own: an unknown path, or a method that a path does not have."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        ours: errors.YYChatError = errors.InvalidRequest(
            f"{request.method} is not allowed here", code="method_not_allowed"
        )
    else:
        ours = errors.NotFound(
            "there is nothing at this path; GET /openapi.json lists what there is"
        )
    response = problem(ours)
    response.status_code = error.status_code
    response.headers.update(error.headers or {})
    return response
