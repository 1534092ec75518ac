"""Which months a question names."""

import math

import pytest

from yychat.memory.months import month_of, named_months

FEBRUARY_2024 = 1_707_000_000.0


@pytest.mark.parametrize(
    ("question", "months"),
    [
        ("What did we do in June?", {6}),
        ("JANUARY or february", {1, 2}),
        ("in May", {5}),
        ("on 7 May 2023", {5}),
        ("on May 7", {5}),
        ("on the 3rd of march", {3}),
        ("since Oct", {10}),
        ("Sept. 3", {9}),
        ("我三月做了什么", {3}),
        ("十二月", {12}),
        ("2023年5月", {5}),
        ("１０月", {10}),
        ("3月份和十一月", {3, 11}),
        ("我在August去了哪里", {8}),
    ],
)
def test_months_are_known_by_name_and_number(question: str, months: set[int]) -> None:
    assert named_months(question) == months


@pytest.mark.parametrize(
    "question",
    [
        "",
        "May I ask?",
        "this may be",
        "they march on",
        "Jan said so",
        "三个月",
        "13月",
        "月亮",
        "mayor",
    ],
)
def test_other_words_are_no_months(question: str) -> None:
    assert named_months(question) == frozenset()


@pytest.mark.parametrize(
    ("question", "month"), [("last month", 1), ("上个月", 1), ("this month", 2), ("本月", 2)]
)
def test_relative_months_need_to_know_now(question: str, month: int) -> None:
    assert named_months(question, FEBRUARY_2024) == {month}
    assert named_months(question) == frozenset()


def test_december_comes_before_january() -> None:
    assert named_months("last month", 0.0) == {12}


@pytest.mark.parametrize("at", [None, math.nan, math.inf, 1e300])
def test_an_odd_time_has_no_month(at: float | None) -> None:
    assert month_of(at) == 0
