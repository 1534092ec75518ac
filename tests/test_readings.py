"""Gauges that are read off the parts: they say what is, and nothing that once was."""

import asyncio
from collections.abc import Mapping

import pytest

from following import until
from yychat.telemetry import readings
from yychat.telemetry.metrics import Metrics

UP = "yychat_dependency_up"


async def test_a_dependency_that_nobody_asks_about_any_more_has_no_gauge(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("EVERY", "ASKED_EVERY"):
        monkeypatch.setattr(readings, name, 0.001)
    metrics = Metrics()
    found: dict[str, str | None] = {"mem0_proxy:engine": "it did not answer", "redis": None}

    async def asked() -> Mapping[str, str | None]:
        return dict(found)

    def gauges() -> dict[str, float]:
        families = [family for family in metrics.registry.collect() if family.name == UP]
        return {s.labels["dependency"]: s.value for family in families for s in family.samples}

    reading = readings.Readings(metrics)
    reading.dependencies(asked)
    task = asyncio.create_task(reading.run())
    try:
        await asyncio.to_thread(until, lambda: gauges() == {"mem0_proxy:engine": 0, "redis": 1})
        del found["mem0_proxy:engine"]
        await asyncio.to_thread(until, lambda: gauges() == {"redis": 1})
        found["mem0_proxy:engine"] = None
        await asyncio.to_thread(until, lambda: gauges() == {"mem0_proxy:engine": 1, "redis": 1})
    finally:
        task.cancel()
        await asyncio.wait([task])
