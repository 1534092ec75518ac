"""What an upstream is to those who ask it: the port that client.py implements."""

from collections.abc import AsyncGenerator
from typing import Protocol

from ..resilience import Breaker


class Provider(Protocol):
    """A provider behind an OpenAI-compatible base URL. Raises ``UpstreamError``, nothing else."""

    @property
    def name(self) -> str: ...

    @property
    def models(self) -> dict[str, str] | None:
        """What it calls the models it has; None where nobody said which those are."""
        ...

    @property
    def breaker(self) -> Breaker:
        """That of chat: whether the upstream does what it is there for."""
        ...

    def model(self, asked: str) -> str | None:
        """What it calls the model *asked* for; None when it does not have it."""
        ...

    def breaker_of(self, path: str) -> Breaker: ...

    async def post(self, path: str, body: bytes) -> bytes:
        """Send a request and read the whole answer."""
        ...

    async def get(self, path: str) -> bytes:
        """Ask for a list."""
        ...

    def stream(self, path: str, body: bytes) -> AsyncGenerator[bytes, None]:
        """Send a request and give the answer's bytes as they come; failures up to the first byte
        are raised by the first ``anext``."""
        ...

    async def close(self) -> None: ...
