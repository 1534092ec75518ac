"""Which tools a text asks for: the simulated model calls what the user tells it to.

``call NAME {...}`` on a line of its own calls exactly that, offered or not, JSON or not.
Several such lines are calls in parallel; ``then call`` waits for the results of those before,
and ``always call`` calls again after every result. Times and sums are understood in plain words.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from .asked import ChatAsked, Function
from .text import shortened

_CALL = re.compile(
    r"\s*(?P<mode>then\s+|always\s+|然后|总是)?(?:call|调用)\s+(?P<name>[\w.:-]+)\s*(?P<arguments>\{.*)?",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"what(?:'s| is) the (?:current )?time|what time is it|current time|几点|现在.{0,4}时间",
    re.IGNORECASE,
)
_NUMBER = r"-?\d{1,15}(?:\.\d{1,15})?"
_SUM = re.compile(
    rf"(?<![\w.-])(?P<a>{_NUMBER})"
    r"\s*(?P<sign>\*\*|[-+*/^x×÷]|加|减|乘以?|除以|plus|minus|times|divided by)\s*"
    rf"(?P<b>{_NUMBER})(?![\d-])"
)
_ROOT = re.compile(
    rf"(?:sqrt\s*\(?|square root of|根号)\s*(?P<a>{_NUMBER})|(?P<of>{_NUMBER})\s*的平方根"
)
_CALCULATE = re.compile(
    r"calculat|comput|what(?:'s| is)|how much|=|计算|算|等于|多少|是几", re.IGNORECASE
)
_OPERATIONS = {
    "add": ("+", "plus", "加"),
    "subtract": ("-", "minus", "减"),
    "multiply": ("*", "x", "×", "times", "乘", "乘以"),
    "divide": ("/", "÷", "divided by", "除以"),
    "pow": ("^", "**"),
}
_OPERATION = {sign: name for name, signs in _OPERATIONS.items() for sign in signs}


class Call(msgspec.Struct, frozen=True):
    """One tool call; ``arguments`` is the text the model wrote, JSON or not."""

    name: str
    arguments: str


def wished_calls(asked: ChatAsked) -> tuple[Call, ...]:
    """The calls of the next round; none when the model is to answer in words."""
    offered = asked.functions
    if not offered or asked.tool_choice == "none":
        return ()
    wishes = _rounds(asked.question, offered)
    done = _rounds_done(asked)
    if not done:
        wished = _forced(asked, wishes)
    elif wishes and _is_endless(asked.question):
        wished = wishes[0]
    else:
        wished = wishes[done] if done < len(wishes) else []
    return tuple(wished[:1] if asked.parallel_tool_calls is False else wished)


def example(schema: Any, text: str) -> Any:
    """A small value that fits *schema* (JSON Schema); *text* stands for free strings.

    What it does not understand of the schema it takes as not being there.
    """
    if not isinstance(schema, Mapping):
        return {}
    if "const" in schema:
        return schema["const"]
    if allowed := _listed(schema, "enum"):
        return allowed[0]
    if choices := _listed(schema, "anyOf") or _listed(schema, "oneOf"):
        return example(choices[0], text)
    return _example_of_type(schema, text)


def _example_of_type(schema: Mapping[str, Any], text: str) -> Any:
    kinds = _listed(schema, "type") or [schema.get("type")]
    match kinds[0]:
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "array":
            return [example(schema.get("items"), text)] * _fewest(schema)
        case "null":
            return None
        case "string":
            return text
    return _example_object(schema, text) if "properties" in schema or "type" in schema else text


def _example_object(schema: Mapping[str, Any], text: str) -> dict[str, Any]:
    known = schema.get("properties")
    properties = known if isinstance(known, Mapping) else {}
    names = [name for name in _listed(schema, "required") if isinstance(name, str)]
    return {name: example(properties.get(name), text) for name in names}


def _listed(schema: Mapping[str, Any], keyword: str) -> list[Any]:
    value = schema.get(keyword)
    return value if isinstance(value, list) else []


def _fewest(schema: Mapping[str, Any]) -> int:
    fewest = schema.get("minItems")
    return min(fewest, 10) if isinstance(fewest, int) else 0


def _forced(asked: ChatAsked, wishes: list[list[Call]]) -> list[Call]:
    """The first round: what the text wishes, as far as tool_choice leaves the model free."""
    wished = wishes[0] if wishes else []
    name = asked.forced_function
    if name is None and (wished or asked.tool_choice != "required"):
        return wished
    function = asked.functions[name or next(iter(asked.functions))]
    same = [call for call in wished if call.name == function.name]
    return same[:1] or [_made_up(function, asked.question)]


def _rounds(text: str, offered: Mapping[str, Function]) -> list[list[Call]]:
    rounds: list[list[Call]] = []
    for line in text.splitlines():
        wish = _CALL.fullmatch(line.rstrip())
        if wish is None or not (wish["arguments"] or wish["name"] in offered):
            continue
        if not rounds or _mode(wish) in ("then", "然后"):
            rounds.append([])
        rounds[-1].append(Call(wish["name"], wish["arguments"] or "{}"))
    if rounds:
        return rounds
    plain = list(_plain_wishes(text, offered))
    return [plain] if plain else []


def _is_endless(text: str) -> bool:
    wish = _CALL.match(text)
    return wish is not None and _mode(wish) in ("always", "总是")


def _mode(wish: re.Match[str]) -> str:
    return (wish["mode"] or "").strip().lower()


def _rounds_done(asked: ChatAsked) -> int:
    """How many times the model called tools since the user spoke last."""
    done = 0
    for message in reversed(asked.messages):
        if message.role == "user":
            break
        done += bool(message.tool_calls)
    return done


def _plain_wishes(text: str, offered: Mapping[str, Function]) -> Iterator[Call]:
    clock = _named_like("time", offered)
    if clock and _TIME.search(text):
        yield _made_up(clock, text)
    calculator = _named_like("calc", offered)
    if calculator and (sum_ := _sum(text)):
        yield Call(calculator.name, msgspec.json.encode(sum_).decode())


def _named_like(part: str, offered: Mapping[str, Function]) -> Function | None:
    return next((offered[name] for name in offered if part in name.lower()), None)


def _sum(text: str) -> dict[str, Any] | None:
    """The sum in *text*, in the calculator's terms, if the text asks for its value."""
    if root := _ROOT.search(text):
        return {"operation": "sqrt", "a": _number(root["a"] or root["of"])}
    found = _SUM.search(text)
    if found is None or not (_CALCULATE.search(text) or found[0] == text.strip(" ?？.。")):
        return None
    return {
        "operation": _OPERATION[found["sign"]],
        "a": _number(found["a"]),
        "b": _number(found["b"]),
    }


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def _made_up(function: Function, text: str) -> Call:
    arguments = example(function.parameters, shortened(text, 200))
    return Call(function.name, msgspec.json.encode(arguments).decode())
