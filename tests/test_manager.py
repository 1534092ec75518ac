"""EngineManager: who answers, who stands in, and what a change of that takes."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypedDict, cast

import pytest
from msgspec.structs import replace

from fakes import asked, record
from remembering import owner
from scripted_engine import ScriptedEngine
from selection_promises import selection
from test_chat_engine import TestChatEngine
from yychat.chat import Chunk, collect
from yychat.engines.base import BaseEngine
from yychat.engines.checkup import Checkup
from yychat.engines.manager import EngineManager
from yychat.engines.memories import forgotten, remembered
from yychat.engines.selected import Selected
from yychat.engines.selection import LONGEST_REASON, Selection, SelectionStore
from yychat.engines.selection_sqlite import SqliteSelections
from yychat.errors import (
    ConfigurationError,
    Conflict,
    EngineError,
    InvalidRequest,
    NotFound,
    StoreError,
    UpstreamRateLimited,
    YYChatError,
)
from yychat.sqlite import Database
from yychat.upstream.router import Upstreams

BOTH = pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])


class By(TypedDict):
    by: str
    reason: str


BY: By = {"by": "ops", "reason": "because"}


class Store:
    """A shared state in this process; ``away`` fails, ``late`` fails once after it wrote."""

    def __init__(self, stored: Selection | None = None) -> None:
        self.stored, self.away, self.late = stored, False, False
        self.told: list[Selection] = []

    async def read(self) -> Selection | None:
        self._be_there()
        return self.stored

    async def propose(self, proposed: Selection) -> bool:
        self._be_there()
        if self.stored and self.stored.revision >= proposed.revision:
            return False
        self.stored = proposed
        self.told.append(proposed)
        if self.late:
            self.late = False
            raise StoreError("Redis did not answer in time")
        return True

    async def history(self, limit: int) -> list[Selection]:
        self._be_there()
        return self.told[::-1][:limit]

    def _be_there(self) -> None:
        if self.away:
            raise StoreError("Redis is away")


class Two:
    """A manager of a scripted chat_engine and mem0_proxy over *store*."""

    def __init__(self, store: SelectionStore, first: str = "chat_engine") -> None:
        self.chat, self.mem0 = ScriptedEngine("chat_engine"), ScriptedEngine("mem0_proxy")
        self.selected = Selected(store, first)
        self.manager = EngineManager([self.chat, self.mem0], self.selected)

    async def weigh(self, **weights: int) -> None:
        await self.manager.split(weights, force=True, **BY)

    async def answer(self, question: str = "hi", **fields: Any) -> list[Chunk]:
        request = asked(messages=[{"role": "user", "content": question}], **fields)
        return await collect(self.manager.generate_response(request))

    async def by(self, question: str = "hi", **fields: Any) -> tuple[str, str | None]:
        """Who answered, and instead of whom."""
        about = (await self.answer(question, **fields))[0].about
        assert about is not None
        return about.engine, about.fallback_from


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def two(store: Store) -> AsyncIterator[Two]:
    two = Two(store)
    await two.selected.begin()
    yield two
    await two.manager.close()


def refused(error: pytest.ExceptionInfo[YYChatError]) -> tuple[str, str | None]:
    return error.value.code, error.value.param


class Managed:
    """One engine as the manager's callers see it."""

    def __init__(self, engine: BaseEngine) -> None:
        self._engine = engine
        manager = EngineManager([engine], Selected(Store(), engine.name))
        self.generate_response = manager.generate_response

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


class TestManagedChatEngine(TestChatEngine):
    """What an engine promises is kept behind the manager."""

    def engine(self, upstreams: Upstreams, **parts: Any) -> BaseEngine:
        managed: Any = Managed(super().engine(upstreams, **parts))
        return cast(BaseEngine, managed)


# Who answers


async def test_the_configured_engine_answers_where_nobody_decided(two: Two) -> None:
    assert await two.by() == ("chat_engine", None)


