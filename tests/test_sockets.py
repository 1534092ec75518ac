"""A WebSocket's key, and the codes that say why it ends."""

import pytest

from yychat.errors import (
    CapacityExceeded,
    Forbidden,
    InvalidRequest,
    RateLimited,
    StoreError,
    Unauthenticated,
    YYChatError,
)
from yychat.web.sockets import code_of, credentials


def shown(kind: str, *protocols: str, header: str | None = None) -> list[str]:
    headers = [(b"host", b"here"), *([(b"authorization", header.encode())] if header else [])]
    scope = {"type": kind, "headers": headers, "subprotocols": list(protocols)}
    return credentials(scope).getlist("authorization")


def test_a_key_may_come_as_a_header_or_as_a_subprotocol() -> None:
    assert shown("websocket", header="Bearer k") == ["Bearer k"]
    assert shown("websocket", "yychat", "yychat.key.k") == ["Bearer k"]
    assert shown("websocket", "yychat") == []


def test_who_sends_several_keys_is_seen_to() -> None:
    assert shown("websocket", "yychat.key.a", "yychat.key.b") == ["Bearer a", "Bearer b"]
    assert shown("websocket", "yychat.key.a", header="Bearer b") == ["Bearer b", "Bearer a"]


def test_a_request_has_no_subprotocols() -> None:
    assert shown("http", "yychat.key.a", header="Bearer b") == ["Bearer b"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unauthenticated("no"), 4401),
        (Forbidden("no"), 4403),
        (InvalidRequest("no"), 1008),
        (CapacityExceeded("later"), 1013),
        (RateLimited("later"), 1013),
        (StoreError("away"), 1011),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, YYChatError) else str(value),
)
def test_the_code_says_why_it_ends(error: YYChatError, code: int) -> None:
    assert code_of(error) == code
