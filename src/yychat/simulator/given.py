"""A simulator that somebody else keeps running: the supervisor, for all its workers."""

import asyncio


class GivenSimulator:
    """Stands where ``SimulatorChild`` does."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def begin(self) -> None:
        """It runs already."""

    async def ended(self) -> int:
        """Never: whoever keeps it starts it again at the same address."""
        never: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        return await never

    async def url(self) -> str:
        return self._url

    async def stop(self) -> None:
        """Others use it too."""
