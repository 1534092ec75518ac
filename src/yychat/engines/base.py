"""What an engine is: the port that ChatEngine and Mem0Proxy implement."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from ..chat import ChatRequest, Chunk
from ..memory.base import Record
from ..owner import Owner
from ..personalities.personality import Personality


class EngineInfo(msgspec.Struct, frozen=True):
    name: str
    description: str
    memory: str
    features: tuple[str, ...]


class Health(msgspec.Struct, frozen=True):
    """``dependencies`` maps each to None when it is well and to a short reason when it is not."""

    healthy: bool
    dependencies: Mapping[str, str | None]


class BaseEngine(Protocol):
    """Answers chat requests. Raises ``YYChatError`` and nothing else."""

    @property
    def name(self) -> str: ...

    def generate_response(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """The answer as a stream of chunks; a complete answer is one chunk.

        The first chunk bears ``about``, the last ``answer``. Nothing is yielded before the
        upstream's first token, so a failure before it is still the whole response. The last
        chunk comes after the turn is safe in the outbox. Closing early releases everything.
        """
        ...

    def get_engine_info(self) -> EngineInfo: ...

    async def health_check(self) -> Health: ...

    async def get_conversation_memory(self, owner: Owner, limit: int) -> list[Record]: ...

    async def clear_conversation_memory(self, owner: Owner) -> int: ...

    def get_available_tools(self, personality_id: str | None) -> list[dict[str, Any]]: ...

    def get_supported_personalities(self) -> Sequence[Personality]: ...
