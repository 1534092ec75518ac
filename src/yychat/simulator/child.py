"""The simulator as a child process: the upstream of a service that has none."""

import asyncio
import re
import sys

from ..errors import ConfigurationError

WITHIN = 15.0  # seconds to begin listening
_LISTENING = re.compile(rb"listening on (http://\S+)")


class SimulatorChild:
    """Runs until ``stop``; ends by itself when this process dies, however it dies."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def begin(self) -> None:
        """Begin starting, the first time or after it ended; ``url`` waits until it listens.
        Raises ``ConfigurationError``."""
        arguments = ("-m", "yychat", "simulate", "--port", "0", "--exit-with-parent")
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for the service, which has answers to finish
            )
        except OSError as error:
            raise ConfigurationError("the built-in simulator cannot be started") from error

    async def ended(self) -> int:
        """Wait for its end; its exit code, or minus the signal that killed it."""
        assert self._process is not None
        return await self._process.wait()

    async def url(self) -> str:
        """Where it listens. Raises ``ConfigurationError``."""
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(WITHIN):
                line = await self._process.stdout.readline()
        except TimeoutError:
            line = b""
        found = _LISTENING.search(line)
        if found is None:
            await self.stop()
            raise ConfigurationError("the built-in simulator did not start")
        return found[1].decode()

    async def stop(self) -> None:
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(3):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
