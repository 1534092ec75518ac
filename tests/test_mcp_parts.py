"""What MCP tools are called, what their results become, and how fast a server may talk."""

import asyncio
import re
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from yychat.errors import ToolError
from yychat.tools.mcp.names import exposed
from yychat.tools.mcp.pace import Pace
from yychat.tools.mcp.results import value_of
from yychat.tools.mcp.tool import McpTool, tools_of
from yychat.tools.payloads import fitted
from yychat.tools.registry import NAME, Registry

SERVERS = st.from_regex(r"\A[A-Za-z0-9_.-]{1,64}\Z")
whenever = settings(deadline=None)  # other processes' work is no fault of this one's
NAMES = SERVERS | st.text(max_size=80)


class Nobody:
    """A server that is never asked."""

    def __init__(self, name: str = "s") -> None:
        self.name = name

    async def call(self, tool: str, arguments: dict[str, Any]) -> Any:
        return {"tool": tool, **arguments}


@whenever
@given(SERVERS, NAMES)
def test_every_tool_has_a_name_that_providers_take(server: str, tool: str) -> None:
    name = exposed(server, tool)
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name)
    assert name == exposed(server, tool)


@whenever
@given(SERVERS, NAMES, SERVERS, NAMES)
def test_no_two_tools_have_the_same_name(a: str, x: str, b: str, y: str) -> None:
    assume((a, x) != (b, y))
    assert exposed(a, x) != exposed(b, y)


def test_a_name_is_the_servers_and_the_tools_wherever_that_can_be() -> None:
    assert exposed("files", "read_file") == "files__read_file"
    assert exposed("a", "b__c") != exposed("a__b", "c")
    assert exposed("a", "_b") != exposed("a_", "b")
    # Names are for good: allow-lists and dashboards hold them.
    assert exposed("files", "read file") == "files__read_file_d8793cb6"
    assert exposed("files", "x" * 80) == f"files__{'x' * 48}_5179a044"


@pytest.mark.parametrize(
    ("result", "value"),
    [
        ({"content": [{"type": "text", "text": "one"}]}, "one"),
        (
            {"content": [{"type": "text", "text": "one"}, {"type": "text", "text": "2"}]},
            ["one", "2"],
        ),
        ({"content": []}, None),
        ({}, None),
        ({"structuredContent": {"a": 1}, "content": [{"type": "text", "text": "{}"}]}, {"a": 1}),
        (
            {"content": [{"type": "image", "data": "AAAA", "mimeType": "image/png"}]},
            {"type": "image", "mimeType": "image/png", "bytes": 3},
        ),
        (
            {"content": [{"type": "audio", "data": "AAAAAAAA", "mimeType": "audio/wav"}]},
            {"type": "audio", "mimeType": "audio/wav", "bytes": 6},
        ),
        (
            {"content": [{"type": "resource_link", "uri": "file:///a", "name": "a", "size": 3}]},
            {"type": "resource_link", "uri": "file:///a", "name": "a"},
        ),
        (
            {"content": [{"type": "resource", "resource": {"uri": "u", "text": "t"}}]},
            {"type": "resource", "uri": "u", "text": "t"},
        ),
        (
            {"content": [{"type": "resource", "resource": {"uri": "u", "blob": "AAAA"}}]},
            {"type": "resource", "uri": "u", "bytes": 3},
        ),
        ({"content": [{"type": "hologram", "data": "x"}]}, {"type": "hologram"}),
        ({"content": "nonsense"}, None),
        ({"content": ["nonsense", {"type": "text", "text": 3}]}, ""),
        (
            {"structuredContent": {"a": 1}, "content": [{"type": "image", "data": ""}]},
            {"structured": {"a": 1}, "content": [{"type": "image", "mimeType": "", "bytes": 0}]},
        ),
    ],
)
def test_a_result_is_told_as_a_model_can_read_it(result: dict[str, Any], value: Any) -> None:
    assert value_of(result) == value


def test_a_result_that_is_an_error_is_a_failed_call_in_the_servers_words() -> None:
    said = [{"type": "text", "text": "no such"}, {"type": "text", "text": "city"}]
    with pytest.raises(ToolError, match="no such\ncity"):
        value_of({"isError": True, "content": said})
    with pytest.raises(ToolError, match="said nothing"):
        value_of({"isError": True})


