"""Servers over HTTP that break the rules, byte by byte: what comes of beginning a session."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from fakes import CUT, HANG, ScriptedUpstream, Step, answer, scripted_upstream, stream
from mcp_parts import address, server
from yychat.errors import ToolError
from yychat.tools.mcp.servers import connecting

HUGE = b'{"jsonrpc": "2.0", "id": 1, "result": {"x": "' + b"x" * 5_000_000 + b'"}}'
ENDLESS = stream(b"data: " + b"x" * 5_000_000 + b"\n\n", HANG)
RESULT = (
    b'{"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": "1970-01-01",'
    b' "capabilities": {}, "serverInfo": {"name": "x", "version": "1"}}}'
)


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedUpstream]:
    async with scripted_upstream() as it:
        yield it


async def trouble(scripted: ScriptedUpstream, script: Sequence[Step], path: str) -> str:
    """Why no session begins where *script* is the answer to every request."""
    scripted.script(script)
    place = address(f"http://127.0.0.1:{scripted.port}{path}", {"Authorization": "Bearer k"})
    asked = server(place)
    connect = await connecting([asked], within=0.5)
    with pytest.raises(ToolError) as refused:
        async with asyncio.timeout(10), connect(asked):
            pass
    assert scripted.requests[0].headers["authorization"] == "Bearer k"
    return refused.value.message


@pytest.mark.parametrize("path", ["/mcp", "/sse"])
@pytest.mark.parametrize(
    ("script", "says"),
    [
        ([HANG], "it did not begin a session within 0.5 seconds"),
        ([CUT], "it cannot be reached"),
        (answer(b"", 401), "it answers with HTTP status 401"),
        (answer(b"{}", 500), "it answers with HTTP status 500"),
        (answer(b"", 302, location="http://127.0.0.1:9/mcp"), "it answers with HTTP status 302"),
        (stream(HANG), "it did not begin a session within 0.5 seconds"),
    ],
    ids=["hangs", "hangs up", "401", "500", "redirect", "silent stream"],
)
async def test_a_server_that_does_not_begin_a_session_is_given_up_with_a_reason(
    path: str, script: Sequence[Step], says: str, scripted: ScriptedUpstream
) -> None:
    assert (await trouble(scripted, script, path)).startswith(says)


@pytest.mark.parametrize(
    ("path", "script", "says"),
    [
        ("/mcp", answer(HUGE), "does not speak MCP"),
        ("/mcp", ENDLESS, "ended before a session began"),
        ("/mcp", answer(b"not json"), "does not speak MCP"),
        ("/mcp", answer(RESULT), "does not speak MCP as expected"),
        ("/mcp", answer(b"<html>", content_type="text/html"), "does not speak MCP"),
        ("/mcp", stream(b"data: nonsense\n\n"), "does not speak MCP"),
        ("/mcp", answer(b"", 202), "does not speak MCP"),
        ("/sse", answer(b"<html>", content_type="text/html"), "does not speak MCP over SSE"),
        ("/sse", ENDLESS, "does not speak MCP over SSE"),
    ],
)
async def test_an_answer_that_is_none_does_not_begin_a_session(
    path: str, script: Sequence[Step], says: str, scripted: ScriptedUpstream
) -> None:
    assert says in await trouble(scripted, script, path)
