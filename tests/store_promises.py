"""What every store of turns promises; a subclass says which store (and its outbox)."""

from collections.abc import Sequence

import pytest

from remembering import Clock, ids, job, owner, turn
from yychat.memory.outbox import Outbox
from yychat.memory.turns import StoredTurn, TurnStore, Vectors
from yychat.owner import Kind

KEEP = 1_000
AWKWARD = {
    "Chinese": "我喜欢喝绿茶，不喜欢咖啡。",
    "emoji": "👩‍👩‍👧‍👦 🏳️‍🌈",
    "a NUL": "before\x00after",
    "100 kB": "长" * 100_000,
    "quotes": """'; DROP TABLE turns; -- " ` \\""",
    "right to left": "שלום \u202egnal",
    "empty": "",
}


class StorePromises:
    """Fixtures a subclass gives: ``store`` and ``outbox`` over one place, both on ``clock``."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    async def test_a_turn_is_seen_as_it_was_stored(self, store: TurnStore) -> None:
        stored = turn("What is blue?", "The sky.")
        await store.append(owner(), (stored, None), keep=KEEP)
        assert await store.newest(owner(), 10) == [stored]

    @pytest.mark.parametrize("text", AWKWARD.values(), ids=AWKWARD.keys())
    async def test_any_text_comes_back_unchanged(self, store: TurnStore, text: str) -> None:
        stored = turn(text, text[::-1])
        await store.append(owner(), (stored, None), keep=KEEP)
        look = await store.look(owner(), epoch=0, after=0)
        assert [seen.turn for seen in look.turns] == [stored]

    @pytest.mark.parametrize("text", AWKWARD.values(), ids=AWKWARD.keys())
    async def test_any_text_is_seen_unchanged_while_it_waits(
        self, store: TurnStore, outbox: Outbox, text: str
    ) -> None:
        waiting = turn(text, text[::-1])
        await outbox.put(job(waiting))
        look = await store.look(owner(), epoch=0, after=0)
        assert [seen.turn for seen in look.turns] == [waiting]

    async def test_vectors_come_back_with_their_turn(self, store: TurnStore) -> None:
        vectors = Vectors(model="m", user=b"\x00\x01", assistant=b"")
        await store.append(owner(), (turn(), vectors), keep=KEEP)
        look = await store.look(owner(), epoch=0, after=0)
        assert [seen.vectors for seen in look.turns] == [vectors]

    async def test_a_look_is_spared_the_waiting_turns_it_has_seen(
        self, store: TurnStore, outbox: Outbox
    ) -> None:
        seen, new = turn(), turn()
        await outbox.put(job(seen))
        first = await store.look(owner(), epoch=0, after=0)
        await outbox.put(job(new))
        second = await store.look(owner(), epoch=first.epoch, after=0, mark=first.mark)
        assert new in [found.turn for found in second.turns]
        third = await store.look(owner(), epoch=second.epoch, after=0, mark=second.mark)
        assert list(third.turns) == []

    async def test_what_is_too_old_expires_and_the_rest_stays(self, store: TurnStore) -> None:
        old, new = turn(at=100.0), turn(at=200.0)
        for each in (old, new):
            await store.append(owner(), (each, None), keep=KEEP)
        assert await store.expire(before=200.0) == 1
        assert await store.newest(owner(), 10) == [new]

    async def test_dead_letters_expire_and_what_still_waits_does_not(
        self, store: TurnStore, outbox: Outbox
    ) -> None:
        old, new, waiting = turn(at=100.0), turn(at=200.0), turn(at=100.0)
        for each in (old, new):
            await outbox.put(job(each))
            (claimed,) = await outbox.claim("worker", 1, 30.0)
            await outbox.bury(claimed)
        await outbox.put(job(waiting))
        assert await store.expire(before=200.0) == 1
        assert await store.newest(owner(), 10) == [new, waiting]
        backlog = await outbox.backlog()
        assert (backlog.pending, backlog.dead) == (1, 1)

    async def test_storing_a_turn_twice_is_storing_it_once(self, store: TurnStore) -> None:
        stored = turn()
        for _ in range(2):
            await store.append(owner(), (stored, None), keep=KEEP)
        assert await store.newest(owner(), 10) == [stored]

    async def test_a_look_brings_exactly_what_is_new(self, store: TurnStore) -> None:
        old, new = turn(), turn()
        await store.append(owner(), (old, None), keep=KEEP)
        first = await store.look(owner(), epoch=0, after=0)
        await store.append(owner(), (new, None), keep=KEEP)
        second = await store.look(owner(), epoch=first.epoch, after=reached(first.turns))
        assert [seen.turn for seen in second.turns] == [new]

    async def test_a_look_with_nothing_new_is_empty(self, store: TurnStore) -> None:
        await store.append(owner(), (turn(), None), keep=KEEP)
        first = await store.look(owner(), epoch=0, after=0)
        second = await store.look(owner(), epoch=first.epoch, after=reached(first.turns))
        assert (second.epoch, list(second.turns)) == (first.epoch, [])

    async def test_turns_are_seen_in_the_order_of_storing(self, store: TurnStore) -> None:
        stored = [turn(at=100.0 + n) for n in range(20)]
        for each in stored:
            await store.append(owner(), (each, None), keep=KEEP)
        look = await store.look(owner(), epoch=0, after=0)
        assert [seen.turn for seen in look.turns] == stored
        places = [seen.seq or 0 for seen in look.turns]
        assert places == sorted(set(places))

    async def test_a_turn_in_the_outbox_is_seen_without_a_place(
        self, store: TurnStore, outbox: Outbox
    ) -> None:
        stored, waiting = turn(at=1.0), turn(at=2.0)
        await store.append(owner(), (stored, None), keep=KEEP)
        await outbox.put(job(waiting))
        look = await store.look(owner(), epoch=0, after=0)
        assert [(seen.turn, seen.seq is None) for seen in look.turns] == [
            (stored, False),
            (waiting, True),
        ]

    async def test_a_dead_turn_is_seen_all_the_same(self, store: TurnStore, outbox: Outbox) -> None:
        dead = turn()
        await outbox.put(job(dead))
        (claimed,) = await outbox.claim("worker", 1, 30.0)
        await outbox.bury(claimed)
        look = await store.look(owner(), epoch=0, after=0)
        assert [seen.turn for seen in look.turns] == [dead]

    async def test_what_waits_for_another_memory_is_not_seen(
        self, store: TurnStore, outbox: Outbox
    ) -> None:
        await outbox.put(job(turn(), kind="mem0"))
        assert not (await store.look(owner(), epoch=0, after=0)).turns
        assert await store.newest(owner(), 10) == []

    async def test_the_newest_come_newest_first(self, store: TurnStore, outbox: Outbox) -> None:
        stored = [turn(at=float(n)) for n in range(5)]
        for each in stored[:4]:
            await store.append(owner(), (each, None), keep=KEEP)
        await outbox.put(job(stored[4]))
        assert await store.newest(owner(), 3) == [stored[4], stored[3], stored[2]]

    async def test_a_turn_that_is_stored_and_still_waits_is_listed_once(
        self, store: TurnStore, outbox: Outbox
    ) -> None:
        both = turn()
        await outbox.put(job(both))
        await store.append(owner(), (both, None), keep=KEEP)
        assert await store.newest(owner(), 10) == [both]

    async def test_a_dead_turn_does_not_stay_the_newest(
        self, store: TurnStore, outbox: Outbox
    ) -> None:
        dead, later = turn(at=1.0), turn(at=2.0)
        await outbox.put(job(dead))
        (claimed,) = await outbox.claim("worker", 1, 30.0)
        await outbox.bury(claimed)
        await store.append(owner(), (later, None), keep=KEEP)
        assert await store.newest(owner(), 10) == [later, dead]

    @pytest.mark.parametrize("owners", [1, 2, 32])
    async def test_an_owner_keeps_about_its_bound_whoever_else_is_active(
        self, store: TurnStore, owners: int
    ) -> None:
        everybody = [owner(f"user {n}") for n in range(owners)]
        for n in range(150):
            for one in everybody:
                stored = turn(at=float(n), id=f"{one.key}-{n}")
                await store.append(one, (stored, None), keep=10)
        for one in everybody:
            kept = await store.newest(one, 1_000)
            assert ids(kept)[:10] == [f"{one.key}-{n}" for n in range(149, 139, -1)]
            assert len(kept) < 10 + 100

    async def test_erasing_counts_turns_stored_waiting_and_dead(
        self, store: TurnStore, outbox: Outbox
    ) -> None:
        await store.append(owner(), (turn(), None), keep=KEEP)
        for _ in range(2):
            await outbox.put(job(turn()))
        (claimed,) = await outbox.claim("worker", 1, 30.0)
        await outbox.bury(claimed)
        assert await store.erase(owner()) == 3

    async def test_erasing_leaves_nothing(self, store: TurnStore, outbox: Outbox) -> None:
        await store.append(owner(), (turn(), None), keep=KEEP)
        for _ in range(2):
            await outbox.put(job(turn()))
        (claimed,) = await outbox.claim("worker", 1, 30.0)
        await outbox.bury(claimed)
        await store.erase(owner())
        backlog = await outbox.backlog()
        assert (backlog.pending, backlog.dead) == (0, 0)
        assert await store.newest(owner(), 10) == []
        assert not (await store.look(owner(), epoch=0, after=0)).turns
        assert await store.erase(owner()) == 0

    async def test_erasing_ends_an_epoch(self, store: TurnStore) -> None:
        before = (await store.look(owner(), epoch=0, after=0)).epoch
        await store.erase(owner())
        once = (await store.look(owner(), epoch=before, after=0)).epoch
        await store.erase(owner())
        twice = (await store.look(owner(), epoch=once, after=0)).epoch
        assert len({before, once, twice}) == 3

    async def test_a_look_from_another_epoch_starts_over(
        self, store: TurnStore, clock: Clock
    ) -> None:
        await store.append(owner(), (turn(), None), keep=KEEP)
        seen = await store.look(owner(), epoch=0, after=0)
        await store.erase(owner())
        later = [turn(at=clock.now + 1), turn(at=clock.now + 2)]
        for each in later:
            await store.append(owner(), (each, None), keep=KEEP)
        look = await store.look(owner(), epoch=seen.epoch, after=10**9)
        assert [each.turn for each in look.turns] == later

    @pytest.mark.parametrize("answered", [-10.0, 0.0], ids=["before", "in the same instant"])
    async def test_a_turn_answered_before_an_erasure_stays_erased_when_delivered_after(
        self, store: TurnStore, clock: Clock, answered: float
    ) -> None:
        late = turn(at=clock.now + answered)
        await store.erase(owner())
        clock.pass_(5)
        await store.append(owner(), (late, None), keep=KEEP)
        assert await store.newest(owner(), 10) == []

    async def test_a_turn_answered_before_an_erasure_stays_erased_when_put_after(
        self, store: TurnStore, outbox: Outbox, clock: Clock
    ) -> None:
        late = turn(at=clock.now - 1)
        await store.erase(owner())
        await outbox.put(job(late))
        assert not (await store.look(owner(), epoch=0, after=0)).turns
        assert (await outbox.backlog()).pending == 0

    async def test_a_turn_answered_after_an_erasure_is_kept(
        self, store: TurnStore, outbox: Outbox, clock: Clock
    ) -> None:
        await store.erase(owner())
        stored, waiting = turn(at=clock.now + 1), turn(at=clock.now + 2)
        await store.append(owner(), (stored, None), keep=KEEP)
        await outbox.put(job(waiting))
        assert await store.newest(owner(), 10) == [waiting, stored]

    async def test_erasing_one_owner_leaves_the_others(
        self, store: TurnStore, outbox: Outbox
    ) -> None:
        others = [owner("bob"), owner(tenant="other"), owner(kind="conversation")]
        for one in (owner(), *others):
            await store.append(one, (turn(), None), keep=KEEP)
            await outbox.put(job(turn(), one))
        await store.erase(owner())
        assert [len(await store.newest(one, 10)) for one in others] == [2, 2, 2]

    async def test_erasing_a_tenant_erases_all_of_its_owners_and_nobody_elses(
        self, store: TurnStore, outbox: Outbox
    ) -> None:
        mine = [owner(), owner("bob"), owner(kind="conversation")]
        theirs = owner(tenant="other")
        for one in (*mine, theirs):
            await store.append(one, (turn(), None), keep=KEEP)
        await outbox.put(job(turn(), owner("only waiting")))
        await outbox.put(job(turn(), theirs))
        assert await store.erase_tenant("acme") == 4
        for one in (*mine, owner("only waiting")):
            assert await store.newest(one, 10) == []
        assert len(await store.newest(theirs, 10)) == 2

    async def test_erasing_a_tenant_ends_its_owners_epochs(
        self, store: TurnStore, clock: Clock
    ) -> None:
        await store.append(owner(), (turn(), None), keep=KEEP)
        before = await store.look(owner(), epoch=0, after=0)
        late = turn(at=clock.now - 1)
        await store.erase_tenant("acme")
        await store.append(owner(), (late, None), keep=KEEP)
        after = await store.look(owner(), epoch=before.epoch, after=0)
        assert after.epoch != before.epoch
        assert not after.turns

    async def test_a_turn_of_an_owner_without_any_stays_erased_with_its_tenant(
        self, store: TurnStore, outbox: Outbox, clock: Clock
    ) -> None:
        late, later = turn(at=clock.now - 1), turn(at=clock.now - 1)
        await store.erase_tenant("acme")
        await outbox.put(job(late))
        await store.append(owner(), (later, None), keep=KEEP)
        assert await store.newest(owner(), 10) == []
        assert (await outbox.backlog()).pending == 0
        other = owner(tenant="other")
        await outbox.put(job(late, other))
        assert await store.newest(other, 10) == [late]

    async def test_a_turn_that_an_erasure_drops_is_logged_without_its_words(
        self, store: TurnStore, outbox: Outbox, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        await store.erase(owner())
        await outbox.put(job(turn("my secret", at=clock.now - 1)))
        await store.append(owner(), (turn("my secret", at=clock.now - 1), None), keep=KEEP)
        assert caplog.text.count(f"a turn of {owner().key} is dropped") == 2
        assert "my secret" not in caplog.text

    async def test_an_epoch_never_comes_again_however_long_ago_the_erasures_were(
        self, store: TurnStore, clock: Clock
    ) -> None:
        seen = [(await store.look(owner(), epoch=0, after=0)).epoch]
        for _ in range(3):
            await store.erase(owner())
            await store.erase(owner("bob"))
            clock.pass_(10 * 86_400.0)
            await store.expire(before=0.0)
            seen.append((await store.look(owner(), epoch=seen[-1], after=0)).epoch)
        assert len(set(seen)) == len(seen)

    async def test_erasing_an_unknown_tenant_erases_nothing(self, store: TurnStore) -> None:
        await store.append(owner(), (turn(), None), keep=KEEP)
        assert await store.erase_tenant("acm") == 0
        assert await store.erase_tenant("%") == 0
        assert len(await store.newest(owner(), 10)) == 1

    @pytest.mark.parametrize("kind", ["conversation", "user"])
    async def test_tenants_and_kinds_with_the_same_id_never_meet(
        self, store: TurnStore, kind: Kind
    ) -> None:
        await store.append(owner("same", kind=kind), (turn(), None), keep=KEEP)
        other: Kind = "user" if kind == "conversation" else "conversation"
        for stranger in (owner("same", kind=other), owner("same", tenant="other", kind=kind)):
            assert await store.newest(stranger, 10) == []
            assert not (await store.look(stranger, epoch=0, after=0)).turns


def reached(turns: Sequence[StoredTurn]) -> int:
    """How far into the store *turns* go."""
    return max((seen.seq or 0 for seen in turns), default=0)
