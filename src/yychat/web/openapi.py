"""GET /openapi.json: OpenAPI 3.1, made from the structs that read and write the wire."""

from functools import cache
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from .. import __version__
from ..alerting.notification import Notification
from . import alerts, dashboard, performance, schemas
from .problems import ErrorBody

JSON = "application/json"
REF = "#/components/schemas/{name}"

Struct = type[msgspec.Struct]


class Operation(msgspec.Struct, frozen=True):
    """One method of one path. ``errors`` are the statuses it can answer with besides 200."""

    method: str
    path: str
    summary: str
    gives: Struct
    takes: Struct | None = None
    parameters: tuple[dict[str, Any], ...] = ()
    errors: tuple[int, ...] = ()
    open: bool = False
    streams: bool = False
    also: tuple[tuple[int, Struct], ...] = ()
    key: str = "key"


def _in_path(name: str, meaning: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, "maxLength": 4096}
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": meaning,
        "schema": schema,
    }


def _in_query(name: str, meaning: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": meaning, "schema": schema}


KIND = _in_query(
    "kind",
    "Whose memory the id names.",
    {"enum": ["conversation", "user"], "default": "conversation"},
)
LIMIT = _in_query(
    "limit", "Most memories.", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 20}
)
CHANGES = _in_query(
    "limit", "Most changes.", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 20}
)
RECEIVED = _in_query(
    "limit", "Most alerts.", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 20}
)
WINDOW = _in_query(
    "window",
    "Seconds until now.",
    {"type": "integer", "minimum": 1, "maximum": 86400, "default": 300},
)
RECENT = _in_query(
    "count", "Most requests.", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 20}
)
TENANT = _in_query(
    "tenant",
    "Only this tenant's; a user's key has its own.",
    {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"},
)
PERSONALITY = _in_query("personality_id", "Only what this personality may use.", {"type": "string"})
UPSTREAM = (404, 429, 502, 503, 504)

OPERATIONS = (
    Operation(
        "post", "/v1/chat/completions", "Answer a chat, whole or as server-sent events",
        schemas.ChatCompletion, schemas.ChatCompletionRequest,
        errors=(400, 413, *UPSTREAM), streams=True,
    ),
    Operation(
        "post", "/v1/embeddings", "Embeddings, passed through to the upstream",
        schemas.EmbeddingList, schemas.EmbeddingRequest, errors=(400, 413, *UPSTREAM),
    ),
    Operation(
        "get", "/v1/models", "Models that can be asked for", schemas.ModelList, errors=UPSTREAM
    ),
    Operation(
        "get", "/v1/models/{model}", "One model", schemas.Model,
        parameters=(_in_path("model", "The model's id; it may contain slashes."),), errors=UPSTREAM,
    ),
    Operation("get", "/v1/personalities", "Personalities", schemas.PersonalityList),
    Operation(
        "get", "/v1/personalities/{id}", "One personality", schemas.PersonalityView,
        parameters=(_in_path("id", "The personality's id."),), errors=(404,),
    ),
    Operation(
        "get", "/v1/conversations/{id}/memory", "What is remembered, newest first",
        schemas.MemoryList, errors=(400, 404, 503),
        parameters=(_in_path("id", "A conversation_id, or a user."), KIND, LIMIT),
    ),
    Operation(
        "delete", "/v1/conversations/{id}/memory", "Forget it, for good",
        schemas.MemoryErased, errors=(400, 404, 503),
        parameters=(_in_path("id", "A conversation_id, or a user."), KIND),
    ),
    Operation(
        "get", "/v1/tools", "Tools the service offers to models", schemas.ToolList,
        parameters=(PERSONALITY,), errors=(404,),
    ),
    Operation(
        "post", "/v1/tools/call", "Call a tool as a model would",
        schemas.ToolCallResult, schemas.ToolCallRequest, errors=(400, 404, 413),
    ),
    Operation("get", "/v1/engines", "Engines, and their shares", schemas.EngineList),
    Operation("get", "/v1/engines/current", "The selection in force", schemas.SelectionView),
    Operation(
        "get", "/v1/engines/health", "How every engine is, by dependency", schemas.EnginesHealth
    ),
    Operation(
        "get", "/v1/engines/history", "Who changed the selection, when and why (admin)",
        schemas.SelectionHistory, parameters=(CHANGES,), errors=(400,),
    ),
    Operation(
        "post", "/v1/engines/switch", "Let one engine answer, on all instances (admin)",
        schemas.SelectionView, schemas.SwitchRequest, errors=(400, 404, 409, 413),
    ),
    Operation(
        "post", "/v1/engines/split", "Let engines share the requests, sticky by owner (admin)",
        schemas.SelectionView, schemas.SplitRequest, errors=(400, 404, 409, 413),
    ),
    Operation(
        "get", "/v1/performance/stats", "How chat requests did lately, of all instances",
        performance.PerformanceStats, parameters=(WINDOW, TENANT), errors=(400,),
    ),
    Operation(
        "get", "/v1/performance/recent", "The last chat requests, newest first",
        performance.PerformanceRecords, parameters=(RECENT, TENANT), errors=(400,),
    ),
    Operation(
        "delete", "/v1/performance", "Forget these records (admin)",
        performance.PerformanceErased, parameters=(TENANT,), errors=(400,),
    ),
    Operation(
        "get", "/v1/dashboard/realtime", "How the service is right now (admin); the WebSocket"
        " /ws/dashboard has the same every second", dashboard.DashboardSnapshot, errors=(400,),
    ),
    Operation(
        "get", "/v1/alerts", "Alerts that were received, and what came of them (admin)",
        alerts.AlertList, parameters=(RECEIVED,), errors=(400,),
    ),
    Operation(
        "post", "/v1/alerts", "Alertmanager's webhook; it needs YYCHAT_ALERT_TOKEN",
        alerts.AlertList, Notification, errors=(400, 408, 413), key="alert_token",
    ),
    Operation("get", "/healthz", "The process is alive", schemas.HealthView, open=True),
    Operation(
        "get", "/readyz", "Whether to send requests here", schemas.HealthView, open=True,
        also=((503, schemas.HealthView),),
    ),
)  # fmt: skip

MEANING = {
    400: "The request is wrong; `param` names the field",
    401: "No key, or one that is not known",
    403: "Not for this key",
    404: "There is no such thing",
    408: "The body did not arrive in time",
    409: "Somebody else was faster, or the engine is not well; `code` tells",
    413: "The body is too large",
    429: "Too many requests; see Retry-After",
    500: "Something went wrong here",
    502: "The upstream failed",
    503: "Not available now; see Retry-After",
    504: "Not answered in time",
}


async def description(_request: Request) -> Response:
    return Response(_document(), media_type=JSON)


@cache
def _document() -> bytes:
    structs: list[Struct] = [ErrorBody]
    for operation in OPERATIONS:
        structs += [operation.gives, *([operation.takes] if operation.takes else [])]
    _, components = msgspec.json.schema_components(structs, schema_hook=_anything, ref_template=REF)
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "YYChat",
            "version": __version__,
            "description": "An OpenAI-compatible chat service with memory.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "alert_token": {"type": "http", "scheme": "bearer"},
            },
        },
    }
    return msgspec.json.encode(document)


