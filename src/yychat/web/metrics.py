"""GET /metrics on the main port: this process's series, for loopback or with the metrics token."""

import asyncio
import hmac
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from ..errors import NotFound
from ..telemetry.exposition import Exposition
from .auth import LOOPBACK
from .services import services_of


async def metrics(request: Request) -> Response:
    """Several workers on one port: a scrape hits any of them. Their own listeners tell them apart
    (``/internal/sd``)."""
    if not _welcome(request):
        raise NotFound("there is nothing at this path; GET /openapi.json lists what there is")
    exposition = cast(Exposition, request.state.exposition)
    accept, encoding = (request.headers.get(n, "") for n in ("accept", "accept-encoding"))
    page = await asyncio.to_thread(exposition.page, accept, encoding)
    return Response(page.body, headers=page.headers)


def _welcome(request: Request) -> bool:
    token = services_of(request).metrics_token
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if token is not None:
        return hmac.compare_digest(given.encode(), token.encode())
    # Behind a proxy on this machine everybody comes from loopback, by another name.
    local = request.client is not None and request.client.host in LOOPBACK
    return local and request.url.hostname in LOOPBACK
