"""A real MCP server for tests, written with the official SDK, with faults on order.

``python mcp_server.py [--transport stdio|http|sse] [--port N] [--fault NAME]``; over HTTP it says
where it listens. Most faults are tools, so that a test says when they happen.
"""

import argparse
import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn
from mcp import types
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.sse import SseServerTransport
from mcp.server.stdio import stdio_server
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount, Route

Result = types.CallToolResult
Answer = Callable[[Any, dict[str, Any]], Awaitable[Result]]

NOTHING: dict[str, Any] = {"type": "object"}
ODD = {  # a schema whose properties are named like keywords
    "type": "object",
    "properties": {
        "type": {"type": "string", "enum": ["object", "array"]},
        "properties": {"type": "object", "additionalProperties": {"$ref": "#/$defs/items"}},
        "$ref": {"type": "string", "description": "not a reference"},
    },
    "required": ["type"],
    "$defs": {"items": {"type": "integer", "title": "items", "default": 0}},
    "additionalProperties": False,
}
BAD = {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
WIRE = os.dup(1)  # the SDK keeps the real one to itself, and diverts what is printed
PNG = "iVBORw0KGgo="


def text(said: str, *, failed: bool = False) -> Result:
    return Result(content=[types.TextContent(type="text", text=said)], is_error=failed)


async def echo(_ctx: Any, given: dict[str, Any]) -> Result:
    await asyncio.sleep(given.get("seconds", 0))
    return text(str(given.get("text", "")))


async def odd(_ctx: Any, given: dict[str, Any]) -> Result:
    return Result(content=[], structured_content=given)


async def structured(_ctx: Any, _given: dict[str, Any]) -> Result:
    content = [types.TextContent(type="text", text='{"degrees": 21.5}')]
    return Result(content=list(content), structured_content={"degrees": 21.5})


async def picture(_ctx: Any, _given: dict[str, Any]) -> Result:
    link = types.ResourceLink(type="resource_link", uri="file:///a.txt", name="a")
    held = types.TextResourceContents(uri="file:///b.txt", text="beta", mime_type="text/plain")
    return Result(
        content=[
            types.TextContent(type="text", text="look"),
            types.ImageContent(type="image", data=PNG, mime_type="image/png"),
            link,
            types.EmbeddedResource(type="resource", resource=held),
        ]
    )


async def fail(_ctx: Any, _given: dict[str, Any]) -> Result:
    return text("the city is unknown", failed=True)


async def refuse(_ctx: Any, _given: dict[str, Any]) -> Result:
    raise ValueError("not today")


async def big(_ctx: Any, given: dict[str, Any]) -> Result:
    return text("x" * int(given["size"]))


async def environment(_ctx: Any, _given: dict[str, Any]) -> Result:
    return Result(content=[], structured_content=dict(os.environ))


async def spawn(_ctx: Any, _given: dict[str, Any]) -> Result:
    """This process, and one that it has started and does not end."""
    child = await asyncio.create_subprocess_exec("sleep", "3600")
    return Result(content=[], structured_content={"pids": [os.getpid(), child.pid]})


async def hang(_ctx: Any, _given: dict[str, Any]) -> Result:
    await asyncio.Event().wait()
    raise AssertionError


async def block(_ctx: Any, _given: dict[str, Any]) -> Result:
    time.sleep(3600)  # noqa: ASYNC251 - the whole server hangs, that is the fault
    raise AssertionError


async def crash(_ctx: Any, _given: dict[str, Any]) -> Result:
    os._exit(3)


async def garbage(_ctx: Any, _given: dict[str, Any]) -> Result:
    for _ in range(1_000):
        os.write(WIRE, b"this is no JSON\n")
    return text("done")


async def endless(_ctx: Any, _given: dict[str, Any]) -> Result:
    for _ in range(80):
        os.write(WIRE, b"x" * 65_536)
    return text("done")


async def change(ctx: Any, given: dict[str, Any]) -> Result:
    """From now on there is another tool, and the client is told."""
    TOOLS[given["name"]] = (NOTHING, echo)
    await ctx.session.send_tool_list_changed()
    return text("changed")


TOOLS: dict[str, tuple[dict[str, Any], Answer]] = {
    "echo": (
        {
            "type": "object",
            "properties": {"text": {"type": "string"}, "seconds": {"type": "number"}},
        },
        echo,
    ),
    "odd": (ODD, odd),
    "bad": (BAD, echo),
    "a tool, with an illegal name": (NOTHING, echo),
    "structured": (NOTHING, structured),
    "picture": (NOTHING, picture),
    "fail": (NOTHING, fail),
    "refuse": (NOTHING, refuse),
    "big": ({"type": "object", "properties": {"size": {"type": "integer"}}}, big),
    "environment": (NOTHING, environment),
    "spawn": (NOTHING, spawn),
    "hang": (NOTHING, hang),
    "block": (NOTHING, block),
    "crash": (NOTHING, crash),
    "garbage": (NOTHING, garbage),
    "endless": (NOTHING, endless),
    "change": ({"type": "object", "properties": {"name": {"type": "string"}}}, change),
}


async def list_tools(_ctx: Any, _params: Any) -> types.ListToolsResult:
    tools = [
        types.Tool(name=name, description=f"The tool {name}.", input_schema=schema)
        for name, (schema, _) in TOOLS.items()
    ]
    return types.ListToolsResult(tools=tools)


async def call_tool(ctx: Any, params: types.CallToolRequestParams) -> Result:
    _, answer = TOOLS[params.name]
    return await answer(ctx, params.arguments or {})


def made() -> Server[Any]:
    return Server("faults", on_list_tools=list_tools, on_call_tool=call_tool)


async def over_stdio() -> None:
    server = made()
    options = server.create_initialization_options(NotificationOptions(tools_changed=True))
    async with stdio_server() as (read, write):
        await server.run(read, write, options)


def over_sse() -> Starlette:
    server, transport = made(), SseServerTransport("/messages/")

    async def connect(request: Any) -> Response:
        async with transport.connect_sse(request.scope, request.receive, request._send) as streams:
            read, write = streams
            await server.run(read, write, server.create_initialization_options())
        return Response()

    return Starlette(
        routes=[Route("/sse", connect), Mount("/messages/", transport.handle_post_message)]
    )


def over_http() -> Starlette:
    return made().streamable_http_app()


def at_start(fault: str, pid: Path) -> None:
    """What goes wrong before a session begins."""
    if fault == "exit":
        sys.exit(7)
    if fault == "hang":
        sys.stdin.read()
    if fault == "deaf":  # it does not end when its input does, nor for SIGTERM
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        aside = pid.with_suffix(".new")
        aside.write_text(str(os.getpid()))
        aside.rename(pid)
        time.sleep(3600)
    if fault == "flood":
        while True:
            sys.stdout.write("garbage\n" * 1_000)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--transport", default="stdio", choices=("stdio", "http", "sse"))
    parser.add_argument("--port", default=0, type=int)
    parser.add_argument("--fault", default="")
    parser.add_argument("--pid", default=Path("pid"), type=Path)
    given = parser.parse_args()
    at_start(given.fault, given.pid)
    if given.transport == "stdio":
        asyncio.run(over_stdio())
        return
    listener = socket.create_server(("127.0.0.1", given.port))
    path = "/mcp" if given.transport == "http" else "/sse"
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}{path}", flush=True)  # noqa: T201
    app = over_http() if given.transport == "http" else over_sse()
    config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main()
