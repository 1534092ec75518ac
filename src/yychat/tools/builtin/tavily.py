"""Searching the web with Tavily (https://docs.tavily.com, POST /search)."""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import msgspec

from ...errors import ToolError

LONGEST_ANSWER = 2_000
LONGEST_CONTENT = 1_000
LONGEST_TITLE = 200
LONGEST_URL = 1_000
DEFAULT_RESULTS = 5

REFUSALS = {
    400: "the search service did not accept this search; change the query or the options",
    401: "the search service does not accept this service's key; do not try again",
    403: "the search service does not accept this service's key; do not try again",
    422: "the search service did not accept this search; change the query or the options",
    429: "the search service is asked too often; try again later",
    432: "the search plan is used up; do not try again",
    433: "the search plan is used up; do not try again",
}
FAILED = "the search service failed; try again later"


class PostJson(Protocol):
    """Sends JSON and brings back the status and the JSON object, empty when there was none.

    *seconds* is the time for everything together. Raises ``ToolError``.
    """

    async def __call__(
        self, url: str, json: Mapping[str, Any], headers: Mapping[str, str], seconds: float
    ) -> tuple[int, dict[str, Any]]: ...


class _Hit(msgspec.Struct):
    title: str | None = None
    url: str | None = None
    content: str | None = None
    score: float | None = None


class _Reply(msgspec.Struct):
    answer: str | None = None
    results: list[_Hit] = []


class TavilySearch:
    """Searches the web and hands on what was found, trimmed to what a model needs.

    *timeout* is in seconds; keep it below the registry's.
    """

    name = "tavily_search"
    source = "builtin"
    description = (
        "Search the web for current facts, news and sources. Cite the url of what you use."
    )
    parameters: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "properties": {
            "query": {"type": "string", "minLength": 1, "maxLength": 400},
            "search_depth": {
                "type": "string",
                "enum": ["basic", "advanced"],
                "default": "basic",
                "description": "advanced is slower and more thorough.",
            },
            "topic": {
                "type": "string",
                "enum": ["general", "news", "finance"],
                "default": "general",
            },
            "country": {
                "type": "string",
                "minLength": 1,
                "maxLength": 64,
                "description": "Prefer results from this country, in English: china, germany."
                " Only with the topic general.",
            },
            "max_results": {
                "type": "integer",
                "minimum": 1,
                "maximum": 20,
                "default": DEFAULT_RESULTS,
            },
        },
        "required": ["query"],
        "additionalProperties": False,
    }

    def __init__(
        self,
        api_key: str,
        post: PostJson,
        *,
        base_url: str = "https://api.tavily.com",
        timeout: float = 8.0,
    ) -> None:
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._post = post
        self._url = f"{base_url.rstrip('/')}/search"
        self._timeout = timeout

    async def call(self, arguments: dict[str, Any]) -> dict[str, Any]:
        search = _search(arguments)
        status, body = await self._post(self._url, search, self._headers, self._timeout)
        if status != 200:
            raise ToolError(REFUSALS.get(status, FAILED))
        try:
            reply = msgspec.convert(body, _Reply)
        except msgspec.ValidationError:
            raise ToolError("the search service answered something unreadable") from None
        return {
            "query": search["query"],
            "answer": (reply.answer or "")[:LONGEST_ANSWER],
            "results": [_trimmed(hit) for hit in reply.results[: search["max_results"]]],
        }


def _search(arguments: dict[str, Any]) -> dict[str, Any]:
    query = arguments["query"].strip()
    if not query:
        raise ToolError("query is empty")
    topic = arguments.get("topic", "general")
    search = {
        "query": query,
        "search_depth": arguments.get("search_depth", "basic"),
        "topic": topic,
        "max_results": int(arguments.get("max_results", DEFAULT_RESULTS)),
        "include_answer": True,
    }
    if "country" not in arguments:
        return search
    if topic != "general":
        raise ToolError("country can only be used with the topic general")
    return {**search, "country": arguments["country"].strip().lower()}


def _trimmed(hit: _Hit) -> dict[str, Any]:
    return {
        "title": (hit.title or "")[:LONGEST_TITLE],
        "url": (hit.url or "")[:LONGEST_URL],
        "content": (hit.content or "")[:LONGEST_CONTENT],
        "score": hit.score,
    }
