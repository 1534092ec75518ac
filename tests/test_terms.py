"""What a text is searched by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yychat.memory.terms import LONGEST_TERM, terms


@pytest.mark.parametrize(
    "words",
    [
        "study studies studied studying",
        "hike hikes hiked hiking",
        "travel travelled travelling traveling travels",
        "call calls called calling",
        "run runs running ran",
        "go goes went gone going",
        "celebrate celebrated celebrating celebration",
        "box boxes",
        "try tries tried trying",
        "house houses",
        "child children",
    ],
)
def test_forms_of_a_word_are_one_term(words: str) -> None:
    assert len(set(terms(words))) == 1


@pytest.mark.parametrize("words", ["need new", "sing string", "thing thin", "bus busy", "red reed"])
def test_different_words_stay_apart(words: str) -> None:
    assert len(set(terms(words))) == 2


def test_stop_words_and_contractions_are_left_out() -> None:
    assert terms("I don't think that it's Anna's, can’t be") == ["think", "anna"]


def test_quotes_and_signs_stand_between_words() -> None:
    assert terms("'tea';sugar_milk (rock'n'oats)") == ["tea", "sugar", "milk", "rock", "oat"]


@given(st.text(st.sampled_from("abcdest019 '_-.\n\t\x1f")))
def test_plain_text_has_the_terms_that_it_has_beside_a_sign_that_is_not(text: str) -> None:
    assert terms(text) == terms(f"{text} €")


def test_repetitions_are_kept() -> None:
    assert terms("tea, tea and TEA") == ["tea", "tea", "tea"]


def test_chinese_is_cut_into_characters_and_pairs() -> None:
    assert sorted(terms("喝绿茶")) == sorted(["喝", "绿", "茶", "喝绿", "绿茶"])


def test_function_characters_are_left_out_unless_beside_others() -> None:
    assert sorted(terms("我的猫")) == sorted(["猫", "的猫"])


def test_scripts_are_told_apart_without_spaces() -> None:
    assert {"gpu", "显卡", "rtx4090"} <= set(terms("我的GPU显卡是RTX4090"))


def test_identifiers_are_cut_at_underscores() -> None:
    assert terms("recall_index") == ["recal", "index"]


@pytest.mark.parametrize("text", ["", "   ", "?!…", "the of and", "的了吗", "🎉"])
def test_a_text_can_have_no_terms(text: str) -> None:
    assert terms(text) == []


@given(st.text(st.characters(exclude_categories=())))
def test_terms_are_short_and_never_empty(text: str) -> None:
    assert all(1 <= len(term) <= LONGEST_TERM for term in terms(text))


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_blank_parts_texts(left: str, right: str) -> None:
    assert sorted(terms(f"{left}\n{right}")) == sorted(terms(left) + terms(right))
