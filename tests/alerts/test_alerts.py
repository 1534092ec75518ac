"""Every fault is told at a real webhook within seconds, as the alert it is; health is not told."""

import os
import time
from collections.abc import Callable, Iterator

import pytest

from alerts.faults import FAULTS, Fault
from alerts.fleet import Fleet, fleet, wait
from alerts.load import MIXED, RATE
from fault.instances import until
from webhook_inbox import Delivery

Note = Callable[[str], None]

HEALTHY = 300.0  # seconds
AT_MOST = 10.0  # seconds from a fault to its notification
RECEIVERS = {"page": "/pages", "ticket": "/tickets", "none": "/watchdog"}
SETTLED = 8.0  # seconds: what was asked before is out of the windows
WARM = 15.0  # seconds: what the start was like is out of every window


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet(tmp_path_factory.mktemp("fleet"), fast=True) as running:
        yield running


@pytest.fixture(autouse=True)
def gentle(running: Fleet) -> Iterator[None]:
    """Every test begins with a fleet that is well, under the same load."""
    until(running.calm)
    yield
    running.load.rate, running.load.questions = RATE, MIXED


def test_five_healthy_minutes_raise_nothing_but_the_watchdog(running: Fleet, note: Note) -> None:
    wait(WARM)
    running.load.counts.clear()
    began = time.monotonic()
    wait(HEALTHY)
    told = {name for each in running.inbox.got if each.at > began for name in names(each)}
    assert told == {"Watchdog"}, os.getloadavg()
    assert set(running.load.counts) == {"chat_engine", "mem0_proxy"}
    note(f"{HEALTHY:.0f} healthy seconds: {running.load.counts.total()} requests, no alert")


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_fault_is_told_at_once_and_so_is_its_end(
    running: Fleet, note: Note, fault: Fault
) -> None:
    running.load.rate, running.load.questions = fault.rate, fault.questions
    wait(SETTLED)
    until(lambda: not fires(running, fault), within=60)
    with fault.injected(running) as began:
        told = notified(running, fault, "firing", began)
        mending = time.monotonic()
    over = notified(running, fault, "resolved", mending)
    seconds = told - began
    note(f"{fault.name:28}{fault.alert:34}{seconds:5.1f} s, its end {over - mending:5.1f} s")
    assert seconds <= AT_MOST


def fires(running: Fleet, fault: Fault) -> bool:
    matchers = ",".join(f'{n}="{v}"' for n, v in fault.expected.items() if n != "environment")
    return running.prom.value(f"count(ALERTS{{{matchers}}})") is not None


def names(delivery: Delivery) -> set[str]:
    return {alert["labels"]["alertname"] for alert in delivery.alerts}


def notified(running: Fleet, fault: Fault, status: str, since: float) -> float:
    """When whoever it is for was told so, with just the right labels."""

    def found() -> list[float]:
        return [
            delivery.at
            for delivery in list(running.inbox.got)
            if delivery.at > since and delivery.path == RECEIVERS[fault.severity]
            for alert in delivery.alerts
            if alert["status"] == status and alert["labels"] == fault.expected
        ]

    until(lambda: bool(found()), within=90)
    return found()[0]
