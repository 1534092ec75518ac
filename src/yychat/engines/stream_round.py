"""One streamed round as it is heard: what of it the client sees, and what it adds up to."""

from typing import Any

import msgspec

from ..chat import Chunk
from ..errors import UpstreamError, UpstreamFailed, UpstreamProtocolError
from ..upstream.sse import EventSplitter, event, payload
from ..upstream.wire import Reply, StreamChoice, StreamEvent, read_event, read_object
from .calls import CUT_OFF, OurCall
from .tool_loop import ToolLoop


class Heard:
    """What a network read has for the client, and whether that brings tokens or the end."""

    __slots__ = ("events", "finish", "tokens")

    def __init__(self) -> None:
        self.events: list[bytes] = []
        self.tokens = self.finish = False

    def add(self, event: bytes, *, tokens: bool = False, finish: bool = False) -> None:
        self.events.append(event)
        self.tokens = self.tokens or tokens
        self.finish = self.finish or finish


class Opening:
    """Holds back what comes before the first token, so that failing until then can be a status."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._open = False

    def pass_on(self, heard: Heard) -> Chunk | None:
        self._open = self._open or heard.tokens or heard.finish
        self._held += heard.events
        if not self._open or not self._held:
            return None
        return Chunk(data=self.rest(), tokens=heard.tokens)

    def rest(self) -> bytes:
        data = b"".join(self._held)
        self._held.clear()
        return data


class StreamRound:
    """Reads one streamed round: decides event by event what the client sees, and keeps account."""

    def __init__(self, tools: ToolLoop, first: StreamEvent | None) -> None:
        self._splitter = EventSplitter()
        self._book = tools.book()
        self._last_chance = tools.exhausted
        self._earlier = first  # the first event of the whole answer, None in its first round
        self._text: list[str] = []
        self._thought: list[str] = []
        self.first: StreamEvent | None = None
        self.finish_reason: str | None = None
        self.usage: Any = None
        self.usage_event = b""
        self.model: str | None = None
        self.done = b""  # the event that said so
        self._failure: UpstreamError | None = None

    @property
    def text(self) -> str:
        return "".join(self._text)

    @property
    def thought(self) -> str | None:
        """The model's reasoning; None where none was told."""
        return "".join(self._thought) if self._thought else None

    def our_calls(self) -> list[OurCall]:
        cut = self.finish_reason in CUT_OFF
        return self._book.identified() if self._book and not cut else []

    def read(self, data: bytes) -> Heard:
        """What to pass on out of a network read. What fails in it is told by the next ``check``,
        after what came before the failure."""
        passed = Heard()
        try:
            for raw in self._splitter.feed(data):
                content = payload(raw)
                if content is None:
                    passed.add(raw)  # a comment: it keeps the connection alive on both sides
                elif content.strip() == b"[DONE]":
                    self.done = raw
                    break
                else:
                    self._hear(read_event(content), raw, content, passed)
        except UpstreamError as error:
            self._failure = error
        return passed

    def check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def check_complete(self) -> None:
        """A stream may end without [DONE] or without saying why, but not without both."""
        if not self.done and self.finish_reason is None:
            raise UpstreamProtocolError("the upstream broke off its answer")

    def _hear(self, heard: StreamEvent, raw: bytes, content: bytes, passed: Heard) -> None:
        """Keep account of an event, and pass on what the client is to see of it."""
        words = heard.piece
        if words and self.first and self._earlier is None:
            self._text.append(words)
            passed.add(raw, tokens=True)
            return
        if heard.error is not None:
            raise UpstreamFailed("the upstream failed while answering")
        self.first = self.first or heard
        self.model = self.model or heard.model
        self.usage = heard.usage or self.usage
        choices = heard.choices
        if not choices:
            self._hear_aside(heard, raw, passed)
            return
        tokens = finish = calling = False
        for choice in choices:
            self._note(choice)
            tokens = tokens or choice.delta.speaks
            finish = finish or bool(choice.finish_reason)
            calling = calling or bool(choice.delta.tool_calls)
        if self._untouched(calling, finish):
            passed.add(raw, tokens=tokens, finish=finish)
        else:
            self._rewrite(raw, read_object(content), passed)

    def _hear_aside(self, heard: StreamEvent, raw: bytes, passed: Heard) -> None:
        """An event without choices: the usage, or a provider's own."""
        if heard.usage is not None:
            self.usage_event = raw
        elif self._earlier is None:
            passed.add(raw)

    def _note(self, choice: StreamChoice) -> None:
        if not choice.index:  # some upstreams tell none
            if choice.delta.content:
                self._text.append(choice.delta.content)
            if isinstance(choice.delta.reasoning_content, str):
                self._thought.append(choice.delta.reasoning_content)
            self.finish_reason = choice.finish_reason or self.finish_reason

    def _untouched(self, calling: bool, finish: bool) -> bool:
        """There is nothing in an event that could have to change."""
        if self._earlier is not None:
            return False
        return self._book is None or not (calling or (finish and self._book.ours()))

    def _rewrite(self, raw: bytes, wire: dict[str, Any], passed: Heard) -> None:
        choice = wire["choices"][0]
        delta = choice["delta"] = choice.get("delta") or {}
        changed = [self._as_first(wire, delta), self._without_ours(delta), self._unfinished(choice)]
        finish = bool(choice.get("finish_reason"))
        tokens = any(value for name, value in delta.items() if name != "role")
        if not any(changed):
            passed.add(raw, tokens=tokens, finish=finish)
        elif finish or tokens or delta.get("role"):
            passed.add(event(msgspec.json.encode(wire)), tokens=tokens, finish=finish)

    def _as_first(self, wire: dict[str, Any], delta: dict[str, Any]) -> bool:
        """Make an event of a later round one of the first; whether it is one of a later round."""
        if self._earlier is None:
            return False
        wire.update(identity(self._earlier))
        wire.pop("usage", None)  # that of this round alone
        delta.pop("role", None)  # SDKs append: a second role would make "assistantassistant"
        return True

    def _without_ours(self, delta: dict[str, Any]) -> bool:
        """Take our calls out; whether there was anything to take or to renumber."""
        calls = delta.get("tool_calls")
        if not calls or self._book is None:
            return False
        theirs = self._book.sort(calls)
        if theirs == calls:
            return False
        del delta["tool_calls"]
        if theirs:
            delta["tool_calls"] = theirs
        return True

    def _unfinished(self, choice: dict[str, Any]) -> bool:
        """Hold back the finish of a round that calls us; whether it was one."""
        finish = choice.get("finish_reason")
        if not finish or finish in CUT_OFF or not (self._book and self._book.ours()):
            return False
        choice["finish_reason"] = "stop" if self._last_chance else None
        self.finish_reason = choice["finish_reason"] or self.finish_reason
        return True


def identity(first: StreamEvent | Reply) -> dict[str, Any]:
    """What all events of one answer have in common, as far as the upstream told it."""
    known = {"id": first.id, "created": first.created}
    return {name: value for name, value in known.items() if value is not None}
