"""A tool's schema: admitted once, sent upstream as it was given, checked against before each call.

What is lossless and still safe to send:

- A schema goes upstream keyword for keyword. It is only ever *extended*, and only by the two empty
  keywords that JSON Schema lets a tool leave out and OpenAI demands: ``properties: {}`` at the top
  and ``items: {}`` for an array. Both mean "anything", so the schema accepts what it accepted.
- It must say ``"type": "object"`` itself (MCP demands it too). A schema without ``type`` is refused
  and not mended: a bare map of properties is a valid schema as well, so mending would be guessing.
- ``oneOf``, ``anyOf``, ``allOf``, ``not``, ``enum`` and ``const`` at the top are refused: OpenAI
  answers 400 to the *whole* request, so one such tool would end every chat with tools.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..errors import ToolError
from .complaints import sentence

if TYPE_CHECKING:  # jsonschema takes 0.2 s to import: it comes with the first schema
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError
    from referencing import Resource

Rule = Callable[..., Iterable[Any] | None]

LIMIT = 65_536  # characters: more would cost some 16,000 tokens in every request
MAX_COMPLAINTS = 3
REFUSED_AT_THE_TOP = ("oneOf", "anyOf", "allOf", "not", "enum", "const")

# What one of these costs cannot be bounded (and the regular expressions are ECMA-262, not
# Python's), so it could hold up the event loop: the tool itself checks them.
LEFT_TO_THE_TOOL = frozenset(
    {"pattern", "patternProperties", "uniqueItems", "unevaluatedItems", "unevaluatedProperties"}
)
# Where one of these is in play too, leaving out a rule could refuse arguments that are right.
NOT_MONOTONE = frozenset({"not", "if", "oneOf", "maxContains"})

DEEPEST = 64  # levels of JSON in a schema
DEEPEST_CHECK = 100  # rules within rules: Python's stack holds some 200
BASE_STEPS = 5_000  # rules looked at for one set of arguments, some 7 us each ...
STEPS_PER_CHARACTER = 4  # ... and more for longer ones


def as_text(parameters: Mapping[str, Any]) -> str:
    """*parameters* as JSON text; ``ToolError`` when JSON cannot say it exactly."""
    if not isinstance(parameters, Mapping):
        raise ToolError("its schema is not an object", code="tool_schema")
    try:
        text = json.dumps(dict(parameters), ensure_ascii=False, allow_nan=False)
        text.encode()
        faithful = json.loads(text) == dict(parameters)
    except (TypeError, ValueError, RecursionError):
        faithful = False
    if not faithful:
        raise ToolError("its schema is not JSON", code="tool_schema")
    return text


class Schema:
    """One tool's parameters; ``ToolError`` from the constructor says why it cannot be used.

    ``given`` is the JSON text it was made from, ``parameters`` what goes upstream (read only).
    """

    def __init__(self, given: str) -> None:
        if len(given) > LIMIT:
            raise _refused(f"is longer than {LIMIT} characters")
        self.given = given
        self.parameters: dict[str, Any] = json.loads(given)
        if _deeper_than(DEEPEST, self.parameters):
            raise _refused(f"is nested more than {DEEPEST} levels deep")
        _examine_top(self.parameters)
        _examine_against_metaschema(self.parameters)
        schemas = _subschemas(self.parameters)
        _complete(self.parameters, schemas)
        self._validator = _validator(self.parameters, schemas)

    def complaints(self, arguments: dict[str, Any], size: int) -> list[str]:
        """What is wrong with *arguments*, in at most three short sentences; empty if nothing.

        *size* is their length as text: it bounds the work, whatever the schema asks for.
        """
        _work.set(_Work(BASE_STEPS + STEPS_PER_CHARACTER * size))
        try:
            errors: list[ValidationError] = list(
                islice(self._validator.iter_errors(arguments), MAX_COMPLAINTS)
            )
        except (_TooMuchWork, RecursionError):
            return ["the arguments are too deeply nested or too many to be checked"]
        except ArithmeticError:
            return ["the arguments have a number that is too large"]
        return list(dict.fromkeys(sentence(error) for error in errors))


class _TooMuchWork(Exception):
    """A schema can ask for more than any stack or patience holds: by loops, or by fan-out."""


class _Work:
    """What is left of the steps for one check, and how deep it is."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.depth = 0

    @contextmanager
    def step(self) -> Iterator[None]:
        self.steps -= 1
        self.depth += 1
        if self.steps < 0 or self.depth > DEEPEST_CHECK:
            raise _TooMuchWork
        try:
            yield
        finally:
            self.depth -= 1


