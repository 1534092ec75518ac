"""Running ``yychat`` commands as an operator does: to their end, with next to no environment."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from environment import bare

Done = subprocess.CompletedProcess[str]


def command(*arguments: str, **environment: str) -> Done:
    return subprocess.run(
        _line(arguments),
        env=bare(environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def printed(*arguments: str, **environment: str) -> str:
    """Standard output of a command that has to succeed."""
    done = command(*arguments, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Worker:
    """A ``yychat work`` that has begun."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self.process, self.greeting = process, process.stdout.readline()

    def kill(self) -> None:
        """kill -9, as a crash would."""
        self.process.kill()
        self.process.wait(10)

    def stop(self, within: float = 20) -> tuple[int, str]:
        """SIGTERM; its exit code and what it logged."""
        self.process.send_signal(signal.SIGTERM)
        _, logged = self.process.communicate(timeout=within)
        return self.process.returncode, logged


@contextmanager
def worker(**environment: str) -> Iterator[Worker]:
    process = subprocess.Popen(
        _line(("work",)),
        env=bare(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Worker(process)
        finally:
            if process.poll() is None:
                process.kill()


def _line(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "yychat", *arguments]
