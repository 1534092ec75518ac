"""``yychat serve --workers N``: one address, several processes, and nothing lost with one."""

import asyncio
import json
import os
import signal
import socket
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from commands import command
from running import Simulator
from supervised import children, gone, supervised, until
from yychat.accepting import Shared
from yychat.serving import listen
from yychat.supervisor import Child, Kept, Supervisor


def refused(url: str) -> bool:
    try:
        httpx2.get(f"{url}/healthz", timeout=5)
    except httpx2.ConnectError:
        return True
    return False


@pytest.fixture
def environment(upstream: Simulator) -> dict[str, str]:
    return {"OPENAI_BASE_URL": upstream.base_url, "OPENAI_MODEL": "simulated"}


def test_several_workers_answer_at_one_address_with_one_memory(
    data: Path, environment: dict[str, str]
) -> None:
    with supervised(data, 2, **environment) as yychat:
        assert len(yychat.workers()) == 2
        yychat.say("my cat is called Mimi", user="anna")
        for _ in range(8):  # connections of their own: either worker may get them
            answer = httpx2.get(f"{yychat.url}/healthz")
            assert answer.status_code == 200
        until(lambda: len(yychat.registered()) == 2)
        assert sorted(yychat.registered().values()) == sorted(yychat.workers())
        process = yychat.process
    assert process.returncode == 0


def test_they_greet_once(data: Path, environment: dict[str, str]) -> None:
    with supervised(data, 3, **environment) as yychat:
        process = yychat.process
        process.send_signal(signal.SIGTERM)
        assert process.stdout
        assert "listening" not in process.stdout.read()


def test_connections_that_come_together_are_shared_out(
    data: Path, environment: dict[str, str]
) -> None:
    with supervised(data, 2, **environment) as yychat, ExitStack() as clients:
        until(lambda: len(yychat.registered()) == 2)
        before = {pid: sockets(pid) for pid in yychat.workers()}
        address = urlsplit(yychat.url).hostname, urlsplit(yychat.url).port
        for _ in range(4):
            together = [socket.create_connection(address, timeout=10) for _ in range(16)]
            for each in map(clients.enter_context, together):
                each.sendall(b"GET /healthz HTTP/1.1\r\nHost: yychat\r\n\r\n")
                assert each.recv(4096).startswith(b"HTTP/1.1 200")
        held = [sockets(pid) - count for pid, count in before.items()]
        assert sum(held) == 64
        assert min(held) >= 16


