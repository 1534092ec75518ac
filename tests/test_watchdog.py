"""The watchdog sees an event loop that does not come round, while it does not."""

import asyncio
import threading
import time

import pytest

from remembering import Clock
from yychat.telemetry.metrics import Metrics
from yychat.telemetry.watchdog import BLOCKED, LAG, Watchdog


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watchdog(metrics: Metrics, clock: Clock) -> Watchdog:
    return Watchdog(metrics, clock=clock, every=0.25, tolerated=0.1)


def value(metrics: Metrics, name: str) -> float:
    found = metrics.registry.get_sample_value(name)
    assert found is not None
    return found


def test_a_loop_that_comes_round_is_not_blocked(
    metrics: Metrics, clock: Clock, watchdog: Watchdog
) -> None:
    for _ in range(10):
        clock.pass_(0.26)
        watchdog.look()
        watchdog.pulse()
    assert value(metrics, BLOCKED) == 0
    assert value(metrics, f"{LAG}_count") == 10
    assert value(metrics, f"{LAG}_sum") == pytest.approx(0.1)


def test_a_block_grows_while_it_lasts_and_counts_once(
    metrics: Metrics, clock: Clock, watchdog: Watchdog
) -> None:
    clock.pass_(0.25)
    for seconds in range(1, 5):
        clock.pass_(1)
        watchdog.look()
        watchdog.look()
        assert value(metrics, BLOCKED) == pytest.approx(seconds)
    clock.pass_(0.5)
    watchdog.pulse()
    assert value(metrics, BLOCKED) == pytest.approx(4.5)
    assert value(metrics, f"{LAG}_sum") == pytest.approx(4.5)


def test_a_block_that_holds_up_threads_too_is_counted_by_the_pulse(
    metrics: Metrics, clock: Clock, watchdog: Watchdog
) -> None:
    clock.pass_(3.25)
    watchdog.pulse()
    clock.pass_(1.25)
    watchdog.pulse()
    assert value(metrics, BLOCKED) == pytest.approx(4)


async def test_a_real_block_is_seen_from_outside_before_it_ends(metrics: Metrics) -> None:
    watching = asyncio.create_task(Watchdog(metrics, every=0.01, tolerated=0.02).watch())
    await asyncio.sleep(0)
    ends = time.monotonic() + 20
    while value(metrics, BLOCKED) == 0:  # the loop does not come round meanwhile
        assert time.monotonic() < ends
        time.sleep(0.01)  # noqa: ASYNC251 - that is the point
    watching.cancel()
    await asyncio.wait([watching])


async def test_its_thread_ends_with_it(metrics: Metrics) -> None:
    watching = asyncio.create_task(Watchdog(metrics).watch())
    await asyncio.sleep(0)
    assert "watchdog" in {thread.name for thread in threading.enumerate()}
    watching.cancel()
    await asyncio.wait([watching])
    assert "watchdog" not in {thread.name for thread in threading.enumerate()}
