"""How the simulated upstream says no: OpenAI's error object."""

from typing import Any
from uuid import uuid4

import msgspec

_TYPES = {429: "rate_limit_error"}
_CODES = {401: "invalid_api_key", 404: "not_found", 429: "rate_limit_exceeded"}


class Refused(Exception):
    """An answer that is an error. ``retry_after`` is in seconds."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code or _CODES.get(status)
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        headers = {"x-request-id": f"req_{uuid4().hex}"}
        if self.retry_after is not None:
            headers["retry-after"] = f"{self.retry_after:g}"
        return headers

    @property
    def body(self) -> bytes:
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        error: dict[str, Any] = {
            "message": self.message,
            "type": _TYPES.get(self.status, kind),
            "param": self.param,
            "code": self.code,
        }
        return msgspec.json.encode({"error": error})


def unknown_model(model: str) -> Refused:
    return Refused(
        404,
        f"The model '{model}' does not exist: this is a simulator.",
        param="model",
        code="model_not_found",
    )
