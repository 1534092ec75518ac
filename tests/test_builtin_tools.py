"""What calculator, gettime and tavily_search promise, asked for as a model asks."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from yychat.errors import ConfigurationError, ToolError
from yychat.tools.builtin import Calculator, GetTime, TavilySearch, builtin_tools
from yychat.tools.builtin.expression import evaluated
from yychat.tools.registry import Registry
from yychat.tools.web import WebPoster

NEW_YEAR_1999 = 915_148_800.0  # 1999-01-01T00:00:00Z, a Friday
KEY = "tvly-s3cret"


async def answer(registry: Registry, name: str, **arguments: Any) -> dict[str, Any]:
    result = await registry.call(name, json.dumps(arguments), allowed=None)
    assert result.ok, result.content
    value = json.loads(result.content)
    assert isinstance(value, dict)
    return value


async def refusal(registry: Registry, name: str, **arguments: Any) -> str:
    result = await registry.call(name, json.dumps(arguments), allowed=None)
    assert not result.ok, result.content
    return str(json.loads(result.content)["error"])


@pytest.fixture
def registry() -> Registry:
    return Registry(builtin_tools(clock=lambda: NEW_YEAR_1999))


def test_without_a_key_there_is_no_search() -> None:
    assert [tool.name for tool in builtin_tools()] == ["calculator", "gettime"]
    tools = builtin_tools(tavily=TavilySearch(KEY, WebPoster()))
    assert [tool.name for tool in tools] == ["calculator", "gettime", "tavily_search"]
    assert Registry(tools).quarantined == {}


def test_no_built_in_schema_has_what_providers_refuse_at_the_top() -> None:
    for definition in Registry(builtin_tools()).definitions(None):
        keywords = set(definition["function"]["parameters"])
        assert keywords <= {"type", "properties", "required", "additionalProperties"}
        assert len(definition["function"]["description"]) <= 1_024


# calculator


@pytest.mark.parametrize(
    ("operation", "a", "b", "result"),
    [
        ("add", 2, 3, 5),
        ("add", 0.1, 0.2, 0.3),
        ("add", 2**70, 1, 2**70 + 1),
        ("subtract", 2, 3.5, -1.5),
        ("multiply", 6, 7, 42),
        ("multiply", 1e200, 1e100, 1e300),
        ("divide", 1, 8, 0.125),
        ("divide", 10, 5, 2),
        ("divide", 3 * 10**30, 3, 10**30),
        ("pow", 2, 100, 2**100),
        ("pow", 2, -1, 0.5),
        ("pow", 4, 0.5, 2),
        ("pow", 1, 10**12, 1),
        ("pow", -1, 10**12 + 1, -1),
        ("pow", 0, 0, 1),
        ("sqrt", 2, None, 1.4142135623731),
        ("sqrt", 10**40, None, 10**20),
        ("sqrt", 0, None, 0),
    ],
)
async def test_each_operation_is_exact(
    registry: Registry, operation: str, a: float, b: float | None, result: float
) -> None:
    numbers = {"a": a} if b is None else {"a": a, "b": b}
    said = await answer(registry, "calculator", operation=operation, **numbers)
    assert said == {"operation": operation, "result": pytest.approx(result, rel=1e-14)}
    assert isinstance(result, float) or said["result"] == result


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "division by zero": ({"operation": "divide", "a": 1, "b": 0}, "division by zero"),
    "division by zero, floats": ({"operation": "divide", "a": 1.0, "b": 0.0}, "division by zero"),
    "root of a negative": ({"operation": "sqrt", "a": -1}, "square root of a negative number"),
    "complex": ({"operation": "pow", "a": -8, "b": 0.5}, "not a real number"),
    "zero to a negative power": ({"operation": "pow", "a": 0, "b": -1}, "negative power"),
    "missing b": ({"operation": "add", "a": 1}, "b is missing: add needs two numbers"),
    "missing a": ({"operation": "sqrt", "b": 1}, "a is missing"),
    "nothing": ({}, "give either an expression, or an operation and its numbers"),
    "numbers alone": ({"a": 1, "b": 2}, "give either an expression, or an operation"),
    "both": ({"expression": "1", "operation": "add", "a": 1, "b": 1}, "not both"),
    "text for a number": ({"operation": "add", "a": "1", "b": 2}, "a must be a number, not a str"),
    "a bool for a number": ({"operation": "add", "a": 1, "b": True}, "b must be a number, not tru"),
    "unknown operation": ({"operation": "log", "a": 1}, 'operation must be one of "add", '),
    "unknown argument": ({"operation": "add", "x": 1}, "there is no argument called x"),
    "huge power": ({"operation": "pow", "a": 10, "b": 10**12}, "too large"),
    "huge float power": ({"operation": "pow", "a": 10.5, "b": 10**6}, "too large"),
    "huge product": ({"operation": "multiply", "a": 10**600, "b": 10**600}, "too large"),
    "infinite product": ({"operation": "multiply", "a": 1e300, "b": 1e300}, "too large"),
    "huge whole numbers divided": ({"operation": "divide", "a": 10**900, "b": 7}, "too large"),
}


@pytest.mark.parametrize(("arguments", "said"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_cannot_be_computed_is_said_so(
    registry: Registry, arguments: dict[str, Any], said: str
) -> None:
    assert said in await refusal(registry, "calculator", **arguments)


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("2 ** 3 ** 2", 512),
        ("-2 ** 2", -4),
        ("- (1 - 4)", 3),
        ("+7", 7),
        ("7 // 2 + 7 % 3", 4),
        ("-7 // 2", -4),
        ("10 / 4", 2.5),
        ("sqrt(9) + sqrt(2 * 8)", 7),
        (".5 + 1. + 1e3 + 2.5E-1", 1001.75),
        ("0.1 + 0.2", 0.3),
        ("1.15 * 100", 115),
        ("2 *\n  3", 6),
        ("2 ** 200 // 2 ** 190", 1024),
    ],
)
async def test_an_expression_is_computed(
    registry: Registry, expression: str, result: float
) -> None:
    said = await answer(registry, "calculator", expression=expression)
    assert said == {"expression": expression, "result": result}


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('true')", "().__class__", "a + 1", "lambda: 1", "1 if 1 else 2",
        "[1][0]", "1 < 2", "1 and 2", "~1", "1 << 9", "5 & 3", "2 ^ 3", "'a' * 9", "0x10", "1_000",
        "1j", "True", "sqrt", "sqrt()", "sqrt(1, 2)", "sqrt(*1)", "sqrtsqrt(1)", "(1)(2)", "1 2",
        "1 +", "()", "(1", "007", "1; 2", "1 # no", "\x00", "１＋１", "1e", "%", "1,2", "2sqrt(4)",
    ],
)  # fmt: skip
async def test_what_is_no_arithmetic_is_never_evaluated(
    registry: Registry, expression: str
) -> None:
    said = await refusal(registry, "calculator", expression=expression)
    assert said.startswith("the expression could not be read; use numbers,")


@pytest.mark.parametrize(
    "expression",
    [
        "9 ** 9 ** 9", "10 ** 400 ** 2", "(2 ** 3000) ** 2", "1e308 * 10", "1e999", "-1e999",
        "9" * 290 + " ** 9", "10.0 ** 400", "2 ** 2000 * 1.5", "sqrt(10 ** 700 + 1)",
        "1e308 // 1e-308",
    ],
)  # fmt: skip
async def test_results_without_end_are_refused(registry: Registry, expression: str) -> None:
    assert "too large" in await refusal(registry, "calculator", expression=expression)


@pytest.mark.parametrize("expression", ["1 / 0", "1 // 0", "1 % 0", "1 / (2 - 2)", "5.0 % 0"])
async def test_an_expression_that_divides_by_zero_says_so(
    registry: Registry, expression: str
) -> None:
    assert await refusal(registry, "calculator", expression=expression) == "division by zero"


async def test_an_expression_has_a_length(registry: Registry) -> None:
    assert "300 characters" in await refusal(registry, "calculator", expression="1+" * 150 + "1")
    with pytest.raises(ToolError, match="300 characters"):
        evaluated("1+" * 150 + "1")
    nested = await refusal(registry, "calculator", expression="(" * 149 + "1" + ")" * 150)
    assert "could not be read" in nested
    minuses = await answer(registry, "calculator", expression="-" * 298 + "1")
    assert minuses["result"] == 1


@given(st.text("0123456789.e+-*/%() sqrt", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_expression_ends_in_a_finite_number_or_a_tool_error(expression: str) -> None:
    try:
        result = evaluated(expression)
    except ToolError:
        return
    assert type(result) in (int, float)
    assert isinstance(result, int) or math.isfinite(result)


def test_a_calculator_is_a_tool_by_itself() -> None:
    assert Registry([Calculator()]).knows("calculator")


# gettime


async def test_the_time_is_given_with_offset_zone_weekday_and_timestamp(registry: Registry) -> None:
    assert await answer(registry, "gettime", timezone="Asia/Shanghai") == {
        "time": "1999-01-01T08:00:00+08:00",
        "timezone": "Asia/Shanghai",
        "weekday": "Friday",
        "unix": 915_148_800,
    }


async def test_the_date_is_that_of_the_zone(registry: Registry) -> None:
    said = await answer(registry, "gettime", timezone="America/New_York")
    assert said["time"] == "1998-12-31T19:00:00-05:00"
    assert said["weekday"] == "Thursday"


async def test_summer_time_is_known() -> None:
    july = datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp()
    tool = GetTime(clock=lambda: july + 0.9, default_zone="Europe/Berlin")
    said = await answer(Registry([tool]), "gettime")
    assert said["time"] == "2026-07-01T14:00:00+02:00"
    assert said["unix"] == july
    assert "Europe/Berlin" in tool.description


async def test_utc_is_the_zone_where_none_is_set(registry: Registry) -> None:
    said = await answer(registry, "gettime")
    assert said["time"] == "1999-01-01T00:00:00+00:00"
    assert said["timezone"] == "UTC"


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "../../etc/passwd", "/etc/localtime", "Asia", ".", "上海", "\x00", " "]
)
async def test_an_unknown_zone_is_an_error_the_model_can_act_on(
    registry: Registry, zone: str
) -> None:
    said = await refusal(registry, "gettime", timezone=zone)
    assert said == "timezone is not known; use an IANA name such as Asia/Shanghai or UTC"


def test_an_unknown_default_zone_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match="tzdata"):
        builtin_tools(default_zone="Mars/Olympus")


# tavily_search, against a real server


class Searches:
    """A stand-in for the search service that keeps what it was asked and says what it is told."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.headers: Mapping[str, str] = {}
        self.status = 200
        self.body: bytes = b"{}"

    async def search(self, request: web.Request) -> web.Response:
        self.asked.append(await request.json())
        self.headers = request.headers
        redirect = {"Location": "/elsewhere"} if self.status == 307 else {}
        return web.Response(
            status=self.status, body=self.body, content_type="application/json", headers=redirect
        )

    async def elsewhere(self, request: web.Request) -> web.Response:
        pytest.fail("the key went elsewhere")


