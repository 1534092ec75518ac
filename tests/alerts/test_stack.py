"""``make stack`` comes up whole, and leaves nothing behind."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fault.instances import until
from prometheus_server import Prometheus
from rules import ROOT

PROMETHEUS = "http://127.0.0.1:19090"
TARGETS = {"stack:0", "stack:1", "redis", "prometheus", "alertmanager"}
PROGRAMS = 8
_STARTED = re.compile(r"started \(pid=(\d+)\)")
_PORT = re.compile(r"127\.0\.0\.1:(\d+)")


class Stack:
    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process, self._log = process, log

    def printed(self) -> str:
        return self._log.read_text()

    def pids(self) -> list[int]:
        return [int(found) for found in _STARTED.findall(self.printed())]


@contextmanager
def stack(log: Path) -> Iterator[Stack]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["sh", str(ROOT / "scripts" / "stack.sh")],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        yield Stack(process, log)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)


@pytest.fixture
def prom() -> Iterator[Prometheus]:
    prom = Prometheus(PROMETHEUS)
    yield prom
    prom.close()


def interrupt(process: "subprocess.Popen[bytes]") -> None:
    """As Ctrl-C in its terminal."""
    os.killpg(process.pid, signal.SIGINT)


def terminate(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("stop", [interrupt, terminate])
def test_everything_is_up_and_then_nothing_is_left(
    tmp_path: Path, prom: Prometheus, stop: Callable[["subprocess.Popen[bytes]"], None]
) -> None:
    with stack(tmp_path / "log") as running:
        until(prom.ready, within=60)
        until(lambda: prom.targets() == dict.fromkeys(TARGETS, "up"), within=60)
        until(lambda: (prom.value("sum(yychat_chat_requests_total)") or 0) > 0, within=60)
        assert prom.value("environment:alertmanager_people:bool") == 0
        pids = running.pids()
        assert len(pids) == PROGRAMS
        assert all(map(lives, pids))
        stop(running.process)
        running.process.wait(30)
    assert not [pid for pid in pids if lives(pid)]
    ports = {int(port) for port in _PORT.findall(running.printed())}
    assert len(ports) >= 6
    assert not [port for port in ports if taken(port)]


def test_a_port_that_is_taken_is_named_and_nothing_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 19121)), stack(tmp_path / "log") as running:
        assert running.process.wait(30) == 1
    assert "port 19121 is in use" in running.printed()
    assert running.pids() == []
