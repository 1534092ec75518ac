"""Arithmetic that answers at once or says why not: on numbers, and on expressions as text."""

import ast
import math
import operator
import re
from collections.abc import Callable

from ...errors import ToolError

Number = int | float

LONGEST = 300  # characters of an expression
MAX_BITS = 3_322  # a thousand decimal digits

TOO_LARGE = "the result is too large"
GRAMMAR = "use numbers, + - * / // % **, parentheses and sqrt() only"

# Everything an expression may consist of: the parser never sees a name, a string or a comment.
TOKENS = re.compile(r"(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|sqrt|[-+*/%()\s])+")


def evaluated(text: str) -> Number:
    """The value of an expression such as ``2 * (3 + 4) ** 2``."""
    text = " ".join(text.split())
    if len(text) > LONGEST:
        raise ToolError(f"the expression is longer than {LONGEST} characters")
    if not TOKENS.fullmatch(text):
        raise ToolError(f"the expression could not be read; {GRAMMAR}")
    try:
        return _value(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError):
        raise ToolError(f"the expression could not be read; {GRAMMAR}") from None
    except (RecursionError, MemoryError):
        raise ToolError("the expression is nested too deeply") from None


def add(a: Number, b: Number) -> Number:
    return _done(operator.add, a, b)


def subtract(a: Number, b: Number) -> Number:
    return _done(operator.sub, a, b)


def multiply(a: Number, b: Number) -> Number:
    return _done(operator.mul, a, b)


def divide(a: Number, b: Number) -> Number:
    """Exact where the answer is whole, however large the numbers."""
    if isinstance(a, int) and isinstance(b, int) and b and a % b == 0:
        return a // b
    return _done(operator.truediv, a, b)


def floor_divide(a: Number, b: Number) -> Number:
    return _done(operator.floordiv, a, b)


def modulo(a: Number, b: Number) -> Number:
    return _done(operator.mod, a, b)


def power(a: Number, b: Number) -> Number:
    """Refuses a result past a thousand digits before it starts to work on it."""
    whole = isinstance(a, int) and isinstance(b, int)
    if whole and abs(a) > 1 and b > 0 and (abs(int(a)).bit_length() - 1) * b > MAX_BITS:
        raise ToolError(TOO_LARGE)
    if a == 0 and b < 0:
        raise ToolError("zero cannot be raised to a negative power")
    return _done(operator.pow, a, b)


def square_root(a: Number) -> Number:
    if a < 0:
        raise ToolError("the square root of a negative number is not a real number")
    if isinstance(a, int) and math.isqrt(a) ** 2 == a:
        return math.isqrt(a)
    return _done(lambda number, _: math.sqrt(number), a, 0)


def _done(operation: Callable[[Number, Number], complex], a: Number, b: Number) -> Number:
    try:
        result = operation(a, b)
    except ZeroDivisionError:
        raise ToolError("division by zero") from None
    except OverflowError:
        raise ToolError(TOO_LARGE) from None
    return _kept(result)


def _kept(result: complex) -> Number:
    """*result* if it is a finite real number of a reasonable size."""
    if isinstance(result, complex):
        raise ToolError("the result is not a real number")
    if isinstance(result, int) and result.bit_length() > MAX_BITS:
        raise ToolError(TOO_LARGE)
    if isinstance(result, float) and not math.isfinite(result):
        raise ToolError(TOO_LARGE)
    return result


BINARY: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: add,
    ast.Sub: subtract,
    ast.Mult: multiply,
    ast.Div: divide,
    ast.FloorDiv: floor_divide,
    ast.Mod: modulo,
    ast.Pow: power,
}


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=int() | float() as number):
            return _kept(number)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            return BINARY[type(op)](_value(left), _value(right))
        case ast.Call(func=ast.Name(id="sqrt"), args=[argument], keywords=[]):
            return square_root(_value(argument))
    raise ToolError(f"the expression could not be read; {GRAMMAR}")
