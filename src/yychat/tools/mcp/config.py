"""The MCP servers of a configuration file: the common ``mcpServers`` shape, read and checked."""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec

from ...config_file import read_json
from ...errors import ConfigurationError

MOST = 32  # servers
LARGEST = 4 * 1024 * 1024  # bytes of one message; 1 MiB from servers of before 2025
NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
RESERVED = frozenset({"builtin", "none", "other"})  # what telemetry calls those that are no servers
EXTRA = 'YYCHAT_MCP_CONFIG needs the extra mcp: pip install "yychat[mcp]"'

# What a program needs to run at all; nothing else of ours is for other people's programs.
BASICS = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR")

_KINDS = {"stdio": "stdio", "http": "http", "streamablehttp": "http", "sse": "sse"}
_VARIABLE = re.compile(r"\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

Positive = Annotated[float, msgspec.Meta(gt=0, le=3_600)]
Count = Annotated[int, msgspec.Meta(ge=1, le=256)]


class _Given(msgspec.Struct, forbid_unknown_fields=True):
    """One server as the file has it."""

    command: str | None = None
    args: list[str] = []
    env: dict[str, str] = {}
    cwd: str | None = None
    url: str | None = None
    type: str | None = None
    transport: str | None = None
    headers: dict[str, str] = {}
    timeout: Positive | None = None
    parallel: Count = 8
    disabled: bool = False


class _File(msgspec.Struct, forbid_unknown_fields=True):
    servers: dict[str, msgspec.Raw] = msgspec.field(name="mcpServers")


class Program(msgspec.Struct, frozen=True):
    """A server that is started here and spoken to over its standard input and output.
    ``environment`` is all that it gets."""

    command: str
    args: tuple[str, ...]
    environment: Mapping[str, str]
    cwd: str | None

    def __repr__(self) -> str:
        """Without what may be secret."""
        return "<Program>"


class Address(msgspec.Struct, frozen=True):
    """A server that is reached over HTTP: ``sse`` is how that was done before 2025."""

    url: str
    headers: Mapping[str, str]
    sse: bool

    def __repr__(self) -> str:
        """Without what may be secret: keys are put into URLs, too."""
        return "<Address>"


class Server(msgspec.Struct, frozen=True):
    """One MCP server. ``timeout`` is in seconds, for a call and all that it waits for;
    ``parallel`` is how many calls run at a time."""

    name: str
    place: Program | Address
    timeout: float
    parallel: int


def read_servers(path: Path, environ: Mapping[str, str], timeout: float) -> list[Server]:
    """The servers of *path* that are not disabled; ``${NAME}`` stands for variables of *environ*.

    *timeout* is theirs who have none. Raises ``ConfigurationError`` that names server and field,
    never a value; also where the SDK is not installed.
    """
    given = read_json(path, _File, f"the MCP configuration {path}").servers
    if len(given) > MOST:
        raise ConfigurationError(f"the MCP configuration {path}: at most {MOST} servers")
    read = [_Reader(path, name, environ).server(raw, timeout) for name, raw in given.items()]
    servers = [server for server in read if server]
    if servers and find_spec("mcp") is None:
        raise ConfigurationError(EXTRA)
    return servers


class _Reader:
    """Makes one server of what is written about it, and says whose fault it is."""

    def __init__(self, path: Path, name: str, environ: Mapping[str, str]) -> None:
        self._where = f"the MCP configuration {path}: server {name[:64]!r}"
        self._name, self._environ = name, environ

    def server(self, raw: bytes, timeout: float) -> Server | None:
        if not NAME.fullmatch(self._name) or self._name in RESERVED:
            raise self._wrong("its name has to be 1 to 64 letters, digits, _ . or -, and not taken")
        try:
            given = msgspec.json.decode(raw, type=_Given)
        except msgspec.ValidationError as error:
            raise self._wrong(str(error)) from None
        if given.disabled:
            return None
        place = self._address(given) if self._kind(given) != "stdio" else self._program(given)
        return Server(self._name, place, given.timeout or timeout, given.parallel)

    def _kind(self, given: _Given) -> str:
        if (given.command is None) == (given.url is None):
            raise self._wrong("it needs either command or url")
        said = {"type": given.type, "transport": given.transport}
        kinds = {field: self._known(field, kind) for field, kind in said.items() if kind}
        default = "stdio" if given.command is not None else "http"
        kind = next(iter(kinds.values()), default)
        if len(set(kinds.values())) > 1 or (kind == "stdio") != (default == "stdio"):
            raise self._wrong(f"{' and '.join(kinds)} and what else is said do not go together")
        return kind

    def _known(self, field: str, kind: str) -> str:
        found = _KINDS.get(re.sub("[-_ ]", "", kind).lower())
        if found is None:
            raise self._wrong(f"{field} is one of stdio, http (streamable HTTP), sse")
        return found

    def _program(self, given: _Given) -> Program:
        self._none_of(given, "url", "headers")
        named = {f"env.{name}": value for name, value in given.env.items()}
        filled = {name.removeprefix("env."): self._filled(name, v) for name, v in named.items()}
        basics = {name: self._environ[name] for name in BASICS if name in self._environ}
        arguments = [self._filled(f"args[{n}]", value) for n, value in enumerate(given.args)]
        command = self._filled("command", given.command or "")
        cwd = self._filled("cwd", given.cwd) if given.cwd else None
        if not command:
            raise self._wrong("command is empty")
        if any("\0" in text for text in (command, cwd or "", *arguments, *filled.values())):
            raise self._wrong("no program takes a NUL character")
        if any("=" in name or "\0" in name or not name for name in filled):
            raise self._wrong("env has a name that no variable has")
        return Program(command, tuple(arguments), {**basics, **filled}, cwd)

    def _address(self, given: _Given) -> Address:
        self._none_of(given, "command", "args", "env", "cwd")
        url = self._filled("url", given.url or "")
        if not _is_url(url):
            raise self._wrong("url is not an http:// or https:// address with a host")
        headers = {n: self._filled(f"headers.{n}", value) for n, value in given.headers.items()}
        for name, value in headers.items():
            if not _HEADER.fullmatch(name) or not (value.isascii() and value.isprintable()):
                raise self._wrong(f"headers.{name[:64]} is nothing that a header can be")
        return Address(url, headers, sse=self._kind(given) == "sse")

    def _none_of(self, given: _Given, *fields: str) -> None:
        for field in fields:
            if getattr(given, field):
                other = "command" if given.command is not None else "url"
                raise self._wrong(f"{field} does not go with {other}")

    def _filled(self, field: str, text: str) -> str:
        def value(found: re.Match[str]) -> str:
            name, default = found[1], found[2]
            if name is None:
                raise self._wrong(f"{field}: a variable is ${{NAME}} or ${{NAME:-default}}")
            if known := self._environ.get(name):
                return known
            if default is None:
                raise self._wrong(f"{field}: the variable {name} is not set")
            return str(default)

        return _VARIABLE.sub(value, text)

    def _wrong(self, what: str) -> ConfigurationError:
        return ConfigurationError(f"{self._where}: {what}")


def _is_url(text: str) -> bool:
    try:
        parts: Any = urlsplit(text)
        well = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return False
    return bool(well) and text.isascii() and text.isprintable() and " " not in text
