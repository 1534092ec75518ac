"""What the registry promises: lossless schemas, quarantine, and calls that never end a chat."""

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from yychat.errors import ToolError
from yychat.tools.base import Tool, ToolResult
from yychat.tools.builtin import builtin_tools
from yychat.tools.registry import Registry

NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}

# Several public map servers publish it: a parameter that is literally called "type".
MAPS_DISTANCE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "origins": {"type": "string", "description": "Where from, several joined by |"},
        "destination": {"type": "string"},
        "type": {"type": "string", "description": "0 as the crow flies, 1 by car", "default": "1"},
    },
    "required": ["origins", "destination"],
}

# With everything that a converter could lose.
COMPLETE: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "search_arguments",
    "type": "object",
    "properties": {
        "filter": {"$ref": "#/$defs/Filter"},
        "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
        "anything": True,
        "the same": {"$ref": "#/properties/anything"},
        "标签": {"type": "array", "items": {"type": "string", "pattern": "^\\p{L}+$"}},
    },
    "required": ["filter"],
    "additionalProperties": False,
    "$defs": {
        "Filter": {
            "type": "object",
            "properties": {"field": {"const": "name"}, "not": {"$ref": "#/$defs/Filter"}},
            "required": ["field"],
        }
    },
    "examples": [{"filter": {"field": "name"}, "limit": 1e-7}],
}


class FakeTool:
    """A tool as an MCP server would own it: any name, any schema, any behaviour."""

    def __init__(
        self,
        name: str = "lookup",
        parameters: Mapping[str, Any] = NO_ARGUMENTS,
        *,
        does: Callable[[dict[str, Any]], Awaitable[Any]] | None = None,
        source: str = "maps",
        description: str = "Looks something up.",
    ) -> None:
        self.name = name
        self.parameters = parameters
        self.source = source
        self.description = description
        self._does = does

    async def call(self, arguments: dict[str, Any]) -> Any:
        return await self._does(arguments) if self._does else arguments


def returning(value: Any) -> FakeTool:
    async def does(_: dict[str, Any]) -> Any:
        return value

    return FakeTool(does=does)


def raising(error: BaseException) -> FakeTool:
    async def does(_: dict[str, Any]) -> Any:
        raise error

    return FakeTool(does=does)


def parameters_sent(registry: Registry, name: str) -> dict[str, Any]:
    functions = [each["function"] for each in registry.definitions(None)]
    [parameters] = [each["parameters"] for each in functions if each["name"] == name]
    assert isinstance(parameters, dict)
    return parameters


def names(registry: Registry, allowed: list[str] | None = None) -> list[str]:
    return [tool.name for tool in registry.offered(allowed)]


def error_of(result: ToolResult) -> str:
    assert not result.ok
    content = json.loads(result.content)
    assert list(content) == ["error"]
    return str(content["error"])


async def complaint(parameters: dict[str, Any], arguments: str | dict[str, Any]) -> str:
    registry = Registry([FakeTool("lookup", parameters)])
    return error_of(await registry.call("lookup", arguments, allowed=None))


# The schema regressions of the system before this one.


def test_a_parameter_called_type_is_a_parameter_and_not_the_type_of_the_schema() -> None:
    sent = parameters_sent(Registry([FakeTool("maps_distance", MAPS_DISTANCE)]), "maps_distance")
    assert sent["type"] == "object"
    assert sent["properties"]["type"] == MAPS_DISTANCE["properties"]["type"]
    assert sent["required"] == ["origins", "destination"]
    assert sent == MAPS_DISTANCE


NASTY = [
    "type", "properties", "required", "items", "enum", "$ref", "$defs", "additionalProperties",
    "title", "description", "default", "$schema", "$id", "not", "oneOf", "anyOf", "const", "if",
]  # fmt: skip
LEAVES = st.sampled_from(
    [
        {"type": "string"},
        {"type": "integer", "minimum": 0},
        {"type": "array", "items": {"type": "object"}},
        {"type": "object", "properties": {"type": {"type": "string"}, "$ref": {"type": "null"}}},
        {"enum": ["object", None, 1]},
        {},
        True,
    ]
)


