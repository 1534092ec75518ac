"""Terms: the words and CJK characters a text is searched by, alike for turns and questions."""

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

LONGEST_TERM = 40
"""Characters kept of a term, so that a pasted key or blob does not become a large one."""

_FUNCTION_WORDS = """
    a about after again all also am an and any are as at be because been before being both but by
    can cannot could did do does doing done down during each few for from further get gets getting
    got had has have having he her here hers herself hi him himself his how i if in into is it its
    itself just me more most much my myself no nor not now of off oh on once only or other our ours
    ourselves out over own same she should so some such than that the their theirs them themselves
    then there these they this those through to too under until up us very was we were what when
    where which while who whom whose why will with would yeah yes you your yours yourself yourselves
"""
STOP_WORDS = frozenset(_FUNCTION_WORDS.split())

FUNCTION_CHARACTERS = frozenset(
    "的了是我你您他她它们在有和与及也都就还不没吗呢吧啊呀哦嗯么这那个些之其而但或把被给让对从到"
    "为以于着过得地很太更最再又才要会能可想说去来什谁哪怎几多少啥请"
    "はがをにのともでへやかねよなだたてしいるれうくっ"
)

IRREGULAR = {
    form: base
    for base, forms in {
        "begin": "began begun", "bring": "brought", "build": "built", "buy": "bought",
        "catch": "caught", "child": "children", "choose": "chose chosen", "draw": "drew drawn",
        "drive": "drove driven", "eat": "ate eaten", "fall": "fell fallen", "feel": "felt",
        "find": "found", "foot": "feet", "forget": "forgot forgotten", "give": "gave given",
        "go": "goes going gone went", "grow": "grew grown", "hear": "heard", "hold": "held",
        "keep": "kept", "know": "knew known", "leave": "left", "life": "lives", "lose": "lost",
        "make": "made", "man": "men", "mean": "meant", "meet": "met", "mouse": "mice",
        "pay": "paid", "person": "people", "ride": "rode ridden", "run": "ran running",
        "say": "said", "see": "saw seen", "sell": "sold", "send": "sent", "sing": "sang sung",
        "sleep": "slept", "speak": "spoke spoken", "spend": "spent", "swim": "swam swum",
        "take": "took taken", "teach": "taught", "tell": "told", "think": "thought",
        "use": "used uses using", "wear": "wore worn", "win": "won", "woman": "women",
        "write": "wrote written",
    }.items()
    for form in forms.split()
}  # fmt: skip

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3005\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f"
    "\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
_PIECE = re.compile(
    rf"(?P<run>[{_UNSPACED}]+)"
    rf"|(?P<sign>[\u2600-\u27bf\U0001f000-\U0001faff])"
    rf"|(?:(?![{_UNSPACED}_])[\w\u0300-\u036f\u0900-\u0dff])+(?:'[a-z]{{1,2}}(?![a-z0-9]))?"
)
_ASCII_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]{1,2}(?![a-z0-9]))?")
_APART = "".join(c if c.isalnum() or c == "'" else " " for c in map(chr, range(128)))
_VOWELS = frozenset("aeiouy")
_ENDINGS = (("ion", 4), ("ing", 3), ("ed", 3), ("ly", 4))
"""What is cut, and how many characters have to stay."""


class Parsed(NamedTuple):
    """Terms that carry meaning, and those that only count where a question has no others."""

    content: list[str]
    function: list[str]


def terms(text: str) -> list[str]:
    """The terms of *text* that carry meaning, repetitions kept. Never raises."""
    return parsed(text).content


def parsed(text: str) -> Parsed:
    """All terms of *text*, with stop words, function characters and signs kept apart."""
    found = Parsed([], [])
    if text.isascii():
        _add_words(_ascii_words(text.lower()), found)
        return found
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    for piece in _PIECE.finditer(folded):
        if piece.lastgroup == "run":
            _add_run(piece.group(), found)
        elif piece.lastgroup == "sign":
            found.function.append(piece.group())
        else:
            _add_words([piece.group()], found)
    return found


def _ascii_words(text: str) -> list[str]:
    """What ``_ASCII_WORD`` finds in *text*; it is only asked about apostrophes, as it is slow."""
    pieces = text.translate(_APART).split()
    if "'" not in text:
        return pieces
    return [
        word
        for piece in pieces
        for word in (_ASCII_WORD.findall(piece) if "'" in piece else (piece,))
    ]


def _add_words(words: list[str], found: Parsed) -> None:
    content, function = found
    for word in words:
        if "'" in word:
            word, _, clitic = word.partition("'")
            if clitic == "t":  # can't, won't
                function.append(word)
                continue
        if word in STOP_WORDS:
            function.append(word)
        else:
            content.append(stem(word))


def _add_run(run: str, found: Parsed) -> None:
    """Pairs know words from chance neighbours; single characters find the words that are one."""
    for piece in [*run, *map("".join, pairwise(run))]:
        means = not FUNCTION_CHARACTERS.issuperset(piece)
        (found.content if means else found.function).append(piece)


@lru_cache(maxsize=32_768)  # a few words make up most of any text
def stem(word: str) -> str:
    """*word*, in lower case, without its commonest English endings; it need not stay a word."""
    word = IRREGULAR.get(word, word)
    if len(word) < 4 or not word.isascii():
        return word[:LONGEST_TERM]
    if word[-1] == "s":
        word = _singular(word)
    if word[-1] in "dgny":
        word = _without_ending(word)
    return _levelled(word)[:LONGEST_TERM]


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    return word if word[-2] in "sui" else word[:-1]


def _without_ending(word: str) -> str:
    if word.endswith("ied") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("eed"):
        return word
    for ending, kept in _ENDINGS:
        if word.endswith(ending) and len(word) >= kept + len(ending):
            rest = word[: -len(ending)]
            return word if _VOWELS.isdisjoint(rest) else rest
    return word


def _levelled(word: str) -> str:
    """One spelling for what is left: hike and hik(ing), travel and travell(ing), celebr(at)e."""
    if len(word) > 3 and word[-1] == "e":
        word = word[:-1]
    if len(word) > 6 and word.endswith("at"):
        word = word[:-2]
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    if len(word) > 3 and word[-1] == "y":
        word = word[:-1] + "i"
    return word
