"""Which path is answered by whom."""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..errors import YYChatError
from . import catalogue, chat, embeddings, health, memory, openapi
from .hangup import ClientGone
from .problems import on_error, on_http_exception

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/openapi.json"})

ROUTES = [
    Route("/v1/chat/completions", chat.chat_completions, methods=["POST"]),
    Route("/v1/embeddings", embeddings.embeddings, methods=["POST"]),
    Route("/v1/models", catalogue.models),
    Route("/v1/models/{model:path}", catalogue.model),
    Route("/v1/personalities", catalogue.personalities),
    Route("/v1/personalities/{personality}", catalogue.personality),
    Route("/v1/conversations/{id}/memory", memory.conversation_memory),
    Route("/v1/conversations/{id}/memory", memory.forget_conversation, methods=["DELETE"]),
    Route("/v1/tools", catalogue.tools),
    Route("/v1/tools/call", catalogue.call_tool, methods=["POST"]),
    Route("/healthz", health.healthz),
    Route("/readyz", health.readyz),
    Route("/openapi.json", openapi.description),
]


async def on_client_gone(_request: Request, _error: Exception) -> Response:
    """Nobody reads this; the status is for our own accounts (nginx's 499)."""
    return Response(status_code=499)


EXCEPTION_HANDLERS: dict[Any, Any] = {
    YYChatError: on_error,
    HTTPException: on_http_exception,
    ClientGone: on_client_gone,
}
