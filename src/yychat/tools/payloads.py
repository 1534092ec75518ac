"""What goes into a tool and what comes out of it, as JSON."""

import json
from typing import Any

import msgspec

from ..errors import ToolError

ARGUMENTS_LIMIT = 262_144  # characters
LONGEST_ERROR = 1_000
MISFIT = "the tool's result could not be expressed as JSON"

_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


def as_text(arguments: str | dict[str, Any]) -> str:
    """The arguments as JSON text, whichever way they came; nothing at all is an empty object."""
    if isinstance(arguments, dict):
        try:
            text = json.dumps(arguments, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise ToolError("the arguments are not JSON", code="tool_arguments") from None
    else:
        text = arguments.strip() or "{}"
    if len(text) > ARGUMENTS_LIMIT:
        raise ToolError("the arguments are too long", code="tool_arguments")
    return text


def understood(text: str) -> dict[str, Any]:
    """The object *text* says, strictly: no NaN, nothing past the range of a number."""
    try:
        arguments = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ToolError(
            "the arguments are not valid JSON; send one JSON object", code="tool_arguments"
        ) from None
    if not isinstance(arguments, dict):
        raise ToolError("the arguments must be one JSON object", code="tool_arguments")
    return arguments


def fitted(value: Any, limit: int) -> str:
    """*value* as JSON text of at most *limit* characters, and still JSON when it had to be cut.

    Raises ``ToolError`` for what JSON cannot say: dates, decimals, NaN, infinity.
    """
    if isinstance(value, str) and len(value) > limit:
        return _encodable(_cut(value, limit))
    try:
        text = _encoded(value, limit)
    except (TypeError, ValueError, RecursionError):
        raise ToolError(MISFIT, code="tool_result") from None
    if len(text) > limit:
        text = _cut(value if isinstance(value, str) else text, limit)
    return _encodable(text)


def failure(message: str) -> str:
    """The JSON a model reads when a tool did not work."""
    return _encodable(json.dumps({"error": message[:LONGEST_ERROR]}, ensure_ascii=False))


def _encoded(value: Any, limit: int) -> str:
    """*value* as JSON text; no further than *limit*, as all of it could take too long."""
    pieces, size = [], 0
    for piece in _encoder.iterencode(value):
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            break
    return "".join(pieces)


def _cut(text: str, limit: int) -> str:
    text = text[:limit]
    wrapped = _truncated(text)
    while len(wrapped) > limit:  # for its escapes; each round leaves off at least one character
        text = text[: len(text) * limit // len(wrapped)]
        wrapped = _truncated(text)
    return wrapped


def _truncated(text: str) -> str:
    return json.dumps({"truncated": True, "text": text}, ensure_ascii=False)


def _encodable(text: str) -> str:
    """Half a surrogate pair is legal JSON and illegal UTF-8: it becomes a question mark."""
    return text.encode("utf-8", "replace").decode()
