"""Which path is answered by whom."""

from typing import Any

from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from ..errors import YYChatError
from ..telemetry.observation import current
from . import (
    alerts,
    catalogue,
    chat,
    dashboard,
    embeddings,
    engines,
    health,
    memory,
    metrics,
    openapi,
    performance,
)
from .hangup import ClientGone
from .problems import on_error, on_http_exception, problem
from .requests import too_deep

# Alertmanager has a token of its own: web/alerts.py asks for it.
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/openapi.json", "/metrics", "POST /v1/alerts"})


class _Id(Convertor[str]):
    """A caller's id, whatever is in it: slashes and line ends as well."""

    regex = "(?s:.+)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("id", _Id())


class _Chat:
    """As ASGI: around a function Starlette puts a net for exceptions, which is under all routes
    already, and every chunk of a stream would have to pass it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await chat.chat_completions(Request(scope, receive, send))
        await response(scope, receive, send)


ROUTES = [
    Route("/v1/chat/completions", _Chat(), methods=["POST"]),
    Route("/v1/embeddings", embeddings.embeddings, methods=["POST"]),
    Route("/v1/models", catalogue.models),
    Route("/v1/models/{model:path}", catalogue.model),
    Route("/v1/personalities", catalogue.personalities),
    Route("/v1/personalities/{personality}", catalogue.personality),
    Route(
        "/v1/conversations/{id:id}/memory", memory.conversation_memory, methods=["GET", "DELETE"]
    ),
    Route("/v1/tools", catalogue.tools),
    Route("/v1/tools/call", catalogue.call_tool, methods=["POST"]),
    Route("/v1/engines", engines.listing),
    Route("/v1/engines/current", engines.current),
    Route("/v1/engines/health", engines.health),
    Route("/v1/engines/history", engines.history),
    Route("/v1/engines/switch", engines.switch, methods=["POST"]),
    Route("/v1/engines/split", engines.split, methods=["POST"]),
    Route("/v1/alerts", alerts.alerts, methods=["GET", "POST"]),
    Route("/v1/performance/stats", performance.stats),
    Route("/v1/performance/recent", performance.recent),
    Route("/v1/performance", performance.forget, methods=["DELETE"]),
    Route("/v1/dashboard/realtime", dashboard.realtime),
    Route("/metrics", metrics.metrics),
    Route("/healthz", health.healthz),
    Route("/readyz", health.readyz),
    Route("/openapi.json", openapi.description),
]
SOCKETS = [WebSocketRoute("/ws/dashboard", dashboard.live)]


async def on_client_gone(_request: Request, _error: Exception) -> Response:
    """Nobody reads this; the status is for our own accounts (nginx's 499)."""
    if (observation := current()) is not None:
        observation.left()
    return Response(status_code=499)


async def on_recursion(_request: Request, _error: Exception) -> Response:
    """Only callers' JSON nests without bound. What could just be read here may be too deep
    further inside, where more of the stack is in use."""
    return problem(too_deep())


EXCEPTION_HANDLERS: dict[Any, Any] = {
    YYChatError: on_error,
    HTTPException: on_http_exception,
    ClientGone: on_client_gone,
    RecursionError: on_recursion,
}
