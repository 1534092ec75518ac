"""A scripted mem0, and the real one, for the tests of what stands before it."""

import asyncio
import importlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from running import Simulator
from yychat.errors import StoreError
from yychat.memory.base import Turn
from yychat.memory.mem0_aim import Aims
from yychat.memory.mem0_client import Fact
from yychat.memory.mem0_process import InProcessMem0, keep_private
from yychat.memory.mem0_stores import Store
from yychat.upstream.config import Endpoint


class ScriptedMem0:
    """Every turn is one fact; ``broken`` fails, ``slow`` never answers, ``gate`` holds up adding.

    ``intruders`` are given with whatever is searched or listed.
    """

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.intruders: list[Fact] = []
        self.tenants: dict[str, str] = {}
        self.broken = self.slow = False
        self.searches: list[tuple[str, str, int]] = []
        self.added: list[tuple[str, float]] = []
        self.adding, self.gate = asyncio.Event(), asyncio.Event()
        self.gate.set()
        self.probes = self.closed = 0

    async def search(self, owner: str, query: str, limit: int) -> Sequence[Fact]:
        self.searches.append((owner, query, limit))
        await self._fail()
        return [*self.intruders, *self._of(owner)][:limit]

    async def listing(self, owner: str) -> Sequence[Fact]:
        await self._fail()
        return [*self.intruders, *self._of(owner)]

    async def add(self, owner: str, tenant: str, turn: Turn, *, since: float) -> None:
        self.adding.set()
        await self.gate.wait()
        await self._fail()
        self.added.append((turn.id, since))
        self.tenants[owner] = tenant
        self.facts.append(Fact(f"fact of {turn.id}", turn.user, owner, turn.at, turn.id, 0.5))

    async def has(self, owner: str, job: str) -> bool:
        await self._fail()
        return any(fact.job == job for fact in self._of(owner))

    async def delete(self, owner: str, job: str | None = None) -> int:
        await self._fail()
        gone = [fact for fact in self._of(owner) if job is None or fact.job == job]
        self.facts = [fact for fact in self.facts if fact not in gone]
        return len(gone)

    async def delete_tenant(self, tenant: str) -> int:
        await self._fail()
        return sum([await self.delete(o) for o, t in self.tenants.items() if t == tenant])

    async def probe(self) -> None:
        self.probes += 1
        await self._fail()

    async def close(self) -> None:
        self.closed += 1

    def _of(self, owner: str) -> list[Fact]:
        return [fact for fact in self.facts if fact.owner == owner]

    async def _fail(self) -> None:
        if self.slow:
            await asyncio.Event().wait()
        if self.broken:
            raise StoreError("mem0 is away")


def mem0(module: str = "mem0") -> Any:
    """The library or a module of it, kept from calling home as in the service."""
    with tempfile.TemporaryDirectory(prefix="mem0") as folder:
        keep_private(Path(folder))
        return importlib.import_module(module)


def aims_at(base_url: str) -> Aims:
    """Both models at one upstream."""
    aims = Aims("simulated", "simulated")
    aims.use([Endpoint(name="simulator", base_url=base_url)])
    return aims


def in_process(store: Store, upstream: Simulator, folder: Path, **options: float) -> InProcessMem0:
    return InProcessMem0(store, aims_at(upstream.base_url), folder=folder, **options)  # type: ignore[arg-type]
