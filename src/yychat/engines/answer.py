"""From a prompt to an answer: rounds with the upstream, our tools between them.

Both engines use this. Streamed events are forwarded as the bytes they came in. What is changed,
and only then: the usage event is held back (and dropped for those who did not ask); calls of our
own tools are taken out; after a round of ours, events carry the first round's id and usage is
summed.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, suppress
from typing import Any

import msgspec
from msgspec.structs import asdict

from ..chat import Answer, ChatRequest, Chunk, Usage
from ..errors import UpstreamError, UpstreamFailed, UpstreamProtocolError
from ..upstream.router import Upstreams
from ..upstream.sse import DONE, EventSplitter, event, payload
from ..upstream.wire import (
    Reply,
    ReplyChoice,
    StreamChoice,
    StreamEvent,
    read_event,
    read_object,
    read_reply,
)
from .calls import OurCall
from .tool_loop import ToolLoop

PATH = "/chat/completions"
LINGER = 0.05  # seconds for an upstream to end its response after [DONE]


def answered(
    upstreams: Upstreams, request: ChatRequest, messages: Sequence[msgspec.Raw], tools: ToolLoop
) -> AsyncGenerator[Chunk, None]:
    """The answer to *messages*, streamed or whole as *request* asks. Raises ``UpstreamError``."""
    conversation = _Conversation(upstreams, request, messages, tools)
    return conversation.streamed() if request.stream else conversation.whole()


class _Conversation:
    """One answer in the making: what was said so far, and what the rounds add up to."""

    def __init__(
        self,
        upstreams: Upstreams,
        request: ChatRequest,
        messages: Sequence[msgspec.Raw],
        tools: ToolLoop,
    ) -> None:
        self._upstreams, self._request, self._tools = upstreams, request, tools
        self._messages: list[Any] = list(messages)
        self._usage: Usage | None = None
        self._rounds = 0

    async def whole(self) -> AsyncGenerator[Chunk, None]:
        first: Reply | None = None
        while True:
            body = await self._upstreams.post(PATH, self._request.model, self._payload())
            reply = read_reply(body)
            self._count(reply.usage)
            first = first or reply
            if not reply.choices:
                raise UpstreamProtocolError("the upstream answered without a choice")
            heard = await self._sorted(body, reply.choices[0])
            if heard is not None:
                break
        body, finish_reason = heard
        if self._rounds > 1:
            body = self._as_first(body, first)
        text = reply.choices[0].message.content or ""
        yield Chunk(data=body, tokens=True, answer=self._answer(text, finish_reason, reply.model))

    async def streamed(self) -> AsyncGenerator[Chunk, None]:
        opening = _Opening()
        first: StreamEvent | None = None
        while True:
            path, model, payload_ = PATH, self._request.model, self._payload()
            heard = _Round(self._tools, first)
            async with aclosing(self._upstreams.stream(path, model, payload_)) as reads:
                async for data in reads:
                    if chunk := opening.pass_on(heard.read(data)):
                        yield chunk
                    heard.check()
                    if heard.done:
                        await _ended(reads)
                        break
            heard.check_complete()
            self._count(heard.usage)
            first = first or heard.first
            if not await self._went_on(heard.text, heard.our_calls()):
                break
        finish = self._finish_event(heard, first)
        tail = finish + self._usage_event(heard, first) + (heard.done or DONE)
        finish_reason = "stop" if finish else heard.finish_reason
        answer = self._answer(heard.text, finish_reason, heard.model)
        yield Chunk(data=opening.rest() + tail, answer=answer)

    async def _sorted(self, body: bytes, choice: ReplyChoice) -> tuple[bytes, str | None] | None:
        """A whole answer without calls of ours, and why it ended; None when those were run."""
        book = self._tools.book()
        if book is None or not choice.message.tool_calls:
            return body, choice.finish_reason
        wire = read_object(body)
        told = wire["choices"][0]
        called = told["message"]["tool_calls"]
        theirs = book.sort_whole(called)
        if await self._went_on(choice.message.content or "", book.identified()):
            return None
        if theirs == called:
            return body, choice.finish_reason
        _keep_calls(told, theirs)
        return msgspec.json.encode(wire), told.get("finish_reason")

    def _payload(self) -> dict[str, Any]:
        self._rounds += 1
        payload_: dict[str, Any] = {
            **self._request.fields,
            "messages": self._messages,
            **self._tools.fields(),
        }
        if self._request.stream:
            payload_["stream"] = True
            payload_["stream_options"] = self._stream_options()
        return payload_

    def _stream_options(self) -> dict[str, Any]:
        """Usage is always asked for: it is counted, and held back from those who did not ask."""
        given = self._request.fields.get("stream_options")
        options = msgspec.json.decode(given, type=dict[str, msgspec.Raw] | None) if given else None
        return {**(options or {}), "include_usage": True}

    def _count(self, usage: Usage | None) -> None:
        if usage is not None:
            self._usage = usage if self._usage is None else self._usage + usage

    async def _went_on(self, said: str, calls: Sequence[OurCall]) -> bool:
        """Run our calls, if there are any and it has not been enough; whether to ask again."""
        if not calls or self._tools.exhausted:
            return False
        self._messages += await self._tools.run(said, calls)
        return True

    def _as_first(self, body: bytes, first: Reply) -> bytes:
        rewritten = {**read_object(body), **_identity(first)}
        if self._usage is not None:
            rewritten["usage"] = asdict(self._usage)
        return msgspec.json.encode(rewritten)

    def _finish_event(self, last: "_Round", first: StreamEvent | None) -> bytes:
        """Where a finish of an earlier round was held back, and the last one brought none."""
        meddled = self._rounds > 1 or last.our_calls()
        if last.finish_reason is not None or not meddled:
            return b""
        return _own_event(last, first, [{"index": 0, "delta": {}, "finish_reason": "stop"}])

    def _usage_event(self, last: "_Round", first: StreamEvent | None) -> bytes:
        if not self._request.include_usage:
            return b""
        if self._rounds == 1 or self._usage is None:
            return last.usage_event
        return _own_event(last, first, [], usage=asdict(self._usage))

    def _answer(self, text: str, finish_reason: str | None, model: str | None) -> Answer:
        return Answer(
            text=text,
            finish_reason=finish_reason,
            usage=self._usage,
            model=model,
            rounds=self._rounds,
        )


class _Opening:
    """Holds back what comes before the first token, so that failing until then can be a status."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._open = False

    def pass_on(self, heard: "_Heard") -> Chunk | None:
        self._open = self._open or heard.tokens or heard.finish
        self._held += heard.events
        if not self._open or not self._held:
            return None
        return Chunk(data=self.rest(), tokens=heard.tokens)

    def rest(self) -> bytes:
        data = b"".join(self._held)
        self._held.clear()
        return data


