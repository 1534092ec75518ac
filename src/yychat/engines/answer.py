"""From a prompt to an answer: rounds with the upstream, our tools between them.

Both engines use this. Streamed events are forwarded as the bytes they came in. What is changed,
and only then: the usage event is held back (and dropped for those who did not ask); calls of our
own tools are taken out; after a round of ours, events carry the first round's id and usage is
summed.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import msgspec

from ..chat import Answer, ChatRequest, Chunk, Usage
from ..errors import UpstreamFailed, UpstreamProtocolError
from ..upstream.router import Upstreams
from ..upstream.sse import DONE, EventSplitter, event, payload
from ..upstream.wire import StreamChoice, StreamEvent, read_event, read_object, read_reply
from .calls import OurCall
from .tool_loop import ToolLoop

PATH = "/chat/completions"


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
        first_id: str | None = None
        while True:
            body = await self._upstreams.post(PATH, self._request.model, self._payload())
            reply = read_reply(body)
            self._count(reply.usage)
            first_id = first_id or reply.id
            if not reply.choices:
                raise UpstreamProtocolError("the upstream answered without a choice")
            choice = reply.choices[0]
            book = self._tools.book()
            if book and choice.message.tool_calls:
                rewritten = read_object(body)
                message = rewritten["choices"][0]["message"]
                theirs = book.sort_whole(message["tool_calls"])
                if await self._went_on(choice.message.content or "", book.identified()):
                    continue
                _keep_calls(rewritten["choices"][0], theirs)
                body = msgspec.json.encode(rewritten)
            if self._rounds > 1:
                body = self._as_first(body, first_id)
            yield Chunk(
                data=body,
                tokens=True,
                answer=self._answer(
                    choice.message.content or "", choice.finish_reason, reply.model
                ),
            )
            return

    async def streamed(self) -> AsyncGenerator[Chunk, None]:
        opening = _Opening()
        first: StreamEvent | None = None
        while True:
            path, model, payload_ = PATH, self._request.model, self._payload()
            heard = _Round(self._tools, first)
            async with aclosing(self._upstreams.stream(path, model, payload_)) as reads:
                async for data in reads:
                    if chunk := opening.pass_on(*heard.read(data)):
                        yield chunk
                    if heard.done:
                        break
            heard.check_complete()
            self._count(heard.usage)
            first = first or heard.first
            if not await self._went_on(heard.text, heard.our_calls()):
                break
        tail = self._usage_event(heard, first) + DONE
        answer = self._answer(heard.text, heard.finish_reason, heard.model)
        yield Chunk(data=opening.rest() + tail, answer=answer)

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
        options = msgspec.json.decode(given, type=dict[str, Any] | None) if given else None
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

    def _as_first(self, body: bytes, first_id: str | None) -> bytes:
        rewritten = read_object(body)
        rewritten["id"] = first_id or rewritten.get("id")
        if self._usage is not None:
            rewritten["usage"] = self._usage
        return msgspec.json.encode(rewritten)

    def _usage_event(self, last: "_Round", first: StreamEvent | None) -> bytes:
        if not self._request.include_usage or not last.usage_event:
            return b""
        if self._rounds == 1:
            return last.usage_event
        rewritten = read_object(payload(last.usage_event) or b"{}")
        rewritten["id"] = first.id if first else None
        rewritten["usage"] = self._usage
        return event(msgspec.json.encode(rewritten))

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

    def pass_on(self, events: list[bytes], tokens: bool) -> Chunk | None:
        self._open = self._open or tokens
        self._held += events
        if not self._open or not self._held:
            return None
        return Chunk(data=self.rest(), tokens=tokens)

    def rest(self) -> bytes:
        data = b"".join(self._held)
        self._held.clear()
        return data


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
        self.done = False

    @property
    def text(self) -> str:
        return "".join(self._text)

    def our_calls(self) -> list[OurCall]:
        return self._book.identified() if self._book else []

    def read(self, data: bytes) -> tuple[list[bytes], bool]:
        """The events to pass on out of a network read, and whether they bring tokens."""
        passed: list[bytes] = []
        tokens = False
        for raw in self._splitter.feed(data):
            content = payload(raw)
            if content is None:
                passed.append(raw)  # a comment: it keeps the connection alive on both sides
                continue
            if content.strip() == b"[DONE]":
                self.done = True
                break
            heard = read_event(content)
            out = self._hear(heard, raw, content)
            if out:
                passed.append(out)
                tokens = tokens or any(c.delta.speaks or c.finish_reason for c in heard.choices)
        return passed, tokens

    def check_complete(self) -> None:
        """A stream may end without [DONE], but not without having finished."""
        if not self.done and self.finish_reason is None:
            raise UpstreamProtocolError("the upstream broke off its answer")

    def _hear(self, heard: StreamEvent, raw: bytes, content: bytes) -> bytes:
        """Keep account of an event; the bytes to pass on, or none."""
        if heard.error is not None:
            raise UpstreamFailed("the upstream failed while answering")
        self.first = self.first or heard
        self.model = self.model or heard.model
        if heard.usage is not None:
            self.usage = heard.usage
        if not heard.choices:
            if heard.usage is not None:
                self.usage_event = raw
                return b""
            return raw if self._earlier is None else b""
        for choice in heard.choices:
            self._note(choice)
        if self._untouched(heard):
            return raw
        return self._rewritten(read_object(content))

    def _note(self, choice: StreamChoice) -> None:
        if choice.index == 0:
            if choice.delta.content:
                self._text.append(choice.delta.content)
            self.finish_reason = choice.finish_reason or self.finish_reason

    def _untouched(self, heard: StreamEvent) -> bool:
        if self._earlier is not None:
            return False
        if self._book is None:
            return True
        calling = any(choice.delta.tool_calls for choice in heard.choices)
        finishing = any(choice.finish_reason for choice in heard.choices)
        return not calling and not (finishing and (self._book.ours or self._book.dropped))

    def _rewritten(self, wire: dict[str, Any]) -> bytes:
        choice = wire["choices"][0]
        delta = choice.get("delta") or {}
        if self._earlier is not None:
            wire["id"] = self._earlier.id
            wire.pop("usage", None)
            delta.pop("role", None)  # SDKs append: a second role would make "assistantassistant"
        if self._book and delta.get("tool_calls"):
            theirs = self._book.sort(delta.pop("tool_calls"))
            if theirs:
                delta["tool_calls"] = theirs
        if choice.get("finish_reason") and self._book and self._book.ours:
            choice["finish_reason"] = "stop" if self._last_chance else None
            self.finish_reason = choice["finish_reason"] or self.finish_reason
        choice["delta"] = delta
        telling = choice.get("finish_reason") or any(value for value in delta.values())
        return event(msgspec.json.encode(wire)) if telling else b""


def _keep_calls(choice: dict[str, Any], theirs: list[dict[str, Any]]) -> None:
    """Leave the client's calls in an unstreamed choice; without any it is an ordinary answer."""
    choice["message"]["tool_calls"] = theirs
    if not theirs:
        del choice["message"]["tool_calls"]
        choice["finish_reason"] = "stop"
