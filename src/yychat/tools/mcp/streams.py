"""What the SDK expects of a stream besides its messages: to be gone through, entered and left."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, Self


class Closing(ABC):
    """Closed where the block is left that it is entered for."""

    @abstractmethod
    async def aclose(self) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


class Reading(Closing):
    """Gone through by what ``receive`` gives, until that raises ``StopAsyncIteration``."""

    @abstractmethod
    async def receive(self) -> Any: ...

    async def __anext__(self) -> Any:
        return await self.receive()

    def __aiter__(self) -> Self:
        return self
