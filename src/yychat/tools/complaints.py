"""What is wrong with a tool's arguments, as sentences a model can act on."""

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

LONGEST = 300  # characters of one sentence
LONGEST_NAME = 64

ARTICLES = {
    "string": "a string",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "an array",
    "object": "an object",
    "null": "null",
}

KINDS = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}

BOUNDS = {
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "multipleOf": "must be a multiple of {}",
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "minItems": "must have at least {} items",
    "maxItems": "must have at most {} items",
    "minProperties": "must have at least {} members",
    "maxProperties": "must have at most {} members",
}


def sentence(error: "ValidationError") -> str:
    """One sentence that names the argument; values the caller sent are never repeated."""
    keyword = str(error.validator)
    if keyword in BOUNDS:
        said = f"{_subject(error)} {BOUNDS[keyword].format(error.validator_value)}"
    else:
        said = SAYINGS.get(keyword, _other)(error)
    return said if len(said) <= LONGEST else said[: LONGEST - 1] + "…"


def _subject(error: Any) -> str:
    return _joined(error.absolute_path) or "the arguments"


def _joined(path: Iterable[str | int]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step[:LONGEST_NAME]}" for step in path)
    return "".join(steps).lstrip(".")


def _required(error: Any) -> str:
    missing = [name for name in error.validator_value if name not in error.instance]
    names = [_joined([*error.absolute_path, name]) for name in missing]
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} missing"


def _type(error: Any) -> str:
    value = error.validator_value
    wanted = [value] if isinstance(value, str) else value
    kinds = " or ".join(ARTICLES.get(kind, kind) for kind in wanted)
    return f"{_subject(error)} must be {kinds}, not {ARTICLES[_kind(error.instance)]}"


def _kind(value: Any) -> str:
    return KINDS.get(type(value), "null")


def _enum(error: Any) -> str:
    choices = ", ".join(json.dumps(choice, ensure_ascii=False) for choice in error.validator_value)
    return f"{_subject(error)} must be one of {choices}"


def _const(error: Any) -> str:
    return f"{_subject(error)} must be {json.dumps(error.validator_value, ensure_ascii=False)}"


def _additional(error: Any) -> str:
    known = error.schema.get("properties", {})
    extra = [_joined([*error.absolute_path, name]) for name in error.instance if name not in known]
    return f"there is no argument called {' or '.join(extra[:5])}"


def _alternatives(error: Any) -> str:
    inner = list(dict.fromkeys(sentence(each) for each in error.context or ()))
    return "; or ".join(inner[:3]) or f"{_subject(error)} fits more than one of the allowed forms"


def _other(error: Any) -> str:
    return f"{_subject(error)} breaks the schema's rule {str(error.validator)[:LONGEST_NAME]}"


SAYINGS: dict[str, Callable[[Any], str]] = {
    "required": _required,
    "type": _type,
    "enum": _enum,
    "const": _const,
    "additionalProperties": _additional,
    "anyOf": _alternatives,
    "oneOf": _alternatives,
}
