"""Liveness and readiness."""

from starlette.requests import Request
from starlette.responses import Response

from .. import __version__
from .replies import reply
from .schemas import HealthView
from .services import services_of

CHECK_WITHIN = 2.0  # seconds; whoever probes does not wait long


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
    # Only those that answer: one that nobody selected must not be woken, nor degrade the service.
    in_force = services.engines.in_force
    for engine, finding in (await services.engines.health_of(in_force, CHECK_WITHIN)).items():
        for name, trouble in finding.health.dependencies.items():
            if name != "upstream":  # each of them is named above
                dependencies[f"{engine}:{name}"] = trouble or "ok"
    healthy = all(state == "ok" for state in dependencies.values())
    view = HealthView("ok" if healthy else "degraded", __version__, dependencies)
    return reply(view)
