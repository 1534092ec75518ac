"""What broken MCP servers cost: their callers, those of a server that is well, the event loop.

python bench/mcp_faults.py [--seconds N] [--rounds N] [--json FILE]
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import click
import uvloop

from report import Row, Table, machine, percentile, show, write
from yychat.tools.mcp.config import Address, Program, Server
from yychat.tools.mcp.servers import McpServers
from yychat.tools.registry import Registry

SCRIPT = str(Path(__file__).parent.parent / "tests" / "mcp_server.py")
TIMEOUT = 1.0  # seconds, every server's
TICK = 0.005  # seconds between two looks at the loop
FAULTS = {  # what is called of each server, which is what breaks it
    "hang": ("stdio", "hang"),
    "hang over HTTP": ("http", "hang"),
    "hang over SSE": ("sse", "hang"),
    "block": ("stdio", "block"),
    "crash": ("stdio", "crash"),
    "garbage": ("stdio", "garbage"),
    "endless line": ("stdio", "endless"),
    "4 MB": ("stdio", "big"),
    "restarted": ("http", "echo"),
}
ARGUMENTS = {"big": {"size": 4_000_000}}


class Places:
    """Servers as processes; those over HTTP are started, and started again, here."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[str]] = {}
        self.urls: dict[str, str] = {}

    def start(self, name: str, transport: str) -> Address:
        port = self.urls.get(name, ":0/").split(":")[-1].split("/")[0]
        command = [sys.executable, SCRIPT, "--transport", transport, "--port", port]
        running = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert running.stdout
        self._running[name], self.urls[name] = running, running.stdout.readline().split()[-1]
        return Address(self.urls[name], {}, sse=transport == "sse")

    def stop(self, name: str) -> None:
        running = self._running.pop(name)
        running.kill()
        running.wait()
        assert running.stdout
        running.stdout.close()

    def close(self) -> None:
        for name in list(self._running):
            self.stop(name)


def program(*arguments: str) -> Program:
    return Program(sys.executable, (SCRIPT, *arguments), {"PATH": os.environ["PATH"]}, None)


def label(name: str) -> str:
    return name.replace(" ", "-")


async def faults(rounds: int, seconds: float) -> Table:
    rows = {name: Row(name) for name in ("loop, nobody broken", "well, nobody broken")}
    rows |= {name: Row(name) for name in ("loop", "well", "breaker open", *FAULTS)}
    for _ in range(rounds):
        await _round(rows, seconds, broken=False)
        await _round(rows, seconds, broken=True)
    title = f"MCP: {seconds:g} s a round; milliseconds; deadline {TIMEOUT:g} s"
    targets = {"lag_p99_ms": 50.0, "past_deadline_ms": 100.0}
    return Table(title, list(rows.values()), targets)


async def _round(rows: dict[str, Row], seconds: float, *, broken: bool) -> None:
    said = "" if broken else ", nobody broken"
    places = Places()
    try:
        async with _kept(places, broken=broken) as registry:
            ends = time.monotonic() + seconds
            work = [_lag(rows[f"loop{said}"], ends), _well(rows[f"well{said}"], registry, ends)]
            if broken:
                work += [_called(rows[name], registry, name, ends) for name in FAULTS]
                work += [_open(rows["breaker open"], registry, ends)]
                work += [_restarting(places, ends)]
            await asyncio.gather(*work)
    finally:
        await asyncio.to_thread(places.close)


