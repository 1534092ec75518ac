"""``yychat serve --workers N``: one listening socket, N processes that accept from it.

Not uvicorn's own: there a worker has no number of its own, which its metrics need to be
recognised after a restart. The parent answers nothing; it starts workers, starts them again, and
hands on signals. A worker ends when its parent does, however that ends: its standard input ends.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

log = logging.getLogger(__name__)

SHORTEST_PAUSE = 0.5  # seconds before a worker that ended early is started again
LONGEST_PAUSE = 30.0
SETTLED = 30.0  # seconds after which an end is no longer an early one
SIMULATOR_WITHIN = 3.0  # seconds for the simulator to end

Arguments = Sequence[str]


class Child:
    """``yychat *arguments*`` as a process of its own. What it logs goes where this process' output
    goes; that it is ready it says into a pipe of its own."""

    def __init__(self, name: str, arguments: Arguments, *, fds: Sequence[int] = ()) -> None:
        self.name, self.arguments, self._fds = name, arguments, tuple(fds)
        self._process: asyncio.subprocess.Process | None = None
        self._told: int | None = None

    @property
    def code(self) -> int | None:
        """How it ended the last time; None while it runs."""
        return self._process.returncode if self._process else None

    async def begin(self) -> str:
        """Start it, unless it has been told to end; its first words, or nothing where it ended
        before any. Raises ``OSError``."""
        if self._told is not None:
            return ""
        heard, greeting = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "yychat",
                *self.arguments,
                "--greet",
                str(greeting),
                stdin=asyncio.subprocess.PIPE,
                pass_fds=(*self._fds, greeting),
                start_new_session=True,  # Ctrl-C is for the parent, which hands it on once
            )
        except OSError:
            os.close(heard)
            raise
        finally:
            os.close(greeting)
        return await _words(heard)

    async def ended(self) -> int:
        """Wait for its end; its exit code, or minus the signal that killed it."""
        if self._process is None:
            return 0
        return await self._process.wait()

    def signal(self, number: int) -> None:
        self._told = number
        if self._process and self._process.returncode is None:
            with suppress(ProcessLookupError):  # it has just ended
                self._process.send_signal(number)


class Kept:
    """A child that is started again whenever it ends, until ``stop``; after early ends with ever
    longer pauses."""

    def __init__(
        self,
        child: Child,
        *,
        shortest_pause: float = SHORTEST_PAUSE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.child, self._clock = child, clock
        self._shortest = self._pause = shortest_pause
        self._stopping = asyncio.Event()

    async def keep(self) -> None:
        """From ``begin`` on, until it has ended after ``stop``."""
        begun = self._clock()
        while True:
            code = await self.child.ended()
            if self._stopping.is_set():
                return
            log.error("%s ended (%d) and is started again", self.child.name, code)
            await self._rest(self._clock() - begun)
            if self._stopping.is_set():
                return
            begun = self._clock()
            try:
                await self.child.begin()
            except OSError as error:
                log.error("%s cannot be started: %s", self.child.name, type(error).__name__)  # noqa: TRY400 - its text has paths

    def stop(self, number: int) -> None:
        """Hand on a signal; it is not started again."""
        self._stopping.set()
        self.child.signal(number)

    async def _rest(self, lived: float) -> None:
        if lived >= SETTLED:
            self._pause = self._shortest
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pause):
                await self._stopping.wait()
        self._pause = min(self._pause * 2, LONGEST_PAUSE)


class Supervisor:
    """*listener* is accepted from by a worker for each of *slots*; each is told its slot, and
    ``arguments`` besides. With *simulate* there is one simulator for all of them.

    ``stop_within`` seconds after the first signal, workers that still run are killed.
    """

    def __init__(
        self,
        listener: socket.socket,
        slots: Sequence[int],
        arguments: Arguments = (),
        *,
        simulate: bool = False,
        stop_within: float,
    ) -> None:
        self._listener, self._slots, self._arguments = listener, slots, arguments
        self._stop_within = stop_within
        self._simulator = Kept(Child("the simulator", _SIMULATE)) if simulate else None
        self._workers: list[Kept] = []
        self._stopping = asyncio.Event()

    async def run(self, greet: Callable[[str], None]) -> bool:
        """Until a signal; *greet* is told the words of the first worker once all are there.
        Whether that came about and everybody ended in order. Raises ``OSError``."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)
        try:
            return await self._simulated(greet)
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    async def _simulated(self, greet: Callable[[str], None]) -> bool:
        if self._simulator is None:
            return await self._served(greet, self._arguments)
        child = self._simulator.child
        url = _address(await child.begin())
        if url is None:
            log.error("the built-in simulator did not start")
            return False
        child.arguments = (*_SIMULATE[:-1], url.rpartition(":")[2])  # there again after an end
        kept = asyncio.create_task(self._simulator.keep())
        try:
            return await self._served(greet, (*self._arguments, "--simulator", url))
        finally:
            self._simulator.stop(signal.SIGTERM)
            await _ended([kept], SIMULATOR_WITHIN, [self._simulator])

    async def _served(self, greet: Callable[[str], None], arguments: Arguments) -> bool:
        """The first worker alone: what is wrong with the configuration is said once."""
        if self._stopping.is_set():
            return False
        self._workers = [self._worker(slot, arguments) for slot in self._slots]
        first, *others = [worker.child for worker in self._workers]
        words = await first.begin()
        if not words:
            await first.ended()
            return False
        await asyncio.gather(*(child.begin() for child in others))
        if not self._stopping.is_set():
            greet(words)
        kept = [asyncio.create_task(worker.keep()) for worker in self._workers]
        await self._stopping.wait()
        if not await _ended(kept, self._stop_within, self._workers):
            log.error("workers did not end in time and were killed")
        return all(worker.child.code in _IN_ORDER for worker in self._workers)

    def _worker(self, slot: int, arguments: Arguments) -> Kept:
        fd = self._listener.fileno()
        own = ("serve", "--fd", str(fd), "--slot", str(slot), *arguments)
        return Kept(Child(f"the worker of slot {slot}", own, fds=(fd,)))

    def _signalled(self, number: int) -> None:
        self._stopping.set()
        self._listener.close()  # else it would go on queueing what no worker accepts any more
        for worker in self._workers:
            worker.stop(number)


_SIMULATE = ("simulate", "--exit-with-parent", "--port", "0")
_IN_ORDER = (None, 0, -signal.SIGTERM, -signal.SIGINT)  # the latter: not even begun


def end_with_parent() -> None:
    """Stop in order when standard input ends: the supervisor holds its other end."""
    threading.Thread(target=_end_with_input, name="parent-watch", daemon=True).start()


def _end_with_input() -> None:
    with suppress(OSError):
        while os.read(0, 4096):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


async def _words(heard: int) -> str:
    """What is said into the pipe that ends at *heard*, once; nothing where nobody can any more."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    loop = asyncio.get_running_loop()
    pipe, _ = await loop.connect_read_pipe(lambda: protocol, os.fdopen(heard, "rb", 0))
    try:
        return (await reader.read(65_536)).decode()
    finally:
        pipe.close()


def _address(words: str) -> str | None:
    return next((word for word in words.split() if word.startswith("http://")), None)


async def _ended(
    kept: Sequence["asyncio.Task[None]"], within: float, children: Sequence[Kept]
) -> bool:
    """Wait for the end of all, and kill what is late; whether nothing was."""
    _, late = await asyncio.wait(kept, timeout=within)
    if late:
        for each in children:
            each.stop(signal.SIGKILL)
        await asyncio.wait(late)
    for task in kept:
        task.result()
    return not late
