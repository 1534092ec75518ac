"""Which engine answers: one decision that all instances share, and the ports it is kept behind."""

import hashlib
import logging
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Literal, Protocol

import msgspec

from ..errors import InvalidRequest

log = logging.getLogger(__name__)

EngineName = Literal["chat_engine", "mem0_proxy"]
Weight = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]

LONGEST_REASON = 500
KEPT = 1_000  # changes in the history

_UNREADABLE = {"Cc", "Cs", "Zl", "Zp"}  # controls, lone surrogates, line ends
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Selection(msgspec.Struct, frozen=True):
    """``weights`` are shares and need not sum to 100. ``revision`` grows by one with every change;
    0 is what the configuration says and nobody has shared yet. ``at`` is Unix time in seconds."""

    weights: Mapping[str, Weight]
    revision: int
    changed_by: str
    reason: str
    at: float

    @property
    def in_force(self) -> dict[str, int]:
        """The engines that answer, by name, and their shares."""
        return {name: self.weights[name] for name in sorted(self.weights) if self.weights[name]}

    def chosen(self, among: Mapping[str, object], key: str) -> str | None:
        """The engine for *key*, the same every time; None where none of *among* has a share.

        Where shares change, only the border between neighbours moves: most keys keep their engine.
        """
        shares = {name: weight for name, weight in self.in_force.items() if name in among}
        if len(shares) <= 1:
            return next(iter(shares), None)
        point = _fraction(key) * sum(shares.values()) >> 64
        for name, weight in shares.items():
            if point < weight:
                return name
            point -= weight
        raise AssertionError("the point lies within the sum of the shares")


class SelectionStore(Protocol):
    """Where the decision is shared. Raises ``StoreError`` and nothing else."""

    async def read(self) -> Selection | None:
        """What is in force; None where nothing is known, or nothing that can be read."""
        ...

    async def propose(self, selection: Selection) -> bool:
        """Store and announce *selection* in one step if its revision is higher than the stored
        one; whether that was so. Of several with one revision, the first wins."""
        ...

    async def history(self, limit: int) -> list[Selection]:
        """The last changes, newest first."""
        ...


class LastKnown(Protocol):
    """What one instance knew last, for its next start. Raises ``StoreError`` and nothing else."""

    async def read(self) -> Selection | None: ...

    async def keep(self, selection: Selection) -> None: ...


def stored_selection(stored: bytes | str | None) -> Selection | None:
    """What a store had; something else than a selection counts as nothing."""
    if stored is None:
        return None
    try:
        return msgspec.json.decode(stored, type=Selection)
    except msgspec.MsgspecError:
        log.error("a stored selection cannot be read")  # noqa: TRY400 - its text may quote it
        return None


def checked_reason(reason: str) -> str:
    """*reason* as it may stand in a history that people read. Raises ``InvalidRequest``."""
    text = reason.strip()
    if not 1 <= len(text) <= LONGEST_REASON:
        raise InvalidRequest(
            f"reason must have 1 to {LONGEST_REASON} characters that are not blank", param="reason"
        )
    if any(unicodedata.category(c) in _UNREADABLE or c in _REORDERING for c in text):
        raise InvalidRequest("reason must be one line without control characters", param="reason")
    return text


def _fraction(key: str) -> int:
    """Where *key* lies, in 2**64ths of the whole."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
