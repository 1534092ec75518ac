"""What every outbox promises, with its worker; a subclass says which outbox."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import pytest

from remembering import Clock, ids, job, owner, turn
from yychat.errors import StoreError
from yychat.memory.base import Memory, Recollection, Record, Turn
from yychat.memory.outbox import Backlog, DeadLetters, Job, Outbox, OutboxWorker, Woken
from yychat.owner import Owner

LEASE = 30.0
Meddle = Callable[[Owner, Turn], None]


class Whole(Outbox, DeadLetters, Protocol):
    """An outbox from all sides."""


class Recorder:
    """A memory that notes what it is given; ``meddle`` may raise, ``gate`` may hold it up."""

    name = "native"

    def __init__(self, meddle: Meddle = lambda _owner, _turn: None) -> None:
        self.meddle = meddle
        self.given: list[str] = []
        self.of: defaultdict[str, list[str]] = defaultdict(list)
        self.batches: list[list[str]] = []
        self.asked, self.gate = asyncio.Event(), asyncio.Event()
        self.gate.set()

    async def remember(self, owner: Owner, *turns: Turn) -> None:
        self.asked.set()
        await self.gate.wait()
        self.batches.append([each.id for each in turns])
        for each in turns:
            self.meddle(owner, each)
            self.given.append(each.id)
            self.of[owner.key].append(each.id)

    async def recall(self, owner: Owner, query: str, limit: int) -> Recollection:
        return Recollection()

    async def listing(self, owner: Owner, limit: int) -> list[Record]:
        return []

    async def erase(self, owner: Owner) -> int:
        return 0


class Troubled:
    """An outbox of which so many calls as ``failures`` says end in ``StoreError``."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.failures: dict[str, int] = {}
        self.renewed = asyncio.Semaphore(0)

    def _check(self, what: str) -> None:
        if self.failures.get(what, 0):
            self.failures[what] -= 1
            raise StoreError("the store is away")

    async def put(self, job: Job) -> None:
        await self._outbox.put(job)

    async def backlog(self) -> Backlog:
        return await self._outbox.backlog()

    async def claim(self, worker: str, limit: int, lease: float) -> Sequence[Job]:
        self._check("claim")
        return await self._outbox.claim(worker, limit, lease)

    async def done(self, jobs: Iterable[Job]) -> None:
        self._check("done")
        await self._outbox.done(jobs)

    async def retry(self, jobs: Sequence[Job], delay: float) -> None:
        self._check("retry")
        await self._outbox.retry(jobs, delay)

    async def bury(self, job: Job) -> None:
        self._check("bury")
        await self._outbox.bury(job)

    async def renew(self, worker: str, lease: float) -> None:
        try:
            self._check("renew")
            await self._outbox.renew(worker, lease)
        finally:
            self.renewed.release()


def worker(outbox: Outbox, memory: Memory, name: str = "worker", **options: float) -> OutboxWorker:
    return OutboxWorker(outbox, {"native": memory}, name=name, **options)  # type: ignore[arg-type]


@asynccontextmanager
async def running(*workers: OutboxWorker) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each.run()) for each in workers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def until(state: Callable[[], bool]) -> None:
    """Wait for *state*, at most ten seconds."""
    async with asyncio.timeout(10):
        while not state():  # noqa: ASYNC110 - not everything that is waited for has an event
            await asyncio.sleep(0.002)


async def pending(outbox: Outbox) -> int:
    return (await outbox.backlog()).pending


def failing(*doomed: str, times: int = 10**9) -> Meddle:
    """Fails for the turns called *doomed*, *times* times in all."""
    left = times

    def meddle(_owner: Owner, turn: Turn) -> None:
        nonlocal left
        if turn.id in doomed and left:
            left -= 1
            raise StoreError("not now")

    return meddle


