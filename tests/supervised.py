"""``yychat serve --workers N`` as tests run it, and its workers one by one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from commands import printed
from environment import bare
from running import Service

WITHIN = 30.0  # seconds until something is there, or gone


class Supervised(Service):
    """``registered`` asks as an operator does: instances' names and process ids."""

    def __init__(
        self, process: "subprocess.Popen[str]", lines: list[str], environment: dict[str, str]
    ) -> None:
        super().__init__(process, lines)
        self.environment = environment

    def registered(self) -> dict[str, int]:
        rows = printed("instances", "list", **self.environment).splitlines()[1:]
        words = [row.replace("dead for", "dead-for").split() for row in rows]
        return {each[0]: int(each[-3]) for each in words}

    def children(self) -> dict[int, list[str]]:
        """Process ids and arguments of what the supervisor has started."""
        return {pid: _arguments(pid) for pid in children(self.process.pid)}

    def workers(self) -> list[int]:
        return [pid for pid, words in self.children().items() if "serve" in words]

    def crash(self) -> None:
        """kill -9 of everything at once, as when a machine loses its power."""
        for pid in (self.process.pid, *self.children()):
            os.kill(pid, signal.SIGKILL)
        self.process.wait(10)


@contextmanager
def supervised(data: Path, workers: int = 2, **environment: str) -> Iterator[Supervised]:
    environment = {"YYCHAT_DATA_DIR": str(data), **environment}
    process = subprocess.Popen(
        [sys.executable, "-m", "yychat", "serve", "--port", "0", "--workers", str(workers)],
        env=bare(environment),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline()]
        while lines[-1].startswith("{"):  # logged before the greeting
            lines.append(process.stdout.readline())
        running = Supervised(process, lines, environment)
        yield running
        running.stop()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)
        process.stdout.close()


def until(true: Callable[[], bool]) -> None:
    ends = time.monotonic() + WITHIN
    while not true():
        assert time.monotonic() < ends, "it does not come about"
        time.sleep(0.05)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def children(pid: int) -> list[int]:
    """Process ids of what *pid* has started, in that order."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _arguments(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except (FileNotFoundError, ProcessLookupError):  # it has ended since it was listed
        return []
