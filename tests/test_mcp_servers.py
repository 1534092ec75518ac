"""Real MCP servers over every transport: served, called, broken in every way, and back again."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop

from mcp_parts import EVERYTHING, address, kept, mcp_server, program, runs, server, until
from mcp_server import ODD
from running import Running
from yychat.resilience import Backoff
from yychat.tools.mcp import stdio
from yychat.tools.mcp.config import Address, Program
from yychat.tools.mcp.names import exposed
from yychat.tools.mcp.server import Timings

Place = Program | Address
DOUBTING = Timings(every=60.0, within=1.0, pauses=Backoff(first=0.05, most=0.2))
ASKING = Timings(every=0.1, pauses=Backoff(first=0.05, most=0.2))


def port_of(running: Running) -> int:
    return int(running.url.split(":")[2].split("/")[0])


@pytest.fixture(scope="module")
def http() -> Iterator[Running]:
    with mcp_server("http") as running:
        yield running


@pytest.fixture(scope="module")
def sse() -> Iterator[Running]:
    with mcp_server("sse") as running:
        yield running


@pytest.fixture(params=["http", "sse", "stdio"])
def place(request: pytest.FixtureRequest, http: Running, sse: Running) -> Place:
    """A server that is well, over every transport."""
    places: dict[str, Place] = {
        "http": address(http.url),
        "sse": address(sse.url),
        "stdio": program(),
    }
    return places[request.param]


async def test_a_servers_tools_are_offered_with_its_own_schemas(http: Running) -> None:
    async with kept(server(address(http.url))) as it:
        offered = {tool.name: tool for tool in it.registry.offered(None)}
        assert offered["s__odd"].parameters == ODD
        assert offered["s__odd"].description == "The tool odd."
        assert {tool.source for tool in offered.values()} == {"s"}
        assert it.registry.quarantined.keys() == {"s__bad"}
        assert it.first.trouble is None


async def test_tools_are_called_over_every_transport(place: Place) -> None:
    async with kept(server(place)) as it:
        assert await it.said("echo", text="hello") == "hello"
        odd = {"type": "object", "properties": {"n": 1}, "$ref": "r"}
        assert await it.said("odd", **odd) == odd
        assert await it.said("structured") == {"degrees": 21.5}
        look, picture, link, held = await it.said("picture")
        assert (look, picture["type"], picture["bytes"]) == ("look", "image", 9)
        assert (link["uri"], held["text"]) == ("file:///a.txt", "beta")
        assert await it.error("fail") == "the city is unknown"
        assert "not today" in await it.error("refuse")
        assert (await it.said("big", size=1_000_000))["truncated"] is True
        illegal = exposed("s", "a tool, with an illegal name")
        result = await it.registry.call(illegal, {"text": "x"}, allowed=None)
        assert result.ok


async def test_a_hundred_calls_at_once_are_each_given_their_own_answer(place: Place) -> None:
    async with kept(server(place, parallel=100, timeout=30.0)) as it:
        calls = [it.said("echo", text=str(n), seconds=(n * 37 % 100) / 500) for n in range(100)]
        assert await asyncio.gather(*calls) == [str(n) for n in range(100)]


async def test_a_server_that_has_other_tools_says_so_and_they_are_offered(place: Place) -> None:
    async with kept(server(place)) as it:
        await it.said("change", name="new")
        await until(lambda: it.registry.knows("s__new"))
        assert await it.said("new", text="there") == "there"


async def test_a_call_without_an_answer_fails_at_its_deadline_and_others_go_on(
    http: Running,
) -> None:
    async with kept(server(address(http.url), timeout=2.0)) as it:
        hanging = asyncio.create_task(it.error("hang"))
        assert await it.said("echo", text="meanwhile") == "meanwhile"
        assert await hanging == "s did not answer within 2 seconds"
        assert await it.said("echo", text="after") == "after"


async def test_a_server_that_never_answers_is_left_alone_after_a_while(http: Running) -> None:
    async with kept(server(address(http.url), timeout=0.2)) as it:
        await asyncio.gather(*(it.error("hang") for _ in range(3)))
        assert it.first.breaker.state == "open"
        assert await it.error("echo") == "s is not answering at the moment; go on without its tools"


async def test_calls_that_wait_for_a_turn_wait_no_longer_than_their_deadline(
    http: Running,
) -> None:
    async with kept(server(address(http.url), timeout=0.5, parallel=1)) as it:
        said = await asyncio.gather(*(it.error("hang") for _ in range(5)))
        assert set(said) == {"s did not answer within 0.5 seconds"}


async def test_a_call_that_is_cancelled_leaves_its_place_to_the_next(http: Running) -> None:
    async with kept(server(address(http.url), parallel=1)) as it:
        hanging = asyncio.create_task(it.call("hang"))
        await asyncio.sleep(0.05)
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        assert await it.said("echo", text="next") == "next"


async def test_a_server_that_was_started_again_is_asked_again() -> None:
    """Its session is gone, which is found out by the call; what that asks is done once."""
    with mcp_server("http") as first:
        async with kept(server(address(first.url))) as it:
            assert await it.said("echo", text="before") == "before"
            first.kill()
            with mcp_server("http", port_of(first)):
                assert await it.said("echo", text="after") == "after"


async def test_a_broken_connection_is_noticed_and_made_again() -> None:
    with mcp_server("sse") as first:
        async with kept(server(address(first.url))) as it:
            first.kill()
            await until(lambda: it.first.trouble is not None)
            with mcp_server("sse", port_of(first)):
                await until(lambda: it.first.trouble is None)
                assert await it.said("echo", text="after") == "after"


async def test_a_server_that_freezes_is_left_alone_and_found_again_when_it_thaws() -> None:
    with mcp_server("http") as running:
        async with kept(server(address(running.url), timeout=1.5), timings=DOUBTING) as it:
            running.process.send_signal(signal.SIGSTOP)
            assert await it.error("echo") == "s did not answer within 1.5 seconds"
            await until(lambda: it.first.trouble is not None)
            assert it.first.trouble == "it does not answer any more"
            running.process.send_signal(signal.SIGCONT)
            await until(lambda: it.first.trouble is None)
            assert await it.said("echo", text="thawed") == "thawed"


async def test_a_server_that_is_away_keeps_its_tools_on_offer_and_nobody_waiting() -> None:
    with mcp_server("http") as running:
        async with kept(server(address(running.url)), timings=ASKING) as it:
            running.kill()
            await until(lambda: it.first.breaker.state != "closed")
            assert it.first.trouble == "it cannot be reached"
            assert it.registry.knows("s__echo")
            assert "not answering" in await it.error("echo")


async def test_a_program_that_hangs_is_ended_and_started_again() -> None:
    async with kept(server(program(), timeout=1.5), timings=DOUBTING) as it:
        before = (await it.said("spawn"))["pids"]
        assert await it.error("block") == "s did not answer within 1.5 seconds"
        await until(lambda: it.first.trouble is not None)
        assert not any(map(runs, before))
        await until(lambda: it.first.trouble is None)
        assert await it.said("echo", text="again") == "again"


async def test_a_program_that_crashes_or_says_what_means_nothing_is_started_again() -> None:
    async with kept(server(program())) as it:
        for fault in ("crash", "garbage", "endless"):
            assert "not known whether the call was done" in await it.error(fault)
            assert await it.said("echo", text=f"after {fault}") == f"after {fault}"


async def test_a_program_sees_the_variables_it_was_given_and_no_others() -> None:
    os.environ["YYCHAT_SECRET_OF_OURS"] = "1"
    try:
        async with kept(server(program(TOKEN="t"))) as it:
            seen = await it.said("environment")
    finally:
        del os.environ["YYCHAT_SECRET_OF_OURS"]
    assert seen.pop("TOKEN") == "t"
    assert seen.keys() <= {"PATH", "LC_CTYPE", "__CF_USER_TEXT_ENCODING"}


async def test_a_program_ends_with_the_service_and_takes_along_what_it_started() -> None:
    async with kept(server(program())) as it:
        pids = (await it.said("spawn"))["pids"]
        assert all(map(runs, pids))
    await until(lambda: not any(map(runs, pids)))


def test_a_program_ends_even_where_its_end_is_cut_short(tmp_path: Path) -> None:
    """On the service's own loop: asyncio's kills the processes that it forgets."""
    uvloop.run(cut_short(tmp_path / "pid"))


async def cut_short(noted: Path) -> None:
    async def used() -> None:
        async with stdio.program(program("--fault", "deaf", "--pid", str(noted))):
            await until(noted.exists)

    using = asyncio.create_task(used())
    await until(noted.exists)
    await asyncio.sleep(0.05)  # it has been told to end, and does not
    using.cancel()
    with pytest.raises(asyncio.CancelledError):
        await using
    await until(lambda: not runs(int(noted.read_text())), 5)


@pytest.mark.parametrize(
    ("place", "trouble"),
    [
        (program("--fault", "exit"), "it ended before a session began"),
        (program("--fault", "flood"), "it ended before a session began"),
        (Program("/no/such/program", (), {}, None), "it cannot be started"),
        (Program("true", (), {"PATH": os.environ["PATH"]}, "/no/such/folder"), "cannot be started"),
        (address("http://127.0.0.1:9/mcp"), "it cannot be reached"),
        (address("http://127.0.0.1:9/sse"), "it cannot be reached"),
    ],
)
async def test_a_server_that_is_not_there_says_what_is_wrong(place: Program, trouble: str) -> None:
    async with kept(server(place), tools="") as it:
        await it.servers.tried(20)
        assert trouble in str(it.first.trouble)


async def test_a_server_that_wants_another_key_says_so(http: Running) -> None:
    nowhere = http.url.replace("/mcp", "/other")
    async with kept(server(address(nowhere)), tools="") as it:
        await it.servers.tried(20)
        assert it.first.trouble == "it answers with HTTP status 404"


async def test_one_dead_server_of_two_leaves_the_other_one_working(http: Running) -> None:
    dead = server(program("--fault", "hang"), name="dead")
    async with kept(server(address(http.url)), dead) as it:
        assert await it.said("echo", text="well") == "well"
        assert [bool(each.trouble) for each in it.servers] == [False, True]


async def test_tools_are_offered_in_the_order_of_the_configuration(http: Running) -> None:
    slow, quick = server(program()), server(address(http.url), name="b")
    async with kept(slow, quick) as it:
        await until(lambda: it.registry.knows("b__echo"))
        sources = [tool.source for tool in it.registry.offered(None)]
        assert sources == sorted(sources, reverse=True)


async def test_a_deaf_program_is_ended_all_the_same(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    async with kept(server(program("--fault", "deaf", "--pid", str(noted))), tools=""):
        await until(noted.exists)
        assert runs(int(noted.read_text()))
    assert not runs(int(noted.read_text()))


async def test_a_server_of_other_people_works_over_stdio() -> None:
    given = {"PATH": os.environ["PATH"]}
    place = Program("node", (EVERYTHING, "stdio"), given, None)
    async with kept(server(place)) as it:
        assert "hello" in json.dumps(await it.said("echo", message="hello"))
        assert it.registry.quarantined == {}
        names = {tool.name for tool in it.registry.offered(None)}
        assert {"s__echo", "s__get-sum"} <= names
        assert "5" in json.dumps(await it.said("get-sum", a=2, b=3))
        await asyncio.gather(*(it.said("echo", message=str(n)) for n in range(20)))
