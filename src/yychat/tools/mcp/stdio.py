"""A server as a program of ours: JSON lines over its standard input and output.

The SDK has such a transport; this one has bounds. A line has a longest length, the program gets
no variable that is not meant for it, and it is gone within two seconds, with all that it started.
"""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process, SubprocessStreamProtocol
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
from mcp.shared.message import SessionMessage
from mcp.types import jsonrpc_message_adapter

from .config import LARGEST, Program
from .pace import Pace
from .streams import Closing, Reading

GRACE = 0.5  # seconds to end by itself once its input has ended
TERM = 1.0  # seconds after SIGTERM; then it is killed
REAP = 0.5  # seconds for the system to say so


class Incoming(Reading):
    """What the program says, message by message; a line that is none is given as an exception."""

    def __init__(self, stdout: asyncio.StreamReader) -> None:
        self._stdout, self._pace = stdout, Pace()

    async def receive(self) -> SessionMessage | Exception:
        """Raises ``StopAsyncIteration`` at the end, which a line without end is, too."""
        while True:
            try:
                line = await self._stdout.readline()
            except (ValueError, OSError):
                raise StopAsyncIteration from None
            if not line:
                raise StopAsyncIteration
            await self._pace.spend(len(line), 1)
            if not line.isspace():
                return _understood(line)

    async def aclose(self) -> None:
        """The pipe is closed with the program."""


class Outgoing(Closing):
    """What is said to the program, a line for each message."""

    def __init__(self, stdin: asyncio.StreamWriter) -> None:
        self._stdin = stdin

    async def send(self, item: SessionMessage) -> None:
        said = item.message.model_dump_json(by_alias=True, exclude_unset=True)
        try:
            self._stdin.write(said.encode() + b"\n")
            await self._stdin.drain()
        except (OSError, RuntimeError):  # it does not listen any more; the SDK knows this error
            raise anyio.BrokenResourceError from None

    async def aclose(self) -> None:
        self._stdin.close()


@asynccontextmanager
async def program(given: Program) -> AsyncIterator[tuple[Incoming, Outgoing]]:
    """Start it, and end it with the block. Raises ``OSError`` where it cannot be started.

    What it writes to its standard error is read by nobody: it may quote anything.
    """
    loop = asyncio.get_running_loop()
    # create_subprocess_exec does the same and keeps to itself what has to be closed: the transport
    transport, protocol = await loop.subprocess_exec(
        lambda: SubprocessStreamProtocol(limit=LARGEST, loop=loop),
        given.command,
        *given.args,
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env=given.environment,
        cwd=given.cwd,
        start_new_session=True,
    )
    process = Process(transport, protocol, loop)
    assert process.stdin
    assert process.stdout
    try:
        yield Incoming(process.stdout), Outgoing(process.stdin)
    finally:
        try:
            await _ended(process)
        finally:  # also where a stop of the service does not wait for this one
            _signal(process, signal.SIGKILL)
            transport.close()


def _understood(line: bytes) -> SessionMessage | Exception:
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as error:
        return error


async def _ended(process: Process) -> None:
    """Ask it to end by closing its input, then by SIGTERM, then end it and its children."""
    assert process.stdin
    process.stdin.close()
    if not await _gone(process, GRACE):
        _signal(process, signal.SIGTERM)
        await _gone(process, TERM)
    _signal(process, signal.SIGKILL)
    await _gone(process, REAP)


async def _gone(process: Process, within: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            await process.wait()
    return process.returncode is not None


def _signal(process: Process, number: int) -> None:
    """To its whole group: what it started, and did not end, stays in there."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
