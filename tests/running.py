"""Starting the real programs that tests talk to, on free ports; stopping them by their process."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from environment import bare

WITHIN = 20.0  # seconds for a program to say that it listens
_LISTENING = re.compile(r"listening on (http://\S+)")


class Running:
    """A program that listens at ``url``. ``lines`` is what it printed until it did."""

    def __init__(self, process: "subprocess.Popen[str]", lines: list[str]) -> None:
        found = _LISTENING.search("".join(lines))
        assert found, f"it did not start: {lines}"
        self.process, self.lines, self.url = process, lines, found[1]
        self._printed = ""
        self.http = httpx2.Client(base_url=self.url, timeout=30)

    def logged(self) -> list[dict[str, Any]]:
        """The lines of its log, once it has ended."""
        self._read()
        lines = self._printed.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def _read(self) -> None:
        stdout = self.process.stdout
        if stdout and not stdout.closed and self.process.poll() is not None:
            self._printed += stdout.read()

    def kill(self) -> None:
        """kill -9, as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self, within: float = 30) -> int:
        """SIGTERM, and its exit code."""
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(within)
        finally:
            if self.process.poll() is None:
                self.process.kill()
            self._read()
            if self.process.stdout:
                self.process.stdout.close()


class Simulator(Running):
    """The simulated upstream; every fault of a test ends with ``reset``."""

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    def faults(self, **faults: Any) -> None:
        answer = self.http.put("/control", json=faults)
        assert answer.status_code == 200, answer.text

    def reset(self) -> None:
        self.http.delete("/control").raise_for_status()

    def stats(self) -> Any:
        return self.http.get("/control/stats").json()

    def last(self) -> Any:
        """The last bodies and headers that arrived, by route."""
        return self.http.get("/control/last").json()


class Service(Running):
    """A YYChat of its own, with its data in a folder of its own."""

    def chat(self, text: str, **fields: Any) -> httpx2.Response:
        """One user message; *fields* join the request (``user=...``, ``stream=True``)."""
        key = fields.pop("key", "")
        body = {"messages": [{"role": "user", "content": text}], "model": "simulated", **fields}
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return self.http.post("/v1/chat/completions", json=body, headers=headers)

    def say(self, text: str, **fields: Any) -> str:
        """The answer's text; asserts that there was one."""
        answer = self.chat(text, **fields)
        assert answer.status_code == 200, answer.text
        content: str = answer.json()["choices"][0]["message"]["content"]
        return content


@contextmanager
def simulator() -> Iterator[Simulator]:
    process, lines = _start(["simulate", "--port", "0"], {})
    running = Simulator(process, lines)
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def service(data: Path, **environment: str) -> Iterator[Service]:
    """``yychat serve`` on a free port with *data* as its folder and next to no environment."""
    process, lines = _start(["serve", "--port", "0"], {"YYCHAT_DATA_DIR": str(data), **environment})
    running = Service(process, lines)
    try:
        yield running
    finally:
        running.stop()


def _start(
    arguments: list[str], environment: Mapping[str, str]
) -> tuple["subprocess.Popen[str]", list[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "yychat", *arguments],
        env=bare(environment),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines: list[str] = []
    ends = time.monotonic() + WITHIN
    while time.monotonic() < ends and not _LISTENING.search("".join(lines)):
        line = process.stdout.readline()
        if not line:
            break
        lines.append(line)
    return process, lines
