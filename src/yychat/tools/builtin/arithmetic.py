"""The calculator."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from ...errors import ToolError
from .expression import (
    LONGEST,
    Number,
    add,
    divide,
    evaluated,
    multiply,
    power,
    square_root,
    subtract,
)

OPERATIONS: dict[str, Callable[[Number, Number], Number]] = {
    "add": add,
    "subtract": subtract,
    "multiply": multiply,
    "divide": divide,
    "pow": power,
}
EITHER = "give either an expression, or an operation and its numbers"
EXACT_FLOATS = 2**53  # whole floats below this are whole numbers beyond doubt


class Calculator:
    """Computes one operation or one expression.

    That it is one *or* the other cannot stand in the schema (providers refuse
    ``oneOf`` at the top), so it is checked here.
    """

    name = "calculator"
    source = "builtin"
    description = (
        "Compute exactly instead of estimating. Give either `expression`, such as "
        "2 * (3 + 4) ** 2, or `operation` with `a` and `b` (sqrt needs only `a`)."
    )
    parameters: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "properties": {
            "expression": {
                "type": "string",
                "minLength": 1,
                "maxLength": LONGEST,
                "description": "Numbers, + - * / // % **, parentheses and sqrt().",
            },
            "operation": {"type": "string", "enum": [*OPERATIONS, "sqrt"]},
            "a": {"type": "number", "description": "The first number."},
            "b": {"type": "number", "description": "The second number; not for sqrt."},
        },
        "additionalProperties": False,
    }

    async def call(self, arguments: dict[str, Any]) -> dict[str, Any]:
        if "expression" in arguments and arguments.keys() & {"operation", "a", "b"}:
            raise ToolError(f"{EITHER}, not both")
        if "expression" in arguments:
            text = arguments["expression"]
            return {"expression": text, "result": _readable(evaluated(text))}
        operation = arguments.get("operation")
        if operation is None:
            raise ToolError(EITHER)
        result = _computed(operation, arguments.get("a"), arguments.get("b"))
        return {"operation": operation, "result": _readable(result)}


def _computed(operation: str, a: Number | None, b: Number | None) -> Number:
    if a is None:
        raise ToolError("a is missing")
    if operation == "sqrt":
        return square_root(a)
    if b is None:
        raise ToolError(f"b is missing: {operation} needs two numbers")
    return OPERATIONS[operation](a, b)


def _readable(result: Number) -> Number:
    """Floats to 15 significant digits, so that 0.1 + 0.2 is 0.3 to the model as well."""
    if isinstance(result, int):
        return result
    rounded = float(f"{result:.15g}")
    if rounded.is_integer() and abs(rounded) < EXACT_FLOATS:
        return int(rounded)
    return rounded