async def test_after_a_switch_the_other_answers(two: Two) -> None:
    await two.manager.switch("mem0_proxy", **BY)
    assert await two.by() == ("mem0_proxy", None)


async def test_no_request_asks_the_shared_state(two: Two, store: Store) -> None:
    store.away = True
    assert await two.by() == ("chat_engine", None)


async def test_an_answer_under_way_keeps_its_engine(two: Two) -> None:
    answer = two.manager.generate_response(asked(stream=True))
    chunks = [await anext(answer)]
    await two.manager.switch("mem0_proxy", **BY)
    chunks += await collect(answer)
    assert b"mem0_proxy" not in b"".join(chunk.data for chunk in chunks)
    assert await two.by() == ("mem0_proxy", None)


async def test_a_split_gives_each_its_share_and_every_owner_one_engine(two: Two) -> None:
    await two.weigh(chat_engine=3, mem0_proxy=1)
    users = [f"user-{n}" for n in range(2_000)]
    first = {user: (await two.by(user=user))[0] for user in users}
    assert Counter(first.values())["mem0_proxy"] == pytest.approx(500, abs=80)
    assert {user: (await two.by(user=user))[0] for user in users} == first


async def test_where_shares_change_most_owners_keep_their_engine(two: Two) -> None:
    users = [f"user-{n}" for n in range(1_000)]
    await two.weigh(chat_engine=90, mem0_proxy=10)
    before = {user: (await two.by(user=user))[0] for user in users}
    await two.weigh(chat_engine=70, mem0_proxy=30)
    after = {user: (await two.by(user=user))[0] for user in users}
    moved = [user for user in users if before[user] != after[user]]
    assert len(moved) == pytest.approx(200, abs=50)
    assert {after[user] for user in moved} == {"mem0_proxy"}


async def test_without_an_owner_requests_spread_by_their_ids(two: Two) -> None:
    await two.weigh(chat_engine=1, mem0_proxy=1)
    request = replace(asked(), owner=None)
    chosen = [two.manager.chosen(replace(request, request_id=f"r{n}")).name for n in range(400)]
    assert Counter(chosen)["mem0_proxy"] == pytest.approx(200, abs=60)
    assert two.manager.chosen(replace(request, request_id="r1")).name == chosen[1]


async def test_who_names_an_engine_gets_it(two: Two) -> None:
    assert await two.by(engine="mem0_proxy") == ("mem0_proxy", None)


async def test_who_names_one_that_is_not_there_is_told_which_are(two: Two) -> None:
    with pytest.raises(NotFound, match="chat_engine, mem0_proxy") as error:
        await two.answer(engine="gpt")
    assert refused(error) == ("not_found", "engine")


async def test_a_selection_of_engines_from_the_future_leaves_the_first(
    two: Two, store: Store
) -> None:
    two.selected.heard(Selection({"engine_3000": 1}, 7, "new", "rollout", 1.0))
    assert await two.by() == ("chat_engine", None)
    assert two.manager.in_force == [two.chat]


async def test_a_first_engine_that_is_not_there_stops_the_start(store: Store) -> None:
    with pytest.raises(ConfigurationError, match="CHAT_ENGINE"):
        Two(store, first="engine_3000")


# Who stands in


@BOTH
@pytest.mark.parametrize("cause", ["unavailable", "store", "bug", "silent"])
async def test_an_engine_that_fails_by_itself_is_answered_for(
    two: Two, streaming: bool, cause: str
) -> None:
    chunks = await two.answer(f"chat_engine={cause}", stream=streaming)
    assert [chunk.about.fallback_from for chunk in chunks if chunk.about] == ["chat_engine"]
    assert chunks[0].about is not None
    assert chunks[0].about.engine == "mem0_proxy"
    assert b"chat_engine" not in b"".join(chunk.data for chunk in chunks)


