"""The registered processes, and the port they are kept behind."""

import logging
from typing import Literal, Protocol

import msgspec

log = logging.getLogger(__name__)

Kind = Literal["serve", "work"]

DEAD_AFTER = 15.0  # seconds without a heartbeat


class Registration(msgspec.Struct, frozen=True):
    """One process. ``instance`` (host:slot) is the same after a restart, ``address`` is where it
    is scraped; ``started`` is Unix time in seconds."""

    instance: str
    address: str
    slot: int
    pid: int
    version: str
    started: float
    kind: Kind


class Instance(msgspec.Struct, frozen=True):
    """A registration as it is found; ``silent`` is seconds since its last heartbeat."""

    registration: Registration
    silent: float

    @property
    def dead(self) -> bool:
        return self.silent >= DEAD_AFTER


class InstanceRegistry(Protocol):
    """Where processes are registered. Raises ``StoreError`` and nothing else."""

    async def beat(self, registration: Registration) -> bool:
        """Register, or say that one is still there. It takes the place of whoever had its name
        at its address, or is dead; False, and nothing done, while another one lives there."""
        ...

    async def leave(self, registration: Registration) -> None:
        """Take it off the list, unless another process has its name by now."""
        ...

    async def forget(self, instance: str) -> bool:
        """Take off the list whoever has this name; whether there was one. One that lives comes
        back with its next heartbeat."""
        ...

    async def everybody(self) -> list[Instance]:
        """All that have not left, the dead ones too, by name."""
        ...


def registration_of(stored: bytes) -> Registration | None:
    """What a store had; something else than a registration counts as nothing."""
    try:
        return msgspec.json.decode(stored, type=Registration)
    except msgspec.MsgspecError:
        log.error("a registered process cannot be read")  # noqa: TRY400 - its text may quote it
        return None
