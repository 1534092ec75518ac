"""The built-in simulator beside a service without an upstream: when it dies, it comes back."""

import os
import signal
import time
from pathlib import Path

from running import service

WITHIN = 20.0


def children(of: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{of}/task/{of}/children").read_text().split()]


def test_a_simulator_that_dies_is_started_again(data: Path) -> None:
    with service(data, YYCHAT_RETRIES="0") as yychat:
        assert yychat.say("say hello") == "hello"
        (child,) = children(yychat.process.pid)
        os.kill(child, signal.SIGKILL)
        ends = time.monotonic() + WITHIN
        while yychat.chat("say hello").status_code != 200 and time.monotonic() < ends:
            time.sleep(0.05)
        assert yychat.say("say hello again") == "hello again"
        assert children(yychat.process.pid) != [child]
    assert sum("is started again" in line["message"] for line in yychat.logged()) == 1