@given(st.dictionaries(st.sampled_from(NASTY), LEAVES, min_size=1), st.data())
@settings(max_examples=40, deadline=None)
def test_properties_may_be_named_like_keywords(
    properties: dict[str, Any], data: st.DataObject
) -> None:
    required = data.draw(st.lists(st.sampled_from(sorted(properties)), unique=True))
    given = {"type": "object", "properties": properties, "required": required}
    registry = Registry([FakeTool("lookup", given)])
    sent = parameters_sent(registry, "lookup")
    assert sent == given
    assert list(sent["properties"]) == list(properties)
    Draft202012Validator.check_schema(sent)
    assert registry.quarantined == {}


@given(st.dictionaries(st.sampled_from(NASTY), LEAVES))
@settings(max_examples=40, deadline=None)
def test_a_bare_map_of_properties_is_never_taken_for_a_schema(properties: dict[str, Any]) -> None:
    registry = Registry([FakeTool("lookup", properties), FakeTool("other")])
    assert names(registry) == ["other"]
    assert "lookup" in registry.quarantined


def test_every_schema_sent_is_a_valid_object_schema_of_draft_2020_12() -> None:
    tools: list[Tool] = [
        *builtin_tools(),
        FakeTool("maps_distance", MAPS_DISTANCE),
        FakeTool("complete", COMPLETE),
        FakeTool("nothing", {"type": "object"}),
    ]
    registry = Registry(tools)
    sent = [each["function"]["parameters"] for each in registry.definitions(None)]
    assert len(sent) == len(tools)
    # Not check_schema, which holds patterns (ECMA-262) against Python's idea of them.
    metaschema = Draft202012Validator(Draft202012Validator.META_SCHEMA)
    for schema in sent:
        metaschema.validate(schema)
        assert schema["type"] == "object"
        assert isinstance(schema["properties"], dict)


def test_no_personality_means_all_tools_and_their_schemas_are_still_right() -> None:
    registry = Registry([*builtin_tools(), FakeTool("maps_distance", MAPS_DISTANCE)])
    assert names(registry, None) == ["calculator", "gettime", "maps_distance"]
    assert parameters_sent(registry, "maps_distance") == MAPS_DISTANCE


async def test_a_tool_without_parameters_is_offered_and_can_be_called() -> None:
    registry = Registry([FakeTool("now", NO_ARGUMENTS), FakeTool("bare", {"type": "object"})])
    assert parameters_sent(registry, "now") == NO_ARGUMENTS
    # OpenAI refuses the whole request over an object schema without properties.
    assert parameters_sent(registry, "bare") == NO_ARGUMENTS
    assert await registry.call("now", "", allowed=None) == ToolResult(content="{}", ok=True)
    assert (await registry.call("bare", "{}", allowed=None)).ok


def test_a_complete_schema_is_sent_unchanged() -> None:
    registry = Registry([FakeTool("complete", COMPLETE)])
    sent = parameters_sent(registry, "complete")
    assert json.dumps(sent) == json.dumps(COMPLETE)


def test_nothing_is_added_where_it_would_mean_something() -> None:
    given = {
        "type": "object",
        "properties": {"a": {"type": "array", "unevaluatedItems": {"type": "string"}}},
    }
    assert parameters_sent(Registry([FakeTool("lookup", given)]), "lookup") == given


def test_an_array_without_items_gets_the_empty_items_that_openai_demands() -> None:
    given = {
        "type": "object",
        "properties": {"items": {"type": ["array", "null"]}},
        "examples": [{"type": "array"}],
    }
    sent = parameters_sent(Registry([FakeTool("lookup", given)]), "lookup")
    assert sent["properties"] == {"items": {"type": ["array", "null"], "items": {}}}
    assert sent["examples"] == given["examples"]


