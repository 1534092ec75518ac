"""Whoever Alertmanager tells: a real receiver of webhooks."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Delivery:
    """One webhook; ``at`` is on the monotonic clock."""

    path: str
    authorization: str | None
    told: Any
    at: float = field(default_factory=time.monotonic)

    @property
    def alerts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.told["alerts"]
        return found


class Inbox:
    """Takes webhooks at any path; ``got`` is what came."""

    def __init__(self) -> None:
        self.got: list[Delivery] = []
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                told = json.loads(body)
                inbox.got.append(Delivery(self.path, self.headers["authorization"], told))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@contextmanager
def inbox() -> Iterator[Inbox]:
    taking = Inbox()
    thread = threading.Thread(target=taking.server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield taking
    finally:
        taking.server.shutdown()
        thread.join()
        taking.server.server_close()
