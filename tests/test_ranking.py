"""What searching an owner's turns promises."""

import math
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from yychat.memory.ranking import Hit, Index

HOUR = 3600.0
WORDS = ["tea", "garden", "the", "Piano", "running", "绿茶", "我", "🎉", "", "don't", "May"]

any_text = st.text(st.characters(exclude_categories=()))
turns = st.tuples(
    st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join),
    st.sampled_from(["monday", "tuesday", None]),
    st.sampled_from([None, (1.0, 0.0), (0.6, 0.8), (0.0, -1.0)]),
)


def index_of(*texts: str, apart: float = HOUR) -> Index:
    """One document per text, *apart* seconds from each other."""
    index = Index()
    for number, text in enumerate(texts):
        index.add(text, number * apart)
    return index


def positions(hits: list[Hit]) -> list[int]:
    return [hit.position for hit in hits]


def vector(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def month(number: int) -> float:
    return datetime(2024, number, 15, tzinfo=UTC).timestamp()


def test_the_document_that_answers_comes_first() -> None:
    index = index_of("We planted roses.", "My sister plays the cello.", "It rained all day.")

    assert positions(index.search("Which instrument does my sister play?", 10)) == [1]


def test_only_what_matched_is_found() -> None:
    assert index_of("roses", "cello").search("submarine", 10) == []


def test_an_empty_index_finds_nothing() -> None:
    assert Index().search("anything", 10) == []
    assert Index().search("anything", 10, vector=vector(1, 0)) == []


@pytest.mark.parametrize("limit", [0, -1])
def test_no_hit_is_given_where_none_is_wanted(limit: int) -> None:
    assert index_of("tea").search("tea", limit) == []


def test_the_limit_keeps_the_best() -> None:
    index = index_of("tea with milk", "tea", "tea with milk, sugar and lemon")

    assert positions(index.search("tea", 3)) == [1, 0, 2]
    assert positions(index.search("tea", 2)) == [1, 0]


def test_a_word_repeated_in_a_question_counts_once() -> None:
    index = index_of("tea", "tea", "cello")

    assert positions(index.search("tea tea tea tea cello", 1)) == [2]


def test_scores_fall() -> None:
    index = index_of("tea tea", "tea", "green tea", "tea and a long walk around the lake")
    scores = [hit.score for hit in index.search("green tea", 10)]

    assert scores == sorted(scores, reverse=True)
    assert all(score > 0 for score in scores)


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_the_newer_of_equals_comes_first(limit: int) -> None:
    index = index_of(*["I live in Oslo"] * 5)

    assert positions(index.search("Oslo", limit)) == [4, 3, 2, 1, 0][:limit]


def test_rare_words_weigh_more_than_common_ones() -> None:
    index = index_of("coffee", "coffee", "coffee", "coffee", "saxophone")

    assert positions(index.search("coffee saxophone", 1)) == [4]


def test_adding_returns_positions_in_order() -> None:
    index = Index()

    assert [index.add(text, 0.0) for text in ("a", "", "b")] == [0, 1, 2]
    assert len(index) == 3


def test_positions_stay_valid_when_the_oldest_are_forgotten() -> None:
    index = index_of("tea", "cello", "roses", "cello")
    index.forget_oldest(2)

    assert len(index) == 2
    assert positions(index.search("cello", 10)) == [3]
    assert positions(index.search("tea", 10)) == []
    assert index.add("tea", 9 * HOUR) == 4
    assert positions(index.search("tea", 10)) == [4]


@pytest.mark.parametrize("count", [3, 99])
def test_everything_can_be_forgotten(count: int) -> None:
    index = index_of("tea", "tea", "tea")
    index.forget_oldest(count)

    assert len(index) == 0
    assert index.search("tea", 10) == []
    assert index.add("tea", 0.0) == 3
    assert positions(index.search("tea", 10)) == [3]


def test_forgetting_less_than_one_forgets_nothing() -> None:
    index = index_of("tea")
    index.forget_oldest(0)
    index.forget_oldest(-5)

    assert positions(index.search("tea", 10)) == [0]


@given(
    st.lists(st.tuples(turns, st.integers(0, 3)), max_size=40),
    st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join),
    st.integers(1, 12),
)
def test_a_grown_index_ranks_like_a_rebuilt_one(
    steps: list[tuple[tuple[str, str | None, tuple[float, float] | None], int]],
    query: str,
    limit: int,
) -> None:
    grown, rebuilt = Index(), Index()
    for number, ((text, session, given_vector), forgotten) in enumerate(steps):
        held = None if given_vector is None else vector(*given_vector)
        grown.add(text, number * 1000.0, session=session, vector=held)
        grown.search(query, limit)
        grown.forget_oldest(forgotten)
    start = len(steps) - len(grown)
    for number, ((text, session, given_vector), _) in enumerate(steps[start:], start):
        held = None if given_vector is None else vector(*given_vector)
        rebuilt.add(text, number * 1000.0, session=session, vector=held)

    for asked in (None, vector(1.0, 0.0)):
        expected = [
            Hit(hit.position + start, hit.score)
            for hit in rebuilt.search(query, limit, vector=asked)
        ]
        assert grown.search(query, limit, vector=asked) == expected


