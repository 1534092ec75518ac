"""The server's span around every request, and what the request comes to written on it.

The span of a sampled trace is begun and described by OpenTelemetry's ASGI middleware, outermost,
with its stable names; any other is a light one. Of what the middleware would note by itself, paths,
queries, addresses and user agents are left out: they hold callers' ids. Both end when the last byte
has been handed over.
"""

import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware, asgi_getter
from opentelemetry.trace import NoOpTracer, Span, SpanContext, SpanKind
from opentelemetry.util.http import sanitize_method
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import semconv
from .observation import Observation, observe
from .spans import traceparent
from .tracer import Tracer

CHAT_ROUTE = "/v1/chat/completions"
UNMATCHED = "unmatched"
Finished = Callable[[Observation, Scope, int], None]  # told of each request when it is over


def watched(app: ASGIApp, tracer: Tracer, finished: Finished = lambda *_: None) -> ASGIApp:
    """*app*, with a server span around every request."""
    # Read by the middleware when the first one is made.
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
    observing = Observing(app, finished)

    async def within(scope: Scope, receive: Receive, send: Send) -> None:
        await observing(scope[_WHOLE], receive, send, trace.get_current_span())

    middleware: ASGIApp = OpenTelemetryMiddleware(
        within,
        default_span_details=_details,
        tracer=_Sampled(tracer),
        exclude_spans=["send", "receive"],
    )

    async def outermost(scope: Scope, receive: Receive, send: Send) -> None:
        # A WebSocket lasts for hours, has no status, and would count as a request that failed.
        if scope["type"] != "http":
            await app(scope, receive, send)
        elif (light := tracer.light_head(SpanKind.SERVER, {}, _caller(scope))) is None:
            await middleware(_shown(scope), receive, send)
        else:
            await observing(scope, receive, send, light)

    return outermost


class _Sampled(NoOpTracer):
    """What the middleware makes the spans of sampled traces with."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Mapping[str, Any] | None = None,
        *_: object,
        **__: object,
    ) -> Span:
        parent = trace.get_current_span(context).get_span_context()
        return self._tracer.sampled(name, dict(attributes or {}), kind, parent)


def _shown(scope: Scope) -> Scope:
    """What the middleware gets to see of a request: it would note paths, addresses and agents."""
    return {
        "type": "http",
        "method": scope["method"],
        "scheme": scope["scheme"],
        "http_version": scope["http_version"],
        "headers": [header for header in scope["headers"] if header[0] in _CONTEXT],
        _WHOLE: scope,
    }


def _caller(scope: Scope) -> SpanContext | None:
    """The span that the request says it belongs to, read as the middleware does."""
    if b"traceparent" not in dict(scope["headers"]):
        return None
    context = propagate.extract(dict(scope), getter=asgi_getter)
    return trace.get_current_span(context).get_span_context()


def _details(scope: Scope) -> tuple[str, dict[str, Any]]:
    """The span's name until the route is known, and nothing to note."""
    return scope["method"], {}


_method = lru_cache(64)(sanitize_method)  # it asks the environment every time
_CONTEXT = (b"traceparent", b"tracestate")  # nobody here wants baggage
_WHOLE = "yychat.scope"


class Observing:
    """Makes the request's ``Observation``, lets the response bear its ``traceparent``, and
    finishes it before its span ends: with the last message, or however else it ends."""

    def __init__(self, app: ASGIApp, finished: Finished) -> None:
        self._app, self._finished = app, finished

    async def __call__(self, scope: Scope, receive: Receive, send: Send, span: Span) -> None:
        is_chat = scope["path"] == CHAT_ROUTE and scope["method"] == "POST"
        observation = Observation(span, is_chat=is_chat)
        observe(observation)
        status, bears = 0, (b"traceparent", traceparent(span).encode())

        async def noticing(message: Message) -> None:
            nonlocal status
            last = False
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), bears]
            elif last := not message.get("more_body", False):
                _finish(observation, scope, status, complete=True)
            await send(message)
            if last:
                span.end()  # nobody waits for what is left to do here

        with span:
            try:
                await self._app(scope, receive, noticing)
            finally:
                _finish(observation, scope, status, complete=False)
                self._finished(observation, scope, status)


def _finish(observation: Observation, scope: Scope, status: int, *, complete: bool) -> None:
    if observation.finished:
        return
    # What is refused early was never routed; of chat requests the route is known all the same.
    unrouted = CHAT_ROUTE if scope["path"] == CHAT_ROUTE else UNMATCHED
    route = getattr(scope.get("route"), "path", unrouted)
    method, span = _method(scope["method"]), observation.span
    found: dict[str, Any] = {semconv.HTTP_ROUTE: route, semconv.HTTP_METHOD: method}
    if status:
        found[semconv.HTTP_STATUS] = status
    span.set_attributes(found)
    span.update_name(f"{method} {route}")
    observation.finish(complete=complete)
