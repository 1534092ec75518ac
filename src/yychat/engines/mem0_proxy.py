"""Mem0Proxy: mem0 keeps the memory; upstream, tools and personalities are ChatEngine's."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Protocol, Unpack

from ..chat import ChatRequest, Chunk
from ..errors import EngineUnavailable
from ..memory.base import Record
from ..owner import Owner
from ..personalities.personality import Personality
from .base import EngineInfo, Health
from .conversing import Conversing, Parts


class Condition(Protocol):
    """How mem0 is."""

    def missing(self) -> str | None:
        """What has to be installed or set before mem0 can be used at all; asks nobody."""
        ...

    async def __call__(self) -> None:
        """Raises ``YYChatError`` where mem0 is not well. Ends by itself."""
        ...


class Mem0Proxy:
    """See ``BaseEngine`` for the promises. Where something is *missing* it answers nothing: what
    is said would never be remembered."""

    name = "mem0_proxy"

    def __init__(self, *, probe: Condition | None = None, **parts: Unpack[Parts]) -> None:
        self._memory, self._mem0 = parts["memory"], probe
        self._conversing = Conversing(self.name, **parts, probes={"mem0": probe} if probe else None)

    async def generate_response(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        if self._mem0 and (missing := self._mem0.missing()):
            raise EngineUnavailable(f"{self.name} cannot answer: {missing}")
        async with aclosing(self._conversing.answer(request)) as chunks:
            async for chunk in chunks:
                yield chunk

    def get_engine_info(self) -> EngineInfo:
        return self._conversing.info("Memory of extracted facts in mem0, tools and personalities.")

    async def health_check(self) -> Health:
        return await self._conversing.health()

    async def get_conversation_memory(self, owner: Owner, limit: int) -> list[Record]:
        return await self._memory.listing(owner, limit)

    async def clear_conversation_memory(self, owner: Owner) -> int:
        return await self._memory.erase(owner)

    def get_available_tools(self, personality_id: str | None) -> list[dict[str, Any]]:
        return self._conversing.definitions(personality_id)

    def get_supported_personalities(self) -> Sequence[Personality]:
        return self._conversing.personalities()