def _anything(kind: type) -> dict[str, Any]:
    """The schema of ``object``, which stands for any JSON."""
    if kind is not object:
        raise NotImplementedError
    return {"description": "Any JSON value."}


def _operation(operation: Operation) -> dict[str, Any]:
    words = operation.path.translate(str.maketrans("/", "_", "{}"))
    described: dict[str, Any] = {
        "operationId": f"{operation.method}{words}",
        "summary": operation.summary,
        "responses": _responses(operation),
        "security": [] if operation.open else [{operation.key: []}],
    }
    if operation.parameters:
        described["parameters"] = list(operation.parameters)
    if operation.takes:
        described["requestBody"] = {"required": True, "content": _content(operation.takes)}
    return described


def _responses(operation: Operation) -> dict[str, Any]:
    content = _content(operation.gives)
    if operation.streams:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    responses = {"200": {"description": operation.summary, "content": content}}
    guarded = () if operation.open else (401, 403, 503)  # 503: it is still starting
    for status in sorted({*operation.errors, *guarded, 500}):
        responses[str(status)] = {"description": MEANING[status], "content": _content(ErrorBody)}
    for status, struct in operation.also:
        responses[str(status)] = {"description": MEANING[status], "content": _content(struct)}
    return responses


def _content(struct: Struct) -> dict[str, Any]:
    return {JSON: {"schema": {"$ref": REF.format(name=struct.__name__)}}}
