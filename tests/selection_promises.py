"""What every store of the selection promises: a mix-in that runs over any of them."""

import asyncio

import pytest

from yychat.engines.selection import KEPT, Selection, SelectionStore


def selection(revision: int, *, engine: str = "chat_engine", by: str = "ops") -> Selection:
    return Selection({engine: 100}, revision, by, "because", 1_700_000_000.125 + revision)


class SelectionPromises:
    """Fixtures: ``store``, and ``other``, the same one as another process sees it."""

    async def test_at_first_nothing_is_known(self, store: SelectionStore) -> None:
        assert await store.read() is None
        assert await store.history(10) == []

    async def test_what_is_proposed_is_read_by_everybody_as_it_was(
        self, store: SelectionStore, other: SelectionStore
    ) -> None:
        told = Selection({"a": 90, "b": 10, "c": 0}, 1, "ops", "Probe für 10 % 测试", 1.5)
        assert await store.propose(told)
        assert await store.read() == told
        assert await other.read() == told

    async def test_a_higher_revision_follows(
        self, store: SelectionStore, other: SelectionStore
    ) -> None:
        assert await store.propose(selection(1))
        assert await other.propose(selection(2, engine="mem0_proxy"))
        assert await store.read() == selection(2, engine="mem0_proxy")

    @pytest.mark.parametrize("late", [5, 4, 1])
    async def test_what_is_not_higher_is_refused_and_changes_nothing(
        self, store: SelectionStore, other: SelectionStore, late: int
    ) -> None:
        assert await store.propose(selection(5))
        assert not await other.propose(selection(late, by="late"))
        assert await store.read() == selection(5)
        assert await store.history(10) == [selection(5)]

    async def test_of_several_with_one_revision_one_wins(
        self, store: SelectionStore, other: SelectionStore
    ) -> None:
        for revision in range(1, 21):
            rivals = [selection(revision, by=f"rival-{n}") for n in range(8)]
            proposed = ((store, other)[n % 2].propose(rival) for n, rival in enumerate(rivals))
            won = await asyncio.gather(*proposed)
            assert won.count(True) == 1
            assert await store.read() == rivals[won.index(True)]

    async def test_what_somebody_still_knew_may_leave_revisions_out(
        self, store: SelectionStore
    ) -> None:
        assert await store.propose(selection(17))
        assert await store.read() == selection(17)

    async def test_the_history_is_newest_first_and_as_long_as_asked(
        self, store: SelectionStore, other: SelectionStore
    ) -> None:
        for revision in range(1, 6):
            await store.propose(selection(revision))
        assert [each.revision for each in await other.history(3)] == [5, 4, 3]

    async def test_the_history_does_not_grow_without_bound(self, store: SelectionStore) -> None:
        for revision in range(1, KEPT + 201):
            assert await store.propose(selection(revision))
        assert KEPT <= len(await store.history(KEPT * 2)) < KEPT + 200
        assert await store.read() == selection(KEPT + 200)
