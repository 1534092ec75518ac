"""What the simulated model says: it answers by rule, so that memory and tools can be seen at work.

In this order: what mem0's extraction asks for, the tool calls a text asks for, what tools said,
`say TEXT`, `write N words`, the remembered line nearest to the question, and else an echo.
"""

import re
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

import msgspec

from .asked import ChatAsked, Message
from .extraction import extraction, is_extraction
from .text import chinese, shortened, telling, tokens
from .wishes import Call, example, wished_calls

_SAY = re.compile(r"\s*(?:say\b\s*:?\s*|请?说\s*[:：]\s*)(?P<text>\S.*)", re.IGNORECASE | re.DOTALL)
_WRITE = re.compile(
    r"\s*(?:please\s+)?(?:(?:say|write)(?:\s+me)?\s+(\d{1,5})\s+words?\b|请?写\s*(\d{1,5})\s*个?[字词])",
    re.IGNORECASE,
)
_WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog", "again")
_CHARACTERS = "天地玄黄宇宙洪荒日月盈昃辰宿列张"

_OWN_WORDS = re.compile(r"(?:You said|I remember|你说|我记得)[:：]\s*")
_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")

_LINE_LIMIT = 300
_ECHO_LIMIT = 400
_RESULT_LIMIT = 2000


class Answer(msgspec.Struct, frozen=True):
    """What the model says: text or tool calls, and the tokens the text is streamed in."""

    pieces: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    finish: str = "stop"

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def cost(self) -> int:
        """Completion tokens."""
        return len(self.pieces) + sum(
            len(tokens(call.name)) + len(tokens(call.arguments)) for call in self.calls
        )


def answer(asked: ChatAsked) -> Answer:
    if is_extraction(asked):
        return _limited(extraction(asked), asked)
    if calls := wished_calls(asked):
        return Answer(calls=calls, finish="tool_calls")
    return _limited(_formatted(_said(asked), asked.response_format), asked)


def prompt_tokens(asked: ChatAsked) -> int:
    """What the request costs: its texts, 4 for each message, 85 for each image, and the tools."""
    texts = sum(len(tokens(message.text)) for message in asked.messages)
    frames = sum(4 + 85 * message.images for message in asked.messages)
    tools = tokens(msgspec.json.encode(asked.tools).decode()) if asked.tools else ()
    return texts + frames + len(tools)


def _said(asked: ChatAsked) -> str:
    question = asked.question
    if results := _tool_results(asked.messages):
        return _told(results, chinese(question))
    if asked_for := _WRITE.match(question):
        return _long(asked_for)
    if exact := _SAY.match(question):
        return exact["text"]
    if line := _remembered(asked.messages, question):
        return _recalled(question, line)
    return _echoed(asked, question)


def _tool_results(messages: list[Message]) -> list[str]:
    """The results at the end of the conversation, in order."""
    results: list[str] = []
    for message in reversed(messages):
        if message.role not in ("tool", "function"):
            break
        results.insert(0, shortened(message.text, _RESULT_LIMIT))
    return results


def _told(results: list[str], in_chinese: bool) -> str:
    if len(results) == 1:
        return f"工具说：{results[0]}" if in_chinese else f"The tool said: {results[0]}"
    heading = "工具们说：" if in_chinese else "The tools said:"
    return "\n".join([heading, *(f"- {result}" for result in results)])


def _long(asked_for: re.Match[str]) -> str:
    if asked_for[2]:
        return "".join(islice(cycle(_CHARACTERS), int(asked_for[2])))
    return " ".join(islice(cycle(_WORDS), int(asked_for[1])))


def _recalled(question: str, line: str) -> str:
    short = shortened(question, _ECHO_LIMIT)
    if chinese(question):
        return f"你问：{short} 我记得：{line}"
    return f"You asked: {short} I remember: {line}"


def _echoed(asked: ChatAsked, question: str) -> str:
    short = shortened(question, _ECHO_LIMIT)
    images = next((m.images for m in reversed(asked.messages) if m.role == "user"), 0)
    if chinese(question):
        return f"你说：{short}" + (f"（图片：{images}）" if images else "")
    return f"You said: {short}" + (f" (images sent: {images})" if images else "")


def _remembered(messages: list[Message], question: str) -> str | None:
    """The line of the system messages nearest to *question*, if one says more than it does."""
    wanted = telling(question)
    found: tuple[int, str] | None = None
    for line in _system_lines(messages):
        known = telling(line)
        shared = len(wanted & known)
        # In a tie the later message wins (memory stands below personality), there the first line.
        if shared and known - wanted and (found is None or shared > found[0]):
            found = (shared, line)
    return found[1] if found else None


def _system_lines(messages: list[Message]) -> Iterator[str]:
    """What the system messages state, the last one first, without bullets and our own phrases."""
    for message in reversed(messages):
        if message.role in ("system", "developer"):
            for line in message.text.splitlines():
                plain = _OWN_WORDS.split(_BULLET.sub("", line))[-1].strip()
                if not plain.endswith(("?", "？")):
                    yield shortened(plain, _LINE_LIMIT)


def _formatted(text: str, response_format: dict[str, Any] | None) -> str:
    """*text* as the JSON that was asked for, if any was."""
    kind = (response_format or {}).get("type", "text")
    if kind == "json_schema":
        return _by_schema(text, response_format or {})
    if kind == "json_object" and not _is_object(text):
        return msgspec.json.encode({"answer": text}).decode()
    return text


def _by_schema(text: str, response_format: dict[str, Any]) -> str:
    described = response_format.get("json_schema")
    schema = described.get("schema") if isinstance(described, dict) else None
    return msgspec.json.encode(example(schema, text)).decode()


def _is_object(text: str) -> bool:
    try:
        return isinstance(msgspec.json.decode(text), dict)
    except msgspec.DecodeError:
        return False


def _limited(text: str, asked: ChatAsked) -> Answer:
    """*text* up to the first stop sequence and no longer than the caller allows."""
    stops = [asked.stop] if isinstance(asked.stop, str) else asked.stop or []
    ends = [at for stop in stops if stop and (at := text.find(stop)) >= 0]
    pieces = tokens(text[: min(ends)] if ends else text)
    most = asked.max_completion_tokens or asked.max_tokens or len(pieces)
    if len(pieces) > most:
        return Answer(pieces=tuple(pieces[:most]), finish="length")
    return Answer(pieces=tuple(pieces))
