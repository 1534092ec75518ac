"""``yychat instances``: who is registered, and forgetting who will not come back."""

import asyncio
import socket
import time
from pathlib import Path

from commands import command, printed
from instance_promises import process
from running import service
from supervised import until
from yychat.instances.registry_sqlite import SqliteInstances
from yychat.sqlite import Database


def register(data: Path, *names: str, ago: float = 0.0) -> None:
    """As processes would that had their last heartbeat *ago* seconds ago."""

    async def work() -> None:
        database = Database(data / "yychat.db")
        registry = SqliteInstances(database, clock=lambda: time.time() - ago)
        for number, name in enumerate(names):
            await registry.beat(process(name, port=9464 + number, pid=100 + number))
        database.close()

    data.mkdir(exist_ok=True)
    asyncio.run(work())


def test_where_nothing_has_run_there_is_nobody_to_ask(data: Path) -> None:
    done = command("instances", "list", YYCHAT_DATA_DIR=str(data))
    assert done.returncode == 1
    assert "no service has run" in done.stderr


def test_the_living_and_the_dead_are_listed(data: Path) -> None:
    register(data, "a:0")
    register(data, "b:0", ago=1_000.0)
    header, alive, dead = printed("instances", "list", YYCHAT_DATA_DIR=str(data)).splitlines()
    assert header.split() == ["INSTANCE", "KIND", "STATE", "ADDRESS", "PID", "UP", "VERSION"]
    assert alive.split()[:5] == ["a:0", "serve", "alive", "127.0.0.1:9464", "100"]
    assert dead.split()[:4] == ["b:0", "serve", "dead", "for"]


def test_one_can_be_forgotten_or_all_the_dead(data: Path) -> None:
    register(data, "a:0", "a:1")
    register(data, "b:0", "b:1", ago=1_000.0)
    environment = {"YYCHAT_DATA_DIR": str(data)}
    assert printed("instances", "forget", "a:1", **environment) == "a:1\n"
    assert printed("instances", "forget", "--dead", **environment) == "b:0\nb:1\n"
    assert printed("instances", "forget", "--dead", **environment) == "nobody\n"
    rows = printed("instances", "list", **environment).splitlines()[1:]
    assert [row.split()[0] for row in rows] == ["a:0"]


def test_whoever_is_not_there_cannot_be_forgotten(data: Path) -> None:
    register(data, "a:0")
    done = command("instances", "forget", "a:7", YYCHAT_DATA_DIR=str(data))
    assert (done.returncode, "a:7" in done.stderr) == (1, True)
    assert command("instances", "forget", YYCHAT_DATA_DIR=str(data)).returncode == 2


def test_a_service_registers_itself_and_leaves_when_it_stops(data: Path) -> None:
    environment = {"YYCHAT_DATA_DIR": str(data)}

    def rows() -> list[str]:
        return printed("instances", "list", **environment).splitlines()[1:]

    with service(data) as yychat:
        until(lambda: len(rows()) == 1)
        name, _, state, _, pid, *_ = rows()[0].split()
        assert (name.rpartition(":")[0], state) == (socket.gethostname(), "alive")
        assert int(pid) == yychat.process.pid
    assert rows() == []