@pytest.mark.parametrize("cause", ["upstream", "caller", "nesting"])
async def test_what_the_other_could_not_mend_is_not_tried_again(two: Two, cause: str) -> None:
    with pytest.raises((YYChatError, RecursionError)):
        await two.answer(f"chat_engine={cause}")
    assert two.mem0.asked == []


async def test_the_other_is_asked_once(two: Two) -> None:
    with pytest.raises(EngineError):
        await two.answer("chat_engine=bug mem0_proxy=bug")
    assert (len(two.chat.asked), len(two.mem0.asked)) == (1, 1)


async def test_how_the_other_fails_is_what_the_caller_hears(two: Two) -> None:
    with pytest.raises(UpstreamRateLimited):
        await two.answer("chat_engine=store mem0_proxy=upstream")


async def test_after_the_first_chunk_nobody_stands_in(two: Two) -> None:
    answer = two.manager.generate_response(
        asked(stream=True, messages=[{"role": "user", "content": "chat_engine=middle"}])
    )
    await anext(answer)
    with pytest.raises(EngineError):
        await anext(answer)
    assert two.mem0.asked == []


async def test_who_named_an_engine_hears_of_its_failure(two: Two) -> None:
    with pytest.raises(StoreError):
        await two.answer("mem0_proxy=store", engine="mem0_proxy")
    assert two.chat.asked == []


