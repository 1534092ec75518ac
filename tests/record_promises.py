"""What every store of performance records promises: a mix-in that runs over any of them."""

import time

import pytest

from records import record
from remembering import Clock
from yychat.performance.record import Record
from yychat.performance.store import EVERYBODY, KEEP, MOST, RecordStore


def some(clock: Clock, *seconds_ago: float, **fields: object) -> list[Record]:
    return [record(clock() - ago, **fields) for ago in seconds_ago]


class RecordPromises:
    """Fixture: ``store``, which goes by the ``clock``."""

    @pytest.fixture
    def clock(self) -> Clock:
        """Begins now: Redis has a clock of its own."""
        return Clock(time.time())

    async def test_at_first_there_is_nothing(self, store: RecordStore, clock: Clock) -> None:
        assert await store.newest(10) == []
        assert (await store.since(0)).records == []
        assert await store.erasures() == {}
        assert await store.erase() == 0

    async def test_what_is_added_comes_back_as_it_was_newest_first(
        self, store: RecordStore, clock: Clock
    ) -> None:
        [plain, rich] = some(clock, 2, 1)
        rich = record(
            clock() - 1,
            tenant=None,
            model="模型/α",
            stream=True,
            outcome="upstream_error",
            error_type="upstream_5xx",
            fallback_from="mem0_proxy",
            first_token_seconds=0.125,
            input_tokens=0,
            output_tokens=2**40,
            sampled=True,
        )
        await store.add([plain, rich])
        assert await store.newest(10) == [rich, plain]
        assert (await store.since(clock() - 10)).records == [rich, plain]

    async def test_the_newest_are_as_many_as_asked(self, store: RecordStore, clock: Clock) -> None:
        added = some(clock, 5, 4, 3, 2, 1)
        await store.add(added)
        assert await store.newest(2) == [added[4], added[3]]

    async def test_a_window_has_what_ended_in_it(self, store: RecordStore, clock: Clock) -> None:
        added = some(clock, 30, 20, 10)
        await store.add(added)
        window = await store.since(clock() - 20)
        assert window.records == [added[2], added[1]]
        assert window.begins == clock() - 20

    async def test_what_comes_late_is_where_it_belongs(
        self, store: RecordStore, clock: Clock
    ) -> None:
        now, before = some(clock, 1, 30)
        await store.add([now])
        await store.add([before])
        assert await store.newest(10) == [now, before]
        assert (await store.since(clock() - 10)).records == [now]

    async def test_a_record_that_is_added_twice_is_shown_once(
        self, store: RecordStore, clock: Clock
    ) -> None:
        added = some(clock, 2, 1)
        await store.add(added)
        await store.add(added)
        assert await store.newest(10) == [added[1], added[0]]
        assert len((await store.since(0)).records) == 2

    async def test_a_tenant_has_its_own(self, store: RecordStore, clock: Clock) -> None:
        mine, theirs = some(clock, 3, 1, tenant="mine"), some(clock, 2, tenant="theirs")
        nobodys = some(clock, 4, tenant=None)
        await store.add([*mine, *theirs, *nobodys])
        assert await store.newest(10, "mine") == [mine[1], mine[0]]
        assert (await store.since(0, "theirs")).records == theirs
        assert await store.newest(10, "nobody") == []
        assert len(await store.newest(10)) == 4

    async def test_nothing_is_shown_after_its_time(self, store: RecordStore, clock: Clock) -> None:
        await store.add(some(clock, KEEP + 1, KEEP - 1))
        assert len(await store.newest(10)) == 1
        assert len((await store.since(0)).records) == 1

    async def test_ten_thousand_are_kept_and_who_asks_is_told_from_when_on(
        self, store: RecordStore, clock: Clock
    ) -> None:
        added = [record(clock() - 20 + n / 1000) for n in range(MOST + 2_000)]
        for begin in range(0, len(added), 1_000):
            await store.add(added[begin : begin + 1_000])
        window = await store.since(clock() - 3_600)
        assert MOST <= len(window.records) < MOST + 200
        assert window.records[0] == added[-1]
        assert window.begins > clock() - 3_600

    async def test_erasing_forgets_everything(self, store: RecordStore, clock: Clock) -> None:
        await store.add(some(clock, 3, 2, 1))
        assert await store.erase() == 3
        assert await store.newest(10) == []
        assert await store.erasures() == {EVERYBODY: clock()}

    async def test_erasing_a_tenant_leaves_the_others(
        self, store: RecordStore, clock: Clock
    ) -> None:
        theirs = some(clock, 2, tenant="theirs")
        await store.add([*some(clock, 3, 1, tenant="mine"), *theirs])
        assert await store.erase("mine") == 2
        assert await store.newest(10) == theirs
        assert await store.erasures() == {"mine": clock()}

    @pytest.mark.parametrize("tenant", [None, "local"])
    async def test_what_was_under_way_while_it_was_erased_does_not_come_back(
        self, store: RecordStore, clock: Clock, tenant: str | None
    ) -> None:
        late = some(clock, 1)
        await store.erase(tenant)
        clock.pass_(10)
        new = some(clock, 1)
        await store.add([*late, *new])
        assert await store.newest(10) == new
        assert (await store.since(0)).records == new
