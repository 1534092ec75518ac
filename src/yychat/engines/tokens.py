"""How many tokens a text costs: an estimate for o200k_base, the tokenizer of OpenAI's models.

The tokenizer cuts a text into words, each with the space or sign before it, into numbers, runs
of signs and runs of white space, and joins what its vocabulary knows into one token. So words
are counted here, and gaps between words; what the vocabulary (an excerpt of it) does not know
costs more, by measured averages. Chinese is counted by characters, less the pairs it knows.

Weights are fitted to 25,000 pieces of prose, dialogue, documentation and code; bench/tokens.py
measures others. Random letters and digits (keys, base64) come out high, other languages higher.
"""

import re
from bisect import bisect
from collections.abc import Iterable
from functools import lru_cache
from itertools import filterfalse
from operator import add

from .vocabulary import CAPITALS, CHARACTERS, PAIRS, WORDS

# What a message costs besides its text: three tokens that frame it and its role. A name would be
# one more, and a reply is opened by three, once for all messages.
PER_MESSAGE = 4

_LEAN = 1.065  # too much is the safer side: a request too long is refused

_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SPACE, _BREAK, _BLANK, _DIGIT = b"\x01", b"\x02", b"\x03", b"0"
_SIGNS = rb"!-/:-@\[-`{-~"


def _table(*classes: tuple[Iterable[int], bytes]) -> bytes:
    """For bytes.translate: the members of each class become its byte, all others a space."""
    table = bytearray(b" " * 256)
    for members, byte in classes:
        for member in members:
            table[member] = byte[0] if byte else member
    return bytes(table)


_ONLY_WORDS = _table((_LETTERS, b""))
_ONLY_GAPS = _table(
    (range(128), _BLANK),
    (range(33, 127), b""),
    (_LETTERS + b"'", b" "),
    (b"'", b""),
    (b" ", _SPACE),
    (b"\r\n", _BREAK),
    (b"0123456789", _DIGIT),
)

_KNOWN = frozenset(
    word.encode()
    for words in (WORDS, WORDS.title(), CAPITALS, " ".join(map(chr, _LETTERS)))
    for word in words.split()
)
_CHANGE_OF_CASE = re.compile(rb"[A-Z]?[a-z]{1,12}|[A-Z]{1,8}(?![a-z])|[A-Z]")
_CONTRACTION = re.compile(rb"'(?:[stmd]|re|ve|ll)(?![A-Za-z])")

_REPETITION = re.compile(rb"([%b])\1{2,}" % _SIGNS)
_PIECE = re.compile(
    rb"0{1,3}|\x01?[%b]+\x02*|[\x01\x03]*\x02[\x01-\x03]*(?<=\x02)|[\x01\x03]+" % _SIGNS
)
# The end of a gap that joins the next word, and what is left of its cost.
_JOINT = re.compile(rb"\x01\Z|(?:^|(?<=[0\x02]))[-._(<#%$?/\[=\\*\x03]\Z")
_JOINED = {_SPACE: 0.0, **dict.fromkeys([b"%c" % sign for sign in b"._(<#%$?"], 0.12)}
_HALF_JOINED = 0.31

_FOREIGN = re.compile(" ?[^\x00-\x7f]+")
_COMMON = re.compile(f"[{''.join(CHARACTERS.split())}]+")
_PAIRED = frozenset(PAIRS.split())
_CLOSED_LINE = re.compile("[\u2010-\u2027\u3001-\u3020\uff01-\uff0f\uff1a-\uff1f][\r\n]")
_RULE = re.compile(r"(.)\1{2,}")
# Blocks of Unicode and the tokens of a character there: a space before it, Latin signs, letters,
# signs, radicals, marks and kana, rare Han, Hangul, relics, full width, pictures.
_BLOCKS = (0x80, 0xC0, 0x2000, 0x2E80, 0x3000, 0x3400, 0xAC00, 0xD7A4, 0xFE00, 0x10000)
_COSTS = (0.6, 1.2, 0.5, 1.0, 3.0, 1.0, 2.0, 0.6, 3.0, 1.1, 2.0)


def estimate(text: str) -> int:
    """Tokens of *text*, seldom more than 5 % too few or 25 % too many above 50 tokens.

    That holds for English, Chinese and code. Takes any text, in time linear to its length.
    """
    raw = text.encode("utf-8", "surrogatepass")
    tokens = _words(raw) + _gaps(raw)
    if not text.isascii():
        tokens += _foreign(text)
    return round(tokens * _LEAN)


def _words(raw: bytes) -> float:
    words = raw.translate(_ONLY_WORDS).split()
    odd = list(filterfalse(_KNOWN.__contains__, words))
    parts = _CHANGE_OF_CASE.findall(b" ".join(odd))
    rare = list(filterfalse(_KNOWN.__contains__, parts))
    spelled = 0.8 * len(rare) + 0.04 * sum(map(len, rare))
    return len(words) - len(odd) + len(parts) + spelled - len(_CONTRACTION.findall(raw))


def _gaps(raw: bytes) -> float:
    # A space between two words is part of the second; most gaps are just that.
    gaps = raw.translate(_ONLY_GAPS).replace(b" \x01 ", b" ").split()
    short = [gap for gap in gaps if len(gap) < 40]
    long = [gap for gap in gaps if len(gap) >= 40]
    unjoined = 0.0 if raw[-1:].isalpha() or not raw else 0.6
    return unjoined + sum(map(_remembered, short)) + sum(map(_gap, long))


def _gap(gap: bytes) -> float:
    """Signs, digits and white space between two words."""
    if gap == b"'":
        return 0.0
    breadth = len(gap) // 80
    plain = _REPETITION.sub(rb"\1\1", gap)
    repeated = 0.5 * (len(plain) < len(gap))
    cost = 0.0
    if _JOINT.search(plain):
        cost = _JOINED.get(plain[-1:], _HALF_JOINED)
        plain = plain[:-1]
    return cost + breadth + repeated + sum(map(_piece, _PIECE.findall(plain)))


# Gaps hold no letters, so nothing of a text is kept but its punctuation.
_remembered = lru_cache(maxsize=4096)(_gap)


def _piece(piece: bytes) -> float:
    signs = len(piece.strip(b"\x01\x02\x030"))
    return 1 + 0.37 * max(0, signs - 2)


def _foreign(text: str) -> float:
    return sum(map(_run, _FOREIGN.findall(text))) - len(_CLOSED_LINE.findall(text))


def _run(run: str) -> float:
    """What is not ASCII, with the space before it."""
    paired = bytes(map(_PAIRED.__contains__, map(add, run, run[1:])))
    # Of two pairs that overlap, one counts.
    pairs = paired.count(1) - paired.count(b"\x01\x01")
    rest = _COMMON.sub("", run)
    common = len(run) - len(rest)
    return common - pairs + sum(map(_character, _RULE.sub(r"\1\1", rest)))


def _character(character: str) -> float:
    return _COSTS[bisect(_BLOCKS, ord(character))]
