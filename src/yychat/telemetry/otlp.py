"""Spans as OTLP's protobuf, and the exporter that sends them so.

OpenTelemetry's encoder makes an object of every attribute and takes three times as long: more than
a sampled request's spans cost otherwise. Fields have the numbers of opentelemetry-proto 1.x
(trace.proto, common.proto); the wire format is protobuf's.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any, cast

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanContext

from .spans import SCOPE, SampledSpan

_SAID, _REMOTE = 0x100, 0x200  # whether a parent is remote: that it is said, and that it is

_fixed32, _fixed64, _double = Struct("<I").pack, Struct("<Q").pack, Struct("<d").pack


class Exporter(OTLPSpanExporter):
    """OpenTelemetry's, with all its environment variables, but for the encoding."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        sent = self._client.export(encoded(cast(Sequence[SampledSpan], spans)))
        return SpanExportResult.SUCCESS if sent.success else SpanExportResult.FAILURE


def encoded(spans: Sequence[SampledSpan]) -> bytes:
    """An ``ExportTraceServiceRequest`` of *spans*, at least one, all of the same resource."""
    resource = _part(1, _attributes(1, spans[0].resource.attributes))
    told = [_part(2, _span(span)) for span in spans]
    return _part(1, resource + _part(2, _SCOPE + b"".join(told)))


def _span(span: SampledSpan) -> bytes:
    parent, code = span.parent, span.status.status_code.value
    parts = [
        _identity(span.context),
        _text(5, span.name),
        b"\x30%c" % (span.kind.value + 1),
        b"\x39" + _fixed64(span.start_time),
        b"\x41" + _fixed64(span.end_time),
        _attributes(9, span.attributes),
    ]
    if parent is not None:
        parts.append(b"\x22\x08" + parent.span_id.to_bytes(8))
    parts += [
        _part(13, _identity(link.context) + b"\x35" + _remoteness(link.context))
        for link in span.links
    ]
    parts.append(_part(15, b"\x18%c" % code if code else b""))
    parts.append(b"\x85\x01" + _remoteness(parent))
    return b"".join(parts)


def _identity(context: SpanContext) -> bytes:
    """Trace, span and state, which have the same numbers in spans and links."""
    ids = b"\x0a\x10" + context.trace_id.to_bytes(16) + b"\x12\x08" + context.span_id.to_bytes(8)
    state = context.trace_state
    return ids + _text(3, state.to_header()) if state else ids


def _remoteness(context: SpanContext | None) -> bytes:
    return _fixed32(_SAID | _REMOTE if context is not None and context.is_remote else _SAID)


def _attributes(number: int, attributes: Mapping[str, Any]) -> bytes:
    tag = _TAGS[number]
    written: list[bytes] = []
    for key, value in attributes.items():
        pair = _key(key) + _WRITTEN.get(type(value), _other)(value)
        written += tag, _varint(len(pair)), pair
    return b"".join(written)


@lru_cache(maxsize=1024)
def _key(name: str) -> bytes:
    return _text(1, name)


def _string(value: str) -> bytes:
    data = value.encode(errors="replace")
    size = len(data)
    return _SHORT[size] + data if size < len(_SHORT) else _part(2, _part(1, data))


def _integer(value: int) -> bytes:
    return _part(2, b"\x18" + _varint(value & 0xFFFF_FFFF_FFFF_FFFF))


def _list(values: Iterable[Any]) -> bytes:
    return _part(2, _part(5, b"".join([_part(1, _text(1, str(value))) for value in values])))


def _other(value: Any) -> bytes:
    return _string(str(value))


# A pair's value, its tag included, by the value's type.
_WRITTEN: dict[type, Callable[[Any], bytes]] = {
    str: _string,
    bool: lambda value: b"\x12\x02\x10\x01" if value else b"\x12\x02\x10\x00",
    int: _integer,
    float: lambda value: b"\x12\x09\x21" + _double(value),
    tuple: _list,
    list: _list,
}
# What comes before a short text that is a value.
_SHORT = [bytes([0x12, size + 2, 0x0A, size]) for size in range(0x7E)]


def _text(number: int, text: str) -> bytes:
    return _part(number, text.encode(errors="replace"))


def _part(number: int, data: bytes) -> bytes:
    """A field of known length."""
    return _TAGS[number] + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    if number < 0x80:
        return _SMALL[number]
    low, rest = bytes([number & 0x7F | 0x80]), number >> 7
    return low + _varint(rest)


_TAGS = [bytes([number << 3 | 2]) for number in range(16)]
_SMALL = [bytes([number]) for number in range(0x80)]
_SCOPE = _part(1, _text(1, SCOPE.name))
