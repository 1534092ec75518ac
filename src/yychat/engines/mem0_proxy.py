"""Mem0Proxy: mem0 keeps the memory; upstream, tools and personalities are ChatEngine's."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Unpack

from ..chat import ChatRequest, Chunk
from ..memory.base import Record
from ..owner import Owner
from ..personalities.personality import Personality
from .base import EngineInfo, Health
from .conversing import Conversing, Parts, Probe


class Mem0Proxy:
    """See ``BaseEngine`` for the promises. *probe* raises where mem0 is not well."""

    name = "mem0_proxy"

    def __init__(self, *, probe: Probe | None = None, **parts: Unpack[Parts]) -> None:
        self._memory = parts["memory"]
        self._conversing = Conversing(self.name, **parts, probes={"mem0": probe} if probe else None)

    def generate_response(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        return self._conversing.answer(request)

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
