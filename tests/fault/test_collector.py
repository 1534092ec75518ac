"""Collectors that are away, hang or are slow: what they cost the service, above all at its end."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from threading import Timer

import pytest

from fault.instances import until
from otlp_receiver import otlp_receiver
from running import Simulator, service
from scrape import scraped, series

TIMES, SLOW = 3, 30.0  # seconds until a slow one answers
LATE = 2.0  # seconds that an end may be delayed
ROUNDS = 40


@contextmanager
def collector(kind: str) -> Iterator[dict[str, str]]:
    """The environment of a service that sends its spans to such a one."""
    with otlp_receiver() as receiver:
        if kind == "none":
            yield {}
        elif kind == "away":
            yield {**receiver.environment, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
        elif kind == "well":
            yield receiver.environment
        else:
            receiver.answers.clear()
            answering = Timer(SLOW, receiver.answers.set) if kind == "slow" else None
            if answering:
                answering.start()
            yield receiver.environment
            if answering:
                answering.cancel()


def ending(kind: str, folder: Path, upstream: Simulator) -> tuple[float, float]:
    """Seconds from SIGTERM to the end, and the median of a request's."""
    took = []
    with (
        collector(kind) as sent,
        service(folder, OPENAI_BASE_URL=upstream.base_url, **sent) as yychat,
    ):
        for _ in range(ROUNDS):
            began = time.monotonic()
            assert yychat.chat("say x").status_code == 200
            took.append(time.monotonic() - began)
        if kind in ("away", "hung", "slow"):
            dropped = series("yychat_telemetry_dropped_total", signal="spans")
            until(lambda: scraped(yychat)[dropped] > 0)
        yychat.say("say the last one")  # so that something is left to be sent
        began = time.monotonic()
        assert yychat.stop() == 0
        return time.monotonic() - began, median(took)


@pytest.mark.parametrize("kind", ["well", "away", "hung", "slow"])
def test_a_collector_delays_an_end_by_two_seconds_at_most(
    kind: str, tmp_path: Path, upstream: Simulator, note: Callable[[str], None]
) -> None:
    without = [ending("none", tmp_path / f"none-{n}", upstream) for n in range(TIMES)]
    found = [ending(kind, tmp_path / f"{kind}-{n}", upstream) for n in range(TIMES)]
    ends = median(end for end, _ in found) - median(end for end, _ in without)
    asked = [1000 * median(each for _, each in runs) for runs in (without, found)]
    note(f"collector {kind}: ends {ends:.2f} s later; requests {asked[0]:.1f} > {asked[1]:.1f} ms")
    assert ends <= LATE
