"""A real redis-server of a test's own, on a free port and in a folder of its own."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WITHIN = 10.0  # seconds for Redis to come and to go


class RedisServer:
    """``start`` and ``stop`` may follow each other: port and data stay, as with a real restart."""

    def __init__(
        self, folder: Path, *, appendonly: bool = False, maxmemory: str = "0", port: int = 0
    ) -> None:
        assert shutil.which("redis-server"), (
            "these tests need redis-server and redis-cli (Debian: apt-get install redis)"
        )
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port = folder, port or _free_port()
        self._appendonly, self._maxmemory = appendonly, maxmemory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self._process, "Redis does not run"
        return self._process.pid

    def start(self, *, emptied: bool = False, from_dump: bool = False) -> None:
        """*from_dump* reads dump.rdb, which Redis does not where it keeps an append-only file."""
        assert self._process is None, "Redis runs already"
        if emptied:
            shutil.rmtree(self.folder)
            self.folder.mkdir()
        self._process = subprocess.Popen(self._command(from_dump), stdin=subprocess.DEVNULL)
        ends = time.monotonic() + WITHIN
        while not self._answers():
            assert self._process.poll() is None, f"redis-server ended: {self._log()}"
            assert time.monotonic() < ends, f"redis-server does not answer: {self._log()}"
            time.sleep(0.01)

    def stop(self, *, kill: bool = False) -> None:
        """SIGTERM, or kill -9 as a crash would; nothing where it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            process.wait(WITHIN)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def pause(self) -> None:
        """It hangs: connections are still accepted, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def cli(self, *arguments: str) -> str:
        """What redis-cli prints, without its last line feed; an error is a failure."""
        command = ["redis-cli", "-e", "-p", str(self.port), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        return done.stdout.removesuffix("\n")

    def keys(self, pattern: str = "*") -> list[str]:
        return self.cli("--scan", "--pattern", pattern).split()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process, "Redis does not run"
        self._process.send_signal(number)

    def _command(self, from_dump: bool) -> list[str]:
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.folder),
            "logfile": "redis.log",
            "save": "",
            "appendonly": "yes" if self._appendonly and not from_dump else "no",
            "maxmemory": self._maxmemory,
            "maxmemory-policy": "noeviction",
        }
        return ["redis-server", *(word for n, v in options.items() for word in (f"--{n}", v))]

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def _log(self) -> str:
        log = self.folder / "redis.log"
        return log.read_text() if log.exists() else ""


@contextmanager
def redis_server(
    folder: Path, *, appendonly: bool = False, maxmemory: str = "0"
) -> Iterator[RedisServer]:
    server = RedisServer(folder, appendonly=appendonly, maxmemory=maxmemory)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