@pytest.fixture
def searches() -> Searches:
    return Searches()


@pytest.fixture
async def address(searches: Searches) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/search", searches.search)
    app.router.add_post("/elsewhere", searches.elsewhere)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


@pytest.fixture
async def poster() -> AsyncIterator[WebPoster]:
    poster = WebPoster(size_limit=50_000)
    yield poster
    await poster.close()


@pytest.fixture
def web_search(address: str, poster: WebPoster) -> Registry:
    tavily = TavilySearch(KEY, poster, base_url=f"{address}/", timeout=5.0)
    return Registry(builtin_tools(tavily=tavily))


FOUND = {
    "query": "weather",
    "answer": "晴",
    "images": ["http://example.org/a.png"],
    "results": [
        {"title": "Weather", "url": "https://example.org", "content": "Sunny.", "score": 0.9,
         "raw_content": "x" * 1_000},
        {"title": None, "url": "https://example.net", "content": "y" * 5_000},
        {},
    ],
    "response_time": 1.2,
}  # fmt: skip


async def test_a_search_brings_back_what_was_found_and_no_more(
    web_search: Registry, searches: Searches
) -> None:
    searches.body = json.dumps(FOUND).encode()
    said = await answer(web_search, "tavily_search", query=" weather ", max_results=2.0)
    assert said == {
        "query": "weather",
        "answer": "晴",
        "results": [
            {"title": "Weather", "url": "https://example.org", "content": "Sunny.", "score": 0.9},
            {"title": "", "url": "https://example.net", "content": "y" * 1_000, "score": None},
        ],
    }


