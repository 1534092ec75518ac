"""An engine that is reported as failing loses its traffic, and when it does not."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from alerting_parts import Office, opened, told
from yychat.alerting.notification import Alert
from yychat.alerting.rollback import COOL_DOWN, HELD
from yychat.errors import StoreError
from yychat.sqlite import Database

MINUTE = 60.0
LONG = HELD + 1


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path) as database:
        yield database


@pytest.fixture
async def office(database: Database) -> AsyncIterator[Office]:
    office = Office(database)
    yield office
    await office.manager.close()


async def test_traffic_goes_back_to_the_selection_that_held(office: Office) -> None:
    held = await office.select(chat_engine=7)
    await office.select(after=LONG, mem0_proxy=100)
    office.now += MINUTE
    assert await office.hear() == ("done", f"back to selection {held.revision}, which held")
    assert (await office.shares()) == {"chat_engine": 7}


async def test_a_selection_that_held_for_too_short_is_no_proof(office: Office) -> None:
    await office.select(chat_engine=7)
    await office.select(after=HELD - 1, mem0_proxy=100)
    assert await office.hear() == ("done", "over to chat_engine")
    assert (await office.shares()) == {"chat_engine": 100}


async def test_a_selection_whose_engine_was_failing_when_it_ended_is_no_proof(
    office: Office,
) -> None:
    await office.select(chat_engine=7)
    office.now += LONG
    await office.hear(engine="chat_engine", began=office.now - 10_000)
    await office.select(after=MINUTE, mem0_proxy=100)
    assert await office.hear(fingerprint="f2") == ("done", "over to chat_engine")


async def test_a_failure_that_was_long_over_does_not_spoil_it(office: Office) -> None:
    held = await office.select(chat_engine=7)
    office.now += 10
    over = told(office.now, ended=office.now + 5, engine="chat_engine")
    await office.desk.take([msgspec.convert(over, Alert)])
    await office.select(after=2 * LONG, mem0_proxy=100)
    assert await office.hear() == ("done", f"back to selection {held.revision}, which held")


async def test_a_selection_that_gives_the_failing_engine_a_share_is_passed_over(
    office: Office,
) -> None:
    older = await office.select(chat_engine=3)
    await office.select(after=LONG, chat_engine=9, mem0_proxy=1)
    await office.select(after=LONG, mem0_proxy=100)
    assert await office.hear() == ("done", f"back to selection {older.revision}, which held")


async def test_a_split_loses_the_failing_part(office: Office) -> None:
    await office.select(chat_engine=50, mem0_proxy=50)
    assert await office.hear() == ("done", "over to chat_engine")
    assert (await office.shares()) == {"chat_engine": 100}


async def test_the_history_says_who_and_why(office: Office) -> None:
    await office.select(mem0_proxy=100)
    await office.hear()
    (newest, *_) = await office.selected.history(1)
    assert newest.changed_by == "alert:YYChatEngineFailing"
    assert newest.reason == "mem0_proxy fails: over to chat_engine"


async def test_an_engine_without_a_share_is_left_alone(office: Office) -> None:
    await office.select(chat_engine=100)
    assert await office.hear() == ("refused", "it has no share")


async def test_an_engine_that_is_not_there_is_refused(office: Office) -> None:
    assert await office.hear(engine="gpt") == ("refused", "there is no such engine")


async def test_an_alert_that_is_older_than_the_selection_changes_nothing(office: Office) -> None:
    await office.select(mem0_proxy=100)
    came = await office.hear(began=office.now - 1)
    assert came == ("refused", "the alert began before the current selection")
    assert (await office.shares()) == {"mem0_proxy": 100}


async def test_inside_the_cool_down_nothing_happens_and_after_it_something_does(
    office: Office,
) -> None:
    await office.select(mem0_proxy=100)
    await office.hear()
    office.now += COOL_DOWN - 1
    came = await office.hear(engine="chat_engine", fingerprint="f2")
    assert came == ("refused", "the last rollback was less than 900 s ago")
    office.now += 1
    assert (await office.hear(engine="chat_engine", fingerprint="f2"))[0] == "done"


async def test_the_cool_down_outlives_what_operators_do_meanwhile(office: Office) -> None:
    await office.select(mem0_proxy=100)
    await office.hear()
    await office.select(after=MINUTE, mem0_proxy=100)
    assert (await office.hear())[1] == "the last rollback was less than 900 s ago"


async def test_the_cool_down_is_every_instances(office: Office, database: Database) -> None:
    other = Office(database)
    await office.select(mem0_proxy=100)
    await office.hear()
    other.now = office.now + MINUTE
    assert (await other.hear(engine="chat_engine"))[1] == (
        "the last rollback was less than 900 s ago"
    )
    await other.manager.close()


async def test_of_two_instances_that_hear_it_at_once_one_acts(
    office: Office, database: Database
) -> None:
    other = Office(database)
    await office.select(mem0_proxy=100)
    results = await asyncio.gather(office.hear(), other.hear())
    assert sorted(result for result, _ in results) == ["done", "refused"]
    assert len(await office.selected.history(10)) == 3  # the first, the operator's, and this one
    await other.manager.close()


async def test_an_engine_that_is_not_well_gets_no_traffic(office: Office) -> None:
    await office.select(mem0_proxy=100)
    office.engines["chat_engine"].trouble = "its store is away"
    result, why = await office.hear()
    assert result == "refused"
    assert "chat_engine is not well" in why
    assert (await office.shares()) == {"mem0_proxy": 100}


async def test_it_never_goes_back_by_itself(office: Office) -> None:
    await office.select(mem0_proxy=100)
    began = office.now
    await office.hear()
    office.now += COOL_DOWN * 2
    over = told(began, ended=office.now)
    await office.desk.take([msgspec.convert(over, Alert)])
    assert (await office.shares()) == {"chat_engine": 100}


async def test_switched_off_it_says_what_it_would_have_done(database: Database) -> None:
    office = Office(database, on=False)
    await office.select(mem0_proxy=100)
    assert await office.hear() == ("would", "over to chat_engine")
    assert (await office.shares()) == {"mem0_proxy": 100}
    office.now += MINUTE
    assert (await office.hear())[0] == "would"
    await office.manager.close()


async def test_switched_off_it_would_not_go_to_an_engine_that_is_not_well(
    database: Database,
) -> None:
    office = Office(database, on=False)
    await office.select(mem0_proxy=100)
    office.engines["chat_engine"].trouble = "its store is away"
    assert await office.hear() == ("refused", "chat_engine is not well")
    await office.manager.close()


async def test_what_happened_is_counted_and_recorded(office: Office) -> None:
    await office.select(mem0_proxy=100)
    began = office.now
    await office.hear()
    office.now += MINUTE
    await office.hear(began=began)
    assert office.counts == {
        ("yychat_alerts_received_total", "YYChatEngineFailing", "firing"): 2,
        ("yychat_rollbacks_total", "mem0_proxy", "done"): 1,
        ("yychat_rollbacks_total", "mem0_proxy", "refused"): 1,
        ("yychat_engine_switches_total", "rollback"): 1,
    }
    later, done = await office.desk.newest(10)
    assert (later.rollback and later.rollback.why) == "it has no share"
    assert (done.rollback and done.rollback.weights) == {"chat_engine": 100, "mem0_proxy": 0}


async def test_repetitions_do_not_fill_the_inbox(office: Office) -> None:
    await office.select(chat_engine=100)
    began = office.now
    for _ in range(5):
        office.now += MINUTE
        await office.hear(began=began)
    (entry,) = await office.desk.newest(10)
    assert entry.received == office.now


async def test_where_the_shared_state_is_away_it_has_to_be_tried_again(
    office: Office, database: Database
) -> None:
    await office.select(mem0_proxy=100)
    database.close()
    with pytest.raises(StoreError):
        await office.hear()
