"""Redis goes wrong under load: nobody notices, and nothing that was answered is forgotten."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from fault import faults
from fault.instances import fact, instances, listed, recalls, until, well
from fault.load import RATE, SECONDS, USERS, Load, Told, user_of
from redis_server import RedisServer, redis_server
from running import Service, Simulator

THIRD = SECONDS / 3
Fault = Callable[[RedisServer], AbstractContextManager[None]]
Note = Callable[[str], None]


@dataclass
class Trial:
    """One run: what was told, and from when until when Redis was not itself."""

    told: list[Told]
    began: float = 0.0  # the fault is there, complete
    ended: float = 0.0  # the fault is gone, complete
    recovered: float = 0.0

    def between(self, start: float, end: float) -> list[Told]:
        return [told for told in self.told if start <= told.due < end]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis", appendonly=True) as running:
        yield running


@pytest.fixture
def pair(tmp_path: Path, redis: RedisServer, upstream: Simulator) -> Iterator[list[Service]]:
    with instances(tmp_path, ("a", "b"), redis, upstream) as running:
        for number in range(50):  # the first requests of a process pay for imports
            running[number % 2].say("say hello", user="somebody else")
        yield running


@pytest.mark.parametrize(
    "fault", [faults.stopped, faults.hung, faults.garbage, faults.full, faults.flapping]
)
async def test_no_request_fails_and_every_turn_is_recalled(
    fault: Fault, pair: list[Service], redis: RedisServer, upstream: Simulator, note: Note
) -> None:
    trial = await tried(fault, pair, redis)
    settled = until(lambda: not unlisted(pair[1], trial.told))
    note_figures(note, fault, trial, settled)
    assert failures(trial) == []
    assert twice(pair[0]) == twice(pair[1]) == []
    meanwhile = trial.between(THIRD, 2 * THIRD + 5)
    assert unrecalled(pair[1], upstream, meanwhile) == []


async def test_an_emptied_redis_takes_with_it_what_was_answered_before_and_nothing_else(
    pair: list[Service], redis: RedisServer, upstream: Simulator, note: Note
) -> None:
    trial = await tried(faults.emptied, pair, redis)
    kept = [told for told in trial.told if told.sent >= trial.began]
    settled = until(lambda: not unlisted(pair[1], kept))
    note_figures(note, faults.emptied, trial, settled)
    gone = unlisted(pair[1], trial.told)
    note(f"  emptied: gone are {len(gone)} turns, sent from 0.0 to {gone[-1].sent:.2f} s;")
    note(f"  Redis was stopped between {THIRD:.2f} and {trial.began:.2f} s")
    assert failures(trial) == []
    assert all(told.sent < trial.began for told in gone)
    assert twice(pair[0]) == twice(pair[1]) == []
    assert unrecalled(pair[1], upstream, [t for t in kept if t.due < 2 * THIRD + 5]) == []


async def tried(fault: Fault, pair: Sequence[Service], redis: RedisServer) -> Trial:
    load = Load([each.url for each in pair])
    trial = Trial(load.told)
    running = asyncio.create_task(load.run())
    await asyncio.sleep(THIRD)
    block = fault(redis)
    await asyncio.to_thread(block.__enter__)
    trial.began = load.now
    await asyncio.sleep(2 * THIRD - load.now)
    await asyncio.to_thread(block.__exit__, None, None, None)
    trial.ended = load.now
    await asyncio.to_thread(lambda: until(lambda: all(well(each) for each in pair)))
    trial.recovered = load.now
    await running
    return trial


def failures(trial: Trial) -> list[str]:
    return [told.failure for told in trial.told if told.failure]


def unlisted(where: Service, told: Sequence[Told]) -> list[Told]:
    """Turns of which either side is missing, in the order of telling."""
    known = {f"user-{n}": listed(where, f"user-{n}") for n in range(USERS)}
    return [
        each
        for each in told
        if not {fact(each.number), fact(each.number).removeprefix("say ")} <= set(known[each.user])
    ]


def twice(where: Service) -> list[str]:
    counts = [listed(where, f"user-{n}").items() for n in range(USERS)]
    return [text for items in counts for text, count in items if count > 1]


def unrecalled(where: Service, upstream: Simulator, told: Sequence[Told]) -> list[int]:
    assert told
    return [
        each.number
        for each in told
        if not recalls(where, upstream, each.number, user_of(each.number))
    ]


def note_figures(note: Note, fault: Fault, trial: Trial, settled: float) -> None:
    # The first second belongs to caches that fill.
    healthy = times(trial.between(1, THIRD))
    opening, opened = trial.between(THIRD, THIRD + 1), trial.between(THIRD + 1, 2 * THIRD)
    p50, p99 = percentile(healthy, 50), percentile(healthy, 99)
    more = percentile(times(opening), 99) - p99
    late50, late99 = (percentile(times(opened), n) - was for n, was in ((50, p50), (99, p99)))
    away = trial.recovered - trial.ended
    degraded = sum(told.memory == "degraded" for told in opened)
    note(
        f"{fault.__name__:<9} {RATE * SECONDS} requests, {len(failures(trial))} failed;"
        f" healthy p50 {p50:.1f} p99 {p99:.1f} ms;"
        f" opening p99 {more:+.1f} ms ({verdict(more, 150)});"
        f" open p50 {late50:+.1f} ms ({verdict(late50, 2)}) p99 {late99:+.1f} ms,"
        f" {degraded}/{len(opened)} degraded;"
        f" ready after {away:.2f} s ({verdict(away, 5)}), all listed {settled:.2f} s after the load"
    )


def times(told: Sequence[Told]) -> list[float]:
    return [each.milliseconds for each in told]


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest rank: a value that was measured."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def verdict(value: float, most: float) -> str:
    return "met" if value <= most else f"MISSED {most:g}"