def test_a_result_without_end_is_cut_before_anything_is_done_with_it() -> None:
    many = [{"type": "text", "text": "x" * 50_000}] * 100
    assert len(fitted(value_of({"content": many}), 10**9)) < 70_000
    assert len(value_of({"content": [{"type": "image"}] * 1_000})) == 64


def test_a_tool_keeps_its_schema_and_is_asked_for_by_its_own_name() -> None:
    schema = {"type": "object", "x-anything": [1, None]}
    (tool,) = tools_of(Nobody(), [{"name": "a b", "inputSchema": schema, "title": "T"}])
    assert tool.parameters is schema
    assert (tool.name, tool.description, tool.source) == (exposed("s", "a b"), "T", "s")


async def test_a_tool_gives_its_arguments_on_as_they_are() -> None:
    tool = McpTool(Nobody(), {"name": "a b", "inputSchema": {"type": "object"}})
    assert await tool.call({"x": [1]}) == {"tool": "a b", "x": [1]}


@pytest.mark.parametrize(
    "described",
    [
        None,
        {},
        {"name": 3, "inputSchema": {"type": "object"}},
        {"name": "x"},
        {"name": "x", "inputSchema": []},
        {"name": "x", "inputSchema": {}},
        {"name": "x", "inputSchema": {"type": "object"}, "description": 3},
    ],
)
def test_one_bad_tool_is_quarantined_and_the_others_are_served(described: Any) -> None:
    good = {"name": "good", "inputSchema": {"type": "object"}}
    registry = Registry(tools_of(Nobody(), [described, good]))
    assert [tool.name for tool in registry.offered(None)] == ["s__good"]
    assert len(registry.quarantined) == 1


def test_a_description_is_no_longer_than_providers_take() -> None:
    given = {"name": "x", "description": "y" * 5_000, "inputSchema": {"type": "object"}}
    assert len(McpTool(Nobody(), given).description) == 1_024


async def test_a_burst_is_read_at_once_and_a_flood_as_fast_as_it_can_be_borne() -> None:
    now = 0.0
    pace = Pace(burst=1_000, rate=100_000, clock=lambda: now)
    await pace.spend(1_000)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await pace.spend(1_000)
    assert loop.time() - begun >= 0.01
    now = 1.0
    await pace.spend(1_000)


KEYWORDS = (
    "type",
    "properties",
    "required",
    "items",
    "enum",
    "$ref",
    "$defs",
    "additionalProperties",
    "title",
    "description",
    "default",
)
LEAVES = st.sampled_from(
    [
        {"type": "string"},
        {"type": "integer", "minimum": 0},
        {"type": ["string", "null"], "default": None},
        {"enum": ["a", 1, None]},
        {"$ref": "#/$defs/type"},
        {"type": "array", "items": {"type": "string"}},
        {"description": "anything"},
        True,
    ]
)
PROPERTIES = st.dictionaries(st.sampled_from(KEYWORDS), LEAVES, min_size=1)


@st.composite
def schemas(draw: st.DrawFn) -> dict[str, Any]:
    """Object schemas whose properties are named like JSON Schema's keywords, at two levels."""
    outer = draw(PROPERTIES)
    inner = {"type": "object", "properties": draw(PROPERTIES)}
    nested = draw(st.sampled_from(KEYWORDS))
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {**outer, nested: inner},
        "$defs": {"type": {"type": "string", "title": "type"}},
        "required": draw(st.lists(st.sampled_from(sorted({*outer, nested})), unique=True)),
        "additionalProperties": draw(st.sampled_from([False, True, {"type": "string"}])),
    }
    return schema | {
        word: word for word in draw(st.sets(st.sampled_from(["title", "description"])))
    }


@whenever
@given(schemas())
def test_a_schema_goes_upstream_as_the_server_has_it(schema: dict[str, Any]) -> None:
    registry = Registry(tools_of(Nobody(), [{"name": "t", "inputSchema": schema}]))
    (definition,) = registry.definitions(None)
    assert definition["function"]["parameters"] == schema
    assert NAME.fullmatch(definition["function"]["name"])
