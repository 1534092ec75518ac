"""Processes that follow the selection in one Redis, and what they have seen."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

SCRIPT = Path(__file__).with_name("switch_follower.py")


class Follower:
    """``seen`` maps each revision to when it was adopted, on the machine's monotonic clock."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.order: list[int] = []
        self.seen: dict[int, float] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        self._reader.join(10)
        assert self.process.stdout
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            revision, at = line.split()
            self.order.append(int(revision))
            self.seen[int(revision)] = float(at)


@contextmanager
def followers(url: str, count: int, *options: str) -> Iterator[list[Follower]]:
    """*count* of them that know what is shared."""
    with ExitStack() as stack:
        command = [sys.executable, str(SCRIPT), url, *options]
        running = []
        for _ in range(count):
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            running.append(Follower(process))
            stack.callback(running[-1].stop)
        until(lambda: all(max(each.order, default=0) > 0 for each in running))
        yield running


def until(state: Callable[[], bool], within: float = 20.0) -> None:
    ends = time.monotonic() + within
    while not state():
        assert time.monotonic() < ends, "it did not come to that"
        time.sleep(0.02)
