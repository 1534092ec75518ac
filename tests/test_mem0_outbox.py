"""Each memory has jobs of its own in one outbox: none waits for a slower one."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from outbox_promises import LEASE, buried, taken
from redis_server import RedisServer
from remembering import Clock, job, owner, turn
from yychat.letters import Outboxes
from yychat.memory.mem0_ledger import SqliteLedger
from yychat.memory.mem0_ledger_redis import RedisLedger, SpooledLedger
from yychat.memory.outbox import Outbox, OutboxWorker
from yychat.memory.outbox_redis import RedisOutbox
from yychat.memory.outbox_sqlite import SqliteOutbox
from yychat.memory.spool import Resend, SpooledOutbox
from yychat.memory.turns_redis import RedisTurns
from yychat.redis_link import RedisLink
from yychat.sqlite import Database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "yychat.db")
    yield database
    database.close()


class Kinds:
    """``all``, ``native`` and ``mem0`` are the same outbox, seen for all jobs and for some."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    async def test_a_worker_takes_only_the_jobs_of_its_memory(
        self, native: Outbox, mem0: Outbox
    ) -> None:
        for outbox, kind in ((native, "native"), (mem0, "mem0")):
            await outbox.put(job(turn(id=f"for {kind}"), kind=kind))
        assert taken(await mem0.claim("worker", 10, LEASE)) == ["for mem0"]
        assert taken(await native.claim("worker", 10, LEASE)) == ["for native"]

    async def test_the_backlog_is_that_of_one_memory(
        self, all: Outbox, native: Outbox, mem0: Outbox
    ) -> None:
        for n in range(2):
            await mem0.put(job(turn(id=f"m{n}"), kind="mem0"))
        await native.put(job(turn(), kind="native"))
        assert [(await o.backlog()).pending for o in (all, native, mem0)] == [3, 1, 2]

    async def test_a_lease_is_renewed_for_one_memory(
        self, native: Outbox, mem0: Outbox, clock: Clock
    ) -> None:
        for outbox, kind in ((native, "native"), (mem0, "mem0")):
            await outbox.put(job(turn(id=kind), kind=kind))
            await outbox.claim("worker", 10, LEASE)
        clock.pass_(LEASE - 1)
        await mem0.renew("worker", LEASE)
        clock.pass_(2)
        assert taken(await native.claim("heir", 10, LEASE)) == ["native"]
        assert taken(await mem0.claim("heir", 10, LEASE)) == []

    async def test_all_dead_letters_are_seen_revived_and_dropped_in_one_place(
        self, all: RedisOutbox, native: Outbox, mem0: Outbox
    ) -> None:
        await buried(native, job(turn(id="n", at=1.0)))
        await buried(mem0, job(turn(id="m1", at=2.0), kind="mem0"))
        await buried(mem0, job(turn(id="m2", at=3.0), owner("bob"), kind="mem0"))
        letters = await all.dead_letters()
        assert [(each.id, each.kind) for each in letters] == [
            ("n", "native"),
            ("m1", "mem0"),
            ("m2", "mem0"),
        ]
        await all.revive(letters[1])
        await all.drop(letters[2])
        assert taken(await mem0.claim("worker", 10, LEASE)) == ["m1"]
        assert [each.id for each in await all.dead_letters()] == ["n"]


class TestSqliteKinds(Kinds):
    @pytest.fixture
    def all(self, database: Database, clock: Clock) -> SqliteOutbox:
        return SqliteOutbox(database, clock)

    @pytest.fixture
    def native(self, database: Database, clock: Clock) -> SqliteOutbox:
        return SqliteOutbox(database, clock, kind="native")

    @pytest.fixture
    def mem0(self, database: Database, clock: Clock) -> SqliteOutbox:
        return SqliteOutbox(database, clock, kind="mem0")


class TestRedisKinds(Kinds):
    @pytest.fixture
    def all(self, link: RedisLink, clock: Clock) -> RedisOutbox:
        return RedisOutbox(link, clock)

    @pytest.fixture
    def native(self, link: RedisLink, clock: Clock) -> RedisOutbox:
        return RedisOutbox(link, clock, kind="native")

    @pytest.fixture
    def mem0(self, link: RedisLink, clock: Clock) -> RedisOutbox:
        return RedisOutbox(link, clock, kind="mem0")


async def test_the_operator_sees_the_letters_of_both_memories_in_redis_and_spool(
    link: RedisLink, database: Database
) -> None:
    await buried(RedisOutbox(link, kind="mem0"), job(turn(id="shared"), kind="mem0"))
    await buried(SqliteOutbox(database, kind="mem0"), job(turn(id="local"), kind="mem0"))
    outboxes = Outboxes(RedisOutbox(link), SqliteOutbox(database))
    assert [each.job.id for each in await outboxes.letters()] == ["shared", "local"]


