"""A listener for scrapers alone: in threads, so that it answers while the event loop is blocked.

Each process has its own, on the first free port from the configured one on; how far that is away
is the process' slot. A restarted process finds the port again that its predecessor has left, so
that ``instance`` stays the same.
"""

import errno
import hmac
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, NamedTuple

from ..background import place_of
from ..errors import ConfigurationError
from .exposition import Exposition

log = logging.getLogger(__name__)

SLOTS = 64  # ports that are tried
CONNECTIONS = 8  # at once; one more cuts the oldest
WITHIN = 10.0  # seconds for one connection in all
QUIET = 5.0  # seconds between two pieces of a request
EVERY = 0.2  # seconds between two looks at them
WILDCARDS = frozenset({"", "0.0.0.0", "::"})


class Reply(NamedTuple):
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}


Answer = Callable[[Mapping[str, str]], Reply]  # from the request's headers, in lower case


def scraped(exposition: Exposition) -> Answer:
    """``/metrics``"""

    def answer(headers: Mapping[str, str]) -> Reply:
        page = exposition.page(headers.get("accept", ""), headers.get("accept-encoding", ""))
        return Reply(200, page.body, page.headers)

    return answer


def discovered(targets: Callable[[], bytes | None]) -> Answer:
    """``/internal/sd``: *targets* as JSON, and 503 where they are not known: to Prometheus an
    empty list says that everything is gone."""

    def answer(_headers: Mapping[str, str]) -> Reply:
        found = targets()
        if found is None:
            return Reply(503, b"the registry of processes cannot be read\n")
        return Reply(200, found, {"content-type": "application/json"})

    return answer


class MetricsListener:
    """Listens from the beginning, and answers from ``start`` to ``close``.

    *slot* is the wanted one: where it is taken, the lowest free one is. With *token*, callers
    have to know it. Raises ``ConfigurationError`` where no port can be had.
    """

    def __init__(
        self, host: str, port: int, *, slot: int | None = None, token: str | None = None
    ) -> None:
        self._host = host
        self.slot, self._server = _bound(host, port, slot)
        self._server.token = token.encode() if token else None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        port: int = self._server.server_address[1]
        return port

    @property
    def instance(self) -> str:
        """What this process is called in every series: the same after a restart."""
        return f"{socket.gethostname()}:{self.slot}"

    def address(self, advertised: str | None = None) -> str:
        """Where Prometheus finds it: at *advertised*, if that is given, else at the address it
        listens on, or this host's name where that is all of them."""
        host = advertised or (socket.gethostname() if self._host in WILDCARDS else self._host)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def start(self, pages: Mapping[str, Answer]) -> None:
        """Answer; what is not in *pages* is not found."""
        self._server.pages = pages
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(EVERY,), name="metrics", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening. Blocks for ``EVERY`` seconds at most."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


def free_slots(host: str, port: int, count: int) -> list[int]:
    """The lowest *count* slots that nobody has now. Raises ``ConfigurationError``."""
    taken = [_bound(host, port, None) for _ in range(count)]
    for _, server in taken:
        server.server_close()
    return [slot for slot, _ in taken]


class _Server(ThreadingMixIn, TCPServer):
    """Not http.server's own, which asks the name service who it is."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.pages: Mapping[str, Answer] = {}
        self.token: bytes | None = None
        self._open: dict[Any, float] = {}
        self._lock = threading.Lock()
        super().__init__((host, port), _Handler)

    def reply(self, path: str, headers: Mapping[str, str]) -> Reply:
        if not self._may_read(headers.get("authorization", "")):
            return Reply(401, b"a token is needed\n", {"www-authenticate": "Bearer"})
        answer = self.pages.get(path.partition("?")[0])
        return answer(headers) if answer else Reply(404, b"not found\n")

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            if len(self._open) >= CONNECTIONS:
                self._cut(next(iter(self._open)))
            self._open[request] = time.monotonic()
        super().process_request(request, client_address)

    def close_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().close_request(request)

    def service_actions(self) -> None:
        """Cut who takes too long, however busy."""
        due = time.monotonic() - WITHIN
        with self._lock:
            for request in [request for request, since in self._open.items() if since < due]:
                self._cut(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):  # who leaves early may
            log.error("a scrape failed: %s", place_of(error))

    def _cut(self, request: Any) -> None:
        """Its thread finds the connection ended and closes it."""
        self._open.pop(request)
        try:
            request.shutdown(socket.SHUT_RDWR)
        except OSError:  # it has just ended
            log.debug("a scraper left before it was cut")

    def _may_read(self, given: str) -> bool:
        if self.token is None:
            return True
        scheme, _, token = given.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(
            token.strip().encode(), self.token
        )


class _Handler(BaseHTTPRequestHandler):
    """One request per connection, and nothing in the log."""

    server: _Server
    timeout = QUIET

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._send(self.server.reply(self.path, headers))

    do_HEAD = do_GET

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        if code == HTTPStatus.NOT_IMPLEMENTED:
            code = HTTPStatus.METHOD_NOT_ALLOWED
        self._send(Reply(code, b"", {"allow": "GET, HEAD"} if code == 405 else {}))

    def log_message(self, format: str, *args: Any) -> None:
        """A line per scrape would be most of the log."""

    def _send(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)


def _bound(host: str, port: int, wanted: int | None) -> tuple[int, _Server]:
    first = [] if wanted is None else [wanted]
    for slot in [*first, *range(min(SLOTS, 65_536 - port))]:
        try:
            return slot, _Server(host, port + slot)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ConfigurationError(
                    f"metrics cannot be served on {host}:{port + slot} ({_why(error)})"
                ) from error
    raise ConfigurationError(f"metrics: none of {SLOTS} ports from {host}:{port} on is free")


def _why(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, "unknown host")
