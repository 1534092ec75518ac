"""What engines with a memory have in common: recall, compose, answer in rounds, remember."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Literal, NotRequired, TypedDict

import msgspec
from msgspec.structs import replace

from ..chat import About, Answer, ChatRequest, Chunk, MemoryResult
from ..errors import StoreError, YYChatError
from ..memory.base import Memory, Recollection, Record, Turn
from ..memory.outbox import Job, OutboxDoor
from ..personalities.loader import Personalities
from ..personalities.personality import Personality
from ..tools.registry import Registry
from ..upstream.router import Upstreams
from .answer import answered
from .base import EngineInfo, Health
from .prompt import Budget, Costs, Prompt, compose
from .tool_loop import Limits, ToolLoop

log = logging.getLogger(__name__)

HUGE = 200_000  # bytes of a request; composing more takes longer than others should wait for it
HANDED_OVER = ("tool_calls", "function_call")  # ends of an answer that goes on at the client

LOOK_EVERY = 30.0  # seconds that an upstream that was there counts as being there

SaveMode = Literal["both", "user", "assistant"]
Probe = Callable[[], Awaitable[None]]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How an engine remembers. Times in seconds, lengths in characters."""

    recall: bool = True
    recall_within: float = 0.3
    recall_records: int = 10
    save: SaveMode = "both"
    save_within: float = 2.0
    longest_text: int = 32_768
    default_personality: str | None = None
    budget: Budget = Budget()
    limits: Limits = Limits()


class Parts(TypedDict):
    """What such an engine is made of."""

    upstreams: Upstreams
    memory: Memory
    outbox: OutboxDoor
    tools: Registry
    personalities: Personalities
    options: Options
    clock: NotRequired[Callable[[], float]]


class Conversing:
    """A conversation with a model, a memory, tools and personalities, under an engine's name.

    Engines hold one and differ by name, description and memory. See ``BaseEngine`` for the
    promises; *probes* are the dependencies of an engine beyond the store of its outbox: each
    raises ``YYChatError`` where something is wrong, and ends by itself.
    """

    def __init__(
        self,
        name: str,
        *,
        upstreams: Upstreams,
        memory: Memory,
        outbox: OutboxDoor,
        tools: Registry,
        personalities: Personalities,
        options: Options,
        clock: Callable[[], float] = time.time,
        probes: Mapping[str, Probe] | None = None,
    ) -> None:
        self.name = name
        self._upstreams, self._memory, self._outbox = upstreams, memory, outbox
        self._tools, self._personalities = tools, personalities
        self._options, self._clock = options, clock
        self._probes = probes or {}
        self._costs = Costs()
        self._looked: tuple[float, str | None] | None = None
        self._unsaved: str | None = None  # what the last attempt to remember a turn came to

    async def answer(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        personality = self._personality(request.personality_id)
        allowed = personality.allowed_tools if personality else None
        tools = ToolLoop(self._tools, request, allowed, self._options.limits)
        recalled, result = await self._recall(request)
        prompt = await self._composed(request, personality, recalled.records, tools.size)
        if result == "hit" and not prompt.recalled:
            result = "empty"
        about: About | None = About(
            engine=self.name,
            memory=result,
            recalled=prompt.recalled,
            trimmed=prompt.trimmed,
            injected=prompt.injected,
            duplicates=prompt.said,
        )
        chunks = answered(self._upstreams, request, prompt.messages, tools)
        async with aclosing(chunks):
            async for chunk in chunks:
                if chunk.answer is not None:
                    await self._save(request, chunk.answer)
                yield chunk if about is None else replace(chunk, about=about)
                about = None

    def info(self, description: str) -> EngineInfo:
        return EngineInfo(
            name=self.name,
            description=description,
            memory=self._memory.name,
            features=("memory", "tools", "personalities", "streaming"),
        )

    async def health(self) -> Health:
        names = ["memory", "upstream", *self._probes]
        troubles = await asyncio.gather(
            self._memory_trouble(),
            self._upstream_trouble(),
            *map(_trouble, self._probes.values()),
        )
        dependencies = dict(zip(names, troubles, strict=True))
        return Health(healthy=not any(dependencies.values()), dependencies=dependencies)

    def definitions(self, personality_id: str | None) -> list[dict[str, Any]]:
        personality = self._personality(personality_id)
        return self._tools.definitions(personality.allowed_tools if personality else None)

    def personalities(self) -> Sequence[Personality]:
        return self._personalities.all()

    def _personality(self, personality_id: str | None) -> Personality | None:
        chosen = personality_id or self._options.default_personality
        return self._personalities.get(chosen) if chosen else None

    async def _recall(self, request: ChatRequest) -> tuple[Recollection, MemoryResult]:
        question = request.question[: self._options.longest_text]
        if request.owner is None or not self._options.recall or not question:
            return Recollection(), "off"
        try:
            async with asyncio.timeout(self._options.recall_within):
                found = await self._memory.recall(
                    request.owner, question, self._options.recall_records
                )
        except TimeoutError:
            return Recollection(), "deadline"
        except StoreError as error:
            log.warning("answering without memory: %s", error)
            return Recollection(), "degraded"
        if found.degraded:
            return found, "degraded"
        return found, "hit" if found.records else "empty"

    async def _composed(
        self,
        request: ChatRequest,
        personality: Personality | None,
        records: Sequence[Record],
        extra_bytes: int,
    ) -> Prompt:
        composing = partial(
            compose,
            request,
            personality,
            records,
            self._options.budget,
            extra_bytes=extra_bytes,
            costs=self._costs,
        )
        return await asyncio.to_thread(composing) if request.size > HUGE else composing()

    async def _save(self, request: ChatRequest, answer: Answer) -> None:
        """Put the turn into the outbox; the answer goes out even where that fails."""
        if request.owner is None or not answer.text or answer.finish_reason in HANDED_OVER:
            return
        turn = self._turn(request, answer)
        if not turn.user and not turn.assistant:
            return
        try:
            async with asyncio.timeout(self._options.save_within):
                await self._outbox.put(Job(kind=self._memory.name, owner=request.owner, turn=turn))
        except (StoreError, TimeoutError) as error:
            self._unsaved = f"turns are not remembered: {error or 'no time left'}"
            log.error("a turn is not remembered: %s", error or "no time left")  # noqa: TRY400
        else:
            self._unsaved = None

    def _turn(self, request: ChatRequest, answer: Answer) -> Turn:
        longest, mode = self._options.longest_text, self._options.save
        return Turn(
            id=os.urandom(16).hex(),
            at=self._clock(),
            user="" if mode == "assistant" else request.question[:longest],
            assistant="" if mode == "user" else answer.text[:longest],
            engine=self.name,
        )

    async def _upstream_trouble(self) -> str | None:
        """Asked now and then: whoever looks every few seconds must not be a burden to it."""
        now = time.monotonic()
        if self._looked is None or now - self._looked[0] > LOOK_EVERY or self._looked[1]:
            self._looked = now, await _trouble(self._upstreams.look)
        return self._looked[1]

    async def _memory_trouble(self) -> str | None:
        if self._unsaved:
            return self._unsaved
        try:
            async with asyncio.timeout(1.0):
                await self._outbox.backlog()
        except TimeoutError:
            return "the store did not answer within a second"
        except YYChatError as error:
            return error.message
        return None


async def _trouble(probe: Probe) -> str | None:
    try:
        await probe()
    except YYChatError as error:
        return error.message
    return None
