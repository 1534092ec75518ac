"""Liveness and readiness."""

from starlette.requests import Request
from starlette.responses import Response

from .. import __version__
from .replies import reply
from .schemas import HealthView
from .services import services_of


async def healthz(_request: Request) -> Response:
    """The process answers; nothing else is asked."""
    return reply(HealthView(status="ok", version=__version__))


async def readyz(request: Request) -> Response:
    """Whether to send requests here: 503 only while starting or draining. A store or an upstream
    that is down degrades the service and does not take it out."""
    services = services_of(request)
    phase = services.lifecycle.phase
    if phase != "serving":
        response = reply(HealthView(status=phase, version=__version__), 503)
        response.headers["retry-after"] = "1"
        return response
    dependencies = {
        f"upstream:{upstream.name}": "ok" if upstream.breaker.state == "closed" else "failing"
        for upstream in services.upstreams
    }
    if services.redis:
        dependencies["redis"] = "away" if services.redis.degraded else "ok"
    for engine in services.engines.values():
        health = await engine.health_check()
        dependencies |= {name: trouble or "ok" for name, trouble in health.dependencies.items()}
    healthy = all(state == "ok" for state in dependencies.values())
    view = HealthView("ok" if healthy else "degraded", __version__, dependencies)
    return reply(view)
