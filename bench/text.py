"""Texts and requests of the benchmarks: the same ones for the same seed."""

import json
import random
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

KEY = "sk-bench"  # of every request; who is keyless does not look

_letters = random.Random(7)
_VOCABULARY = ["".join(_letters.choices("abcdefghijklmnoprstuvw", k=7)) for _ in range(4000)]
_WEIGHTS = list(accumulate(1 / rank for rank in range(1, len(_VOCABULARY) + 1)))


def words(dice: random.Random, count: int) -> str:
    """Text as uneven as language: a few words make up most of it."""
    return " ".join(dice.choices(_VOCABULARY, cum_weights=_WEIGHTS, k=count))


def conversation(dice: random.Random, length: int) -> list[dict[str, str]]:
    """*length* messages: a system prompt, then user and assistant in turns, the question last."""
    said = [("user", "assistant")[place % 2] for place in range(length - 1)]
    roles = ["system", *(said if length % 2 == 0 else said[1:])]
    return [{"role": role, "content": words(dice, 15)} for role in roles]


def chat(messages: Sequence[dict[str, str]], **fields: Any) -> bytes:
    """A chat request, ready to be sent."""
    # Without spaces, as SDKs write it; the upstream looks for these very bytes.
    body = json.dumps({"model": "bench", "messages": messages, **fields}, separators=(",", ":"))
    return post("/v1/chat/completions", body.encode())


def post(path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\n"
        f"authorization: Bearer {KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()