async def test_a_search_sends_its_defaults_and_the_key_in_a_header(
    web_search: Registry, searches: Searches
) -> None:
    await answer(web_search, "tavily_search", query="天气")
    assert searches.asked == [
        {
            "query": "天气",
            "search_depth": "basic",
            "topic": "general",
            "max_results": 5,
            "include_answer": True,
        }
    ]
    assert searches.headers["Authorization"] == f"Bearer {KEY}"


async def test_a_search_can_be_narrowed(web_search: Registry, searches: Searches) -> None:
    await answer(web_search, "tavily_search", query="x", search_depth="advanced", topic="news")
    await answer(web_search, "tavily_search", query="x", country=" China ", max_results=20)
    assert searches.asked[0]["search_depth"] == "advanced"
    assert searches.asked[0]["topic"] == "news"
    assert "country" not in searches.asked[0]
    assert searches.asked[1]["country"] == "china"
    assert searches.asked[1]["max_results"] == 20


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "query is missing"),
        ({"query": ""}, "query must have at least 1 characters"),
        ({"query": "  "}, "query is empty"),
        ({"query": "x", "max_results": 21}, "max_results must be at most 20"),
        ({"query": "x", "max_results": 0}, "max_results must be at least 1"),
        ({"query": "x", "max_results": 1.5}, "max_results must be a whole number"),
        ({"query": "x", "topic": "sports"}, 'topic must be one of "general"'),
        ({"query": "x", "topic": "news", "country": "china"}, "country can only be used with"),
    ],
)
async def test_a_search_that_makes_no_sense_is_not_sent(
    web_search: Registry, searches: Searches, arguments: dict[str, Any], said: str
) -> None:
    assert said in await refusal(web_search, "tavily_search", **arguments)
    assert searches.asked == []


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "did not accept this search"),
        (401, "does not accept this service's key"),
        (429, "asked too often"),
        (432, "used up"),
        (500, "failed; try again later"),
        (204, "failed; try again later"),
        (307, "failed; try again later"),
    ],
)
async def test_a_search_that_is_refused_says_why_and_leaks_nothing(
    web_search: Registry, searches: Searches, status: int, said: str
) -> None:
    searches.status = status
    searches.body = b"" if status == 204 else b'{"detail": "internal s3cret"}'
    error = await refusal(web_search, "tavily_search", query="x")
    assert said in error
    assert "s3cret" not in error


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"results": 3}', b'{"results": [1]}', b'{"answer": NaN}', b"\xff"],
)
async def test_an_unreadable_answer_is_an_error(
    web_search: Registry, searches: Searches, body: bytes
) -> None:
    searches.body = body
    assert "unreadable" in await refusal(web_search, "tavily_search", query="x")