async def test_a_bug_is_told_without_its_text_to_the_caller_and_the_log(
    two: Two, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(EngineError) as error:
        await two.answer("chat_engine=bug", engine="chat_engine")
    assert error.value.code == "engine_failed"
    assert "secret" not in str(error.value) + caplog.text
    assert "a bug in chat_engine: ValueError at scripted_engine.py" in caplog.text


async def test_one_that_fails_for_long_is_logged_when_it_begins_and_ends(
    two: Two, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        await two.answer("chat_engine=store")
    for _ in range(5):
        await two.answer()
    lines = [line.message for line in caplog.records if line.levelno == logging.WARNING]
    assert lines == [
        "chat_engine fails (its store is away): mem0_proxy answers instead",
        "chat_engine answers again",
    ]


@pytest.mark.parametrize("question", ["hi", "chat_engine=store"])
async def test_closing_early_closes_the_engine_as_well(two: Two, question: str) -> None:
    request = asked(stream=True, messages=[{"role": "user", "content": question}])
    answer = two.manager.generate_response(request)
    await anext(answer)
    await answer.aclose()
    assert two.chat.closed + two.mem0.closed == len(two.chat.asked) + len(two.mem0.asked)


async def test_a_single_engine_has_nobody_to_stand_in(store: Store) -> None:
    alone = EngineManager([ScriptedEngine("chat_engine")], Selected(store, "chat_engine"))
    with pytest.raises(StoreError):
        await collect(
            alone.generate_response(
                asked(messages=[{"role": "user", "content": "chat_engine=store"}])
            )
        )


# Changing it


async def test_a_change_says_who_when_and_why(two: Two, store: Store) -> None:
    changed = await two.manager.switch("mem0_proxy", by="ops", reason=" a trial ")
    assert changed.weights == {"chat_engine": 0, "mem0_proxy": 100}
    assert (changed.revision, changed.changed_by, changed.reason) == (2, "ops", "a trial")
    assert await two.selected.history(1) == [changed] == [store.stored]


async def test_an_engine_that_is_not_well_is_not_switched_to(two: Two, store: Store) -> None:
    two.mem0.trouble = 'missing: pip install "yychat[mem0-local]"'
    with pytest.raises(Conflict, match=r"mem0_proxy is not well: memory: missing: pip") as error:
        await two.manager.switch("mem0_proxy", **BY)
    assert error.value.code == "engine_unhealthy"
    assert (two.manager.selection.revision, len(store.told)) == (1, 1)


async def test_force_switches_all_the_same_and_does_not_look(two: Two) -> None:
    two.mem0.trouble = "away"
    await two.manager.switch("mem0_proxy", force=True, **BY)
    assert await two.by() == ("mem0_proxy", None)
    assert two.mem0.checks == 0


async def test_a_split_asks_those_who_get_more(two: Two) -> None:
    two.mem0.trouble = "away"
    with pytest.raises(Conflict):
        await two.manager.split({"chat_engine": 99, "mem0_proxy": 1}, **BY)
    await two.weigh(chat_engine=1, mem0_proxy=1)
    two.chat.checks = 0
    await two.manager.split({"chat_engine": 900, "mem0_proxy": 100}, **BY)
    assert (two.chat.checks, two.mem0.checks) == (1, 1)


async def test_of_two_at_once_one_wins_and_the_other_is_told(two: Two, store: Store) -> None:
    rival = Two(store)
    await rival.selected.begin()
    done = await asyncio.gather(
        two.manager.switch("mem0_proxy", by="anna", reason="x"),
        rival.manager.switch("chat_engine", by="bert", reason="y"),
        return_exceptions=True,
    )
    (winner,) = (each for each in done if isinstance(each, Selection))
    (loser,) = (each for each in done if isinstance(each, Conflict))
    assert (loser.code, store.stored) == ("stale_revision", winner)
    for each in (two, rival):
        await each.selected.look()
        assert each.manager.selection == winner
        await each.manager.close()


@pytest.mark.parametrize("seen", [0, 1, 99])
async def test_a_change_of_what_is_not_in_force_any_more_is_refused(two: Two, seen: int) -> None:
    await two.manager.switch("mem0_proxy", if_revision=1, **BY)
    with pytest.raises(Conflict, match="revision 2 is in force") as error:
        await two.manager.switch("chat_engine", if_revision=seen, **BY)
    assert refused(error) == ("stale_revision", "if_revision")


async def test_without_the_shared_state_nothing_is_changed(two: Two, store: Store) -> None:
    store.away = True
    with pytest.raises(StoreError, match="nothing was changed: Redis is away"):
        await two.manager.switch("mem0_proxy", **BY)
    assert await two.by() == ("chat_engine", None)


async def test_a_change_that_was_written_but_not_confirmed_counts(two: Two, store: Store) -> None:
    store.late = True
    changed = await two.manager.switch("mem0_proxy", **BY)
    assert store.stored == changed == two.manager.selection


@pytest.mark.parametrize(
    "reason",
    ["", "   ", "x" * (LONGEST_REASON + 1), "a\nb", "a\x00b", "a\x1b[31m", "a\u2028b", "\u202eab"],
)
async def test_a_reason_is_one_line_that_says_something(two: Two, reason: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        await two.manager.switch("mem0_proxy", by="ops", reason=reason)
    assert error.value.param == "reason"


@pytest.mark.parametrize("reason", ["x", "测试", "👩‍🔧 repairs", "x" * LONGEST_REASON])
async def test_any_language_gives_reasons(two: Two, reason: str) -> None:
    assert (await two.manager.switch("mem0_proxy", by="ops", reason=reason)).reason == reason


@pytest.mark.parametrize(
    ("weights", "kind"),
    [
        ({}, InvalidRequest),
        ({"chat_engine": 0}, InvalidRequest),
        ({"engine_3000": 1}, NotFound),
        ({"chat_engine": 1, "engine_3000": 0}, NotFound),
    ],
)
async def test_a_split_of_nothing_or_of_nobody_is_refused(
    two: Two, weights: Mapping[str, int], kind: type[YYChatError]
) -> None:
    with pytest.raises(kind) as error:
        await two.manager.split(weights, **BY)
    assert error.value.param == "weights"


# Following what is shared


@asynccontextmanager
async def following(selected: Selected) -> AsyncIterator[None]:
    task = asyncio.create_task(selected.follow(every=0.01))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(state: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not state():  # noqa: ASYNC110 - what others write has no event here
            await asyncio.sleep(0.005)


async def test_the_first_start_shares_what_the_configuration_says(store: Store) -> None:
    await Selected(store, "mem0_proxy").begin()
    assert store.stored is not None
    assert (store.stored.revision, store.stored.in_force) == (1, {"mem0_proxy": 100})


async def test_later_the_configuration_does_not_count(store: Store) -> None:
    store.stored = selection(3, engine="mem0_proxy")
    selected = Selected(store, "chat_engine")
    await selected.begin()
    assert selected.current == store.stored
    assert store.told == []


async def test_a_change_nobody_announced_is_found(store: Store, two: Two) -> None:
    async with following(two.selected):
        store.stored = selection(8, engine="mem0_proxy")
        await until(lambda: two.manager.selection.revision == 8)


async def test_an_announcement_counts_at_once_and_an_old_one_never(two: Two) -> None:
    two.selected.heard(selection(5, engine="mem0_proxy"))
    assert two.manager.selection.revision == 5
    two.selected.heard(selection(4))
    assert two.manager.selection == selection(5, engine="mem0_proxy")


async def test_what_an_emptied_store_lost_is_told_again(store: Store, two: Two) -> None:
    changed = await two.manager.switch("mem0_proxy", **BY)
    async with following(two.selected):
        store.stored = None
        await until(lambda: store.stored == changed)


async def test_of_those_who_tell_again_the_highest_revision_stays(store: Store) -> None:
    behind, ahead = Selected(store, "chat_engine"), Selected(store, "chat_engine")
    behind.heard(selection(3))
    ahead.heard(selection(4, engine="mem0_proxy"))
    for each in (behind, ahead, behind):
        await each.look()
    assert store.stored == behind.current == selection(4, engine="mem0_proxy")


async def test_who_knows_the_same_revision_otherwise_gives_way_to_what_is_shared(
    store: Store,
) -> None:
    selected = Selected(store, "chat_engine")
    selected.heard(selection(4, by="lost its race"))
    store.stored = selection(4, by="won")
    await selected.look()
    assert selected.current == store.stored == selection(4, by="won")


async def test_with_the_store_away_everybody_stays_where_they_are(store: Store, two: Two) -> None:
    await two.manager.switch("mem0_proxy", **BY)
    store.away = True
    async with following(two.selected):
        await asyncio.sleep(0.05)
        assert await two.by() == ("mem0_proxy", None)


async def test_an_instance_that_starts_while_it_is_away_knows_what_it_knew_last(
    tmp_path: Path, store: Store
) -> None:
    database = Database(tmp_path / "yychat.db")
    noted = SqliteSelections(database, "redis")
    before = Selected(store, "chat_engine", local=noted)
    await before.begin()
    async with following(before):
        before.heard(selection(6, engine="mem0_proxy"))
        await until(lambda: store.stored == selection(6, engine="mem0_proxy"))
        changed = await before.change(before.current, {"mem0_proxy": 1}, **BY)
    store.away = True
    after = Selected(store, "chat_engine", local=noted)
    await after.begin()
    assert after.current == changed
    store.away, store.stored = False, None
    await after.look()
    assert store.stored == changed
    database.close()


async def test_to_look_without_a_change_changes_nothing(store: Store) -> None:
    assert (await Selected(store, "mem0_proxy").peek()).in_force == {"mem0_proxy": 100}
    assert store.stored is None


# How engines are


async def test_one_check_answers_all_who_ask_at_once_and_shortly_after() -> None:
    engine = ScriptedEngine("chat_engine")
    engine.gate = asyncio.Event()
    checkup = Checkup(engine)
    asking = [asyncio.create_task(checkup.finding(5.0)) for _ in range(20)]
    await asyncio.sleep(0)
    engine.gate.set()
    found = {(await each).health.healthy for each in asking}
    await checkup.finding(5.0)
    assert (found, engine.checks) == ({True}, 1)


async def test_a_finding_is_not_good_for_ever() -> None:
    now = 1_000.0
    engine = ScriptedEngine("chat_engine")
    checkup = Checkup(engine, clock=lambda: now)
    await checkup.finding(5.0)
    now += 6
    engine.trouble = "away"
    assert (await checkup.finding(5.0)).health.dependencies == {"memory": "away"}


async def test_who_cannot_wait_gets_an_answer_and_the_check_goes_on() -> None:
    engine = ScriptedEngine("mem0_proxy")
    engine.gate = asyncio.Event()
    checkup = Checkup(engine)
    hasty = await checkup.finding(0.01)
    assert hasty.health.dependencies == {"engine": "its check takes longer than 0.01 s"}
    engine.gate.set()
    assert (await checkup.finding(5.0)).health.healthy
    assert engine.checks == 1


async def test_an_engine_that_was_well_is_as_it_was_until_its_check_is_through() -> None:
    engine, now = ScriptedEngine("mem0_proxy"), 1_000.0
    checkup = Checkup(engine, clock=lambda: now)
    before = await checkup.finding(5.0)
    now += 60
    engine.gate = asyncio.Event()
    assert await checkup.finding(0.01) == before
    engine.gate.set()


@pytest.mark.parametrize(
    ("failure", "told"), [(StoreError("gone"), "gone"), (ValueError("secret"), "its check failed")]
)
async def test_a_check_that_fails_is_a_finding(failure: Exception, told: str) -> None:
    engine = ScriptedEngine("mem0_proxy")
    engine.away = failure
    found = (await Checkup(engine).finding(5.0)).health
    assert (found.healthy, found.dependencies) == (False, {"engine": told})


async def test_a_check_under_way_ends_with_the_service() -> None:
    engine = ScriptedEngine("mem0_proxy")
    engine.gate = asyncio.Event()
    checkup = Checkup(engine)
    await checkup.finding(0.01)
    await checkup.close()
    await checkup.close()


# What all of them remember


def with_memories() -> tuple[ScriptedEngine, ScriptedEngine]:
    chat, mem0 = ScriptedEngine("chat_engine"), ScriptedEngine("mem0_proxy")
    chat.records = [record("c2", at=4.0), record("c1", at=1.0)]
    mem0.records = [record("m2", at=3.0), record("m1", at=2.0)]
    return chat, mem0


async def test_memories_of_all_are_listed_newest_first() -> None:
    found = await remembered(with_memories(), owner(), 3)
    assert [(name, each.id) for name, each in found.records] == [
        ("chat_engine", "c2"),
        ("mem0_proxy", "m2"),
        ("mem0_proxy", "m1"),
    ]
    assert found.counts == {"chat_engine": 2, "mem0_proxy": 2}


async def test_who_cannot_say_what_it_remembers_is_named() -> None:
    chat, mem0 = with_memories()
    mem0.away = StoreError("its store is away")
    found = await remembered([chat, mem0], owner(), 10)
    assert [each.id for _, each in found.records] == ["c2", "c1"]
    assert found.failures == {"mem0_proxy": "its store is away"}


async def test_where_nobody_can_say_it_is_an_error() -> None:
    chat, mem0 = with_memories()
    chat.away = mem0.away = StoreError("gone")
    with pytest.raises(StoreError, match="chat_engine: gone; mem0_proxy: gone"):
        await remembered([chat, mem0], owner(), 10)


async def test_forgetting_reaches_all_and_counts_each() -> None:
    chat, mem0 = with_memories()
    assert await forgotten([chat, mem0], owner()) == {"chat_engine": 2, "mem0_proxy": 2}
    assert chat.records == mem0.records == []


async def test_what_one_could_not_forget_is_not_claimed_and_the_others_did() -> None:
    chat, mem0 = with_memories()
    chat.away = StoreError("gone")
    with pytest.raises(StoreError, match=r"chat_engine: gone; erased in: mem0_proxy") as error:
        await forgotten([chat, mem0], owner())
    assert error.value.code == "not_erased"
    assert mem0.records == []
    chat.away = None
    assert await forgotten([chat, mem0], owner()) == {"chat_engine": 2, "mem0_proxy": 0}
