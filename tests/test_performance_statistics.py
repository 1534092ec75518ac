"""Statistics say what the records say, of few as of many."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records import record
from yychat.performance.statistics import Durations, durations_of, statistics


def of(*seconds: float) -> Durations:
    found = durations_of(seconds)
    assert found is not None
    return found


def test_of_nothing_there_is_nothing() -> None:
    assert durations_of([]) is None
    found = statistics([], 60, 60)
    assert (found.overall.requests, found.overall.requests_per_second) == (0, 0.0)
    assert (found.overall.durations, found.overall.stages, found.engines) == ({}, {}, {})


def test_of_one_request_every_percentile_is_that_one() -> None:
    assert of(0.25) == Durations(1, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25)


def test_of_two_the_median_is_the_shorter_and_the_rest_the_longer() -> None:
    found = of(3.0, 1.0)
    assert (found.duration_mean_seconds, found.duration_p50_seconds) == (2.0, 1.0)
    assert (found.duration_p95_seconds, found.duration_p99_seconds) == (3.0, 3.0)


def test_of_a_hundred_each_percentile_is_the_one_of_its_rank() -> None:
    found = of(*(float(n) for n in range(100, 0, -1)))
    assert found.duration_p50_seconds == 50.0
    assert found.duration_p95_seconds == 95.0
    assert found.duration_p99_seconds == 99.0
    assert found.duration_max_seconds == 100.0
    assert found.duration_mean_seconds == 50.5
    assert found.duration_total_seconds == 5050.0


def test_of_twenty_the_95th_is_not_the_longest_and_of_nineteen_it_is() -> None:
    assert of(*map(float, range(1, 21))).duration_p95_seconds == 19.0
    assert of(*map(float, range(1, 20))).duration_p95_seconds == 19.0


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300))
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(values: list[float]) -> None:
    found, ranked = of(*values), sorted(values)
    for percent, got in (
        (50, found.duration_p50_seconds),
        (95, found.duration_p95_seconds),
        (99, found.duration_p99_seconds),
    ):
        assert got == ranked[ceil(percent * len(ranked) / 100) - 1]
        assert sum(value <= got for value in values) * 100 >= percent * len(values)


def test_engines_kinds_and_outcomes_are_apart_and_in_the_whole() -> None:
    found = statistics(
        [
            record(1, engine="chat_engine", duration_seconds=1.0, stages={"other": 1.0}),
            record(2, engine="mem0_proxy", duration_seconds=3.0, stages={"other": 3.0}),
            record(3, outcome="cancelled", duration_seconds=9.0, stages={"other": 9.0}),
            record(
                4,
                outcome="upstream_error",
                error_type="upstream_5xx",
                stream=True,
                duration_seconds=5.0,
                stages={"upstream_first_byte": 4.0, "other": 1.0},
                fallback_from="mem0_proxy",
            ),
        ],
        60,
        60,
    )
    assert found.overall.requests == 4
    assert found.overall.requests_per_second == 4 / 60
    assert found.overall.outcomes == {"ok": 2, "cancelled": 1, "upstream_error": 1}
    assert found.overall.error_types == {"upstream_5xx": 1}
    assert found.overall.fallbacks == 1
    assert found.overall.durations["all"].duration_max_seconds == 9.0
    assert found.overall.durations["ok"].duration_max_seconds == 3.0
    assert found.overall.durations["cancelled"].count == 1
    assert found.overall.stages["other"].duration_total_seconds == 14.0
    assert found.overall.stages["upstream_first_byte"].count == 1
    assert {name: group.requests for name, group in found.engines.items()} == {
        "chat_engine": 3,
        "mem0_proxy": 1,
    }
    assert (found.whole.requests, found.streamed.requests) == (3, 1)


def test_tokens_and_first_tokens_are_of_those_that_have_them() -> None:
    found = statistics(
        [
            record(1, input_tokens=10, output_tokens=5),
            record(2, stream=True, first_token_seconds=0.5, input_tokens=1),
            record(3, stream=True),
        ],
        60,
        60,
    ).overall
    assert (found.input_tokens, found.output_tokens, found.tokens_counted) == (11, 5, 2)
    assert found.first_token is not None
    assert (found.first_token.count, found.first_token.duration_p95_seconds) == (1, 0.5)


def test_rates_are_over_the_time_that_records_are_kept_of() -> None:
    found = statistics([record(1), record(2)], window=600, covered=4)
    assert (found.window_seconds, found.covered_seconds) == (600, 4)
    assert found.overall.requests_per_second == 0.5


@pytest.mark.parametrize("group", ["overall", "whole", "streamed"])
def test_the_stages_of_a_group_add_up_to_its_durations(group: str) -> None:
    records = [record(n, stream=n % 2 == 0, duration_seconds=0.25) for n in range(10)]
    found = getattr(statistics(records, 60, 60), group)
    spent = sum(stage.duration_total_seconds for stage in found.stages.values())
    assert spent == pytest.approx(found.durations["all"].duration_total_seconds)
