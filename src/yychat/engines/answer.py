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
from ..errors import UpstreamError, UpstreamProtocolError
from ..upstream.router import Upstreams
from ..upstream.sse import DONE, event
from ..upstream.wire import Reply, ReplyChoice, StreamEvent, read_object, read_reply
from .calls import CUT_OFF, OurCall
from .stream_round import Opening, StreamRound, identity
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
        opening = Opening()
        first: StreamEvent | None = None
        calls: Sequence[OurCall] = ()
        while calls or not self._rounds:
            path, model, payload_ = PATH, self._request.model, self._payload()
            heard = StreamRound(self._tools, first)
            async with aclosing(self._upstreams.stream(path, model, payload_)) as reads:
                async for data in reads:
                    if chunk := opening.pass_on(heard.read(data)):
                        yield chunk
                    heard.check()
                    if heard.done:
                        break
                heard.check_complete()
                self._count(heard.usage)
                first = first or heard.first
                calls = self._to_run(heard.our_calls())
                if not calls:
                    yield self._last(opening.rest(), heard, first)
                await _ended(reads)
            await self._run(calls, heard.text, heard.thought)

    async def _sorted(self, body: bytes, choice: ReplyChoice) -> tuple[bytes, str | None] | None:
        """A whole answer without calls of ours, and why it ended; None when those were run."""
        book = self._tools.book()
        if book is None or not choice.message.tool_calls:
            return body, choice.finish_reason
        wire = read_object(body)
        told = wire["choices"][0]
        called = told["message"]["tool_calls"]
        theirs = book.sort_whole(called)
        cut = choice.finish_reason in CUT_OFF
        if calls := () if cut else self._to_run(book.identified()):
            await self._run(calls, choice.message.content, choice.message.thought)
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

    def _to_run(self, calls: Sequence[OurCall]) -> Sequence[OurCall]:
        """Our calls, unless it has been enough; after them the model is asked again."""
        return () if self._tools.exhausted else calls

    async def _run(self, calls: Sequence[OurCall], said: str, thought: str | None) -> None:
        if calls:
            self._messages += await self._tools.run(said, calls, thought=thought)

    def _as_first(self, body: bytes, first: Reply) -> bytes:
        rewritten = {**read_object(body), **identity(first)}
        if self._usage is not None:
            rewritten["usage"] = asdict(self._usage)
        return msgspec.json.encode(rewritten)

    def _last(self, held: bytes, last: StreamRound, first: StreamEvent | None) -> Chunk:
        finish = self._finish_event(last, first)
        tail = finish + self._usage_event(last, first) + (last.done or DONE)
        finish_reason = "stop" if finish else last.finish_reason
        answer = self._answer(last.text, finish_reason, last.model)
        return Chunk(data=held + tail, answer=answer)

    def _finish_event(self, last: StreamRound, first: StreamEvent | None) -> bytes:
        """Where a finish of an earlier round was held back, and the last one brought none."""
        meddled = self._rounds > 1 or last.our_calls()
        if last.finish_reason is not None or not meddled:
            return b""
        return _own_event(last, first, [{"index": 0, "delta": {}, "finish_reason": "stop"}])

    def _usage_event(self, last: StreamRound, first: StreamEvent | None) -> bytes:
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


async def _ended(reads: AsyncIterator[bytes]) -> None:
    """Wait for the response's end: only after it can the connection be used again.

    The client does not wait for it: what it gets has gone out before.
    """
    with suppress(TimeoutError, UpstreamError):
        async with asyncio.timeout(LINGER):
            async for _ in reads:
                pass


def _own_event(
    last: StreamRound, first: StreamEvent | None, choices: list[Any], **fields: Any
) -> bytes:
    """An event that the upstream did not send, in the shape of its others."""
    known = identity(first) if first else {}
    shape = {"object": "chat.completion.chunk", "model": last.model, "choices": choices}
    return event(msgspec.json.encode({**known, **shape, **fields}))


def _keep_calls(choice: dict[str, Any], theirs: list[dict[str, Any]]) -> None:
    """Leave the client's calls in an unstreamed choice; without any it is an ordinary answer."""
    choice["message"]["tool_calls"] = theirs
    if not theirs:
        del choice["message"]["tool_calls"]
        if choice.get("finish_reason") not in CUT_OFF:
            choice["finish_reason"] = "stop"
