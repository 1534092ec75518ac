"""The shapes of answers on the wire: chat completions as JSON and as SSE, embeddings, models."""

import time
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec

from .asked import ChatAsked, EmbeddingsAsked
from .brain import Answer
from .embeddings import DIMENSIONS, embedding, packed
from .faults import Faults
from .text import tokens
from .wishes import Call

MODEL = "simulated"
EMBEDDING_MODEL = "simulated-embedding"
FINGERPRINT = "fp_simulated"
BIRTH = 1_700_000_000  # the models' "created"; the same in every process

DONE = b"data: [DONE]\n\n"

_encode = msgspec.json.encode


class Step(NamedTuple):
    """One event of one choice: what it adds, and why the choice ends if it does."""

    delta: dict[str, Any]
    finish: str | None = None


def completion(asked: ChatAsked, answers: Sequence[Answer], prompt: int, faults: Faults) -> bytes:
    """A chat completion as one JSON body."""
    body = _envelope(asked, "chat.completion")
    body["choices"] = [
        {
            "index": index,
            "message": _message(answer, faults),
            "logprobs": None,
            "finish_reason": answer.finish,
        }
        for index, answer in enumerate(answers)
    ]
    if not faults.missing_usage:
        body["usage"] = usage(prompt, answers)
    encoded = _encode(body)
    return encoded[: len(encoded) * 2 // 3] if faults.malformed_json else encoded


def completion_events(
    asked: ChatAsked, answers: Sequence[Answer], prompt: int, faults: Faults
) -> Iterator[bytes]:
    """A chat completion as SSE events, choices interleaved."""
    with_usage = bool(asked.stream_options and asked.stream_options.include_usage)
    head = b"data: " + _encode(_envelope(asked, "chat.completion.chunk"))[:-1] + b',"choices":'
    tail = b',"usage":null}\n\n' if with_usage else b"}\n\n"
    scripts = [_steps(answer, faults) for answer in answers]
    for steps in zip_longest(*scripts):
        for index, step in enumerate(steps):
            if step is not None:
                yield head + _choice(index, step) + tail
    if with_usage and not faults.missing_usage:
        yield head + b'[],"usage":' + _encode(usage(prompt, answers)) + b"}\n\n"
    if not faults.done_missing:
        yield DONE


def usage(prompt: int, answers: Sequence[Answer]) -> dict[str, Any]:
    answered = sum(answer.cost for answer in answers)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answered,
        "total_tokens": prompt + answered,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def embedding_list(asked: EmbeddingsAsked, faults: Faults) -> bytes:
    vectors = [embedding(text, asked.dimensions or DIMENSIONS) for text in asked.texts]
    as_text = asked.encoding_format == "base64"
    body: dict[str, Any] = {
        "object": "list",
        "data": [
            {"object": "embedding", "index": at, "embedding": packed(vector) if as_text else vector}
            for at, vector in enumerate(vectors)
        ],
        "model": asked.model,
    }
    if not faults.missing_usage:
        cost = sum(len(tokens(text)) for text in asked.texts)
        body["usage"] = {"prompt_tokens": cost, "total_tokens": cost}
    encoded = _encode(body)
    return encoded[: len(encoded) * 2 // 3] if faults.malformed_json else encoded


def model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": BIRTH, "owned_by": "yychat-simulator"}


def _envelope(asked: ChatAsked, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": asked.model,
        "system_fingerprint": FINGERPRINT,
    }


def _choice(index: int, step: Step) -> bytes:
    choice = {
        "index": index,
        "delta": step.delta,
        "logprobs": None,
        "finish_reason": step.finish,
    }
    return _encode([choice])


def _message(answer: Answer, faults: Faults) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": None}
    if answer.calls:
        message["content"] = None
        message["tool_calls"] = [_tool_call(call, faults) for call in answer.calls]
    return message


def _tool_call(call: Call, faults: Faults) -> dict[str, Any]:
    arguments = "" if faults.empty_arguments else call.arguments
    shape: dict[str, Any] = {
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }
    return shape if faults.missing_tool_ids else {"id": _call_id(), **shape}


def _steps(answer: Answer, faults: Faults) -> list[Step]:
    opening: dict[str, Any] = {"role": "assistant", "content": "", "refusal": None}
    if answer.calls:
        opening["content"] = None
    said = ({"content": piece} for piece in answer.pieces)
    called = (_call_deltas(at, call, faults) for at, call in enumerate(answer.calls))
    steps = [Step(delta) for delta in chain((opening,), said, *called)]
    if faults.merge_finish and not faults.finish_missing:
        steps[-1] = Step(steps[-1].delta, answer.finish)
    elif not faults.finish_missing:
        steps.append(Step({}, answer.finish))
    return steps


def _call_deltas(index: int, call: Call, faults: Faults) -> Iterator[dict[str, Any]]:
    """Id and name first, then the arguments in pieces; the id last, or never, on order."""
    shape = _tool_call(call, faults)
    arguments = shape["function"].pop("arguments")
    late = {"id": shape.pop("id")} if faults.late_tool_ids and "id" in shape else {}
    shape["function"]["arguments"] = ""
    pieces = tokens(arguments) or ([""] if late else [])
    parts = [shape, *({"function": {"arguments": piece}} for piece in pieces)]
    parts[-1].update(late)
    return ({"tool_calls": [{"index": index, **part}]} for part in parts)


def _call_id() -> str:
    return f"call_{uuid4().hex[:24]}"
