"""MCP tools in a real service: both engines, the API, personalities, metrics, the log, commands."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import command
from engines_asked import ENGINES, MODELS
from following import until
from mcp_parts import SCRIPT, mcp_server
from running import Running, Service, Simulator, service
from scrape import scraped, series

SECRET = "a-token-nobody-may-see"


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with mcp_server("http") as running:
        yield running


@pytest.fixture(scope="module")
def servers(server: Running) -> dict[str, Any]:
    return {
        "maps": {
            "url": server.url,
            "headers": {"Authorization": "Bearer ${MAPS_KEY}"},
            "timeout": 2,
        },
        "dead": {"url": f"http://127.0.0.1:9/mcp?key={SECRET}"},
        "gone": {"command": "/no/such/program", "args": [SECRET], "env": {"K": SECRET}},
    }


def written(servers: dict[str, Any], folder: Path) -> str:
    path = folder / "mcp.json"
    path.write_text(json.dumps({"mcpServers": servers}), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def given(servers: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("personalities")
    guide = {
        "id": "guide",
        "name": "Guide",
        "system_prompt": "Help.",
        "allowed_tools": ["maps__echo"],
    }
    (folder / "guide.json").write_text(json.dumps(guide), encoding="utf-8")
    return {
        **MODELS,
        "YYCHAT_MCP_CONFIG": written(servers, tmp_path_factory.mktemp("mcp")),
        "YYCHAT_PERSONALITIES_DIR": str(folder),
        "MAPS_KEY": SECRET,
    }


@pytest.fixture(scope="module")
def running(
    shared_simulator: Simulator,
    given: dict[str, str],
    servers: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """A service that has a program besides."""
    data = tmp_path_factory.mktemp("data")
    files = {"command": sys.executable, "args": [SCRIPT], "env": {"OURS": "${MAPS_KEY}"}}
    config = written({**servers, "files": files}, data)
    settings = {**given, "YYCHAT_MCP_CONFIG": config}
    with service(data, OPENAI_BASE_URL=shared_simulator.base_url, **settings) as it:
        until(lambda: "maps__echo" in offered(it))
        yield it


def offered(running: Service, **params: str) -> dict[str, Any]:
    listed = running.http.get("/v1/tools", params=params).json()["data"]
    return {tool["function"]["name"]: tool["function"] for tool in listed}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_chat_calls_a_servers_tool_whichever_engine_answers(
    engine: str, running: Service, upstream: Simulator
) -> None:
    said = running.say('call maps__echo {"text": "Paris"}', engine=engine)
    assert "Paris" in said
    assert "maps__echo" in {
        tool["function"]["name"] for tool in upstream.last()["chat"]["body"]["tools"]
    }


@pytest.mark.parametrize("engine", ENGINES)
def test_a_stream_calls_it_too_and_a_failed_one_does_not_end_it(
    engine: str, running: Service, upstream: Simulator
) -> None:
    wish = 'call maps__echo {"text": "Rome"}\ncall maps__fail {}\ncall maps__hang {}'
    answer = running.chat(wish, engine=engine, stream=True)
    assert answer.text.endswith("data: [DONE]\n\n")
    told = [each["content"] for each in upstream.last()["chat"]["body"]["messages"][-3:]]
    assert told[0] == '"Rome"'
    assert json.loads(told[1]) == {"error": "the city is unknown"}
    assert json.loads(told[2]) == {"error": "maps did not answer within 2 seconds"}


def test_the_api_lists_and_calls_servers_tools_like_its_own(running: Service) -> None:
    tools = offered(running)
    assert {"calculator", "maps__echo", "maps__odd"} <= tools.keys()
    assert "maps__bad" not in tools
    assert tools["maps__odd"]["parameters"]["required"] == ["type"]
    body = {"name": "maps__echo", "arguments": {"text": "x"}}
    assert running.http.post("/v1/tools/call", json=body).json()["result"] == "x"


def test_a_program_is_run_without_the_services_own_variables(running: Service) -> None:
    until(lambda: "files__environment" in offered(running))
    body = {"name": "files__environment", "arguments": {}}
    seen = running.http.post("/v1/tools/call", json=body).json()["result"]
    assert seen["OURS"] == SECRET
    assert [name for name in seen if name.startswith(("YYCHAT_", "OPENAI_", "MAPS_"))] == []


def test_a_personality_allows_a_servers_tools_by_name(
    running: Service, upstream: Simulator
) -> None:
    assert offered(running, personality_id="guide").keys() == {"maps__echo"}
    running.say("call maps__structured {}", personality_id="guide")
    told = upstream.last()["chat"]["body"]["messages"][-1]["content"]
    assert "may not be used" in told


def test_calls_and_servers_are_seen_in_the_metrics(running: Service, upstream: Simulator) -> None:
    running.say("call maps__structured {}")

    def counted() -> bool:
        found = scraped(running)
        calls = series("yychat_tool_calls_total", tool="maps__structured", result="ok")
        return (
            found.get(calls, 0) >= 1
            and found["yychat_tools_quarantined"] == 2
            and found.get(series("yychat_dependency_up", dependency="mcp:maps")) == 1
            and found.get(series("yychat_dependency_up", dependency="mcp:dead")) == 0
        )

    until(counted)
    name = "gen_ai_execute_tool_duration_seconds_count"
    assert scraped(running)[series(name, source="maps", result="ok")] >= 1


def test_dead_servers_are_named_once_and_no_secret_is_logged(
    shared_simulator: Simulator, given: dict[str, str], data: Path
) -> None:
    with service(data, OPENAI_BASE_URL=shared_simulator.base_url, **given) as it:
        until(lambda: "maps__echo" in offered(it))
        it.say('call maps__refuse {"text": "private"}')
        time.sleep(0.05)
    logged = it.logged()
    away = [each["message"] for each in logged if "is away" in each["message"]]
    assert sorted(away) == [
        "MCP server dead is away: it cannot be reached",
        "MCP server gone is away: it cannot be started: No such file or directory",
    ]
    assert SECRET not in str(logged)
    assert "not today" not in str(logged)
    assert "private" not in str(logged)


def test_a_server_that_nobody_may_use_stops_the_start(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text('{"mcpServers": {"maps": {"url": "ftp://h"}}}', encoding="utf-8")
    done = command("serve", YYCHAT_DATA_DIR=str(data), YYCHAT_MCP_CONFIG=str(path))
    assert done.returncode == 1
    assert "server 'maps': url is not" in done.stderr


def test_the_command_lists_tools_and_says_what_is_wrong(given: dict[str, str], data: Path) -> None:
    done = command("tools", "list", YYCHAT_DATA_DIR=str(data), **given)
    assert done.returncode == 0
    names = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines()}
    assert names["calculator"] == "builtin"
    assert names["maps__echo"] == "maps"
    assert "maps__bad: its schema has oneOf" in done.stderr
    assert "MCP server dead: it cannot be reached" in done.stderr
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "arguments", "code", "said"),
    [
        ("maps__echo", '{"text": "hi"}', 0, '"hi"'),
        ("maps__fail", "{}", 1, "the city is unknown"),
    ],
)
def test_the_command_calls_a_tool_as_a_model_would(
    name: str, arguments: str, code: int, said: str, given: dict[str, str], data: Path
) -> None:
    done = command(
        "tools", "call", name, "--arguments", arguments, YYCHAT_DATA_DIR=str(data), **given
    )
    assert (done.returncode, said in done.stdout) == (code, True)


def test_without_mcp_servers_the_command_has_the_tools_of_the_service(data: Path) -> None:
    done = command("tools", "list", YYCHAT_DATA_DIR=str(data))
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["calculator", "gettime"]
    called = command(
        "tools",
        "call",
        "calculator",
        "--arguments",
        '{"expression": "6*7"}',
        YYCHAT_DATA_DIR=str(data),
    )
    assert (called.returncode, json.loads(called.stdout)["result"]) == (0, 42)
    assert done.stderr + called.stderr == ""


def test_check_looks_at_every_server(given: dict[str, str], data: Path) -> None:
    done = command("check", YYCHAT_DATA_DIR=str(data), YYCHAT_PORT="0", **given)
    assert "[warn] mcp maps: not all its tools are served: maps__bad" in done.stdout
    assert "[FAIL] mcp dead: it cannot be reached\n       look at its url" in done.stdout
    assert "[FAIL] mcp gone: it cannot be started" in done.stdout
    assert SECRET not in done.stdout + done.stderr
    assert SCRIPT not in done.stderr  # nobody's traceback
