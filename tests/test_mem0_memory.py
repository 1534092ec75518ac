"""Memory in mem0: what is promised whatever mem0 does."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from mem0_parts import ScriptedMem0
from remembering import Clock, job, owner, turn
from yychat.cache.memory import MemoryCache
from yychat.errors import StoreError
from yychat.memory.base import Record
from yychat.memory.mem0 import Mem0Memory, recalled_facts
from yychat.memory.mem0_client import Fact
from yychat.memory.mem0_ledger import SqliteLedger
from yychat.memory.outbox import OutboxWorker
from yychat.memory.outbox_sqlite import SqliteOutbox
from yychat.sqlite import Database


class Parts:
    """A memory over a scripted mem0, with a real ledger and a real outbox before it."""

    def __init__(self, database: Database) -> None:
        self.clock = Clock(1_000.0)
        self.client, self.database = ScriptedMem0(), database
        self.ledger = SqliteLedger(database, self.clock)
        self.outbox = SqliteOutbox(database, self.clock, kind="mem0")
        self.memory = Mem0Memory(self.client, self.ledger, recalled_facts(MemoryCache(), ttl=60))
        self.worker = OutboxWorker(self.outbox, {"mem0": self.memory}, name="worker", attempts=3)

    async def texts(self, query: str = "tea", limit: int = 10) -> list[str]:
        return [r.text for r in (await self.memory.recall(owner(), query, limit)).records]

    async def listed(self) -> list[str]:
        return [record.text for record in await self.memory.listing(owner(), 10)]


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    database = Database(tmp_path / "yychat.db")
    yield Parts(database)
    database.close()


async def test_a_remembered_turn_is_recalled_as_facts(parts: Parts) -> None:
    await parts.memory.remember(owner(), turn("I like tea", id="t", at=5.0))
    (record,) = (await parts.memory.recall(owner(), "tea", 10)).records
    assert record == Record("fact of t", "I like tea", 5.0, "mem0_proxy", None, 0.5)
    assert await parts.texts() == ["I like tea"]


async def test_mem0_is_asked_by_the_owners_key_alone(parts: Parts) -> None:
    await parts.memory.recall(owner("*"), "tea", 3)
    assert parts.client.searches == [(owner("*").key, "tea", 3)]
    assert "*" not in owner("*").key


async def test_what_is_another_owners_is_dropped_and_counted(parts: Parts) -> None:
    parts.client.intruders = [Fact("x", "bob's secret", owner("bob").key, 5.0)]
    assert await parts.texts() == []
    assert await parts.listed() == []
    assert parts.memory.strangers == 2


async def test_delivering_a_turn_twice_adds_it_once(parts: Parts) -> None:
    for _ in range(2):
        await parts.memory.remember(owner(), turn("I like tea", id="t"))
    assert [added for added, _ in parts.client.added] == ["t"]


async def test_a_turn_that_waits_in_the_outbox_is_recalled_as_it_was_said(parts: Parts) -> None:
    await parts.outbox.put(job(turn("I like tea", "Noted.", id="t"), kind="mem0"))
    found = await parts.memory.recall(owner(), "tea", 10)
    assert [(r.role, r.text) for r in found.records] == [
        ("assistant", "Noted."),
        ("user", "I like tea"),
    ]
    await parts.worker.deliver()
    assert await parts.texts() == ["I like tea"]


async def test_turns_for_the_other_memory_are_not_recalled(parts: Parts) -> None:
    await SqliteOutbox(parts.database).put(job(turn("I like tea"), kind="native"))
    assert await parts.texts() == []


async def test_only_the_newest_waiting_turns_are_recalled_and_facts_keep_half_of_the_room(
    parts: Parts,
) -> None:
    for n in range(10):
        await parts.memory.remember(owner(), turn(f"fact {n}", id=f"f{n}"))
        await parts.outbox.put(job(turn(f"waits {n}", "", id=f"w{n}", at=n), kind="mem0"))
    recalled = await parts.texts(limit=10)
    assert recalled == ["waits 9", "waits 8", "waits 7", *(f"fact {n}" for n in range(7))]
    assert await parts.texts(limit=2) == ["waits 9", "fact 0"]


async def test_a_turn_is_not_recalled_twice_between_mem0_and_the_outbox(parts: Parts) -> None:
    waiting = turn("I like tea", "Noted.", id="t")
    await parts.outbox.put(job(waiting, kind="mem0"))
    await parts.memory.remember(owner(), waiting)
    assert await parts.texts() == ["I like tea"]
    assert await parts.listed() == ["I like tea"]


async def test_the_same_question_is_searched_once_until_something_is_remembered(
    parts: Parts,
) -> None:
    await parts.memory.remember(owner(), turn("I like tea"))
    for _ in range(3):
        assert await parts.texts() == ["I like tea"]
    assert len(parts.client.searches) == 1
    await parts.memory.remember(owner(), turn("I like cake"))
    assert await parts.texts() == ["I like tea", "I like cake"]


async def test_another_process_notices_what_was_remembered(parts: Parts, tmp_path: Path) -> None:
    database = Database(tmp_path / "yychat.db")
    other = Mem0Memory(parts.client, SqliteLedger(database), recalled_facts(MemoryCache(), ttl=60))
    await parts.memory.remember(owner(), turn("I like tea"))
    await other.recall(owner(), "tea", 10)
    await parts.memory.remember(owner(), turn("I like cake"))
    assert len((await other.recall(owner(), "tea", 10)).records) == 2
    database.close()


async def test_of_an_owner_nobody_knows_nothing_is_kept(parts: Parts) -> None:
    for _ in range(2):
        await parts.texts()
    assert len(parts.client.searches) == 2


async def test_a_search_goes_on_for_the_next_who_asks(parts: Parts) -> None:
    await parts.memory.remember(owner(), turn("I like tea"))
    parts.client.slow = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await parts.texts()
    asking = asyncio.create_task(parts.texts())
    await asyncio.sleep(0.01)
    assert len(parts.client.searches) == 1
    asking.cancel()
    await asyncio.wait([asking])
    await parts.memory.close()


async def test_a_failing_mem0_is_an_error_where_nothing_waits(parts: Parts) -> None:
    parts.client.broken = True
    with pytest.raises(StoreError, match="mem0 is away"):
        await parts.texts()
    with pytest.raises(StoreError, match="mem0 is away"):
        await parts.listed()


async def test_a_failing_mem0_gets_the_turn_later(parts: Parts) -> None:
    await parts.outbox.put(job(turn("I like tea", id="t"), kind="mem0"))
    parts.client.broken = True
    await parts.worker.deliver()
    assert (await parts.outbox.backlog()).pending == 1
    parts.client.broken = False
    parts.clock.pass_(60)
    await parts.worker.deliver()
    assert await parts.listed() == ["I like tea"]


async def test_the_newest_are_listed_first(parts: Parts) -> None:
    for at in (3.0, 1.0, 2.0):
        await parts.memory.remember(owner(), turn(f"at {at}", at=at))
    await parts.outbox.put(job(turn("waits", "", at=4.0), kind="mem0"))
    assert await parts.listed() == ["waits", "at 3.0", "at 2.0", "at 1.0"]
    assert len(await parts.memory.listing(owner(), 2)) == 2


async def test_erasing_forgets_facts_and_what_waits_and_nobody_elses(parts: Parts) -> None:
    for who in ("anna", "bob"):
        await parts.memory.remember(owner(who), turn("I like tea"))
        await parts.outbox.put(job(turn("and cake"), owner(who), kind="mem0"))
    await SqliteOutbox(parts.database).put(job(turn("native"), kind="native"))
    assert await parts.memory.erase(owner()) == 2
    assert await parts.texts() == []
    assert await parts.listed() == []
    assert len(await parts.memory.listing(owner("bob"), 10)) == 3
    assert (await SqliteOutbox(parts.database, kind="native").backlog()).pending == 1


async def test_what_was_answered_before_an_erasure_never_comes_back(parts: Parts) -> None:
    late = turn("I like tea", at=999.0)
    await parts.memory.erase(owner())
    await parts.memory.remember(owner(), late)
    await parts.outbox.put(job(late, kind="mem0"))
    assert (parts.client.added, await parts.texts()) == ([], [])


async def test_what_is_being_extracted_during_an_erasure_is_deleted_again(parts: Parts) -> None:
    parts.client.gate.clear()
    adding = asyncio.create_task(parts.memory.remember(owner(), turn("I like tea", at=999.0)))
    await parts.client.adding.wait()
    await parts.memory.erase(owner())
    parts.client.gate.set()
    await adding
    assert parts.client.facts == []


async def test_facts_that_outlived_an_erasure_are_not_seen(parts: Parts) -> None:
    await parts.memory.erase(owner())
    parts.client.facts = [Fact("x", "I like tea", owner().key, 999.0, "t")]
    assert (await parts.texts(), await parts.listed()) == ([], [])


async def test_what_was_said_before_an_erasure_takes_no_part_in_later_extractions(
    parts: Parts,
) -> None:
    await parts.memory.erase(owner())
    await parts.memory.remember(owner(), turn("I like cake", id="t", at=1_001.0))
    assert parts.client.added == [("t", 1_000.0)]


async def test_an_erasure_that_mem0_fails_is_an_error_and_stays_noted(parts: Parts) -> None:
    await parts.memory.remember(owner(), turn("I like tea"))
    parts.client.broken = True
    with pytest.raises(StoreError):
        await parts.memory.erase(owner())
    parts.client.broken = False
    assert (await parts.texts(), await parts.listed()) == ([], [])
    assert await parts.memory.erase(owner()) == 1


async def test_a_tenants_erasure_reaches_all_its_owners(parts: Parts) -> None:
    for who, tenant in (("anna", "acme"), ("bob", "acme"), ("eve", "other")):
        await parts.memory.remember(owner(who, tenant=tenant), turn("I like tea"))
        await parts.outbox.put(job(turn("more"), owner(who, tenant=tenant), kind="mem0"))
    assert await parts.memory.erase_tenant("acme") == 4
    assert await parts.memory.listing(owner("bob"), 10) == []
    assert len(await parts.memory.listing(owner("eve", tenant="other"), 10)) == 3
