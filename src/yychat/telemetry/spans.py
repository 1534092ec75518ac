"""Making spans around what is watched: current while it runs, never across a ``yield``."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer, use_span

from ..errors import YYChatError
from . import semconv
from .outcomes import error_type_of

T = TypeVar("T")
Attributes = Mapping[str, Any]


@asynccontextmanager
async def span_of(
    tracer: Tracer,
    name: str,
    attributes: Attributes,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    links: tuple[Link, ...] = (),
) -> AsyncIterator[Span]:
    """A span for the block; our errors end it as failed, with their type and no text of theirs."""
    span = tracer.start_span(name, kind=kind, attributes=dict(attributes), links=links)
    try:
        with use_span(span, record_exception=False, set_status_on_exception=False):
            yield span
    except YYChatError as error:
        failed(span, error)
        raise
    finally:
        span.end()


def failed(span: Span, error: YYChatError) -> None:
    span.set_attribute(semconv.ERROR_TYPE, error_type_of(error))
    span.set_status(Status(StatusCode.ERROR))


async def under(span: Span, items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """*items*, with *span* current only while they are being made: who consumes them may go on
    in another task, and the context of one does not fit the other."""
    async with aclosing(items):
        while True:
            with use_span(span, record_exception=False, set_status_on_exception=False):
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    return
            yield item
