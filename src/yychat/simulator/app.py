"""The simulated upstream as an ASGI application: the OpenAI routes and /control beside them."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .control import Control
from .faults import FaultPlan, Faults
from .ledger import Ledger
from .provider import Answering, Provider
from .refusals import Refused


def create_app(faults: Faults | None = None) -> Starlette:
    """An upstream of its own: every app has its own faults and counts."""
    plan, ledger = FaultPlan(faults or Faults()), Ledger()
    return Starlette(
        routes=[*_provider_routes(Provider(plan, ledger)), *_control_routes(Control(plan, ledger))],
        exception_handlers={Refused: _refusal, HTTPException: _http_refusal},
    )


def _provider_routes(provider: Provider) -> list[Route]:
    chat = Answering(provider, "chat", provider.chat)
    embeddings = Answering(provider, "embeddings", provider.embeddings)
    return [
        Route("/v1/chat/completions", chat, methods=["POST"]),
        Route("/v1/embeddings", embeddings, methods=["POST"]),
        Route("/v1/models", provider.models),
        Route("/v1/models/{name:path}", provider.model),
    ]


def _control_routes(control: Control) -> list[Route]:
    return [
        Route("/control", control.show),
        Route("/control", control.order, methods=["PUT"]),
        Route("/control", control.reset, methods=["DELETE"]),
        Route("/control/stats", control.stats),
        Route("/control/last", control.last),
    ]


async def _refusal(request: Request, refused: Exception) -> Response:
    assert isinstance(refused, Refused)
    return Response(refused.body, refused.status, refused.headers, media_type="application/json")


async def _http_refusal(request: Request, error: Exception) -> Response:
    """A path or method that the simulator does not have."""
    assert isinstance(error, HTTPException)
    where = f"{request.method} {request.url.path}"
    return await _refusal(request, Refused(error.status_code, f"There is no {where} here."))
