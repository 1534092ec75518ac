"""A stop that will not wait: answers are cut, and every caller is told in the usual shape."""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from running import Service, Simulator, service

DRAINING = {
    "message": "the service is stopping",
    "type": "service_unavailable_error",
    "param": None,
    "code": "draining",
}


class Waiting(threading.Thread):
    """A caller whose answer takes longer than any test; what came of it."""

    def __init__(self, yychat: Service, *, stream: bool) -> None:
        super().__init__(daemon=True)
        self._yychat, self._stream = yychat, stream
        self.status, self.text = 0, ""
        self.headers: Any = {}

    def run(self) -> None:
        said = [{"role": "user", "content": "write 2000 words"}]
        body = {"model": "simulated", "messages": said, "stream": self._stream, "user": "anna"}
        with (
            httpx2.Client(base_url=self._yychat.url, timeout=30) as http,
            http.stream("POST", "/v1/chat/completions", json=body) as answer,
        ):
            self.status, self.headers = answer.status_code, answer.headers
            for piece in answer.iter_text():
                self.text += piece


@dataclass
class Stopping:
    """A service with two answers under way, one streamed and one whole."""

    yychat: Service
    streamed: Waiting
    whole: Waiting

    def signal(self, *numbers: signal.Signals) -> None:
        for number in numbers:
            self.yychat.process.send_signal(number)
            time.sleep(0.05)  # one that comes before the last was seen is the same signal

    def ended(self) -> int:
        code = self.yychat.process.wait(30)
        for caller in (self.streamed, self.whole):
            caller.join(10)
            assert not caller.is_alive()
        return code


@contextmanager
def stopping(data: Path, upstream: Simulator, **environment: str) -> Iterator[Stopping]:
    upstream.faults(token_ms=20)
    with service(
        data, OPENAI_BASE_URL=upstream.base_url, OPENAI_MODEL="simulated", **environment
    ) as yychat:
        callers = [Waiting(yychat, stream=stream) for stream in (True, False)]
        for caller in callers:
            caller.start()
        until(lambda: callers[0].text != "" and upstream.stats()["in_flight"] == 2)
        yield Stopping(yychat, *callers)


def until(state: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not state():
        assert time.monotonic() < ends, "it did not come to that"
        time.sleep(0.02)


def check_told(stopped: Stopping) -> None:
    """Both callers know that, and why, their answer has ended."""
    *_, last = stopped.streamed.text.split("\n\n")[:-1]
    assert json.loads(last.removeprefix("data: "))["error"] == DRAINING
    assert "[DONE]" not in stopped.streamed.text
    assert stopped.whole.status == 503
    assert json.loads(stopped.whole.text)["error"] == DRAINING
    assert stopped.whole.headers["retry-after"] == "1"
    assert stopped.whole.headers["x-request-id"].startswith("req_")


def complaints(stopped: Stopping) -> list[str]:
    """What was logged beyond plain information."""
    lines = stopped.yychat.logged()
    return [line["message"] for line in lines if line["level"] not in ("INFO", "DEBUG")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_cuts_the_answers_and_tells_their_callers(
    data: Path, upstream: Simulator, number: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    with stopping(data, upstream) as stopped:
        stopped.signal(number, number)
        assert stopped.ended() == 0
    check_told(stopped)
    (line,) = complaints(stopped)
    assert line.endswith("a further signal: 2 answers are cut")


def test_answers_that_outlast_the_shutdown_time_are_cut_the_same_way(
    data: Path, upstream: Simulator, capfd: pytest.CaptureFixture[str]
) -> None:
    with stopping(data, upstream, YYCHAT_SHUTDOWN_SECONDS="1") as stopped:
        stopped.signal(signal.SIGTERM)
        assert stopped.ended() == 0
    check_told(stopped)
    assert len(complaints(stopped)) == 1


def test_in_the_drain_time_a_second_signal_ends_it_and_a_third_the_answers(
    data: Path, upstream: Simulator, capfd: pytest.CaptureFixture[str]
) -> None:
    with stopping(data, upstream, YYCHAT_DRAIN_SECONDS="60") as stopped:
        stopped.signal(signal.SIGTERM)
        assert stopped.yychat.http.get("/healthz").status_code == 200
        stopped.signal(signal.SIGTERM, signal.SIGTERM)
        assert stopped.ended() == 0
    check_told(stopped)
    assert "Traceback" not in capfd.readouterr().err