@asynccontextmanager
async def _kept(places: Places, *, broken: bool) -> AsyncIterator[Registry]:
    """A registry with the tools of all servers; among them some that never come to be."""
    given = {"well": await asyncio.to_thread(places.start, "well", "http")}
    servers = [Server("well", given["well"], TIMEOUT, 8)]
    if broken:
        for name, (transport, _) in FAULTS.items():
            place: Program | Address = program()
            if transport != "stdio":
                place = await asyncio.to_thread(places.start, label(name), transport)
            servers.append(Server(label(name), place, TIMEOUT, 8))
        servers.append(Server("dead", Address("http://127.0.0.1:9/mcp", {}, sse=False), TIMEOUT, 8))
        servers.append(Server("flood", program("--fault", "flood"), TIMEOUT, 8))
        servers.append(Server("mute", program("--fault", "hang"), TIMEOUT, 8))
    registry = Registry([])
    task = asyncio.create_task(McpServers(servers).run(registry))
    wanted = [f"{server.name}__echo" for server in servers[:-3] or servers]
    try:
        async with asyncio.timeout(60):
            while not all(map(registry.knows, wanted)):  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.05)
        yield registry
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _lag(row: Row, ends: float) -> None:
    """How late the loop wakes a sleeper, and for how long it has worked meanwhile."""
    late, busy = [], []
    while time.monotonic() < ends:
        begun, worked = time.monotonic(), time.thread_time()
        await asyncio.sleep(TICK)
        late.append((time.monotonic() - begun - TICK) * 1e3)
        busy.append((time.thread_time() - worked) * 1e3)
    row.note(lag_p50_ms=percentile(late, 50), lag_p99_ms=percentile(late, 99))
    row.note(lag_max_ms=max(late), busy_p99_ms=percentile(busy, 99), busy_max_ms=max(busy))


async def _well(row: Row, registry: Registry, ends: float) -> None:
    """A chat that calls a server which is well, every 20 ms."""
    took = []
    while time.monotonic() < ends:
        row.requests += 1
        begun = time.monotonic()
        result = await registry.call("well__echo", {"text": "x"}, allowed=None)
        took.append((time.monotonic() - begun) * 1e3)
        if not result.ok:
            row.errors.append(result.content)
        await asyncio.sleep(0.02)
    row.note(call_p50_ms=percentile(took, 50), call_p99_ms=percentile(took, 99))


async def _called(row: Row, registry: Registry, name: str, ends: float) -> None:
    """Three callers at a time, again and again, of what breaks a server."""
    tool = FAULTS[name][1]
    took: list[float] = []

    async def caller() -> None:
        while time.monotonic() < ends:
            row.requests += 1
            begun = time.monotonic()
            arguments = ARGUMENTS.get(tool, {})
            await registry.call(f"{label(name)}__{tool}", arguments, allowed=None)
            took.append(time.monotonic() - begun)
            await asyncio.sleep(0.2)

    await asyncio.gather(*(caller() for _ in range(3)))
    row.note(call_p50_ms=percentile(took, 50) * 1e3, call_p99_ms=percentile(took, 99) * 1e3)
    row.note(past_deadline_ms=max(0.0, max(took) - TIMEOUT) * 1e3)


async def _open(row: Row, registry: Registry, ends: float) -> None:
    """What a call costs where the breaker is open; the server is the one that hangs."""
    took = []
    await asyncio.sleep(2 * TIMEOUT)
    while time.monotonic() < ends:
        begun = time.monotonic()
        result = await registry.call("hang__echo", {"text": "x"}, allowed=None)
        if "not answering" in result.content:
            took.append((time.monotonic() - begun) * 1e3)
        await asyncio.sleep(0.05)
    row.requests += len(took)
    if took:
        row.note(call_p50_ms=percentile(took, 50), call_p99_ms=percentile(took, 99))


async def _restarting(places: Places, ends: float) -> None:
    while time.monotonic() < ends - 5:
        await asyncio.sleep(2)
        await asyncio.to_thread(places.stop, "restarted")
        await asyncio.sleep(1)
        await asyncio.to_thread(places.start, "restarted", "http")


@click.command(help=__doc__)
@click.option("--seconds", default=20.0, show_default=True)
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write every round's values.")
def main(seconds: float, rounds: int, file: Path | None) -> None:
    where = machine()
    print(where)
    table = uvloop.run(faults(rounds, seconds))
    show(table)
    if file:
        write(file, [table], {"machine": where, "asked": {"rounds": rounds, "seconds": seconds}})
    sys.exit(1 if table.errors else 0)


if __name__ == "__main__":
    main()