class OutboxPromises:
    """Fixtures a subclass gives: ``outbox`` on ``clock``, and ``reopened``, the same jobs as
    another process sees them."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def memory(self) -> Recorder:
        return Recorder()

    # Putting and taking

    async def test_what_was_put_is_there_for_another_process(
        self, outbox: Outbox, reopened: Outbox
    ) -> None:
        put = job(turn("茶", "🍵"))
        await outbox.put(put)
        (taken,) = await reopened.claim("worker", 10, LEASE)
        assert (taken.turn, taken.owner, taken.kind) == (put.turn, put.owner, put.kind)

    async def test_putting_a_turn_twice_is_putting_it_once(self, outbox: Outbox) -> None:
        put = job(turn())
        for _ in range(2):
            await outbox.put(put)
        assert await pending(outbox) == 1

    async def test_the_oldest_are_taken_first_and_no_more_than_asked_for(
        self, outbox: Outbox
    ) -> None:
        for n in range(5):
            await outbox.put(job(turn(id=f"t{n}"), owner(f"user {n}")))
        assert taken(await outbox.claim("worker", 3, LEASE)) == ["t0", "t1", "t2"]

    async def test_an_empty_outbox_gives_nothing(self, outbox: Outbox) -> None:
        assert taken(await outbox.claim("worker", 10, LEASE)) == []

    async def test_a_taken_job_is_not_taken_by_another(self, outbox: Outbox) -> None:
        await outbox.put(job(turn()))
        await outbox.claim("one", 10, LEASE)
        assert taken(await outbox.claim("two", 10, LEASE)) == []

    async def test_later_turns_of_an_owner_wait_for_the_one_that_is_taken(
        self, outbox: Outbox
    ) -> None:
        await outbox.put(job(turn(id="first")))
        await outbox.claim("one", 10, LEASE)
        await outbox.put(job(turn(id="second")))
        await outbox.put(job(turn(id="another's"), owner("bob")))
        assert taken(await outbox.claim("two", 10, LEASE)) == ["another's"]

    async def test_one_memory_does_not_wait_for_the_other(self, outbox: Outbox) -> None:
        await outbox.put(job(turn(id="for mem0"), kind="mem0"))
        await outbox.claim("one", 10, LEASE)
        await outbox.put(job(turn(id="for native")))
        assert taken(await outbox.claim("two", 10, LEASE)) == ["for native"]

    async def test_what_is_done_is_gone(self, outbox: Outbox, clock: Clock) -> None:
        await outbox.put(job(turn()))
        await outbox.done(await outbox.claim("worker", 10, LEASE))
        clock.pass_(LEASE + 1)
        assert taken(await outbox.claim("worker", 10, LEASE)) == []
        assert await pending(outbox) == 0

    async def test_doing_nothing_is_allowed(self, outbox: Outbox) -> None:
        await outbox.done([])
        await outbox.retry([], 1.0)

    # Leases

    async def test_a_dead_workers_jobs_are_taken_over_after_the_lease(
        self, outbox: Outbox, reopened: Outbox, clock: Clock
    ) -> None:
        for n in range(3):
            await outbox.put(job(turn(id=f"t{n}")))
        await outbox.claim("dead", 10, LEASE)
        clock.pass_(LEASE)
        assert taken(await reopened.claim("heir", 10, LEASE)) == []
        clock.pass_(0.1)
        assert taken(await reopened.claim("heir", 10, LEASE)) == ["t0", "t1", "t2"]

    async def test_taking_over_counts_as_another_attempt(
        self, outbox: Outbox, clock: Clock
    ) -> None:
        await outbox.put(job(turn()))
        await outbox.claim("dead", 10, LEASE)
        clock.pass_(LEASE + 1)
        (again,) = await outbox.claim("heir", 10, LEASE)
        assert again.attempts == 2

    async def test_a_worker_gets_what_it_held_back_at_once(self, outbox: Outbox) -> None:
        await outbox.put(job(turn(id="mine")))
        await outbox.claim("worker", 10, LEASE)
        await outbox.put(job(turn(id="next")))
        assert taken(await outbox.claim("worker", 10, LEASE)) == ["mine", "next"]

    async def test_renewing_holds_a_workers_jobs_and_nobody_elses(
        self, outbox: Outbox, clock: Clock
    ) -> None:
        for name in ("kept", "lost"):
            await outbox.put(job(turn(id=name), owner(name)))
            await outbox.claim(f"{name} by", 1, LEASE)
        clock.pass_(LEASE - 1)
        await outbox.renew("kept by", LEASE)
        clock.pass_(LEASE - 1)
        assert taken(await outbox.claim("heir", 10, LEASE)) == ["lost"]

    async def test_renewing_does_not_take_back_what_was_taken_over(
        self, outbox: Outbox, clock: Clock
    ) -> None:
        await outbox.put(job(turn()))
        await outbox.claim("stalled", 10, LEASE)
        clock.pass_(LEASE + 1)
        await outbox.renew("stalled", LEASE)
        assert len(await outbox.claim("heir", 10, LEASE)) == 1

    async def test_a_job_that_takes_long_stays_with_its_worker(
        self, outbox: Outbox, memory: Recorder, clock: Clock
    ) -> None:
        troubled, lease = Troubled(outbox), 0.03
        await outbox.put(job(turn()))
        memory.gate.clear()
        async with running(worker(troubled, memory, lease=lease)):
            await memory.asked.wait()
            for _ in range(5):
                clock.pass_(0.9 * lease)
                await heartbeat(troubled)
                assert taken(await outbox.claim("thief", 10, lease)) == []
            memory.gate.set()
            await until(lambda: len(memory.given) == 1)

    async def test_a_heartbeat_that_fails_is_tried_again(
        self, outbox: Outbox, memory: Recorder, clock: Clock
    ) -> None:
        troubled, lease = Troubled(outbox), 0.03
        troubled.failures["renew"] = 2
        await outbox.put(job(turn()))
        memory.gate.clear()
        async with running(worker(troubled, memory, lease=lease)):
            await memory.asked.wait()
            for _ in range(3):
                await heartbeat(troubled)
            clock.pass_(0.9 * lease)
            assert taken(await outbox.claim("thief", 10, lease)) == []
            memory.gate.set()

    # Retrying and burying

    async def test_a_job_given_back_is_due_after_its_delay(
        self, outbox: Outbox, clock: Clock
    ) -> None:
        await outbox.put(job(turn()))
        await outbox.retry(await outbox.claim("worker", 10, LEASE), 5.0)
        clock.pass_(4.9)
        assert taken(await outbox.claim("worker", 10, LEASE)) == []
        clock.pass_(0.2)
        (again,) = await outbox.claim("worker", 10, LEASE)
        assert again.attempts == 2

    async def test_later_turns_of_an_owner_wait_for_the_one_given_back(
        self, outbox: Outbox, clock: Clock
    ) -> None:
        await outbox.put(job(turn(id="first")))
        await outbox.retry(await outbox.claim("worker", 10, LEASE), 5.0)
        await outbox.put(job(turn(id="second")))
        assert taken(await outbox.claim("worker", 10, LEASE)) == []
        clock.pass_(5.1)
        assert taken(await outbox.claim("worker", 10, LEASE)) == ["first", "second"]

    async def test_a_dead_letter_is_kept_and_never_taken_again(
        self, outbox: Outbox, clock: Clock
    ) -> None:
        await outbox.put(job(turn()))
        (taken_,) = await outbox.claim("worker", 10, LEASE)
        await outbox.bury(taken_)
        clock.pass_(10 * LEASE)
        assert taken(await outbox.claim("worker", 10, LEASE)) == []
        assert (await outbox.backlog()).dead == 1

    async def test_a_dead_letter_does_not_stand_before_its_owners_later_turns(
        self, outbox: Outbox
    ) -> None:
        await outbox.put(job(turn(id="first")))
        (taken_,) = await outbox.claim("worker", 10, LEASE)
        await outbox.bury(taken_)
        await outbox.put(job(turn(id="second")))
        assert taken(await outbox.claim("worker", 10, LEASE)) == ["second"]

    async def test_the_backlog_tells_how_many_how_dead_and_how_old(
        self, outbox: Outbox, clock: Clock
    ) -> None:
        assert await outbox.backlog() == Backlog(pending=0, dead=0, oldest_seconds=0.0)
        await outbox.put(job(turn(), owner("dead")))
        (dead,) = await outbox.claim("worker", 1, LEASE)
        await outbox.bury(dead)
        clock.pass_(10)
        await outbox.put(job(turn(), owner("a")))
        clock.pass_(5)
        await outbox.put(job(turn(), owner("b")))
        clock.pass_(1)
        assert await outbox.backlog() == Backlog(pending=2, dead=1, oldest_seconds=6.0)

    # Dead letters

    async def test_dead_letters_are_listed_with_the_oldest_turn_first(
        self, outbox: Whole, reopened: Whole
    ) -> None:
        for at in (30.0, 10.0, 20.0):
            await buried(outbox, job(turn("said", id=f"t{at:.0f}", at=at), owner(str(at))))
        await outbox.put(job(turn(id="alive")))
        letters = await reopened.dead_letters()
        assert taken(letters) == ["t10", "t20", "t30"]
        assert letters[0].owner == owner("10.0")
        assert (letters[0].kind, letters[0].attempts) == ("native", 1)

    async def test_without_dead_letters_there_are_none_to_list(self, outbox: Whole) -> None:
        await outbox.put(job(turn()))
        assert list(await outbox.dead_letters()) == []

    async def test_a_revived_job_is_delivered_with_no_attempt_counted(
        self, outbox: Whole, reopened: Whole, clock: Clock
    ) -> None:
        await buried(outbox, job(turn(id="t")))
        clock.pass_(100)
        (letter,) = await reopened.dead_letters()
        await reopened.revive(letter)
        assert await outbox.backlog() == Backlog(pending=1, dead=0, oldest_seconds=0.0)
        (again,) = await outbox.claim("worker", 10, LEASE)
        assert (again.id, again.attempts, again.turn) == ("t", 1, letter.turn)

    async def test_a_revived_job_comes_after_what_waits_already(self, outbox: Whole) -> None:
        letter = await buried(outbox, job(turn(id="dead")))
        await outbox.put(job(turn(id="waits")))
        await outbox.put(job(turn(id="in hand")))
        await outbox.claim("busy", 1, LEASE)
        await outbox.revive(letter)
        assert taken(await outbox.claim("other", 10, LEASE)) == []
        assert taken(await outbox.claim("busy", 10, LEASE)) == ["waits", "in hand", "dead"]

    async def test_a_dropped_dead_letter_is_gone(self, outbox: Whole, clock: Clock) -> None:
        letter = await buried(outbox, job(turn()))
        await outbox.drop(letter)
        assert await outbox.backlog() == Backlog(pending=0, dead=0, oldest_seconds=0.0)
        await outbox.revive(letter)
        assert taken(await outbox.claim("worker", 10, LEASE)) == []

    async def test_dropping_a_dead_letter_leaves_its_owners_other_turns(
        self, outbox: Whole
    ) -> None:
        letter = await buried(outbox, job(turn(id="dead", at=5.0)))
        await outbox.put(job(turn(id="before", at=4.0)))
        await outbox.drop(letter)
        await outbox.put(job(turn(id="after", at=6.0)))
        assert taken(await outbox.claim("worker", 10, LEASE)) == ["before", "after"]

    async def test_what_is_alive_is_neither_revived_nor_dropped(self, outbox: Whole) -> None:
        alive = job(turn(id="alive"))
        await outbox.put(alive)
        (held,) = await outbox.claim("worker", 10, LEASE)
        await outbox.revive(held)
        await outbox.drop(held)
        assert taken(await outbox.claim("other", 10, LEASE)) == []
        assert await pending(outbox) == 1

    # Delivering

    async def test_what_waits_is_delivered_and_then_gone(
        self, outbox: Outbox, memory: Recorder
    ) -> None:
        for n in range(3):
            await outbox.put(job(turn(id=f"t{n}")))
        assert await worker(outbox, memory).deliver() == 3
        assert memory.given == ["t0", "t1", "t2"]
        assert await pending(outbox) == 0

    async def test_a_put_wakes_the_worker(self, outbox: Outbox, memory: Recorder) -> None:
        sleeper = worker(outbox, memory, poll=3_600.0)
        door = Woken(outbox, sleeper.wake)
        async with running(sleeper):
            for n in range(3):
                await door.put(job(turn(id=f"t{n}")))
                await until(lambda n=n: len(memory.given) == n + 1)  # type: ignore[misc]

    async def test_what_is_put_during_a_delivery_gathers_as_well(
        self, outbox: Outbox, memory: Recorder
    ) -> None:
        gathering = worker(outbox, memory, gather=0.2)
        door = Woken(outbox, gathering.wake)
        memory.gate.clear()
        async with running(gathering):
            await door.put(job(turn(id="t0")))
            await memory.asked.wait()
            await door.put(job(turn(id="t1")))
            memory.gate.set()
            await until(lambda: memory.given == ["t0"])
            await asyncio.sleep(0.03)  # enough for another delivery
            await door.put(job(turn(id="t2")))
            await until(lambda: len(memory.given) == 3)
        assert memory.batches == [["t0"], ["t1", "t2"]]

    async def test_what_another_process_put_is_found_by_polling(
        self, outbox: Outbox, reopened: Outbox, memory: Recorder
    ) -> None:
        async with running(worker(outbox, memory, poll=0.01)):
            await reopened.put(job(turn()))
            await until(lambda: len(memory.given) == 1)

    async def test_owners_turns_arrive_in_order_whatever_fails_and_whoever_delivers(
        self, outbox: Outbox, reopened: Outbox, clock: Clock
    ) -> None:
        stumbling = Stumbling(every=7)
        memory = Recorder(stumbling)
        owners = [owner(f"user {n}") for n in range(4)]
        for n in range(25):
            for one in owners:
                await outbox.put(job(turn(id=f"{one.key}-{n}"), one))
        team = [
            worker(place, memory, name, poll=0.002, batch=5)
            for name, place in (("a", outbox), ("b", reopened), ("c", outbox))
        ]
        async with running(*team):
            while await pending(outbox):
                clock.pass_(1.0)  # nobody waits out the pauses
                await asyncio.sleep(0.005)
        assert stumbling.times > 10
        for one in owners:
            first_time = list(dict.fromkeys(memory.of[one.key]))
            assert first_time == [f"{one.key}-{n}" for n in range(25)]

    async def test_a_failing_turn_is_delivered_once_it_can_be(
        self, outbox: Outbox, memory: Recorder, clock: Clock
    ) -> None:
        memory.meddle = failing("t0", times=3)
        await outbox.put(job(turn(id="t0")))
        await outbox.put(job(turn(id="t1")))
        for _ in range(4):
            await worker(outbox, memory).deliver()
            assert memory.given in ([], ["t0", "t1"])
            clock.pass_(60)
        assert memory.given == ["t0", "t1"]

    async def test_the_pauses_between_attempts_grow(
        self, outbox: Outbox, memory: Recorder, clock: Clock
    ) -> None:
        memory.meddle = failing("t0")
        await outbox.put(job(turn(id="t0")))
        pauses = []
        for _ in range(8):
            await worker(outbox, memory, attempts=100).deliver()
            started = clock.now
            while not await outbox.claim("looking", 10, 0.0):
                clock.pass_(0.1)
            pauses.append(clock.now - started)
            clock.pass_(0.1)
        assert pauses[-1] > 10 * pauses[0]
        assert max(pauses) <= 60.2

    async def test_after_enough_attempts_a_turn_is_buried_and_the_next_go_on(
        self, outbox: Outbox, memory: Recorder, clock: Clock
    ) -> None:
        memory.meddle = failing("bad")
        for name in ("bad", "good", "better"):
            await outbox.put(job(turn(id=name)))
        for _ in range(4):
            await worker(outbox, memory, attempts=3).deliver()
            clock.pass_(60)
        assert memory.given == ["good", "better"]
        assert (await outbox.backlog()).dead == 1

    async def test_waiting_behind_a_failing_turn_costs_no_attempts(
        self, outbox: Outbox, memory: Recorder, clock: Clock
    ) -> None:
        memory.meddle = failing("bad", "next", times=8)  # at "bad" six: with "next" and alone
        for name in ("bad", "next"):
            await outbox.put(job(turn(id=name)))
        for _ in range(6):
            await worker(outbox, memory, attempts=3).deliver()
            clock.pass_(60)
        assert memory.given == ["next"]

    async def test_a_memory_that_raises_does_not_lose_the_neighbours(
        self, outbox: Outbox, memory: Recorder
    ) -> None:
        memory.meddle = failing("bad")
        for name in ("before", "bad", "after"):
            await outbox.put(job(turn(id=name), owner(name)))
        await worker(outbox, memory).deliver()
        assert sorted(memory.given) == ["after", "before"]
        assert await pending(outbox) == 1

    async def test_a_turn_that_meets_a_bug_is_buried_and_its_neighbours_are_delivered(
        self,
        outbox: Outbox,
        memory: Recorder,
        clock: Clock,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        memory.meddle = poisoned
        for name in ("before", "poison", "after"):
            await outbox.put(job(turn("my secret", id=name), owner(name)))
        for _ in range(4):
            await worker(outbox, memory, attempts=3).deliver()
            clock.pass_(60)
        assert sorted(memory.given) == ["after", "before"]
        backlog = await outbox.backlog()
        assert (backlog.pending, backlog.dead) == (0, 1)
        assert caplog.text.count("a bug met job poison: LookupError at ") == 3
        assert "my secret" not in caplog.text

    async def test_a_slow_owner_does_not_hold_up_the_others_acknowledgement(
        self, outbox: Outbox
    ) -> None:
        memory = SlowForOne(owner("slow"))
        for name in ("slow", "quick"):
            await outbox.put(job(turn(id=name), owner(name)))
        async with running(worker(outbox, memory)), asyncio.timeout(10):
            while await pending(outbox) != 1:  # noqa: ASYNC110 - an outbox has no events
                await asyncio.sleep(0.002)
        assert memory.given == ["quick"]

    async def test_a_turn_for_an_unknown_memory_does_not_stop_the_others(
        self, outbox: Outbox, memory: Recorder
    ) -> None:
        await outbox.put(job(turn(), kind="nobody's"))
        await outbox.put(job(turn(id="known")))
        await worker(outbox, memory).deliver()
        assert memory.given == ["known"]
        assert await pending(outbox) == 1

    async def test_no_word_of_a_turn_is_logged_when_it_fails(
        self, outbox: Outbox, memory: Recorder, caplog: pytest.LogCaptureFixture
    ) -> None:
        memory.meddle = failing("bad")
        await outbox.put(job(turn("my secret", id="bad")))
        await worker(outbox, memory, attempts=1).deliver()
        assert "dead letter" in caplog.text
        assert "my secret" not in caplog.text

    @pytest.mark.parametrize("what", ["claim", "done", "retry"])
    async def test_a_worker_survives_its_store_going_away(
        self, outbox: Outbox, memory: Recorder, clock: Clock, what: str
    ) -> None:
        troubled = Troubled(outbox)
        troubled.failures[what] = 3
        memory.meddle = failing("bad", times=5)
        for name in ("good", "bad"):
            await outbox.put(job(turn(id=name), owner(name)))
        async with running(worker(troubled, memory, poll=0.002)):
            while await pending(outbox):
                clock.pass_(20.0)
                await asyncio.sleep(0.005)
        assert {"good", "bad"} == set(memory.given)
        assert troubled.failures[what] == 0

    async def test_being_cancelled_in_the_middle_of_a_delivery_loses_nothing(
        self, outbox: Outbox, memory: Recorder
    ) -> None:
        memory.gate.clear()
        await outbox.put(job(turn(id="t0")))
        async with running(worker(outbox, memory)):
            await memory.asked.wait()
        assert memory.given == []
        assert await pending(outbox) == 1

    async def test_what_a_cancelled_worker_held_is_flushed_by_it(
        self, outbox: Outbox, memory: Recorder
    ) -> None:
        memory.gate.clear()
        for n in range(3):
            await outbox.put(job(turn(id=f"t{n}")))
        stopped = worker(outbox, memory)
        async with running(stopped):
            await memory.asked.wait()
        memory.gate.set()
        await stopped.flush(10.0)
        assert memory.given == ["t0", "t1", "t2"]
        assert await pending(outbox) == 0

    # Flushing

    async def test_flushing_delivers_more_than_one_batch(
        self, outbox: Outbox, memory: Recorder
    ) -> None:
        for n in range(10):
            await outbox.put(job(turn(id=f"t{n}")))
        await worker(outbox, memory, batch=3).flush(10.0)
        assert memory.given == [f"t{n}" for n in range(10)]

    async def test_flushing_ends_in_time_and_leaves_the_rest(
        self, outbox: Outbox, memory: Recorder, clock: Clock
    ) -> None:
        memory.gate.clear()
        await outbox.put(job(turn(id="t0")))
        await worker(outbox, memory).flush(0.01)
        assert memory.given == []
        clock.pass_(LEASE + 1)
        assert taken(await outbox.claim("next start", 10, LEASE)) == ["t0"]

    async def test_flushing_does_not_wait_for_a_memory_that_fails(
        self, outbox: Outbox, memory: Recorder
    ) -> None:
        memory.meddle = failing("t0")
        await outbox.put(job(turn(id="t0")))
        await worker(outbox, memory).flush(3_600.0)
        assert await pending(outbox) == 1

    async def test_flushing_a_store_that_is_away_ends_quietly(
        self, outbox: Outbox, memory: Recorder
    ) -> None:
        troubled = Troubled(outbox)
        troubled.failures["claim"] = 1
        await outbox.put(job(turn()))
        await worker(troubled, memory).flush(10.0)
        assert await pending(outbox) == 1


class SlowForOne(Recorder):
    """Never done with one owner's turns."""

    def __init__(self, slow: Owner) -> None:
        super().__init__()
        self._slow = slow

    async def remember(self, owner: Owner, *turns: Turn) -> None:
        if owner == self._slow:
            await asyncio.Event().wait()
        await super().remember(owner, *turns)


def poisoned(_owner: Owner, turn: Turn) -> None:
    """A bug that one turn meets, and that quotes it."""
    if turn.id == "poison":
        raise LookupError(turn.user)


class Stumbling:
    """Makes every so manieth delivery fail."""

    def __init__(self, every: int) -> None:
        self._every, self._calls, self.times = every, 0, 0

    def __call__(self, _owner: Owner, _turn: Turn) -> None:
        self._calls += 1
        if self._calls % self._every == 0:
            self.times += 1
            raise StoreError("stumbled")


async def buried(outbox: Outbox, doomed: Job) -> Job:
    """Put *doomed* into an outbox with nothing else to claim, and make it a dead letter."""
    await outbox.put(doomed)
    (claimed,) = await outbox.claim("undertaker", 1, LEASE)
    await outbox.bury(claimed)
    return claimed


def taken(jobs: Sequence[Job]) -> list[str]:
    return ids([each.turn for each in jobs])


async def heartbeat(troubled: Troubled) -> None:
    """Wait for a heartbeat that began after now: the first to end may have begun before."""
    while not troubled.renewed.locked():
        await troubled.renewed.acquire()
    async with asyncio.timeout(10):
        for _ in range(2):
            await troubled.renewed.acquire()