async def test_what_is_being_accepted_when_accepting_ends_is_told_of_its_end() -> None:
    """Else a server would wait for it as long as for an answer under way."""

    class Connection(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            alive.add(self)

        def connection_lost(self, _error: Exception | None) -> None:
            alive.discard(self)

    async def ended(turns: int) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        accepting = Shared(listener, Connection)
        clients = [socket.create_connection(listener.getsockname()) for _ in range(4)]
        for _ in range(turns):
            await asyncio.sleep(0)
        await accepting.close()
        for client in clients:
            client.close()
        listener.close()

    alive: set[Connection] = set()
    for turns in range(12):
        await ended(turns)
    for _ in range(1_000):
        await asyncio.sleep(0.01 if alive else 0)
    assert not alive


def test_what_workers_log_is_the_services_log(data: Path, environment: dict[str, str]) -> None:
    (data / "personalities").mkdir(parents=True)
    (data / "personalities" / "x.json").write_text("{")  # told before anybody is greeted
    folder = {"YYCHAT_PERSONALITIES_DIR": str(data / "personalities")}
    asked = [f"asked-{n}" for n in range(40)]
    with supervised(data, 2, **environment, **folder) as yychat:
        for request_id in asked:
            httpx2.get(f"{yychat.url}/v1/models", headers={"X-Request-ID": request_id})
        process = yychat.process
        process.send_signal(signal.SIGTERM)
        assert process.stdout
        lines = [json.loads(line) for line in process.stdout if line.startswith("{")]
    assert sorted(line["request_id"] for line in lines if "request_id" in line) == sorted(asked)


def sockets(pid: int) -> int:
    opened = Path(f"/proc/{pid}/fd").iterdir()
    return sum("socket:" in os.path.realpath(each) for each in opened)


def test_without_an_upstream_they_share_one_simulator_which_is_kept_running(data: Path) -> None:
    def simulators() -> list[int]:
        return [pid for pid, words in yychat.children().items() if "simulate" in words]

    with supervised(data, 2) as yychat:
        (before,) = simulators()
        assert yychat.say("hello")
        os.kill(before, signal.SIGKILL)
        until(lambda: bool(simulators()) and before not in simulators())
        until(lambda: yychat.chat("hello").status_code == 200)
        started = yychat.children()
    assert all(map(gone, started))


def test_a_worker_that_is_killed_is_replaced_and_nobody_is_refused_meanwhile(
    data: Path, environment: dict[str, str]
) -> None:
    with supervised(data, 2, **environment) as yychat:
        until(lambda: len(yychat.registered()) == 2)
        before = yychat.registered()
        name, victim = min(before.items())
        os.kill(victim, signal.SIGKILL)

        def replaced() -> bool:
            assert httpx2.get(f"{yychat.url}/healthz", timeout=10).status_code == 200
            return yychat.registered()[name] != victim

        until(replaced)
        after = yychat.registered()
        assert after.keys() == before.keys()
        assert after[name] in yychat.workers()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_everybody_in_order_and_leaves_nobody_registered(
    data: Path, environment: dict[str, str], number: signal.Signals
) -> None:
    with supervised(data, 2, **environment) as yychat:
        until(lambda: len(yychat.registered()) == 2)
        started = yychat.children()
        yychat.process.send_signal(number)
        assert yychat.process.wait(30) == 0
        assert all(map(gone, started))
        assert refused(yychat.url)
        assert yychat.registered() == {}


def test_workers_do_not_outlive_a_supervisor_that_is_killed(data: Path) -> None:
    with supervised(data, 2) as yychat:
        started = yychat.children()
        yychat.kill()
        until(lambda: all(map(gone, started)))
        assert refused(yychat.url)


def test_what_is_wrong_with_the_configuration_is_said_once(data: Path) -> None:
    done = command(
        *("serve", "--port", "0", "--workers", "3"),
        YYCHAT_DATA_DIR=str(data),
        YYCHAT_PERSONALITY="nobody",
    )
    assert done.returncode == 1
    assert done.stderr.count("there is no personality nobody") == 1
    assert done.stdout == ""


def test_an_address_that_is_taken_is_said_once(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = command("serve", "--port", port, "--workers", "2", YYCHAT_DATA_DIR=str(data))
    assert done.returncode == 1
    assert done.stderr.count("cannot be listened on") == 1


async def test_a_worker_that_hangs_at_the_end_is_killed(
    data: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**environment, "YYCHAT_DATA_DIR": str(data)}.items():
        monkeypatch.setenv(name, value)
    greeted = asyncio.Event()
    supervisor = Supervisor(listen("127.0.0.1", 0), [0], stop_within=0.2)
    running = asyncio.create_task(supervisor.run(lambda _: greeted.set()))
    async with asyncio.timeout(30):
        await greeted.wait()
    worker = children(os.getpid())[-1]
    os.kill(worker, signal.SIGSTOP)
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(30):
        assert await running is False
    assert gone(worker)


class Mortal(Child):
    """Ends as soon as it has begun, *times* times; then it lives until it is told to end."""

    def __init__(self, times: int) -> None:
        super().__init__("a mortal", ())
        self.begun, self._times = 0, times
        self.alive, self._told_to_end = asyncio.Event(), asyncio.Event()

    async def begin(self) -> str:
        self.begun += 1
        if self.begun == 2:
            raise OSError("no processes left")
        return "ready"

    async def ended(self) -> int:
        if self.begun > self._times:
            self.alive.set()
            await self._told_to_end.wait()
        return -9

    def signal(self, number: int) -> None:
        self._told_to_end.set()


async def test_what_ends_at_once_again_and_again_is_started_again_and_again() -> None:
    mortal = Mortal(times=5)
    kept = Kept(mortal, shortest_pause=0.001)
    await mortal.begin()
    keeping = asyncio.create_task(kept.keep())
    async with asyncio.timeout(10):
        await mortal.alive.wait()
        assert mortal.begun == 6
        kept.stop(signal.SIGTERM)
        await keeping
    assert mortal.begun == 6


async def test_the_pause_before_the_next_start_does_not_hold_up_a_stop() -> None:
    mortal = Mortal(times=10**6)
    kept = Kept(mortal, shortest_pause=3_600)
    await mortal.begin()
    keeping = asyncio.create_task(kept.keep())
    await asyncio.sleep(0)
    kept.stop(signal.SIGTERM)
    async with asyncio.timeout(10):
        await keeping
    assert mortal.begun == 1
