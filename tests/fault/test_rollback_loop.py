"""From the first request that an engine fails to the selection that does without it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from fault.alert_stack import FAILING, Stack, callers, stack, until

Note = Callable[[str], None]

HEALTH = 20.0  # seconds of health before anything fails
PATIENCE = 60.0  # seconds after which nothing may have happened
FAILS = "mem0_proxy=store"  # the other one answers
UPSTREAM_AWAY = "mem0_proxy=upstream chat_engine=upstream"


async def shifted(folder: Path, scrape: int) -> float:
    """Seconds from the first failing request to the shifted selection."""
    with stack(folder, scrape=scrape) as running:
        running.switch("mem0_proxy")
        async with callers(running.service) as calling:
            await asyncio.sleep(HEALTH)
            assert set(calling.counts) == {"mem0_proxy"}
            calling.question = FAILS
            took = await until(lambda: running.selection["engine"] == "chat_engine")
            assert set(calling.counts) == {"mem0_proxy", "chat_engine"}  # and no status
        assert running.selection["changed_by"] == "alert:YYChatEngineFailing"
        await until(lambda: running.alerts() != [])
        assert "done" in [a["rollback"]["result"] for a in running.alerts() if a["rollback"]]
    return took


@pytest.mark.parametrize("run", range(3))
async def test_a_failing_engine_loses_its_traffic(tmp_path: Path, note: Note, run: int) -> None:
    took = await shifted(tmp_path, scrape=1)
    note(f"rollback, scraped every second: {took:.1f} s from the first failing request")
    assert took <= 60


async def test_it_does_so_as_well_where_scrapes_are_rare(tmp_path: Path, note: Note) -> None:
    took = await shifted(tmp_path, scrape=15)
    note(f"rollback, scraped every 15 seconds: {took:.1f} s from the first failing request")
    assert took <= 120


async def stays(running: Stack, question: str) -> None:
    """Whatever is asked by *question*, the selection is what it was."""
    running.switch("mem0_proxy")
    before = running.selection
    async with callers(running.service) as calling:
        calling.question = question
        await asyncio.sleep(PATIENCE)
    assert sum(calling.counts.values()) > 100
    assert running.selection == before


async def test_a_healthy_system_is_left_alone(tmp_path: Path) -> None:
    with stack(tmp_path) as running:
        await stays(running, "hi")
        assert running.prom.value(f"count({FAILING})") is None
        assert running.alerts() == []


async def test_an_upstream_that_is_away_moves_nothing(tmp_path: Path) -> None:
    with stack(tmp_path) as running:
        await stays(running, UPSTREAM_AWAY)
        failed = 'sum(yychat_engine_attempts_total{result="upstream_error"})'
        assert (running.prom.value(failed) or 0) > 100
        assert running.prom.value(f"count({FAILING})") is None
        assert running.alerts() == []


async def test_a_silence_keeps_it_from_acting(tmp_path: Path) -> None:
    with stack(tmp_path) as running:
        assert running.manager.silence(alertname="YYChatEngineFailing")
        await stays(running, FAILS)
        assert running.prom.value(f"count({FAILING})") == 1
        assert running.alerts() == []


async def test_switched_off_it_only_says_what_it_would_have_done(tmp_path: Path) -> None:
    with stack(tmp_path, rollback="off") as running:
        await stays(running, FAILS)
        assert {a["rollback"]["result"] for a in running.alerts() if a["rollback"]} == {"would"}