BAD_SCHEMAS: dict[str, tuple[Any, str]] = {
    "no type": ({"properties": {}}, 'does not say "type": "object"'),
    "type by its property": ({"type": {"type": "string"}}, 'does not say "type": "object"'),
    "a choice at the top": ({"type": "object", "anyOf": [{}]}, "has anyOf at the top"),
    "draft 4": (
        {"type": "object", "properties": {"a": {"minimum": 1, "exclusiveMinimum": True}}},
        "not valid JSON Schema (Draft 2020-12) at properties.a.exclusiveMinimum",
    ),
    "a reference to nowhere": (
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/gone"}}},
        "has a $ref that points at no schema inside it",
    ),
    "a reference to elsewhere": (
        {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:9/schema.json"}}},
        "has a $ref that points at no schema inside it",
    ),
    "an address that is none": (
        {"$id": "http://x/y", "type": "object", "properties": {"a": {"$id": "http://["}}},
        "has an $id that is no address",
    ),
    "two dialects": (
        {
            "type": "object",
            "properties": {"a": {"$schema": "http://json-schema.org/draft-07/schema#"}},
        },
        "changes its dialect halfway",
    ),
    "not JSON": ({"type": "object", "default": date(2026, 1, 1)}, "is not JSON"),
    "infinity": ({"type": "object", "maximum": float("inf")}, "is not JSON"),
    "half a character": ({"type": "object", "title": "\ud83d"}, "is not JSON"),
    "keys that are numbers": ({"type": "object", "properties": {1: {}}}, "is not JSON"),
    "no object": (["type", "object"], "is not an object"),
    "too long": ({"type": "object", "description": "x" * 70_000}, "is longer than"),
}


@pytest.mark.parametrize(("schema", "reason"), BAD_SCHEMAS.values(), ids=BAD_SCHEMAS.keys())
def test_a_tool_with_a_bad_schema_is_quarantined_and_the_rest_are_served(
    schema: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        registry = Registry([FakeTool("bad", schema), FakeTool("good")])
    assert names(registry) == ["good"]
    assert reason in registry.quarantined["bad"]
    assert not registry.knows("bad")
    [line] = [record.getMessage() for record in caplog.records]
    assert "'bad' is not served" in line


def test_a_schema_nested_without_end_is_quarantined() -> None:
    schema: dict[str, Any] = {}
    for _ in range(200):
        schema = {"type": "object", "properties": {"a": schema}}
    assert "nested" in Registry([FakeTool("deep", schema)]).quarantined["deep"]


@pytest.mark.parametrize("description", [None, "\ud83d"])
def test_a_description_that_cannot_be_sent_is_a_reason_for_quarantine(description: Any) -> None:
    registry = Registry([FakeTool("bad", description=description), FakeTool("good")])
    assert names(registry) == ["good"]
    assert "its description is not" in registry.quarantined["bad"]


@pytest.mark.parametrize("name", ["", "a b", "a.b", "工具", "x" * 65, "line\n", "a/b"])
def test_a_name_no_provider_accepts_is_quarantined(name: str) -> None:
    registry = Registry([FakeTool(name), FakeTool("fine-Name_1")])
    assert names(registry) == ["fine-Name_1"]
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", each) for each in names(registry))
    assert len(registry.quarantined) == 1


def test_of_two_tools_with_one_name_the_second_is_quarantined_until_the_first_is_gone() -> None:
    first, second = FakeTool(source="maps"), FakeTool(source="weather")
    registry = Registry([first, second])
    assert registry.offered(None) == [first]
    assert registry.quarantined == {
        "lookup": "its name is taken by a tool of maps (weather came later)"
    }
    registry.replace("maps", [])
    assert registry.offered(None) == [second]
    assert registry.quarantined == {}


def test_with_no_tools_allowed_there_is_nothing_to_send() -> None:
    registry = Registry(builtin_tools())
    assert registry.definitions([]) == []
    assert registry.definitions_json([]) == {}
    assert Registry([]).definitions(None) == []


# What is offered.


def test_only_allowed_tools_are_offered_in_the_order_they_were_given() -> None:
    registry = Registry([FakeTool("c"), FakeTool("a"), FakeTool("b")])
    assert names(registry, ["b", "c", "unheard_of"]) == ["c", "b"]
    assert names(registry, []) == []
    assert names(registry, None) == ["c", "a", "b"]


def test_what_a_caller_does_to_a_definition_changes_nothing() -> None:
    given = json.loads(json.dumps(MAPS_DISTANCE))
    registry = Registry([FakeTool("maps_distance", given)])
    [definition] = registry.definitions(None)
    definition["function"]["parameters"]["properties"].clear()
    registry.definitions_json(None).clear()
    given["properties"].clear()
    assert parameters_sent(registry, "maps_distance") == MAPS_DISTANCE


def test_the_encoded_definitions_say_the_same() -> None:
    registry = Registry([FakeTool("complete", COMPLETE, description="查找 — “x”"), FakeTool()])
    encoded = registry.definitions_json(None)
    assert list(encoded) == ["complete", "lookup"]
    assert [json.loads(raw) for raw in encoded.values()] == registry.definitions(None)
    assert registry.definitions(["lookup"]) == [
        {
            "type": "function",
            "function": {
                "name": "lookup",
                "description": "Looks something up.",
                "parameters": NO_ARGUMENTS,
            },
        }
    ]


def test_tools_of_a_source_come_and_go_together(caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry([FakeTool("a", source="one"), FakeTool("b", source="two")])
    bad = FakeTool("bad", {}, source="one")
    with caplog.at_level(logging.WARNING):
        registry.replace("one", [FakeTool("c"), bad])
        registry.replace("one", [FakeTool("d"), bad])
    assert names(registry) == ["d", "b"]
    assert not registry.knows("a")
    assert len(caplog.records) == 1  # the bad one is news only once
    registry.replace("three", [FakeTool("e")])
    assert names(registry) == ["d", "b", "e"]


async def test_a_call_under_way_survives_the_replacement_of_its_tool() -> None:
    started, finish = asyncio.Event(), asyncio.Event()

    async def slow(_: dict[str, Any]) -> str:
        started.set()
        await finish.wait()
        return "done"

    registry = Registry([FakeTool(does=slow)])
    call = asyncio.create_task(registry.call("lookup", {}, allowed=None))
    await started.wait()
    registry.replace("maps", [])
    finish.set()
    assert await call == ToolResult(content='"done"', ok=True)


# How a call ends.


async def test_a_good_call_gives_the_tool_its_arguments_and_the_model_json() -> None:
    registry = Registry([FakeTool("maps_distance", MAPS_DISTANCE)])
    arguments = '{"origins": "北京", "destination": "上海", "type": "0"}'
    result = await registry.call("maps_distance", arguments, allowed=["maps_distance"])
    assert result.ok
    assert json.loads(result.content) == json.loads(arguments)
    assert "北京" in result.content


async def test_an_unknown_tool_is_an_error_that_lists_what_may_be_used() -> None:
    registry = Registry([FakeTool("a"), FakeTool("b")])
    error = error_of(await registry.call("c", "{}", allowed=["a"]))
    assert error == "there is no tool called 'c'; there are: a"
    assert "no tools" in error_of(await registry.call("c", "{}", allowed=[]))


async def test_a_forbidden_tool_does_not_run_even_when_the_model_asks() -> None:
    async def must_not_run(_: dict[str, Any]) -> None:
        pytest.fail("it ran")

    registry = Registry([FakeTool("a", does=must_not_run), FakeTool("b")])
    error = error_of(await registry.call("a", "{}", allowed=["b"]))
    assert error == "a may not be used here; there are: b"
    assert registry.knows("a")


@pytest.mark.parametrize("arguments", ["", "  \n", "{}", {}])
async def test_no_arguments_are_an_empty_object(arguments: str | dict[str, Any]) -> None:
    result = await Registry([FakeTool()]).call("lookup", arguments, allowed=None)
    assert result == ToolResult(content="{}", ok=True)


@pytest.mark.parametrize(
    "arguments",
    [
        "{", "{'a': 1}", '{"a": NaN}', '{"a": 1e999}', '{"a": "\\ud83d"}', "nonsense", "\ud83d",
        "[" * 5_000, '{"a": ' + "9" * 5_000 + "}",
    ],
)  # fmt: skip
async def test_malformed_arguments_are_an_error_the_model_can_read(arguments: str) -> None:
    result = await Registry([FakeTool()]).call("lookup", arguments, allowed=None)
    assert error_of(result) == "the arguments are not valid JSON; send one JSON object"


@pytest.mark.parametrize("arguments", ["[]", "null", '"text"', "1", "true"])
async def test_arguments_that_are_no_object_are_an_error(arguments: str) -> None:
    result = await Registry([FakeTool()]).call("lookup", arguments, allowed=None)
    assert error_of(result) == "the arguments must be one JSON object"


@pytest.mark.parametrize("arguments", [{"a": float("nan")}, {"a": object()}])
async def test_a_mapping_that_is_not_json_is_an_error(arguments: dict[str, Any]) -> None:
    result = await Registry([FakeTool()]).call("lookup", arguments, allowed=None)
    assert error_of(result) == "the arguments are not JSON"


async def test_arguments_without_end_are_refused() -> None:
    result = await Registry([FakeTool()]).call("lookup", {"a": "x" * 300_000}, allowed=None)
    assert error_of(result) == "the arguments are too long"


def one(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": schema}, "additionalProperties": False}


COMPLAINTS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "missing": (MAPS_DISTANCE, {"type": "1"}, "origins and destination are missing"),
    "type": (one({"type": "number"}), {"a": "1"}, "a must be a number, not a string"),
    "a bool is no number": (
        one({"type": "integer"}),
        {"a": True},
        "a must be a whole number, not true or false",
    ),
    "enum": (one({"enum": ["x", 1]}), {"a": "y"}, 'a must be one of "x", 1'),
    "const": (one({"const": "x"}), {"a": "y"}, 'a must be "x"'),
    "unknown": (one({}), {"b": 1}, "there is no argument called b"),
    "maximum": (one({"maximum": 20}), {"a": 21}, "a must be at most 20"),
    "length": (one({"minLength": 1}), {"a": ""}, "a must have at least 1 characters"),
    "a path": (
        one({"type": "array", "items": {"required": ["name"]}}),
        {"a": [{"name": 1}, {}]},
        "a[1].name is missing",
    ),
    "alternatives": (
        one({"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        {"a": "x"},
        "a must be a whole number, not a string; or a must be null, not a string",
    ),
    "several at once": (
        one({"type": "integer"}),
        {"a": "x", "b": 1},
        "a must be a whole number, not a string; there is no argument called b",
    ),
    "another rule": (
        one({"not": {"type": "string"}}),
        {"a": "x"},
        "a breaks the schema's rule not",
    ),
}


@pytest.mark.parametrize(
    ("schema", "arguments", "said"), COMPLAINTS.values(), ids=COMPLAINTS.keys()
)
async def test_wrong_arguments_are_named_in_a_sentence(
    schema: dict[str, Any], arguments: dict[str, Any], said: str
) -> None:
    assert await complaint(schema, arguments) == f"wrong arguments for lookup: {said}"


async def test_a_complaint_never_repeats_a_value() -> None:
    secret = "s3cret" * 1_000
    said = await complaint(one({"type": "object"}), {"a": secret})
    assert secret[:12] not in said
    assert len(await complaint(one({}), {"b" * 10_000: 1})) < 400
    assert len(await complaint(one({"enum": ["x" * 50_000]}), {"a": 1})) < 400


async def test_a_long_list_of_arguments_is_checked_too() -> None:
    schema = one({"type": "array", "items": {"type": "integer"}})
    fine = {"a": list(range(5_000))}
    assert (await Registry([FakeTool("lookup", schema)]).call("lookup", fine, allowed=None)).ok
    assert "a[5000] must be" in await complaint(schema, {"a": [*range(5_000), "x"]})


HOSTILE: dict[str, tuple[dict[str, Any], Any]] = {
    "a pattern that backtracks for ever": (one({"pattern": "^(a+)+$"}), "a" * 60 + "!"),
    "a pattern Python cannot read": (one({"pattern": "^\\p{L}+$"}), "x"),
    "unique items of every kind": (one({"uniqueItems": True}), [*range(9_000), "x", {}, None] * 2),
    "a pattern for names": (
        one({"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False}),
        {"a" * 60 + "!": 1},
    ),
    "a pattern reached through another dialect": (
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "properties": {"a": {"$ref": "#"}, "b": {"pattern": "^(a+)+$"}},
        },
        {"b": "a" * 60 + "!"},
    ),
    "a pattern below a not": (one({"not": {"pattern": "^(a+)+$"}}), "a" * 60 + "!"),
}


@pytest.mark.parametrize(("schema", "value"), HOSTILE.values(), ids=HOSTILE.keys())
async def test_rules_whose_cost_has_no_bound_are_left_to_the_tool(
    schema: dict[str, Any], value: Any
) -> None:
    registry = Registry([FakeTool("lookup", schema)], result_limit=1_000_000)
    assert (await registry.call("lookup", {"a": value}, allowed=None)).ok


LOOPS: dict[str, dict[str, Any]] = {
    "a reference to itself": {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/x"}},
        "$defs": {"x": {"$ref": "#/$defs/x"}},
    },
    "twice as much on every level": {
        "type": "object",
        "properties": {"a": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}},
    },
}


@pytest.mark.parametrize("schema", LOOPS.values(), ids=LOOPS.keys())
async def test_a_schema_that_asks_for_endless_work_is_an_error(schema: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"a": {}}
    for _ in range(25):
        arguments = {"a": arguments}
    assert "too deeply nested" in await complaint(schema, arguments)


async def test_a_number_too_large_to_be_checked_is_an_error() -> None:
    said = await complaint(one({"multipleOf": 0.1}), {"a": 10**400})
    assert said.endswith("the arguments have a number that is too large")


async def test_the_additional_arguments_of_a_schema_are_checked_by_it() -> None:
    schema = {"type": "object", "additionalProperties": {"type": "integer"}}
    assert "x must be a whole number" in await complaint(schema, {"x": "1"})


async def test_a_tool_error_reaches_the_model_as_it_is() -> None:
    result = await Registry([raising(ToolError("no such city"))]).call("lookup", "", allowed=None)
    assert error_of(result) == "no such city"


async def test_a_tool_error_without_end_is_cut() -> None:
    result = await Registry([raising(ToolError("x" * 9_999))]).call("lookup", "", allowed=None)
    assert error_of(result) == "x" * 1_000


@pytest.mark.parametrize(
    "error",
    [RuntimeError("s3cret"), KeyError("s3cret"), TimeoutError("s3cret"), RecursionError("s3cret"),
     ExceptionGroup("s3cret", [OSError("s3cret")]), asyncio.CancelledError("s3cret")],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
async def test_a_tool_that_breaks_is_a_readable_failure_and_one_log_line(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    registry = Registry([raising(error)])
    with caplog.at_level(logging.WARNING):
        result = await registry.call("lookup", "", allowed=None)
    assert "broke down" in error_of(result)
    [record] = caplog.records
    assert record.getMessage() == f"tool lookup broke: {type(error).__name__}"
    assert "s3cret" not in caplog.text + result.content


async def test_a_slow_tool_is_given_up_at_its_timeout() -> None:
    cancelled = asyncio.Event()

    async def for_ever(_: dict[str, Any]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    registry = Registry([FakeTool(does=for_ever)], timeout=0.01)
    result = await registry.call("lookup", "", allowed=None)
    assert error_of(result) == "lookup did not answer within 0.01 seconds"
    assert cancelled.is_set()


async def test_cancelling_the_chat_cancels_the_tool() -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def for_ever(_: dict[str, Any]) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    registry = Registry([FakeTool(does=for_ever)])
    call = asyncio.create_task(registry.call("lookup", "", allowed=None))
    await started.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert cancelled.is_set()


async def test_no_more_than_so_many_calls_of_one_tool_run_at_a_time() -> None:
    running, most = 0, 0

    async def counted(_: dict[str, Any]) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    registry = Registry([FakeTool(does=counted)], parallel=3)
    calls = [registry.call("lookup", "", allowed=None) for _ in range(100)]
    results = await asyncio.gather(*calls)
    assert all(result.ok for result in results)
    assert most == 3


async def test_a_slow_tool_keeps_no_other_one_waiting_and_its_queue_has_an_end() -> None:
    finish = asyncio.Event()

    async def slow(_: dict[str, Any]) -> str:
        try:
            await finish.wait()
        except asyncio.CancelledError:
            await finish.wait()  # it does not let go of its slot
        return "late"

    registry = Registry([FakeTool("slow", does=slow), FakeTool("quick")], parallel=1, timeout=0.02)
    call = asyncio.create_task(registry.call("slow", "", allowed=None))
    await asyncio.sleep(0)
    assert (await registry.call("quick", "", allowed=None)).ok
    busy = await registry.call("slow", "", allowed=None)
    assert error_of(busy) == "slow is busy with other calls; try again later"
    finish.set()
    await call


@pytest.mark.parametrize(
    "value",
    [date(2026, 1, 1), Decimal("1.5"), float("nan"), float("inf"), {"a": {1, 2}}, b"x", object()],
    ids=["date", "decimal", "nan", "infinity", "set", "bytes", "object"],
)
async def test_a_result_json_cannot_say_is_an_error(value: Any) -> None:
    result = await Registry([returning(value)]).call("lookup", "", allowed=None)
    assert error_of(result) == "the tool's result could not be expressed as JSON"


async def test_a_result_that_holds_itself_is_an_error() -> None:
    loop: list[Any] = []
    loop.append(loop)
    result = await Registry([returning(loop)]).call("lookup", "", allowed=None)
    assert "JSON" in error_of(result)


@pytest.mark.parametrize("value", [None, 0, "", "上海", [1, {"a": 2.5}], True, "\ud83d"])
async def test_a_result_is_json_that_can_be_sent(value: Any) -> None:
    result = await Registry([returning(value)]).call("lookup", "", allowed=None)
    assert result.ok
    assert json.loads(result.content.encode()) == ("?" if value == "\ud83d" else value)


LONG: dict[str, Any] = {
    "text": "x" * 9_000,
    "quotes": '"\\' * 9_000,
    "control characters": "\x01" * 9_000,
    "chinese": "天气" * 9_000,
    "emoji": "😀" * 9_000,
    "a list": [{"title": 'a "b"', "n": number} for number in range(900)],
    "mixed": "\x01" * 600 + "x" * 9_000,
}


@pytest.mark.parametrize("value", LONG.values(), ids=LONG.keys())
@pytest.mark.parametrize("limit", [256, 1_000, 4_097])
async def test_a_result_without_end_is_cut_and_is_still_json(value: Any, limit: int) -> None:
    registry = Registry([returning(value)], result_limit=limit)
    result = await registry.call("lookup", "", allowed=None)
    assert result.ok
    assert len(result.content) <= limit
    said = json.loads(result.content)
    assert said["truncated"] is True
    whole = value if isinstance(value, str) else json.dumps(value)
    assert whole.startswith(said["text"])
    assert said["text"]


class Long(list[int]):
    """Fails where more is read of it than could be of use."""

    def __iter__(self) -> Iterator[int]:
        yield from range(20_000)
        pytest.fail("all of it was read")


async def test_of_a_result_no_more_is_written_than_fits() -> None:
    result = await Registry([returning(Long([0]))]).call("lookup", "", allowed=None)
    assert json.loads(result.content)["text"].startswith("[0, 1, 2, 3")


async def test_a_result_as_long_as_the_limit_is_not_cut() -> None:
    registry = Registry([returning("x" * 254)], result_limit=256)
    result = await registry.call("lookup", "", allowed=None)
    assert result.content == json.dumps("x" * 254)


def test_the_schema_module_leaves_jsonschema_for_later() -> None:
    code = "import sys, yychat.tools.registry; sys.exit('jsonschema' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert (
        subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
    )
