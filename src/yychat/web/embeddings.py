"""POST /v1/embeddings: checked, then passed through as it is."""

import asyncio
from contextlib import AsyncExitStack

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ..errors import DeadlineExceeded
from .hangup import unless_gone
from .replies import HeldReply
from .requests import body_of, decoded
from .schemas import EmbeddingRequest
from .services import caller_of, services_of

_request = msgspec.json.Decoder(EmbeddingRequest)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


async def embeddings(request: Request) -> Response:
    services = services_of(request)
    async with AsyncExitStack() as held:
        admission = await held.enter_async_context(services.admitted(caller_of(request)))
        body = await body_of(request, services.max_body)
        asked = decoded(body, _request)
        services.models.check(asked.model)
        payload = {name: raw for name, raw in decoded(body, _fields).items() if name != "model"}
        try:
            with unless_gone(request.receive):
                async with asyncio.timeout(services.request_timeout):
                    answer = await services.upstreams.post("/embeddings", asked.model, payload)
        except TimeoutError:
            raise DeadlineExceeded("the embeddings took longer than allowed") from None
        admission.embedded(answer, asked.input)
        return HeldReply(answer, held.pop_all(), admission.headers)
