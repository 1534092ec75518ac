"""Native memory over SQLite: what was said is found at once, by its owner and nobody else."""

import asyncio
import string
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remembering import Clock, Colours, job, owner, turn
from yychat.errors import StoreError, UpstreamProtocolError
from yychat.memory.base import Recollection, Turn
from yychat.memory.embedder import Embedder, UpstreamEmbedder, Vector
from yychat.memory.embedder_cached import CachedEmbedder, vectors
from yychat.memory.native import NativeMemory
from yychat.memory.outbox import OutboxWorker
from yychat.memory.outbox_sqlite import SqliteOutbox
from yychat.memory.turns_sqlite import SqliteTurns
from yychat.owner import Kind, Owner, Owners
from yychat.sqlite import Database


class Instance:
    """What a process has of memory: its own connections and its own warm indexes."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        embedder: Embedder | None = None,
        keep: int = 5_000,
        documents: int = 200_000,
        embed_within: float = 0.2,
        store_within: float = 10.0,
        days: int = 0,
    ) -> None:
        self.database = Database(path)
        self.store = SqliteTurns(self.database, clock)
        self.outbox = SqliteOutbox(self.database, clock)
        self.memory = NativeMemory(
            self.store,
            embedder=embedder,
            embed_within=embed_within,
            store_within=store_within,
            keep=keep,
            days=days,
            documents=documents,
            clock=clock,
        )
        self._worker = OutboxWorker(self.outbox, {"native": self.memory}, name=f"{id(self)}")

    async def say(self, about: Turn, of: Owner | None = None) -> None:
        """An answered turn, as far as engines bring it."""
        await self.outbox.put(job(about, of))

    async def deliver(self) -> None:
        await self._worker.flush(10.0)

    async def remember(self, *turns: Turn, of: Owner | None = None) -> None:
        await asyncio.gather(*(self.memory.remember(of or owner(), each) for each in turns))

    async def recall(self, query: str, of: Owner | None = None, limit: int = 10) -> Recollection:
        return await self.memory.recall(of or owner(), query, limit)

    async def recalled(self, query: str, of: Owner | None = None, limit: int = 10) -> list[str]:
        return [record.text for record in (await self.recall(query, of, limit)).records]


class Instances:
    """Makes instances over one file."""

    def __init__(self, path: Path) -> None:
        self.clock = Clock()
        self._path = path
        self._all: list[Instance] = []

    def start(
        self,
        *,
        embedder: Embedder | None = None,
        keep: int = 5_000,
        documents: int = 200_000,
        embed_within: float = 0.2,
        store_within: float = 10.0,
        days: int = 0,
    ) -> Instance:
        self._all.append(
            Instance(
                self._path,
                self.clock,
                embedder=embedder,
                keep=keep,
                documents=documents,
                embed_within=embed_within,
                store_within=store_within,
                days=days,
            )
        )
        return self._all[-1]

    def stop(self) -> None:
        for instance in self._all:
            instance.database.close()


@pytest.fixture
def instances(tmp_path: Path) -> Iterator[Instances]:
    instances = Instances(tmp_path / "yychat.db")
    yield instances
    instances.stop()


@pytest.fixture
def here(instances: Instances) -> Instance:
    return instances.start()


@pytest.fixture
def there(here: Instance, instances: Instances) -> Instance:
    return instances.start()


DOG = "My dog is called Rex"
SECRET = Owners(b"a secret that tests share")

# Found at once, everywhere


async def test_a_turn_still_in_the_outbox_is_recalled(here: Instance) -> None:
    await here.say(turn(DOG, ""))
    assert await here.recalled("what is my dog called?") == [DOG]


async def test_a_turn_is_recalled_once_after_its_delivery_as_before(here: Instance) -> None:
    await here.say(turn(DOG, ""))
    before = await here.recall("dog")
    await here.deliver()
    after = await here.recall("dog")
    assert [record.id for record in after.records] == [record.id for record in before.records]
    assert (await here.outbox.backlog()).pending == 0


async def test_a_warm_index_takes_in_what_came_since(here: Instance) -> None:
    await here.say(turn(DOG, ""))
    await here.recalled("dog")
    await here.say(turn("My cat is called Tom", ""))
    assert "My cat is called Tom" in await here.recalled("cat")


async def test_another_process_recalls_a_turn_at_once(here: Instance, there: Instance) -> None:
    assert await there.recalled("dog") == []
    await here.say(turn(DOG, ""))
    assert await there.recalled("dog") == [DOG]
    await here.deliver()
    assert await there.recalled("dog") == [DOG]


async def test_a_process_that_starts_later_recalls_what_was_stored(
    here: Instance, instances: Instances
) -> None:
    await here.remember(turn(DOG, ""))
    assert await instances.start().recalled("dog") == [DOG]


async def test_both_sides_of_a_turn_are_recalled_as_whose_they_were(here: Instance) -> None:
    said = turn("Which tea is best?", "Green tea is best", at=123.0)
    await here.say(said)
    found = {record.role: record for record in (await here.recall("best tea")).records}
    assert (found["user"].text, found["assistant"].text) == (said.user, said.assistant)
    assert (found["user"].at, found["user"].engine) == (123.0, "chat_engine")


async def test_a_side_that_is_not_kept_is_no_record(here: Instance) -> None:
    await here.say(turn("", "Green tea is best"))
    assert await here.recalled("tea") == ["Green tea is best"]


async def test_chinese_is_recalled_by_its_words(here: Instance) -> None:
    await here.say(turn("我喜欢喝绿茶", ""))
    await here.say(turn("明天去上海", "", at=9_000.0))
    assert (await here.recalled("你知道我喝什么茶吗", limit=1)) == ["我喜欢喝绿茶"]


async def test_no_more_is_recalled_than_was_asked_for(here: Instance) -> None:
    for n in range(5):
        await here.say(turn(f"tea number {n}", ""))
    assert len(await here.recalled("tea", limit=3)) == 3


async def test_last_month_is_understood(here: Instance, instances: Instances) -> None:
    day = 86_400.0
    instances.clock.now = 1_742_000_000.0  # in March 2025
    await here.say(turn("tea in february", "", at=instances.clock.now - 30 * day))
    await here.say(turn("tea in january", "", at=instances.clock.now - 60 * day))
    assert (await here.recalled("tea last month"))[0] == "tea in february"


async def test_recalls_during_writes_see_every_turn_that_was_put_before_them(
    here: Instance, there: Instance
) -> None:
    missed: list[int] = []

    async def talk(instance: Instance, name: str) -> None:
        for n in range(40):
            await instance.say(turn(f"{name} tells fact{n}", ""))
            if f"{name} tells fact{n}" not in await instance.recalled(f"fact{n}", limit=100):
                missed.append(n)

    async def deliver() -> None:
        while True:
            await here.deliver()
            await asyncio.sleep(0.001)

    worker = asyncio.create_task(deliver())
    await asyncio.gather(talk(here, "a"), talk(here, "b"), talk(there, "c"))
    worker.cancel()
    assert missed == []
    await there.deliver()
    together = [record.id for record in (await there.recall("tells", limit=1_000)).records]
    assert len(together) == len(set(together)) == 120


async def test_a_recall_that_was_given_up_leaves_a_usable_memory(here: Instance) -> None:
    await here.remember(*(turn(f"tea {n}", "") for n in range(200)))
    given_up = asyncio.create_task(here.recall("tea"))
    await asyncio.sleep(0)
    given_up.cancel()
    assert len(await here.recalled("tea", limit=500)) == 200


async def test_an_owner_with_a_long_history_is_built_beside_the_loop(here: Instance) -> None:
    await built_beside_the_loop(
        here, [turn(f"tea {n} " + "word " * 20, "yes") for n in range(3_000)]
    )


async def test_one_very_long_turn_is_taken_in_beside_the_loop(here: Instance) -> None:
    await here.recalled("tea")
    await built_beside_the_loop(
        here, [turn("tea 7 " + " ".join(f"word{n}" for n in range(60_000)))]
    )


async def built_beside_the_loop(here: Instance, turns: Sequence[Turn]) -> None:
    await here.remember(*turns)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.001)
            ticks += 1

    ticker = asyncio.create_task(tick())
    assert await here.recalled("tea 7", limit=1)
    ticker.cancel()
    # On the loop, the build would be one long tick.
    assert ticks > 5


async def test_a_store_that_cannot_be_read_is_a_store_error(here: Instance) -> None:
    here.database.close()
    with pytest.raises(StoreError):
        await here.recall("tea")
    with pytest.raises(StoreError):
        await here.remember(turn())
    with pytest.raises(StoreError):
        await here.memory.listing(owner(), 10)
    with pytest.raises(StoreError):
        await here.memory.erase(owner())


# Bounds


async def test_an_owner_let_go_of_is_recalled_all_the_same(instances: Instances) -> None:
    small = instances.start(documents=20)
    everybody = [owner(f"user {n}") for n in range(30)]
    for n, one in enumerate(everybody):
        await small.remember(*(turn(f"tea {n} {k}", "") for k in range(5)), of=one)
    for _ in range(2):
        for n, one in enumerate(everybody):
            assert len(await small.recalled(f"tea {n}", one)) == 5


async def test_warm_indexes_stay_within_their_bound(instances: Instances) -> None:
    small = instances.start(documents=200)
    for n in range(30):
        one = owner(f"user {n}")
        await small.remember(*(turn(f"tea {k}", "") for k in range(20)), of=one)
        await small.recalled("tea", one)
        assert small.memory.held <= 200


async def test_long_turns_weigh_more_in_the_bound(instances: Instances) -> None:
    small = instances.start(documents=400)
    for n in range(6):
        one = owner(f"user {n}")
        await small.remember(turn("tea " * 12_500, "yes"), of=one)  # 50,000 characters
        await small.recalled("tea", one)
        assert 100 <= small.memory.held <= 400


async def test_what_is_forgotten_weighs_nothing(instances: Instances) -> None:
    short = instances.start(keep=8)
    for n in range(100):
        await short.remember(turn(f"tea {n} " * 100, "yes"))
        await short.recalled("tea")
    assert short.memory.held < 60


async def test_owners_of_whom_nothing_is_known_do_not_pile_up(instances: Instances) -> None:
    small = instances.start(documents=200)
    for n in range(300):
        await small.recalled("tea", owner(f"stranger {n}"))
    assert small.memory.held <= 200


async def test_an_erased_owner_holds_nothing(here: Instance) -> None:
    await here.remember(turn(DOG, ""))
    await here.recalled("dog")
    await here.memory.erase(owner())
    assert here.memory.held == 0


async def test_one_owner_beyond_the_bound_is_served(instances: Instances) -> None:
    small = instances.start(documents=1)
    await small.remember(*(turn(f"tea {n}", "") for n in range(50)))
    assert len(await small.recalled("tea", limit=100)) == 50
    assert len(await small.recalled("tea", limit=100)) == 50


async def test_owners_at_the_same_time_are_served_within_a_small_bound(
    instances: Instances,
) -> None:
    small = instances.start(documents=20)
    everybody = [owner(f"user {n}") for n in range(20)]
    for n, one in enumerate(everybody):
        await small.remember(*(turn(f"tea {n} {k}", "") for k in range(5)), of=one)
    found = await asyncio.gather(*(small.recalled("tea", one) for one in everybody * 3))
    assert [len(texts) for texts in found] == [5] * 60


async def test_a_warm_index_forgets_the_oldest_beyond_the_bound(instances: Instances) -> None:
    short = instances.start(keep=40)
    for n in range(100):
        await short.say(turn(f"tea {n}", ""))
        await short.deliver()
        await short.recalled("tea")
    found = await short.recalled("tea", limit=1_000)
    assert 40 <= len(found) <= 45
    assert {f"tea {n}" for n in range(60, 100)} <= set(found)


# Too old

DAY = 86_400.0


async def test_an_old_dead_letter_is_neither_recalled_nor_listed_after_a_restart(
    here: Instance, instances: Instances
) -> None:
    instances.clock.now = 100 * DAY
    await dead(here, turn("old tea", "", at=60 * DAY))
    await here.remember(turn("new tea", "", at=90 * DAY))
    fresh = instances.start(days=30)
    assert await fresh.recalled("tea") == ["new tea"]
    assert [record.text for record in await fresh.memory.listing(owner(), 10)] == ["new tea"]


async def test_a_dead_letter_that_grows_old_is_forgotten_before_what_came_later(
    here: Instance, instances: Instances
) -> None:
    instances.clock.now = 100 * DAY
    await dead(here, turn("old tea", "", at=80 * DAY))
    await here.remember(turn("new tea", "", at=90 * DAY))
    fresh = instances.start(days=30)
    assert sorted(await fresh.recalled("tea")) == ["new tea", "old tea"]
    instances.clock.pass_(11 * DAY)
    assert await fresh.recalled("tea") == ["new tea"]


async def test_an_old_turn_that_is_delivered_at_last_is_not_recalled(
    instances: Instances,
) -> None:
    instances.clock.now = 100 * DAY
    aged = instances.start(days=30)
    await aged.remember(turn("new tea", "", at=90 * DAY))
    await aged.say(turn("old tea", "", at=60 * DAY))
    for _ in range(2):
        assert await aged.recalled("tea") == ["new tea"]
        await aged.deliver()


async def test_tidying_lets_old_turns_and_old_dead_letters_go(instances: Instances) -> None:
    instances.clock.now = 100 * DAY
    aged = instances.start(days=30)
    await dead(aged, turn("old tea", "", at=60 * DAY))
    for at in (65, 90):
        await aged.remember(turn(f"tea of day {at}", "", at=at * DAY))
    tidying = asyncio.create_task(aged.memory.tidy())
    async with asyncio.timeout(10):
        while (await aged.outbox.backlog()).dead:  # noqa: ASYNC110 - an outbox has no events
            await asyncio.sleep(0.002)
    tidying.cancel()
    assert [kept.user for kept in await aged.store.newest(owner(), 10)] == ["tea of day 90"]


async def dead(instance: Instance, about: Turn) -> None:
    """Make *about* a dead letter."""
    await instance.say(about)
    (claimed,) = await instance.outbox.claim("undertaker", 1, 30.0)
    await instance.outbox.bury(claimed)


# Erasing


async def test_an_index_that_slept_longer_than_marks_are_kept_wakes_up_empty(
    here: Instance, there: Instance, instances: Instances
) -> None:
    await here.remember(turn(DOG, ""))
    assert await there.recalled("dog") == [DOG]
    await here.memory.erase(owner())
    instances.clock.pass_(10 * DAY)
    await here.store.expire(before=0.0)
    assert await there.recalled("dog") == []


async def test_after_erasing_nothing_is_recalled(here: Instance, there: Instance) -> None:
    await here.remember(turn(DOG, ""))
    await here.say(turn("The dog barks", ""))
    assert len(await here.recalled("dog")) == len(await there.recalled("dog")) == 2
    assert await here.memory.erase(owner()) == 2
    assert await here.recalled("dog") == []
    assert await there.recalled("dog") == []


async def test_what_is_said_after_erasing_is_all_that_is_recalled(
    here: Instance, there: Instance, instances: Instances
) -> None:
    await here.remember(turn(DOG, ""))
    await there.recalled("dog")
    await here.memory.erase(owner())
    await here.say(turn("No dog any more", "", at=instances.clock.now + 1))
    assert await there.recalled("dog") == ["No dog any more"]


async def test_a_turn_that_is_being_delivered_while_its_owner_erases_stays_erased(
    here: Instance, instances: Instances
) -> None:
    await here.say(turn(DOG, ""))
    (claimed,) = await here.outbox.claim("worker", 1, 30.0)
    await here.recalled("dog")
    await here.memory.erase(owner())
    instances.clock.pass_(1)
    await here.memory.remember(claimed.owner, claimed.turn)
    assert await here.recalled("dog") == []
    assert await here.memory.listing(owner(), 10) == []


# Meaning


async def test_a_turn_is_recalled_by_its_meaning(instances: Instances) -> None:
    wise = instances.start(embedder=Colours())
    await wise.say(turn("crimson", "", at=1.0))
    await wise.say(turn("azure", "", at=90_000.0))
    await wise.deliver()
    found = await wise.recall("rot", limit=1)
    assert ([record.text for record in found.records], found.source) == (["crimson"], "both")


async def test_a_turn_first_seen_in_the_outbox_gets_its_meaning_later(
    instances: Instances,
) -> None:
    wise = instances.start(embedder=Colours())
    for n, colour in enumerate(["crimson", "emerald", "azure"]):
        await wise.say(turn(colour, "", at=90_000.0 * n))
    assert await wise.recalled("blau") == []  # no word in common, and no vectors yet
    await wise.deliver()
    for asked, found in (("rot", "crimson"), ("gruen", "emerald"), ("blau", "azure")):
        assert await wise.recalled(asked, limit=1) == [found]


async def test_an_embedder_that_is_late_leaves_recall_to_the_words(instances: Instances) -> None:
    class Late(Colours):
        async def embed(
            self, questions: Sequence[str], answers: Sequence[str] = ()
        ) -> list[Vector]:
            await asyncio.Event().wait()
            raise AssertionError

    slow = instances.start(embedder=Late(), embed_within=0.005)
    await slow.say(turn(DOG, ""))
    found = await slow.recall("dog")
    assert ([record.text for record in found.records], found.source) == ([DOG], "lexical")


async def test_an_embedder_that_fails_leaves_recall_to_the_words(instances: Instances) -> None:
    broken = Colours()
    broken.down = True
    instance = instances.start(embedder=broken)
    await instance.say(turn(DOG, ""))
    found = await instance.recall("dog")
    assert ([record.text for record in found.records], found.source) == ([DOG], "lexical")


async def test_a_turn_is_stored_even_where_the_embedder_fails(
    instances: Instances, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Colours()
    broken.down = True
    instance = instances.start(embedder=broken)
    await instance.say(turn(DOG, ""))
    await instance.deliver()
    assert (await instance.outbox.backlog()).pending == 0
    assert await instance.recalled("dog") == [DOG]
    assert "without vectors" in caplog.text
    assert "Rex" not in caplog.text


async def test_a_turn_is_stored_in_time_even_where_the_embedder_hangs(
    instances: Instances, caplog: pytest.LogCaptureFixture
) -> None:
    class Hanging(Colours):
        async def embed(
            self, questions: Sequence[str], answers: Sequence[str] = ()
        ) -> list[Vector]:
            await asyncio.Event().wait()
            raise AssertionError

    instance = instances.start(embedder=Hanging(), embed_within=0.005, store_within=0.005)
    await instance.say(turn(DOG, ""))
    async with asyncio.timeout(10):
        await instance.deliver()
    assert (await instance.outbox.backlog()).pending == 0
    assert await instance.recalled("dog") == [DOG]
    assert "without vectors: no time left" in caplog.text


async def test_only_the_beginning_of_a_long_text_is_embedded() -> None:
    sent: list[str] = []

    async def post(asked: dict[str, Any]) -> bytes:
        sent.extend(asked["input"])
        rows = [{"index": n, "embedding": [1.0]} for n in range(len(asked["input"]))]
        return msgspec.json.encode({"data": rows})

    await UpstreamEmbedder("m", post).embed(["short", "长" * 100_000])
    assert sent == ["short", "长" * 6_000]


NUMBERS = [0.25, -1.5, 3.0]
PACKED = "AACAPgAAwL8AAEBA"  # the same: base64 of little-endian 32-bit floats


async def embedded(told: Any) -> list[Vector]:
    """What comes of an answer that tells *told* for the second of two texts."""

    async def post(asked: dict[str, Any]) -> bytes:
        assert (asked["input"], asked["encoding_format"]) == (["q", "a"], "base64")
        rows = [{"index": 1, "embedding": told}, {"index": 0, "embedding": NUMBERS}]
        return msgspec.json.encode({"data": rows})

    return await UpstreamEmbedder("m", post).embed(["q"], ["a"])


@pytest.mark.parametrize("told", [NUMBERS, PACKED, [0.25, -1.5, 3]])
async def test_vectors_are_understood_packed_and_as_numbers(told: Any) -> None:
    asked, said = await embedded(told)
    assert asked.tolist() == said.tolist() == NUMBERS
    assert said.dtype == np.float32


@pytest.mark.parametrize(
    "told", [None, "AACAPg", "!", "AAAA", "AADAfwAAgD8=", ["1"], {"0": 1.0}, [0.5, 1e300], [7e4]]
)
async def test_a_vector_that_is_none_is_a_protocol_error(told: Any) -> None:
    with pytest.raises(UpstreamProtocolError):
        await embedded(told)


async def test_a_question_is_embedded_once_for_its_recall_and_for_the_store(
    instances: Instances,
) -> None:
    asked: list[list[str]] = []

    class Counting(Colours):
        async def embed(
            self, questions: Sequence[str], answers: Sequence[str] = ()
        ) -> list[Vector]:
            asked.append([*questions, *answers])
            return await super().embed(questions, answers)

    instance = instances.start(embedder=CachedEmbedder(Counting(), vectors(ttl=60)))
    await instance.recall("crimson")
    await instance.remember(turn("crimson", "emerald"))
    assert asked == [["crimson"], ["emerald"]]
    for colour, found in (("rot", "crimson"), ("gruen", "emerald")):
        assert await instance.recalled(colour, limit=1) == [found]


async def test_vectors_of_another_model_are_ignored(instances: Instances) -> None:
    await instances.start(embedder=Colours("old")).remember(turn("crimson", ""))
    renamed = instances.start(embedder=Colours("new"))
    assert await renamed.recalled("rot") == []
    assert await renamed.recalled("crimson") == ["crimson"]


async def test_vectors_are_ignored_where_there_is_no_embedder(instances: Instances) -> None:
    await instances.start(embedder=Colours()).remember(turn("crimson", ""))
    assert await instances.start().recalled("crimson") == ["crimson"]


async def test_an_embedding_without_direction_is_none(instances: Instances) -> None:
    class Blank(Colours):
        async def embed(
            self, questions: Sequence[str], answers: Sequence[str] = ()
        ) -> list[Vector]:
            return [np.zeros(3, np.float32) for _ in (*questions, *answers)]

    instance = instances.start(embedder=Blank())
    await instance.remember(turn(DOG, ""))
    assert await instance.recalled("dog") == [DOG]


# Listing


async def test_the_newest_are_listed_first_and_the_answer_before_its_question(
    here: Instance,
) -> None:
    await here.remember(turn("q1", "a1", at=1.0))
    await here.say(turn("q2", "a2", at=2.0))
    listed = await here.memory.listing(owner(), 10)
    assert [record.text for record in listed] == ["a2", "q2", "a1", "q1"]
    assert [record.text for record in await here.memory.listing(owner(), 3)] == ["a2", "q2", "a1"]


async def test_a_turn_is_listed_while_it_leaves_the_outbox(here: Instance, there: Instance) -> None:
    await here.remember(*(turn(f"old {number}", "") for number in range(1_000)))
    for number in range(20):
        new = turn(f"new {number}", "", at=1_000.0 + number)
        await here.say(new)
        delivering = asyncio.create_task(here.deliver())
        while not delivering.done():  # reading that many takes longer than a delivery
            newest, *_ = await there.memory.listing(owner(), 1_000)
            assert newest.text == new.user
        await delivering


async def test_every_record_has_an_id_of_its_own(here: Instance) -> None:
    await here.remember(*(turn("same words", "same words") for _ in range(20)))
    listed = [record.id for record in await here.memory.listing(owner(), 1_000)]
    found = [record.id for record in (await here.recall("same words", limit=1_000)).records]
    assert len(set(listed)) == len(listed) == 40
    assert set(found) == set(listed)


# Whose it is

FRAMING = "*%_:|/\\.\x00 \t\n\u200b\u3000-c-u"
LIKE_A = "aAаɑａÀa\u0300"
IDS = st.one_of(
    st.text(max_size=6),
    st.text(st.sampled_from(FRAMING + LIKE_A + string.digits), max_size=4),
    st.sampled_from(["*", "", " ", "anna", "anna ", " anna", "Anna", "аnna", "ann\u200ba", "%"]),
)
OWNERS = st.tuples(IDS, st.sampled_from(["conversation", "user"]), IDS)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(OWNERS, min_size=2, max_size=6, unique=True))
async def test_no_choice_of_ids_reaches_anothers_memory(
    here: Instance, given_ids: list[tuple[str, Kind, str]]
) -> None:
    everybody = [SECRET.owner(*one) for one in given_ids]
    told = [f"secret number {n}" for n in range(len(everybody))]
    for one, text in zip(everybody, told, strict=True):
        await here.memory.erase(one)
        await here.remember(turn(text, "", at=2_000.0), of=one)
    for one, text in zip(everybody, told, strict=True):
        assert await here.recalled("secret number", one) == [text]
        assert [record.text for record in await here.memory.listing(one, 10)] == [text]


@given(OWNERS, OWNERS)
def test_owners_are_the_same_only_for_the_same_caller(
    one: tuple[str, Kind, str], other: tuple[str, Kind, str]
) -> None:
    assert (SECRET.owner(*one).key == SECRET.owner(*other).key) == (one == other)


@given(st.text(min_size=8), st.text())
def test_an_owner_does_not_tell_its_id(given_id: str, tenant: str) -> None:
    assert given_id not in SECRET.owner(tenant, "user", given_id).key


def test_another_secret_makes_other_owners() -> None:
    other = Owners(b"another secret")
    assert SECRET.owner("acme", "user", "anna") != other.owner("acme", "user", "anna")


def test_an_id_may_hold_lone_surrogates() -> None:
    assert SECRET.owner("\udcff", "user", "\ud800") != SECRET.owner("\udcff", "user", "\ud801")
