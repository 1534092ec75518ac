"""/openapi.json is a valid description, and what the service does is what it describes."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from running import Service, service
from test_auth import bearer, entry
from yychat import __version__
from yychat.web.routes import ROUTES

METHODS = ("get", "post", "delete", "put", "patch")
HELLO = {"messages": [{"role": "user", "content": "say hello"}]}


@pytest.fixture
def document(yychat: Service) -> dict[str, Any]:
    answer = yychat.http.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    return dict(answer.json())


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_it_is_openapi_3_1_of_this_version(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["version"] == __version__


def test_its_schemas_are_valid_json_schema(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in re.findall(r'"\$ref": ?"([^"]+)"', json.dumps(document)):
        found: Any = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        assert isinstance(found, dict)


def test_operation_ids_are_unique_names(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9_]+", one) for one in ids)


def test_the_parameters_of_a_path_are_described(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        described = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
        assert described == set(re.findall(r"{(\w+)}", path)), path


def test_every_error_is_described_in_the_one_shape(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        for status, response in operation["responses"].items():
            if status != "200" and path != "/readyz":
                schema = response["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorBody"}, (method, path)


def test_every_route_is_described_and_nothing_else(document: dict[str, Any]) -> None:
    described = {(method, nameless(path)) for method, path, _ in operations(document)}
    served = {
        (method.lower(), nameless(route.path))
        for route in ROUTES
        for method in route.methods or ()
        if method != "HEAD"
    }
    # Neither is for API clients: one is this description, the other is Prometheus'.
    assert described == served - {("get", "/openapi.json"), ("get", "/metrics")}


def nameless(path: str) -> str:
    return re.sub(r"{[^}]*}", "{}", path)


def test_only_open_paths_are_described_as_open(document: dict[str, Any]) -> None:
    unguarded = {path for _, path, operation in operations(document) if not operation["security"]}
    assert unguarded == {"/healthz", "/readyz"}


@pytest.mark.parametrize(
    ("method", "path", "template", "body"),
    [
        ("post", "/v1/chat/completions", None, HELLO),
        ("post", "/v1/chat/completions", None, {"messages": []}),
        ("post", "/v1/chat/completions", None, {**HELLO, "model": "nope"}),
        ("post", "/v1/embeddings", None, {"model": "simulated", "input": ["a", "b"]}),
        ("get", "/v1/models", None, None),
        ("get", "/v1/models/simulated", "/v1/models/{model}", None),
        ("get", "/v1/models/nope", "/v1/models/{model}", None),
        ("get", "/v1/personalities", None, None),
        ("get", "/v1/personalities/friendly", "/v1/personalities/{id}", None),
        ("get", "/v1/conversations/said/memory", "/v1/conversations/{id}/memory", None),
        ("get", "/v1/conversations/x/memory?limit=0", "/v1/conversations/{id}/memory", None),
        ("delete", "/v1/conversations/x/memory", "/v1/conversations/{id}/memory", None),
        ("get", "/v1/tools", None, None),
        ("post", "/v1/tools/call", None, {"name": "gettime"}),
        ("post", "/v1/tools/call", None, {"name": "calculator", "arguments": {"x": 1}}),
        ("get", "/v1/engines", None, None),
        ("get", "/v1/engines/current", None, None),
        ("get", "/v1/engines/health", None, None),
        ("get", "/v1/engines/history", None, None),
        ("get", "/v1/engines/history?limit=0", "/v1/engines/history", None),
        ("post", "/v1/engines/switch", None, {"engine": "chat_engine", "reason": "x"}),
        ("post", "/v1/engines/switch", None, {"engine": "chat_engine", "reason": "x", "x": 1}),
        ("post", "/v1/engines/split", None, {"weights": {"chat_engine": 3}, "reason": "x"}),
        ("get", "/healthz", None, None),
        ("get", "/readyz", None, None),
    ],
)
def test_an_answer_fits_its_schema(
    yychat: Service,
    document: dict[str, Any],
    method: str,
    path: str,
    template: str | None,
    body: Any,
) -> None:
    yychat.say("say hello", conversation_id="said")
    answer = yychat.http.request(method, path, json=body)
    responses = document["paths"][template or path][method]["responses"]
    schema = responses[str(answer.status_code)]["content"]["application/json"]["schema"]
    validator = Draft202012Validator({**schema, "components": document["components"]})
    validator.validate(answer.json())


def explored(url: str, folder: Path, examples: int, *options: str) -> None:
    """Let schemathesis try every operation; it has nothing to complain of."""
    schemathesis = Path(sys.executable).with_name("schemathesis")
    ended = subprocess.run(
        [
            str(schemathesis), "run", f"{url}/openapi.json", "--no-color", "--seed", "1",
            "--phases", "examples,coverage,fuzzing", "--max-examples", str(examples),
            "--request-timeout", "30", "--suppress-health-check", "all", *options,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.slow
def test_generated_requests_get_what_is_described_and_no_5xx(data: Path, tmp_path: Path) -> None:
    checks = (
        "not_a_server_error", "status_code_conformance", "content_type_conformance",
        "response_headers_conformance", "response_schema_conformance", "unsupported_method",
        "allow_header_conformance",
    )  # fmt: skip
    with service(data) as keyless:
        explored(keyless.url, tmp_path, 50, "--checks", ",".join(checks))


@pytest.mark.slow
def test_generated_requests_are_guarded_by_the_key_and_refused_when_wrong(
    data: Path, tmp_path: Path
) -> None:
    # What fits the schema may still be refused: some rules join two fields, others are upstream's.
    with service(data, YYCHAT_API_KEYS=entry("yy-a")) as guarded:
        key = f"Authorization: {bearer('yy-a')['authorization']}"
        without = ("--checks", "all", "--exclude-checks", "positive_data_acceptance")
        explored(guarded.url, tmp_path, 25, "--header", key, *without)
