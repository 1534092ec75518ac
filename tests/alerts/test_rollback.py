"""The loop closed as it is shipped: real engines, two instances on one Redis, and the timings of
production but for a scrape every second."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alerts.fleet import Fleet, fleet, wait
from alerts.load import PLAIN
from fault.instances import until

Note = Callable[[str], None]

AFTERWARDS = 10.0  # seconds in which nothing may fail


def selections(running: Fleet) -> list[dict[str, Any]]:
    """As each instance sees it."""
    asked = (each.service.http.get("/v1/engines/current") for each in running.instances)
    return [answer.raise_for_status().json() for answer in asked]


def moved(running: Fleet) -> bool:
    return {found["engine"] for found in selections(running)} == {"chat_engine"}


@pytest.mark.parametrize("health", [0.0, 70.0], ids=["new", "well for a minute"])
def test_an_engine_without_memory_loses_its_traffic_on_every_instance(
    tmp_path: Path, note: Note, health: float
) -> None:
    with fleet(tmp_path, fast=False, rollback="on") as running:
        running.load.questions = ()
        asked = {"engine": "mem0_proxy", "reason": "a trial"}
        running.first.http.post("/v1/engines/switch", json=asked).raise_for_status()
        until(lambda: not moved(running))
        if health:
            running.load.questions = (PLAIN,)
            wait(health)
            assert set(running.load.counts) == {"mem0_proxy"}
        running.models.faults(only="embeddings", error_rate=1, error_status=500)
        running.load.questions, began = (PLAIN,), time.monotonic()
        until(lambda: moved(running), within=120)
        took = time.monotonic() - began
        running.load.counts.clear()
        wait(AFTERWARDS)
        # What was under way may have ended on the engine that it began with, and did so well.
        assert set(running.load.counts) <= {"chat_engine", "mem0_proxy"}
        assert running.load.counts["mem0_proxy"] <= 5 < running.load.counts["chat_engine"]
        for found in selections(running):
            assert found["changed_by"] == "alert:YYChatEngineFailing"
    note(f"rollback by two instances, {health:.0f} s of health before: {took:.1f} s")
