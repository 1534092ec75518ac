"""What is no HTTP is refused in the usual shape; what never ends is not waited for."""

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from running import Service

HOST = b"Host: localhost\r\n\r\n"


def answer(yychat: Service, *pieces: bytes) -> tuple[int, dict[str, str], Any]:
    """Status, headers and body of what comes for *pieces*, until the service closes."""
    url = urlsplit(yychat.url)
    received = b""
    with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
        for piece in pieces:
            connection.sendall(piece)
        while data := connection.recv(65_536):
            received += data
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert len(body) == int(headers["content-length"])
    return int(first.split()[1]), headers, json.loads(body)


@pytest.mark.parametrize(
    "request_",
    [
        b"hello\r\n\r\n",
        b"GET  HTTP/1.1\r\n" + HOST,
        b"GET /healthz HTTP/9.9\r\n" + HOST,
        b"GET http://[::1 HTTP/1.1\r\n" + HOST,
        b"GET /healthz HTTP/1.1\r\nno colon\r\n" + HOST,
        b"POST /v1/tools/call HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n" + HOST,
        b"POST /v1/tools/call HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"zz\r\n",
        b"POST /nowhere HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"zz\r\n",
    ],
)
def test_what_is_no_http_is_refused_in_the_usual_shape(yychat: Service, request_: bytes) -> None:
    status, headers, body = answer(yychat, request_)
    assert status == 400
    assert headers["content-type"] == "application/json"
    assert headers["connection"] == "close"
    assert body["error"] == {
        "message": "this is not valid HTTP/1.1",
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_http",
    }


@pytest.mark.parametrize(
    "endless",
    [b"x: " + b"a" * 1_000_000, b"".join(b"x-%d: y\r\n" % n for n in range(100_000))],
    ids=["one header", "many headers"],
)
def test_headers_without_end_are_refused_before_they_fill_the_memory(
    yychat: Service, endless: bytes
) -> None:
    pieces = [endless[at : at + 16_384] for at in range(0, len(endless), 16_384)]
    status, headers, body = answer(yychat, b"GET /healthz HTTP/1.1\r\n", *pieces)
    assert status == 431
    assert headers["connection"] == "close"
    assert body["error"]["code"] == "head_too_large"


def test_large_headers_within_the_bound_are_read(yychat: Service) -> None:
    header = b"x: " + b"a" * 50_000 + b"\r\nConnection: close\r\n"
    pieces = [header[at : at + 1_000] for at in range(0, len(header), 1_000)]
    status, _, body = answer(yychat, b"GET /healthz HTTP/1.1\r\n", *pieces, HOST)
    assert (status, body["status"]) == (200, "ok")


def test_a_body_may_be_larger_than_a_head_and_another_request_follow_it(yychat: Service) -> None:
    body = b'{"model": "simulated", "messages": [], "x": "' + b"a" * 300_000 + b'"}'
    first = b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n" % len(body) + HOST
    rest = b"GET /healthz HTTP/1.1\r\nConnection: close\r\n" + HOST
    url = urlsplit(yychat.url)
    received = b""
    with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
        connection.sendall(first + body + rest)
        while data := connection.recv(65_536):
            received += data
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1 ") == 2
    assert received.endswith(b"}")
    assert b"HTTP/1.1 200 OK" in received
