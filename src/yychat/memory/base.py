"""What memory is: the port engines recall from, and the records that cross it."""

from typing import Literal, Protocol

import msgspec

from ..owner import Owner

Source = Literal["lexical", "both", "none"]


class Turn(msgspec.Struct, frozen=True):
    """One remembered exchange.

    ``id`` is its outbox job's id, so that storing it twice is storing it once. ``at`` is Unix time
    in seconds. ``user`` or ``assistant`` is empty where the save mode leaves it out. ``trace`` is
    the ``traceparent`` of the request that it comes from, where requests are traced.
    """

    id: str
    at: float
    user: str
    assistant: str
    engine: str
    trace: str = ""


class Record(msgspec.Struct, frozen=True):
    """One recalled or listed memory; ``score`` is only comparable within its own recall.

    ``role`` says whose words these are; None where a memory is nobody's words (an extracted fact).
    """

    id: str
    text: str
    at: float
    engine: str
    role: Literal["user", "assistant"] | None = None
    score: float = 0.0


class Recollection(msgspec.Struct, frozen=True):
    """What a recall found, best first, and which ways of searching took part.

    ``degraded``: the store was away, and this is what the process itself still knew.
    """

    records: tuple[Record, ...] = ()
    source: Source = "none"
    degraded: bool = False


class Memory(Protocol):
    """Long-term memory of owners. Raises ``StoreError`` and nothing else."""

    @property
    def name(self) -> str:
        """``native`` or ``mem0``."""
        ...

    async def recall(self, owner: Owner, query: str, limit: int) -> Recollection:
        """The memories of *owner* that bear on *query*; turns still in the outbox included."""
        ...

    async def remember(self, owner: Owner, *turns: Turn) -> None:
        """Store *turns*, in this order; one with a known id changes nothing. Where this raises,
        the first ones may be stored."""
        ...

    async def listing(self, owner: Owner, limit: int) -> list[Record]:
        """The newest *limit* memories, newest first."""
        ...

    async def erase(self, owner: Owner) -> int:
        """Forget everything of *owner*, for good; how many memories that were."""
        ...