_work: ContextVar[_Work] = ContextVar("work")


def _refused(why: str) -> ToolError:
    return ToolError(f"its schema {why}", code="tool_schema")


def _deeper_than(most: int, value: Any) -> bool:
    level = [value]
    for _ in range(most):
        containers = [each for each in level if isinstance(each, dict | list)]
        level = [
            inner
            for each in containers
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return bool(level)


def _examine_top(schema: dict[str, Any]) -> None:
    if schema.get("type") != "object":
        raise _refused('does not say "type": "object" at the top')
    for keyword in REFUSED_AT_THE_TOP:
        if keyword in schema:
            raise _refused(f"has {keyword} at the top, which model providers refuse")


def _examine_against_metaschema(schema: dict[str, Any]) -> None:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        # No format checker: it would hold ECMA-262 patterns against Python's idea of a pattern.
        Draft202012Validator.check_schema(schema, format_checker=None)  # type: ignore[arg-type]
    except SchemaError as error:
        place = ".".join(str(part) for part in error.absolute_path)[:200] or "the top"
        raise _refused(f"is not valid JSON Schema (Draft 2020-12) at {place}") from None


def _subschemas(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Every schema inside *schema*, itself first, after checking that its references stay inside.

    A reference to anywhere else could only be followed over the network.
    """
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    root = DRAFT202012.create_resource(schema)
    try:
        found = list(_walk(root, Registry().resolver_with_root(root)))
    except ValueError:
        raise _refused("has an $id that is no address") from None
    inside = {id(contents) for contents, _ in found}
    for contents, resolver in found:
        for keyword in {"$ref", "$dynamicRef"} & contents.keys():
            target = _target(resolver, contents[keyword])
            if id(target) not in inside and not isinstance(target, bool):
                raise _refused(f"has a {keyword} that points at no schema inside it")
    if any("$schema" in contents for contents, _ in found[1:]):
        raise _refused("changes its dialect halfway")
    return [contents for contents, _ in found]


def _target(resolver: Any, reference: str) -> Any:
    from referencing.exceptions import Unresolvable

    try:
        return resolver.lookup(reference).contents
    except (Unresolvable, ValueError):
        return None


def _walk(resource: "Resource[Any]", resolver: Any) -> Iterator[tuple[dict[str, Any], Any]]:
    """Schemas only, by their position: a property called ``$ref`` or ``items`` is none."""
    if isinstance(resource.contents, dict):
        yield resource.contents, resolver
        for inner in resource.subresources():
            yield from _walk(inner, resolver.in_subresource(inner))


def _complete(schema: dict[str, Any], schemas: list[dict[str, Any]]) -> None:
    schema.setdefault("properties", {})
    if any("unevaluatedItems" in inner for inner in schemas):
        return  # there, and only there, items: {} would mean something
    for inner in schemas:
        kind = inner.get("type")
        if kind == "array" or (isinstance(kind, list) and "array" in kind):
            inner.setdefault("items", {})


def _validator(schema: dict[str, Any], schemas: list[dict[str, Any]]) -> "Draft202012Validator":
    from referencing import Registry

    keywords = {keyword for inner in schemas for keyword in inner}
    checked = {key: value for key, value in schema.items() if key != "$schema"}
    if keywords & LEFT_TO_THE_TOOL and keywords & NOT_MONOTONE:
        checked = {key: schema[key] for key in ("type", "required") if key in schema}
    # The empty registry is what keeps references off the network.
    return _bounded_validator()(checked, registry=Registry())


@cache
def _bounded_validator() -> type["Draft202012Validator"]:
    """jsonschema's validator, with a bound on its work and without the unbounded rules."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    rules = {keyword: _counted(rule) for keyword, rule in Draft202012Validator.VALIDATORS.items()}
    rules.update(dict.fromkeys(LEFT_TO_THE_TOOL, _passed))
    rules["additionalProperties"] = _unless_patterned(rules["additionalProperties"])
    bounded: type[Draft202012Validator] = extend(Draft202012Validator, rules)  # type: ignore[no-untyped-call]
    return bounded


def _counted(rule: Rule) -> Rule:
    def counted(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        with _work.get().step():
            yield from rule(validator, value, instance, schema) or ()

    return counted


def _unless_patterned(rule: Rule) -> Rule:
    def unless_patterned(validator: Any, value: Any, instance: Any, schema: Any) -> Iterable[Any]:
        if "patternProperties" in schema:
            return ()
        return rule(validator, value, instance, schema) or ()

    return unless_patterned


def _passed(*_: Any) -> None:
    return None
