"""Structs on their way out as JSON."""

import msgspec
from starlette.responses import Response

_encoder = msgspec.json.Encoder()


def reply(value: msgspec.Struct, status: int = 200) -> Response:
    return Response(_encoder.encode(value), status, media_type="application/json")
