"""What can be wrong with a Redis, for the time of a block."""

import itertools
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from redis_server import RedisServer

FLAP = 2.0  # seconds
GARBAGE = [
    b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
    b"\x16\x03\x01\x00\xff\xfe\xfd\r\n\r\n\x00\x00",
    b"$1000\r\nnot that long\r\n",
    b"*3\r\n+OK\r\n:12\r\n$5\r\nhello\r\n",
    b"",
]


@contextmanager
def stopped(redis: RedisServer) -> Iterator[None]:
    redis.stop()
    yield
    redis.start()


@contextmanager
def hung(redis: RedisServer) -> Iterator[None]:
    redis.pause()
    yield
    redis.resume()


@contextmanager
def garbage(redis: RedisServer) -> Iterator[None]:
    """Somebody else has its port, and answers whatever comes with something else."""
    redis.stop()
    with _Scribbler(("127.0.0.1", redis.port)) as scribbler:
        thread = threading.Thread(target=scribbler.serve_forever, args=(0.05,))
        thread.start()
        yield
        scribbler.hang_up()
        thread.join()
    redis.start()


@contextmanager
def full(redis: RedisServer) -> Iterator[None]:
    redis.cli("config", "set", "maxmemory", "1")
    yield
    redis.cli("config", "set", "maxmemory", "0")


@contextmanager
def emptied(redis: RedisServer) -> Iterator[None]:
    redis.stop()
    yield
    redis.start(emptied=True)


@contextmanager
def flapping(redis: RedisServer) -> Iterator[None]:
    over = threading.Event()
    thread = threading.Thread(target=_flap, args=(redis, over))
    thread.start()
    yield
    over.set()
    thread.join()


def _flap(redis: RedisServer, over: threading.Event) -> None:
    while not over.is_set():
        redis.stop()
        over.wait(FLAP)
        redis.start()
        over.wait(FLAP)


class _Scribbler(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: tuple[str, int]) -> None:
        self.connections: list[socket.socket] = []
        self.replies = itertools.cycle(GARBAGE)
        super().__init__(address, _Scribble)

    def hang_up(self) -> None:
        self.shutdown()
        for connection in self.connections:
            connection.close()


class _Scribble(socketserver.BaseRequestHandler):
    server: _Scribbler

    def handle(self) -> None:
        self.server.connections.append(self.request)
        reply = next(self.server.replies)
        try:
            while self.request.recv(65536):
                self.request.sendall(reply)
        except OSError:
            return  # one of the two has hung up
