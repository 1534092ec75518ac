"""The least that stands between a client and a provider: Starlette and httpx2, bytes passed on.

    python bench/passthrough.py PORT UPSTREAM

What any service written in Python pays: it checks, remembers and counts nothing. On uvloop and
httptools, as YYChat.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=None)


def application(upstream: str) -> Starlette:
    client = httpx2.AsyncClient(base_url=upstream, timeout=None, limits=_LIMITS)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with client:
            yield

    async def passed_on(request: Request) -> Response:
        asked = client.build_request(
            "POST",
            "/chat/completions",
            content=await request.body(),
            headers={"content-type": "application/json", "authorization": "Bearer bench"},
        )
        answer = await client.send(asked, stream=True)
        kind = answer.headers["content-type"]
        if kind.startswith("text/event-stream"):
            return StreamingResponse(_forwarded(answer), answer.status_code, media_type=kind)
        return Response(await answer.aread(), answer.status_code, media_type=kind)

    async def well(_: Request) -> Response:
        return Response(b"ok")

    routes = [
        Route("/v1/chat/completions", passed_on, methods=["POST"]),
        Route("/healthz", well),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def _forwarded(answer: httpx2.Response) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.aiter_raw():
            yield piece
    finally:
        await answer.aclose()


if __name__ == "__main__":
    uvicorn.run(
        application(sys.argv[2]),
        port=int(sys.argv[1]),
        log_level="error",
        access_log=False,
        loop="uvloop",
        http="httptools",
    )
