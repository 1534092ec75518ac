"""Which months a question names, in English and Chinese."""

import re
import time
import unicodedata

_NAMES = "january february march april may june july august september october november december"
_NUMBERS = {name: number for number, name in enumerate(_NAMES.split(), 1)}
_NUMBERS |= {name[:3]: number for name, number in _NUMBERS.items()} | {"sept": 9}
_CHINESE = {name: number for number, name in enumerate("一二三四五六七八九十", 1)}
_CHINESE |= {"正": 1, "十一": 11, "十二": 12}

_PLAIN = "january|february|april|june|july|august|september|october|november|december"
# May, March and the short forms are also words and names: they need a date's words around them.
_DOUBTFUL = "may|march|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
_BEFORE = r"in|of|since|until|till|during|before|after|by|from|early|mid|late|last|next"
# Not \b: it sees no boundary between a Latin letter and a Chinese character.
_ENGLISH = re.compile(
    r"(?<![a-z])(?:"
    rf"(?P<plain>{_PLAIN})"
    rf"|(?:{_BEFORE}|\d{{1,2}}(?:st|nd|rd|th)?)[\s-]+(?P<after>{_DOUBTFUL})"
    rf"|(?P<before>{_DOUBTFUL})(?=\.?,?\s?\d)"
    r")(?![a-z])"
)
_HAN = re.compile(r"(?<!\d)(1[0-2]|0?[1-9]|十[一二]?|[一二三四五六七八九正])\s?月")
_HINTS = (*sorted({name[:3] for name in _NUMBERS}), "month", "月")
_THIS_MONTH = re.compile(r"this month|(?:本|这个?)月")
_LAST_MONTH = re.compile(r"last month|上个?月")


def named_months(question: str, now: float | None = None) -> frozenset[int]:
    """The months, 1 to 12, that *question* names; with *now* (Unix time) also "last month"."""
    lowered = unicodedata.normalize("NFKC", question).lower()
    if not any(hint in lowered for hint in _HINTS):  # most questions name none
        return frozenset()
    english = {_NUMBERS[found[found.lastgroup or 0]] for found in _ENGLISH.finditer(lowered)}
    chinese = {_CHINESE.get(name) or int(name) for name in _HAN.findall(lowered)}
    return frozenset(english | chinese | _relative(lowered, month_of(now)))


def _relative(question: str, current: int) -> set[int]:
    if not current:
        return set()
    this = {current} if _THIS_MONTH.search(question) else set()
    last = {(current - 2) % 12 + 1} if _LAST_MONTH.search(question) else set()
    return this | last


def month_of(at: float | None) -> int:
    """The month, 1 to 12 in UTC, of a Unix time; 0 where there is none."""
    if at is None:
        return 0
    try:
        return time.gmtime(at).tm_mon
    except (OverflowError, ValueError, OSError):
        return 0
