"""HTTP as it comes in: what is none, or has no end, is refused as everything else is."""

from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ..errors import InvalidRequest
from .problems import body_of

HEAD = 65_536  # bytes of request line and headers; the parser has no bound of its own
LINGER = 1.0  # seconds: closed with something unread, the refusal itself could be lost


class Protocol(HttpToolsProtocol):
    """uvicorn's, with a bound on a request's head, and errors as JSON.

    The bound is on what is held back, so a head that comes in few reads may be a little larger.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._began = self._in_head = False
        self._refused = False
        self._held = 0

    def on_message_begin(self) -> None:
        self._began = self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._began = False
        super().data_received(data)
        if not self._in_head or self._began:  # how much of this read is of the head is not known
            self._held = 0
            return
        self._held += len(data)
        if self._held > HEAD and not self._refused:
            self.logger.warning("A request's head is too large.")
            message = f"request line and headers are larger than {HEAD} bytes"
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, message, "head_too_large")

    def send_400_response(self, msg: str) -> None:
        self._refuse(HTTPStatus.BAD_REQUEST, "this is not valid HTTP/1.1", "invalid_http")

    def _refuse(self, status: HTTPStatus, message: str, code: str) -> None:
        body = body_of(InvalidRequest(message, code=code))
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        lines = [name + b": " + value for name, value in headers]
        first = f"HTTP/1.1 {status.value} {status.phrase}".encode()
        self.transport.write(b"\r\n".join([first, *lines, b"", body]))
        self._refused = True
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write_eof()
            self.loop.call_later(LINGER, self.transport.close)
        else:  # its handler is told by the connection's end
            self.transport.close()
