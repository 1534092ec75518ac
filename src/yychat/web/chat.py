"""POST /v1/chat/completions."""

import asyncio
from contextlib import AsyncExitStack

from starlette.requests import Request
from starlette.responses import Response

from ..chat import About
from ..errors import DeadlineExceeded
from ..telemetry.observation import current
from .engines import wished
from .hangup import unless_gone
from .replies import HeldReply
from .requests import body_of, chat_request
from .services import caller_of, request_id_of, services_of
from .sse import EventStream


async def chat_completions(request: Request) -> Response:
    """One answer: whole, or as a stream whose first token has already come."""
    services = services_of(request)
    ends = asyncio.get_running_loop().time() + services.request_timeout
    caller = caller_of(request)
    async with AsyncExitStack() as held:
        admission = await held.enter_async_context(services.admitted(caller))
        chat = chat_request(
            await body_of(request, services.max_body),
            tenant=caller.tenant,
            owners=services.owners,
            defaults=services.defaults,
            request_id=request_id_of(request),
        )
        chat = wished(chat, request)
        if (observation := current()) is not None:
            observation.asked(chat)
        services.models.check(chat.model)
        chunks = admission.metered(services.engines.generate_response(chat), chat)
        held.push_async_callback(chunks.aclose)
        try:
            with unless_gone(request.receive):
                async with asyncio.timeout_at(ends):
                    first = await anext(chunks)
        except TimeoutError:
            raise DeadlineExceeded("the answer took longer than allowed") from None
        assert first.about is not None
        headers = {**_headers(first.about), **admission.headers}
        if chat.stream:
            return EventStream(first, chunks, ends, headers, held.pop_all())
        return HeldReply(first.data, held.pop_all(), headers)


def _headers(about: About) -> dict[str, str]:
    headers = {"x-yychat-engine": about.engine, "x-yychat-memory": about.memory}
    if about.fallback_from:
        headers["x-yychat-fallback-from"] = about.fallback_from
    if about.trimmed:
        headers["x-yychat-trimmed"] = str(about.trimmed)
    return headers