async def test_an_answer_without_end_is_not_read_to_its_end(
    web_search: Registry, searches: Searches
) -> None:
    searches.body = json.dumps({"answer": "x" * 60_000}).encode()
    assert "more than could be read" in await refusal(web_search, "tavily_search", query="x")


async def test_a_server_that_is_not_there_is_an_error(poster: WebPoster) -> None:
    for base in ("http://127.0.0.1:1", "nonsense://x", "http://"):
        tavily = TavilySearch(KEY, poster, base_url=base)
        registry = Registry(builtin_tools(tavily=tavily))
        said = await refusal(registry, "tavily_search", query="x")
        assert said == "the web service could not be reached"


async def test_a_server_that_does_not_answer_is_given_up(poster: WebPoster) -> None:
    hold = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hold.wait()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    tavily = TavilySearch(KEY, poster, base_url=f"http://127.0.0.1:{port}", timeout=0.02)
    registry = Registry(builtin_tools(tavily=tavily))
    said = await refusal(registry, "tavily_search", query="x")
    assert said == "the web service did not answer in time"
    hold.set()
    server.close()
    await server.wait_closed()


async def test_a_closed_poster_opens_again(web_search: Registry, poster: WebPoster) -> None:
    await answer(web_search, "tavily_search", query="x")
    await poster.close()
    await poster.close()
    await answer(web_search, "tavily_search", query="x")
