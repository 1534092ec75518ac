"""What import-linter cannot say about the source: which names appear where."""

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import yychat

PACKAGE = Path(yychat.__file__).parent

READS_THE_ENVIRONMENT = {
    "__main__.py",
    "cli.py",
    "memory/mem0_process.py",  # writes it, and reads nothing: mem0 has no other switches
    "settings.py",
    "telemetry/http.py",  # writes one switch, which OpenTelemetry has nowhere else
}
# Where any failure at all has to be taken from the one who failed to the one who is told.
CATCHES_EVERYTHING = {
    "engines/checkup.py",  # from an engine that is asked how it is to those who ask
    "engines/manager.py",  # from an engine to the one that answers instead, or to the caller
    "memory/mem0_threads.py",  # from mem0's threads and libraries to the task that waits for it
    "memory/outbox.py",  # from a memory to the job that met it: its neighbours go on
    "sqlite.py",  # from the database's thread to the task that waits for it
    "telemetry/processor.py",  # from counting to a counter: it runs inside requests
    "tools/mcp/connection.py",  # from the SDK's tasks to why there is no connection to a server
    "tools/registry.py",  # from a plug-in to the model that called it
    "web/middleware.py",  # from a handler to the caller: the last resort
}
SERIALISERS_THAT_RUN_CODE = {"cloudpickle", "dill", "jsonpickle", "marshal", "pickle", "shelve"}

# Distributions that only ever come as parts of another one.
PARTS = {
    "anyio": "mcp",  # its errors are what the SDK's streams end with
    "pydantic-core": "pydantic",
    # All of OpenTelemetry is one namespace; the first to have it is named.
    "opentelemetry-exporter-otlp-proto-common": "opentelemetry-api",
}

Rule = Callable[[ast.AST], bool]


def places(breaks: Rule) -> Iterator[tuple[str, int]]:
    """Every file and line of the package where a node breaks the rule."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if breaks(node):
                yield path.relative_to(PACKAGE).as_posix(), getattr(node, "lineno", 0)


def outside(homes: set[str], breaks: Rule) -> list[tuple[str, int]]:
    return [(file, line) for file, line in places(breaks) if file not in homes]


def names(node: ast.AST | None) -> set[str]:
    """The last parts of the names in an expression: ``os.environ`` is ``environ``."""
    found = {child.id for child in ast.walk(node) if isinstance(child, ast.Name)} if node else set()
    return found | attributes(node)


def attributes(node: ast.AST | None) -> set[str]:
    if node is None:
        return set()
    return {child.attr for child in ast.walk(node) if isinstance(child, ast.Attribute)}


def imported(node: ast.AST) -> set[str]:
    """Modules and names an import statement brings in."""
    match node:
        case ast.Import():
            return {part for alias in node.names for part in alias.name.split(".")}
        case ast.ImportFrom():
            return {*(node.module or "").split("."), *(alias.name for alias in node.names)}
        case _:
            return set()


def reads_the_environment(node: ast.AST) -> bool:
    wanted = {"environ", "environb", "getenv", "getenvb", "putenv"}
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.value.id == "os" and node.attr in wanted
    return (
        isinstance(node, ast.ImportFrom) and node.module == "os" and bool(imported(node) & wanted)
    )


def catches_everything(node: ast.AST) -> bool:
    everything = {"BaseException", "Exception"}
    match node:
        case ast.ExceptHandler():
            return node.type is None or bool(names(node.type) & everything)
        case ast.Call(func=function) if "suppress" in names(function):
            return any(names(argument) & everything for argument in node.args)
        case _:
            return False


def evaluates_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"eval", "exec"}
    )


def empties_a_database(node: ast.AST) -> bool:
    said = {node.attr} if isinstance(node, ast.Attribute) else set()
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        said = set(node.value.split())
    return bool({word.lower() for word in said} & {"flushall", "flushdb"})


def third_party_modules() -> set[str]:
    """The foreign top-level modules the package imports."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names


def declared_dependencies() -> set[str]:
    with (PACKAGE.parent.parent / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    extras = project["optional-dependencies"].values()
    declared = [*project["dependencies"], *(each for extra in extras for each in extra)]
    return {re.split(r"[^\w.-]", requirement)[0] for requirement in declared}


def test_every_package_imported_is_one_that_is_declared() -> None:
    brought = packages_distributions()
    used = {re.sub(r"[-_.]+", "-", brought[module][0].lower()) for module in third_party_modules()}
    assert {PARTS.get(name, name) for name in used} - declared_dependencies() == set()


def test_only_settings_and_the_command_line_read_the_environment() -> None:
    assert outside(READS_THE_ENVIRONMENT, reads_the_environment) == []


def test_a_handler_names_the_exceptions_it_expects() -> None:
    assert outside(CATCHES_EVERYTHING, catches_everything) == []


def test_nothing_is_stored_in_a_format_that_can_run_code() -> None:
    assert outside(set(), lambda node: bool(imported(node) & SERIALISERS_THAT_RUN_CODE)) == []


def test_middleware_is_plain_asgi_because_the_base_class_breaks_streaming() -> None:
    assert outside(set(), lambda node: "BaseHTTPMiddleware" in imported(node)) == []


def test_no_text_is_ever_run_as_python() -> None:
    assert outside(set(), evaluates_text) == []


def test_a_shared_redis_is_never_emptied() -> None:
    assert outside(set(), empties_a_database) == []
