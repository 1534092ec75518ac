"""How the simulated model sees text: tokens to count and stream, terms to compare."""

import re

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0002fa1f"
# ASCII words stand first although the third branch has them too: it is almost twice as fast.
_TOKEN = re.compile(rf"\s*(?:[A-Za-z0-9_]{{1,16}}|[{_CJK}]|[^\W{_CJK}]{{1,16}}|[^\w\s]{{1,4}})|\s+")
_RUN = re.compile(rf"[{_CJK}]+|[^\W{_CJK}_]+")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")

# Words that say nothing about what a sentence is about.
_SMALL_WORDS = """
a about am an and any are as assistant at be been but by can could did do does for from had has
have he her his how i if in is it its know me my of on or our please remember s she so tell that
the their them there they this to today us user was we were what when where which who why will
with would you your 什么 我的 你的 是什 么是 怎么 我是 你是 我们 记得 用户 助手
"""
_EMPTY_WORDS = frozenset(_SMALL_WORDS.split())


def tokens(text: str) -> list[str]:
    """*text* in pieces of one word or one CJK character; joined they are *text* again."""
    return _TOKEN.findall(text)


def terms(text: str) -> list[str]:
    """The words of *text* in a plain form and its CJK bigrams, in order."""
    found: list[str] = []
    for run in _RUN.findall(text.lower()):
        found.extend(_bigrams(run) if run[0] >= "\u3040" else (_singular(run),))
    return found


def telling(text: str) -> set[str]:
    """The terms of *text* that say what it is about."""
    return {term for term in terms(text) if not empty(term)}


def empty(term: str) -> bool:
    return term in _EMPTY_WORDS


def chinese(text: str) -> bool:
    return _HAN.search(text) is not None


def shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"


def _bigrams(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)] or [run]


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and word[-2] not in "su" else word
