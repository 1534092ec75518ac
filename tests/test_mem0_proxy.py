"""Mem0Proxy keeps the promises of every engine, and says how its mem0 is."""

import asyncio
from typing import Any

import pytest

from engine_promises import EnginePromises, about, replay
from fakes import ListOutbox, ScriptedMemory, asked, tools
from mem0_parts import ScriptedMem0
from remembering import turn
from yychat.chat import collect
from yychat.engines.base import BaseEngine
from yychat.engines.checkup import Checkup
from yychat.engines.conversing import Options
from yychat.engines.mem0_proxy import Condition, Mem0Proxy
from yychat.errors import EngineUnavailable
from yychat.memory.base import Memory
from yychat.memory.mem0 import Mem0Memory, recalled_facts
from yychat.memory.mem0_ledger import Standing
from yychat.memory.outbox import OutboxDoor
from yychat.owner import Owner
from yychat.personalities.loader import Personalities
from yychat.tools.base import Tool
from yychat.upstream.router import Upstreams


class Mem0Named(ScriptedMemory):
    name = "mem0"


class ScriptedCondition:
    """As well as its client; ``lacks`` is what is missing."""

    def __init__(self, client: ScriptedMem0) -> None:
        self.client = client
        self.lacks: str | None = None

    def missing(self) -> str | None:
        return self.lacks

    async def __call__(self) -> None:
        await self.client.probe()


def mem0_proxy(
    upstreams: Upstreams,
    *,
    memory: Memory | None = None,
    outbox: OutboxDoor | None = None,
    given: tuple[Tool, ...] = (),
    probe: Condition | None = None,
    personalities: Personalities | None = None,
    **options: Any,
) -> Mem0Proxy:
    return Mem0Proxy(
        upstreams=upstreams,
        memory=memory or Mem0Named(),
        outbox=outbox or ListOutbox(),
        tools=tools(*given),
        personalities=personalities or Personalities(),
        options=Options(**options),
        clock=lambda: 1_700_000_000.0,
        probe=probe,
    )


class TestMem0Proxy(EnginePromises):
    name = "mem0_proxy"
    memory_name = "mem0"

    def engine(
        self,
        upstreams: Upstreams,
        *,
        memory: Memory | None = None,
        outbox: OutboxDoor | None = None,
        tools: tuple[Tool, ...] = (),
        **options: Any,
    ) -> BaseEngine:
        if isinstance(memory, ScriptedMemory):
            memory.name = "mem0"
        return mem0_proxy(upstreams, memory=memory, outbox=outbox, given=tools, **options)


async def test_while_mem0_is_being_imported_it_is_not_called_ill_but_a_switch_waits() -> None:
    client = ScriptedMem0()
    client.slow = True
    engine = mem0_proxy(replay(streaming=False), probe=ScriptedCondition(client))
    checkup = Checkup(engine, patience=0.04)
    assert (await checkup.finding(0.01)).health.healthy  # who only looks
    assert not (await checkup.finding(0.05)).health.healthy  # who has to know
    assert client.probes == 1
    await checkup.close()


async def test_an_engine_that_was_ill_stays_so_until_its_check_has_ended() -> None:
    client = ScriptedMem0()
    client.broken = True
    now = 1_000.0
    engine = mem0_proxy(replay(streaming=False), probe=ScriptedCondition(client))
    checkup = Checkup(engine, clock=lambda: now)
    assert not (await checkup.finding(5.0)).health.healthy
    now += 60
    client.broken, client.slow = False, True
    assert not (await checkup.finding(0.01)).health.healthy
    await checkup.close()


class Waiting:
    """A ledger with one turn on its way."""

    async def look(self, owner: Owner) -> Standing:
        return Standing(1, (turn("I like tea", "Noted."),))

    async def erased_at(self, owner: Owner) -> float:
        return 0.0

    async def changed(self, owner: Owner) -> None: ...

    async def erase(self, owner: Owner) -> int:
        return 0

    async def erase_tenant(self, tenant: str) -> int:
        return 0


async def test_its_health_includes_mem0s() -> None:
    client = ScriptedMem0()
    engine = mem0_proxy(replay(streaming=False), probe=ScriptedCondition(client))
    well = {"memory": None, "upstream": None, "mem0": None}
    assert (await engine.health_check()).dependencies == well
    client.broken = True
    health = await engine.health_check()
    assert (health.healthy, health.dependencies["mem0"]) == (False, "mem0 is away")


async def test_without_what_it_stands_on_it_answers_nothing_and_names_it() -> None:
    condition = ScriptedCondition(ScriptedMem0())
    condition.lacks = 'install it with pip install "yychat[mem0-local]"'
    upstreams = replay(streaming=False)
    engine = mem0_proxy(upstreams, probe=condition)
    with pytest.raises(EngineUnavailable, match=r"mem0_proxy cannot answer: .*mem0-local"):
        await collect(engine.generate_response(asked()))
    assert upstreams.payloads == []
    condition.lacks = None
    assert await collect(engine.generate_response(asked()))


async def test_a_mem0_that_hangs_is_done_without_and_told() -> None:
    client = ScriptedMem0()
    client.slow = True
    memory = Mem0Memory(client, Waiting(), recalled_facts(ttl=60))
    engine = mem0_proxy(replay(streaming=False), memory=memory, recall_within=0.02)
    async with asyncio.timeout(5):
        chunks = await collect(engine.generate_response(asked()))
    assert about(chunks)["memory"] == "deadline"
    await memory.close()


async def test_while_mem0_is_down_what_waits_for_it_is_recalled_and_told_as_degraded() -> None:
    client = ScriptedMem0()
    client.broken = True
    upstreams = replay(streaming=False)
    memory = Mem0Memory(client, Waiting(), recalled_facts(ttl=60))
    chunks = await collect(mem0_proxy(upstreams, memory=memory).generate_response(asked()))
    assert (about(chunks)["memory"], about(chunks)["recalled"]) == ("degraded", 2)
    assert "I like tea" in upstreams.payloads[0]["messages"][0]["content"]
