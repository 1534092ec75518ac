"""What the token estimate promises, on texts whose o200k_base counts were recorded."""

import json
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yychat.engines.tokens import estimate
from yychat.engines.vocabulary import CAPITALS, CHARACTERS, PAIRS, WORDS

RECORDED = json.loads((Path(__file__).parent / "data" / "token_counts.json").read_bytes())
TEXTS = [sample["text"] for sample in RECORDED]
NAMES = [f"{sample['kind']} {number}" for number, sample in enumerate(RECORDED)]

# Too short for percentages; the counts are o200k_base's.
SHORT = {
    "": 0,
    "Hi": 1,
    "Hello!": 2,
    "Hello, world!": 4,
    "What's the weather like today?": 6,
    "你好！": 2,
    "今天天气怎么样？": 5,
    "def f(x):": 4,
    "12345": 2,
    "OK 👍": 2,
    "naïve café": 4,
    "user@example.com": 3,
    "<|endoftext|>": 7,
}

MEGABYTES = {
    "one word": "a" * 1_000_000,
    "words": "word " * 200_000,
    "changes of case": "aB" * 500_000,
    "apostrophes": "'" * 1_000_000,
    "signs": "a,{}" * 250_000,
    "digits": "1234567890" * 100_000,
    "spaces": " " * 1_000_000,
    "spaces between words": (" " * 999 + "x") * 1_000,
    "empty lines": " \n" * 500_000,
    "Chinese": "你好世界" * 80_000,
    "Chinese apart": "你 a" * 200_000,
    "rules": "─" * 300_000,
    "pictures": "🎉" * 250_000,
}

any_text = st.text(st.characters(exclude_categories=()))


def ratio(*samples: dict[str, str | int]) -> float:
    """Estimated tokens per recorded token."""
    estimated = sum(estimate(str(sample["text"])) for sample in samples)
    return estimated / sum(int(sample["o200k_base"]) for sample in samples)


@pytest.mark.parametrize("sample", RECORDED, ids=NAMES)
def test_an_estimate_is_at_most_5_percent_under_and_25_percent_over(
    sample: dict[str, str | int],
) -> None:
    assert 0.95 <= ratio(sample) <= 1.25


def test_no_kind_of_text_is_underestimated_as_a_whole_nor_by_a_fifth_overestimated() -> None:
    kinds = defaultdict(list)
    for sample in RECORDED:
        kinds[sample["kind"]].append(sample)
    totals = {kind: ratio(*samples) for kind, samples in kinds.items()}
    assert {kind: total for kind, total in totals.items() if not 1 <= total <= 1.2} == {}


def test_the_samples_are_of_the_size_and_kinds_the_promise_is_about() -> None:
    assert all(60 <= sample["o200k_base"] <= 600 for sample in RECORDED)
    kinds = {sample["kind"].split()[0] for sample in RECORDED}
    assert {"english", "chinese", "mixed", "code", "json", "markdown"} <= kinds
    assert len({sample["kind"] for sample in RECORDED if sample["kind"].startswith("code")}) >= 6


@pytest.mark.parametrize(("text", "tokens"), SHORT.items())
def test_a_short_text_is_off_by_two_tokens_at_most(text: str, tokens: int) -> None:
    assert abs(estimate(text) - tokens) <= 2


@pytest.mark.parametrize("text", TEXTS, ids=NAMES)
def test_another_line_never_lowers_an_estimate(text: str) -> None:
    lines = text.splitlines(keepends=True)
    estimates = [estimate("".join(lines[:end])) for end in range(len(lines) + 1)]
    assert estimates == sorted(estimates)


@given(st.sampled_from(TEXTS), st.sampled_from(TEXTS))
def test_texts_cost_together_what_they_cost_alone(first: str, second: str) -> None:
    together = estimate(f"{first}\n\n{second}")
    assert together == pytest.approx(estimate(first) + estimate(second), abs=3)


@given(any_text)
def test_every_text_has_an_estimate(text: str) -> None:
    assert 0 <= estimate(text) <= 5 * len(text) + 1


@pytest.mark.parametrize("text", MEGABYTES.values(), ids=list(MEGABYTES))
def test_a_megabyte_of_anything_is_estimated(text: str) -> None:
    assert estimate(text) > 5_000


def test_the_vocabulary_is_an_excerpt_without_repetitions() -> None:
    for entries in (WORDS.split(), CAPITALS.split(), "".join(CHARACTERS.split()), PAIRS.split()):
        assert len(set(entries)) == len(entries)
    assert all(word.isascii() and word.islower() for word in WORDS.split())
    assert all(word.isascii() and word.isupper() for word in CAPITALS.split())
    assert all(len(pair) == 2 and pair[1] in CHARACTERS for pair in PAIRS.split())
