"""The file of MCP servers: read, filled in from variables, and refused where it is wrong."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from yychat.errors import ConfigurationError
from yychat.settings import Settings
from yychat.tools.mcp.config import Address, Program, Server, read_servers

ENVIRON = {"PATH": "/bin", "HOME": "/home/u", "KEY": "s3cret", "EMPTY": "", "OPENAI_API_KEY": "sk"}


def read(tmp_path: Path, servers: dict[str, Any], **more: Any) -> list[Server]:
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": servers, **more}), encoding="utf-8")
    return read_servers(path, ENVIRON, 10.0)


def program(server: Server) -> Program:
    assert isinstance(server.place, Program)
    return server.place


def address(server: Server) -> Address:
    assert isinstance(server.place, Address)
    return server.place


def refusal(tmp_path: Path, server: Any, name: str = "files") -> str:
    with pytest.raises(ConfigurationError) as refused:
        read(tmp_path, {name: server})
    assert "s3cret" not in refused.value.message
    assert name[:64] in refused.value.message
    return refused.value.message


def test_a_program_gets_its_variables_and_none_of_ours(tmp_path: Path) -> None:
    (server,) = read(
        tmp_path,
        {
            "files": {
                "command": "npx",
                "args": ["-y", "${WHERE:-/srv}"],
                "env": {"TOKEN": "Bearer ${KEY}"},
                "cwd": "${HOME}/x",
                "timeout": 30,
                "parallel": 2,
            }
        },
    )
    assert (server.name, server.timeout, server.parallel) == ("files", 30.0, 2)
    place = program(server)
    assert (place.command, place.args, place.cwd) == ("npx", ("-y", "/srv"), "/home/u/x")
    assert place.environment == {"PATH": "/bin", "HOME": "/home/u", "TOKEN": "Bearer s3cret"}


@pytest.mark.parametrize(
    ("said", "sse"),
    [
        ({}, False),
        ({"type": "http"}, False),
        ({"type": "streamable-http"}, False),
        ({"transport": "streamable_http"}, False),
        ({"type": "streamableHttp", "transport": "http"}, False),
        ({"type": "sse"}, True),
        ({"transport": "sse"}, True),
    ],
)
def test_an_address_says_how_it_is_spoken_to(
    tmp_path: Path, said: dict[str, str], sse: bool
) -> None:
    given = {"url": "https://h/mcp?key=${KEY}", "headers": {"Authorization": "Bearer ${KEY}"}}
    (server,) = read(tmp_path, {"maps": {**given, **said}})
    place = address(server)
    assert (place.url, place.sse) == ("https://h/mcp?key=s3cret", sse)
    assert place.headers == {"Authorization": "Bearer s3cret"}
    assert server.timeout == 10.0


def test_what_is_secret_is_not_in_what_is_printed(tmp_path: Path) -> None:
    servers = read(
        tmp_path,
        {
            "a": {"command": "x", "args": ["${KEY}"], "env": {"K": "${KEY}"}},
            "b": {"url": "http://h/?k=${KEY}", "headers": {"K": "${KEY}"}},
        },
    )
    assert "s3cret" not in repr(servers)


@pytest.mark.parametrize(
    ("server", "says"),
    [
        ({}, "either command or url"),
        ({"command": "x", "url": "http://h"}, "either command or url"),
        ({"command": ""}, "command is empty"),
        ({"command": "x", "autoApprove": []}, "autoApprove"),
        ({"command": "x", "args": "y"}, "args"),
        ({"command": "x", "env": {"K": 1}}, "env"),
        ({"command": "x", "env": {"A=B": "1"}}, "env"),
        ({"command": "x", "timeout": 0}, "timeout"),
        ({"command": "x", "parallel": 0}, "parallel"),
        ({"command": "x", "headers": {"a": "b"}}, "headers does not go with command"),
        ({"command": "x", "type": "sse"}, "type"),
        ({"command": "x\0"}, "NUL"),
        ({"url": "http://h", "env": {"a": "b"}}, "env does not go with url"),
        ({"url": "http://h", "type": "stdio"}, "type"),
        ({"url": "http://h", "type": "http", "transport": "sse"}, "type and transport"),
        ({"url": "http://h", "type": "websocket"}, "type is one of"),
        ({"url": "file:///etc/passwd"}, "http://"),
        ({"url": "http://"}, "http://"),
        ({"url": "http://h:99999"}, "http://"),
        ({"url": "http://h/ b"}, "http://"),
        ({"url": "http://h", "headers": {"a b": "c"}}, "headers.a b"),
        ({"url": "http://h", "headers": {"a": "${KEY}\r\nX: y"}}, "headers.a"),
        ({"url": "http://${NO_SUCH}"}, "url: the variable NO_SUCH is not set"),
        ({"command": "x", "env": {"K": "${EMPTY}"}}, "env.K: the variable EMPTY is not set"),
        ({"command": "x", "args": ["${input:key}"]}, "args[0]: a variable is ${NAME}"),
        ("x", "object"),
    ],
)
def test_what_is_wrong_is_said_with_server_and_field(
    tmp_path: Path, server: Any, says: str
) -> None:
    assert says in refusal(tmp_path, server)


@pytest.mark.parametrize("name", ["", "a b", "builtin", "x" * 65, "naïve"])
def test_a_name_that_could_not_be_a_label_is_refused(tmp_path: Path, name: str) -> None:
    assert "name" in refusal(tmp_path, {"command": "x"}, name)


def test_a_disabled_server_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    disabled = {"command": "x", "args": ["${NO_SUCH}"], "disabled": True}
    assert [s.name for s in read(tmp_path, {"a": disabled, "b": {"command": "y"}})] == ["b"]


def test_there_is_a_bound_to_servers(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="at most 32"):
        read(tmp_path, {f"s{n}": {"command": "x"} for n in range(33)})


@pytest.mark.parametrize("text", ["", "{", "[]", '{"servers": {}}', '{"mcpServers": {}, "x": 1}'])
def test_a_file_that_is_no_configuration_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"mcp\.json"):
        read_servers(path, ENVIRON, 10.0)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_servers(tmp_path / "none.json", ENVIRON, 10.0)


def test_without_the_sdk_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    assert read(tmp_path, {"a": {"command": "x", "disabled": True}}) == []
    with pytest.raises(ConfigurationError, match=r"yychat\[mcp\]"):
        read(tmp_path, {"a": {"command": "x"}})


def test_the_settings_fill_in_what_they_were_read_from(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text('{"mcpServers": {"a": {"url": "http://${PLACE}/mcp"}}}', encoding="utf-8")
    given = {"YYCHAT_MCP_CONFIG": str(path), "PLACE": "there", "YYCHAT_TOOL_TIMEOUT": "3"}
    settings = Settings.from_environment(given).model_copy(update={"port": 1})
    (server,) = settings.mcp_servers()
    assert (address(server).url, server.timeout) == ("http://there/mcp", 3.0)
    assert "there" not in repr(settings)
    assert Settings().mcp_servers() == []
