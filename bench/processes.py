"""The processes under test: started, watched from outside (Linux), stopped by their own id."""

import asyncio
import os
import re
import socket
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from client import first_ok

HERE = Path(__file__).parent
START_WITHIN = 30.0  # seconds
STOP_WITHIN = 30.0
QUIET_WITHIN = 30.0
RESTING = 0.01  # of a core: what a process without work may use
LOOK = 0.05  # seconds between two looks at that
_LISTENING = re.compile(rb"listening on http://127\.0\.0\.1:(\d+)")
_RESIDENT = re.compile(r"^VmRSS:\s+(\d+) kB", re.MULTILINE)


class Program:
    """A process that listens at ``port`` since ``listening`` (CLOCK_MONOTONIC, nanoseconds)."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.port = self.listening = 0

    @property
    def pid(self) -> int:
        return self._process.pid

    async def begin(self) -> None:
        assert self._process.stdout is not None
        async with asyncio.timeout(START_WITHIN):
            async for line in self._process.stdout:
                if found := _LISTENING.search(line):
                    self.listening, self.port = time.monotonic_ns(), int(found[1])
                    self._reading = asyncio.create_task(self._read(self._process.stdout))
                    return
        raise RuntimeError("the program ended before it listened")

    async def _read(self, said: asyncio.StreamReader) -> None:
        """What else it says: a program that nobody reads comes to a halt, or keeps its lines."""
        while await said.read(65_536):
            pass

    def cpu(self) -> float:
        """Seconds that it and its children have spent in all their threads, in user and kernel, by
        the processes' own clocks (clock_getcpuclockid(3)): /proc/PID/stat counts in hundredths."""
        return sum(time.clock_gettime((~pid << 3) | 2) for pid in _tree(self.pid))

    def resident(self) -> float:
        """VmRSS of this process alone, in MB."""
        found = _RESIDENT.search(Path(f"/proc/{self.pid}/status").read_text())
        assert found is not None
        return int(found[1]) * 1024 / 1e6

    def pin(self, core: int) -> None:
        """Keep it to one core; at its begin, as threads inherit that when they are made."""
        os.sched_setaffinity(self.pid, {core})

    async def quiet(self) -> None:
        """Wait until it has done what it does after its answers, such as storing turns."""
        spent = 0.0
        async with asyncio.timeout(QUIET_WITHIN):
            while self.cpu() - spent > RESTING * LOOK:
                spent = self.cpu()
                await asyncio.sleep(LOOK)

    async def stop(self) -> None:
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_WITHIN):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            yield from _tree(int(child))


@asynccontextmanager
async def spawned(
    *arguments: str, environment: Mapping[str, str], executable: str = sys.executable
) -> AsyncIterator[Program]:
    """A Python process with next to no environment of ours; it may not listen yet."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    program = Program(
        await asyncio.create_subprocess_exec(
            executable, *arguments, env={**kept, **environment}, stdout=PIPE
        )
    )
    try:
        yield program
    finally:
        await program.stop()


@asynccontextmanager
async def service(port: int, *options: str, **environment: str) -> AsyncIterator[Program]:
    """A YYChat with a new, empty data folder; it may not listen yet."""
    with tempfile.TemporaryDirectory(prefix="yychat-bench-") as data:
        environment = {"YYCHAT_DATA_DIR": data, **environment}
        command = ("-m", "yychat", "serve", "--port", str(port), *options)
        async with spawned(*command, environment=environment) as program:
            yield program


@asynccontextmanager
async def ready_service(*options: str, **environment: str) -> AsyncIterator[Program]:
    """The same on a free port, answering."""
    async with service(0, *options, **environment) as yychat:
        await yychat.begin()
        async with asyncio.timeout(START_WITHIN):
            await first_ok(yychat.port, "/readyz")
        yield yychat


@asynccontextmanager
async def upstream() -> AsyncIterator[Program]:
    async with spawned(str(HERE / "upstream.py"), environment={}) as program:
        await program.begin()
        yield program


@dataclass(frozen=True)
class Stage:
    """A service before the scripted upstream, both ready."""

    upstream: Program
    service: Program


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    async with upstream() as provider, ready_service(**before(provider)) as yychat:
        yield Stage(provider, yychat)


def before(provider: Program) -> dict[str, str]:
    """The settings of a service that asks *provider*."""
    return {"OPENAI_BASE_URL": f"http://127.0.0.1:{provider.port}/v1", "OPENAI_API_KEY": "bench"}


# For a queue before a core that does nothing else, which is longer than a recall's deadline would
# be: what is measured is all of the work, not that some of it is left out.
PATIENT = {"YYCHAT_MEMORY_DEADLINE_MS": "30000", "YYCHAT_REDIS_TIMEOUT_MS": "5000"}


def free_port() -> int:
    """One to be known before the service listens on it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
