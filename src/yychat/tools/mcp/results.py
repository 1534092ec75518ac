"""What a server's tool gave back, as a value that JSON can say and a model can read."""

from collections.abc import Mapping
from typing import Any

from ...errors import ToolError

LONGEST = 65_536  # characters of text; what the model gets is cut again, to the registry's limit
MOST = 64  # parts
SILENT = "the tool failed and said nothing about it"


def value_of(result: Mapping[str, Any]) -> Any:
    """Structured content where there is some, else the text, else what came in its parts.

    Raises ``ToolError`` with the server's own words where it says that the tool failed.
    """
    parts = [part for part in _list(result.get("content")) if isinstance(part, dict)]
    if result.get("isError") is True:
        said = "\n".join(_text(part.get("text")) for part in parts if part.get("type") == "text")
        raise ToolError(said[:LONGEST] or SILENT)
    structured = result.get("structuredContent")
    others = [part for part in parts if part.get("type") != "text"]
    if structured is not None and not others:
        return structured
    said_parts = _within(parts if structured is None else others)
    if structured is not None:
        return {"structured": structured, "content": said_parts}
    if len(said_parts) == 1:
        return said_parts[0]
    return said_parts or None


def _within(parts: list[dict[str, Any]]) -> list[Any]:
    """The parts as they are told, until they are too long together."""
    told: list[Any] = []
    left = LONGEST
    for part in parts[:MOST]:
        said = _told(part, left)
        told.append(said)
        left -= len(said) if isinstance(said, str) else len(said.get("text", ""))
        if left <= 0:
            break
    return told


def _told(part: dict[str, Any], left: int) -> Any:
    """Text is text; of what a model that reads text cannot take in, it is told what it is."""
    kind = part.get("type")
    if kind == "text":
        return _text(part.get("text"))[:left]
    if kind in ("image", "audio"):
        return {"type": kind, "mimeType": _text(part.get("mimeType")), "bytes": _bytes(part)}
    if kind == "resource_link":
        return {"type": kind, **_some(part, "uri", "name", "title", "description", "mimeType")}
    if kind == "resource":
        return _resource(part.get("resource"), left)
    return {"type": _text(kind)[:64] or "unknown"}


def _resource(given: Any, left: int) -> dict[str, Any]:
    resource = given if isinstance(given, dict) else {}
    told: dict[str, Any] = {"type": "resource", **_some(resource, "uri", "mimeType")}
    if "text" in resource:
        told["text"] = _text(resource["text"])[:left]
    else:
        told["bytes"] = _bytes(resource)
    return told


def _some(part: Mapping[str, Any], *fields: str) -> dict[str, str]:
    return {field: _text(part[field])[:2_000] for field in fields if part.get(field)}


def _bytes(part: Mapping[str, Any]) -> int:
    """How much there is, undone from Base64."""
    return len(_text(part.get("data", part.get("blob")))) * 3 // 4


def _list(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []


def _text(given: Any) -> str:
    return given if isinstance(given, str) else ""