class _Heard:
    """What a network read has for the client, and whether that brings tokens or the end."""

    __slots__ = ("events", "finish", "tokens")

    def __init__(self) -> None:
        self.events: list[bytes] = []
        self.tokens = self.finish = False

    def add(self, event: bytes, *, tokens: bool = False, finish: bool = False) -> None:
        self.events.append(event)
        self.tokens = self.tokens or tokens
        self.finish = self.finish or finish


class _Round:
    """Reads one streamed round: decides event by event what the client sees, and keeps account."""

    def __init__(self, tools: ToolLoop, first: StreamEvent | None) -> None:
        self._splitter = EventSplitter()
        self._book = tools.book()
        self._last_chance = tools.exhausted
        self._earlier = first  # the first event of the whole answer, None in its first round
        self._text: list[str] = []
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

    def our_calls(self) -> list[OurCall]:
        return self._book.identified() if self._book else []

    def read(self, data: bytes) -> _Heard:
        """What to pass on out of a network read. What fails in it is told by the next ``check``,
        after what came before the failure."""
        passed = _Heard()
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
        """A stream may end without [DONE], but not without having finished."""
        if not self.done and self.finish_reason is None:
            raise UpstreamProtocolError("the upstream broke off its answer")

    def _hear(self, heard: StreamEvent, raw: bytes, content: bytes, passed: _Heard) -> None:
        """Keep account of an event, and pass on what the client is to see of it."""
        if heard.error is not None:
            raise UpstreamFailed("the upstream failed while answering")
        self.first = self.first or heard
        self.model = self.model or heard.model
        if heard.usage is not None:
            self.usage = heard.usage
        if not heard.choices:
            self._hear_aside(heard, raw, passed)
            return
        tokens = finish = calling = False
        for choice in heard.choices:
            self._note(choice)
            tokens = tokens or choice.delta.speaks
            finish = finish or bool(choice.finish_reason)
            calling = calling or bool(choice.delta.tool_calls)
        if self._untouched(calling, finish):
            passed.add(raw, tokens=tokens, finish=finish)
        else:
            self._rewrite(raw, read_object(content), passed)

    def _hear_aside(self, heard: StreamEvent, raw: bytes, passed: _Heard) -> None:
        """An event without choices: the usage, or a provider's own."""
        if heard.usage is not None:
            self.usage_event = raw
        elif self._earlier is None:
            passed.add(raw)

    def _note(self, choice: StreamChoice) -> None:
        if choice.index == 0:
            if choice.delta.content:
                self._text.append(choice.delta.content)
            self.finish_reason = choice.finish_reason or self.finish_reason

    def _untouched(self, calling: bool, finish: bool) -> bool:
        """There is nothing in an event that could have to change."""
        if self._earlier is not None:
            return False
        return self._book is None or not (calling or (finish and self._book.ours))

    def _rewrite(self, raw: bytes, wire: dict[str, Any], passed: _Heard) -> None:
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
        wire.update(_identity(self._earlier))
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
        if not (choice.get("finish_reason") and self._book and self._book.ours):
            return False
        choice["finish_reason"] = "stop" if self._last_chance else None
        self.finish_reason = choice["finish_reason"] or self.finish_reason
        return True


async def _ended(reads: AsyncIterator[bytes]) -> None:
    """Wait for the response's end: only after it can the connection be used again."""
    with suppress(TimeoutError, UpstreamError):
        async with asyncio.timeout(LINGER):
            async for _ in reads:
                pass


def _identity(first: StreamEvent | Reply) -> dict[str, Any]:
    """What all events of one answer have in common, as far as the upstream told it."""
    known = {"id": first.id, "created": first.created}
    return {name: value for name, value in known.items() if value is not None}


def _own_event(last: _Round, first: StreamEvent | None, choices: list[Any], **fields: Any) -> bytes:
    """An event that the upstream did not send, in the shape of its others."""
    identity = _identity(first) if first else {}
    shape = {"object": "chat.completion.chunk", "model": last.model, "choices": choices}
    return event(msgspec.json.encode({**identity, **shape, **fields}))


def _keep_calls(choice: dict[str, Any], theirs: list[dict[str, Any]]) -> None:
    """Leave the client's calls in an unstreamed choice; without any it is an ordinary answer."""
    choice["message"]["tool_calls"] = theirs
    if not theirs:
        del choice["message"]["tool_calls"]
        choice["finish_reason"] = "stop"