@pytest.mark.parametrize(
    ("question", "position"),
    [
        ("她喜欢喝什么茶？", 0),
        ("我养的猫叫什么名字", 1),
        ("我的生日是哪天？", 2),
        ("Python 异步", 3),
    ],
)
def test_chinese_questions_find_their_turns(question: str, position: int) -> None:
    index = index_of(
        "我妈妈最爱喝绿茶，尤其是龙井。",
        "我家的猫咪名叫年糕，今年三岁。",
        "下周五是我的生日，打算去爬山。",
        "我在学 Python 的异步编程，asyncio 有点难。",
    )

    assert positions(index.search(question, 1)) == [position]


def test_one_chinese_character_is_enough() -> None:
    assert positions(index_of("昨天下雨", "猫睡着了").search("猫", 10)) == [1]


def test_full_width_forms_and_case_do_not_matter() -> None:
    assert positions(index_of("My ＧＰＵ is an RTX").search("gpu rtx", 10)) == [0]


@pytest.mark.parametrize(
    ("question", "text"),
    [("Who am I?", "I am Peter."), ("我是谁？", "我是小明。"), ("🎉", "We did it 🎉")],
)
def test_a_question_of_stop_words_alone_still_finds(question: str, text: str) -> None:
    assert positions(index_of("Rain tomorrow.", text).search(question, 10)) == [1]


def test_stop_words_find_nothing_beside_others() -> None:
    assert index_of("What is the time?").search("What is the submarine?", 10) == []


def test_neighbours_in_a_session_are_found_too_and_rank_lower() -> None:
    index = index_of("zero", "one", "cello", "three", "four", "five", apart=60.0)
    hits = index.search("cello", 10)

    assert positions(hits) == [2, 3, 1, 4, 0]
    best = hits[0].score
    assert [hit.score / best for hit in hits[1:]] == pytest.approx([0.5, 0.5, 0.25, 0.25])


def test_silence_ends_a_session() -> None:
    index = Index(session_gap=100.0)
    for text, at in (("before", 0.0), ("cello", 101.0), ("after", 201.0)):
        index.add(text, at)

    assert positions(index.search("cello", 10)) == [1, 2]


def test_another_name_ends_a_session_and_silence_does_not() -> None:
    index = Index()
    for text, at, session in (("a", 0.0, "x"), ("cello", 0.0, "y"), ("b", 9 * HOUR, "y")):
        index.add(text, at, session=session)

    assert positions(index.search("cello", 10)) == [1, 2]


@pytest.mark.parametrize("question", ["Which concert in May?", "五月的concert", "5月 concert"])
def test_a_named_month_moves_its_turns_up(question: str) -> None:
    index = Index()
    for number in (4, 5, 6):
        index.add("a concert", month(number))
    hits = index.search(question, 10)

    assert positions(hits) == [1, 2, 0]
    assert hits[0].score == pytest.approx(1.3 * hits[1].score)


def test_a_verb_is_no_month() -> None:
    index = Index()
    for number in (3, 5, 6):
        index.add("a concert", month(number))

    assert positions(index.search("May I march to the concert?", 10)) == [2, 1, 0]


def test_last_month_is_known_when_now_is() -> None:
    index = Index()
    for number in (1, 2):
        index.add("a concert", month(number))

    assert positions(index.search("the concert last month", 1, now=month(2))) == [0]
    assert positions(index.search("the concert last month", 1)) == [1]


def test_a_vector_finds_what_no_word_does() -> None:
    index = Index()
    index.add("We bought a puppy.", 0.0, vector=vector(1.0, 0.0))
    index.add("It rained.", HOUR, vector=vector(0.0, 1.0))

    assert positions(index.search("our dog", 10, vector=vector(0.9, 0.1))) == [0, 1]
    assert positions(index.search("our dog", 10, vector=vector(0.9, -0.1))) == [0]