async def test_a_job_for_mem0_does_not_show_in_native_memory(link: RedisLink) -> None:
    await RedisOutbox(link).put(job(turn(), kind="mem0"))
    assert await RedisTurns(link).newest(owner(), 10) == []


async def test_while_redis_is_away_both_memories_jobs_wait_in_the_spool_and_are_sent_on(
    server: RedisServer, link: RedisLink, database: Database
) -> None:
    away = RedisLink("redis://127.0.0.1:1/0", within=0.2)
    for kind in ("native", "mem0"):
        spool = SqliteOutbox(database, kind=kind)
        await SpooledOutbox(RedisOutbox(away, kind=kind), spool).put(job(turn(id=kind), kind=kind))
    assert (await SqliteOutbox(database).backlog()).pending == 2
    for kind in ("native", "mem0"):
        spool, shared = SqliteOutbox(database, kind=kind), RedisOutbox(link, kind=kind)
        spooled = SpooledOutbox(shared, spool)
        replayer = OutboxWorker(spool, {kind: Resend(kind, shared)}, name="spool")
        replaying = asyncio.create_task(spooled.replay(replayer, link, every=0.01))
        async with asyncio.timeout(5):
            while spooled.behind:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.005)
        replaying.cancel()
        assert taken(await shared.claim("worker", 10, LEASE)) == [kind]
    assert (await SqliteOutbox(database).backlog()).pending == 0
    await away.close()


# The ledger that instances share


async def test_the_shared_ledger_counts_changes_and_shows_what_waits(link: RedisLink) -> None:
    ledger, outbox = RedisLedger(link), RedisOutbox(link, kind="mem0")
    first = await ledger.look(owner())
    assert (first.generation, first.waiting) == (0, ())
    waits, dead = turn(id="waits", at=2.0), turn(id="dead", at=1.0)
    await buried(outbox, job(dead, kind="mem0"))
    await outbox.put(job(waits, kind="mem0"))
    await ledger.changed(owner())
    second = await ledger.look(owner())
    assert set(second.waiting) == {waits, dead}
    await ledger.changed(owner())
    assert (await ledger.look(owner())).generation == second.generation + 1 > 1
    await outbox.done(await outbox.claim("worker", 10, LEASE))
    assert (await ledger.look(owner())).waiting == (dead,)


async def test_the_shared_ledger_forgets_what_waits_and_notes_when(link: RedisLink) -> None:
    ledger, outbox = RedisLedger(link, Clock(50.0)), RedisOutbox(link, kind="mem0")
    for who in ("anna", "bob"):
        await outbox.put(job(turn(id=who, at=1.0), owner(who), kind="mem0"))
    assert await ledger.erased_at(owner()) == 0.0
    assert await ledger.erase(owner()) == 1
    assert await ledger.erased_at(owner()) == 50.0
    assert (await ledger.look(owner())).erased_at == 50.0
    assert taken(await outbox.claim("worker", 10, LEASE)) == ["bob"]
    await outbox.put(job(turn(at=49.0), kind="mem0"))
    assert (await ledger.look(owner())).waiting == ()


async def test_the_shared_ledger_forgets_a_whole_tenant(link: RedisLink) -> None:
    ledger, outbox = RedisLedger(link, Clock(50.0)), RedisOutbox(link, kind="mem0")
    for who, tenant in (("anna", "acme"), ("eve", "other")):
        await outbox.put(job(turn(id=who, at=1.0), owner(who, tenant=tenant), kind="mem0"))
    assert await ledger.erase_tenant("acme") == 1
    assert await ledger.erased_at(owner("a new one")) == 50.0
    assert taken(await outbox.claim("worker", 10, LEASE)) == ["eve"]


async def test_without_redis_the_ledger_shows_what_the_spool_has(
    link: RedisLink, database: Database
) -> None:
    away = RedisLink("redis://127.0.0.1:1/0", within=0.2)
    local = SqliteLedger(database, Clock(50.0))
    await SqliteOutbox(database).put(job(turn(id="spooled"), kind="mem0"))
    lonely = SpooledLedger(RedisLedger(away), local, lambda: True)
    found = await lonely.look(owner())
    assert (found.degraded, found.generation, [t.id for t in found.waiting]) == (
        True,
        0,
        ["spooled"],
    )
    shared = RedisLedger(link, Clock(60.0))
    await RedisOutbox(link).put(job(turn(id="shared"), kind="mem0"))
    both = SpooledLedger(shared, local, lambda: True)
    assert [t.id for t in (await both.look(owner())).waiting] == ["shared", "spooled"]
    assert await both.erase(owner()) == 2
    assert await both.erased_at(owner()) == 60.0
    await away.close()