def test_both_opinions_are_summed_seven_to_three() -> None:
    index = Index()
    for text, held in (("cello", (0.0, 1.0)), ("roses", (1.0, 0.0)), ("rain", (0.0, 1.0))):
        index.add(text, 0.0, session=text, vector=vector(*held))
    hits = index.search("cello", 10, vector=vector(1.0, 0.0))

    assert positions(hits) == [0, 1]
    assert [hit.score for hit in hits] == pytest.approx([0.7, 0.3])


def test_a_missing_vector_neither_helps_nor_hurts() -> None:
    index = Index()
    index.add("the cello is old", 0.0, session="a")
    index.add("the cello is old", 0.0, session="b", vector=vector(1.0, 0.0))
    index.add("the cello is old", 0.0, session="c", vector=vector(0.0, 1.0))
    index.add("rain", 0.0, session="d", vector=vector(0.5, 0.5))
    hits = index.search("cello", 10, vector=vector(1.0, 0.1))

    assert {hit.position: hit.score for hit in hits if hit.position < 2} == {0: 1.0, 1: 1.0}
    assert positions(hits)[2] == 2


@pytest.mark.parametrize(
    "asked",
    [
        vector(0.0, 0.0),
        vector(math.nan, 1.0),
        vector(math.inf, 1.0),
        vector(1.0, 0.0, 0.0),
        vector(),
        np.array([1e300, 1e300]),
    ],
    ids=["zero", "not a number", "infinite", "another dimension", "empty", "huge"],
)
def test_an_unusable_vector_leaves_the_lexical_order(asked: NDArray[np.floating]) -> None:
    index = index_of("the cello and the piano", "the cello", "piano lessons on Monday")
    index.add("unrelated", 9 * HOUR, vector=vector(1.0, 0.0))
    index.add("unrelated", 19 * HOUR, vector=asked)

    found = index.search("piano and cello", 10, vector=asked)
    assert positions(found)[:3] == positions(index.search("piano and cello", 10))


def test_vectors_of_a_new_embedder_replace_the_old_ones() -> None:
    index = Index()
    index.add("old", 0.0, session="a", vector=vector(1.0, 0.0))
    index.add("new", 0.0, session="b", vector=vector(1.0, 0.0, 0.0))
    index.add("newer", 0.0, session="c", vector=vector(0.6, 0.8, 0.0))

    assert index.search("?", 10, vector=vector(1.0, 0.0)) == []
    assert positions(index.search("?", 10, vector=vector(1.0, 0.0, 0.0))) == [1, 2]


def test_vectors_are_forgotten_with_their_documents() -> None:
    index = Index()
    for number in range(100):
        angle = number / 100
        index.add("", number * HOUR, vector=vector(math.cos(angle), math.sin(angle)))
        index.forget_oldest(1 if number > 9 else 0)

    assert positions(index.search("", 3, vector=vector(1.0, 0.0))) == [90, 91, 92]
    assert len(index.search("", 1000, vector=vector(1.0, 0.0))) == 10


@given(st.lists(any_text, max_size=8), any_text)
def test_no_text_and_no_question_raises(texts: list[str], question: str) -> None:
    index = index_of(*texts, apart=1.0)

    assert len(index) == len(texts)
    assert set(positions(index.search(question, 5))) <= set(range(len(texts)))
    for text in texts:
        index.search(text, 5, vector=vector(1.0), now=0.0)


@pytest.mark.parametrize(
    "text", ["", " \n\t", "\ud800", "a\udfffb 茶\ud83d", "\x00", "́", "👩‍👩‍👧‍👦", "ﷺ" * 50, "'" * 9]
)
def test_odd_texts_can_be_added_and_asked(text: str) -> None:
    index = index_of(text, "tea", text)

    index.search(text, 5)
    assert positions(index.search("tea", 5)) == [1]


@pytest.mark.parametrize("at", [math.nan, math.inf, -math.inf, 1e300, -1.0])
def test_odd_dates_can_be_added(at: float) -> None:
    index = Index()
    index.add("tea", at)

    assert positions(index.search("tea in May", 5, now=at)) == [0]


@pytest.mark.parametrize("make", [lambda: "word " * 10_000, lambda: "绿茶很好喝" * 10_000])
def test_long_texts_are_found_and_can_be_asked(make: Callable[[], str]) -> None:
    text = make()
    index = index_of("roses", text)

    assert positions(index.search(text, 5)) == [1]
    assert positions(index.search(f"{text} roses", 5)) == [1, 0]


def test_a_long_question_is_searched_by_its_rarest_terms() -> None:
    common = [f"word{number}" for number in range(200)]
    index = index_of(*[" ".join(common)] * 5, "cello")

    assert 5 in positions(index.search(" ".join([*common, "cello"]), 10))
