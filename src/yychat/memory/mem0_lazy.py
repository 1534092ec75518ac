"""A client of mem0 that is made when it is first needed: who never needs it never pays for it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from ..background import settled
from ..errors import StoreError
from .base import Turn
from .mem0_client import Fact, Mem0Client

AGAIN = 5.0  # seconds in which a failure stands, before it is tried again
CLOSE_WITHIN = 5.0  # seconds
MADE_WITHIN = 25.0  # seconds; importing mem0 and its store takes four, on a busy machine twelve
PROBE_WITHIN = 4.5  # seconds, once it is made


class LazyClient:
    """See ``Mem0Client``. *connect* is run once, however many ask; who stops waiting for it does
    not stop it. While *used* says that nothing was ever stored, nothing is made to find it: where
    nobody wants mem0, or it cannot be made, listing and erasing go without."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Mem0Client]],
        used: Callable[[], bool] = lambda: True,
    ) -> None:
        self._connect, self._used = connect, used
        self._making: asyncio.Task[Mem0Client] | None = None
        self._failed_at = 0.0

    async def search(self, owner: str, query: str, limit: int) -> Sequence[Fact]:
        return await (await self._client()).search(owner, query, limit) if self._used() else ()

    async def listing(self, owner: str) -> Sequence[Fact]:
        return await (await self._client()).listing(owner) if self._used() else ()

    async def add(self, owner: str, tenant: str, turn: Turn, *, since: float) -> None:
        await (await self._client()).add(owner, tenant, turn, since=since)

    async def has(self, owner: str, job: str) -> bool:
        return await (await self._client()).has(owner, job)

    async def delete(self, owner: str, job: str | None = None) -> int:
        return await (await self._client()).delete(owner, job) if self._used() else 0

    async def delete_tenant(self, tenant: str) -> int:
        return await (await self._client()).delete_tenant(tenant) if self._used() else 0

    async def probe(self) -> None:
        async with _within(MADE_WITHIN, "is still being made ready"):
            client = await self._client()
        async with _within(PROBE_WITHIN, "did not answer in time"):
            await client.probe()

    async def close(self) -> None:
        """Waits a little for a client in the making: its thread cannot be stopped."""
        if self._making is None:
            return
        done, _ = await asyncio.wait([self._making], timeout=CLOSE_WITHIN)
        self._making.cancel()
        if done and self._making.exception() is None:
            await self._making.result().close()

    async def _client(self) -> Mem0Client:
        if self._making is None or self._may_try_again(self._making):
            self._making = asyncio.create_task(self._made())
            self._making.add_done_callback(_seen)
        making = self._making
        await asyncio.wait([making])
        return making.result()

    async def _made(self) -> Mem0Client:
        try:
            made = await self._connect()
        except StoreError:
            self._failed_at = time.monotonic()
            raise
        settled()  # mem0 and its store are most of what such a process has imported
        return made

    def _may_try_again(self, made: "asyncio.Task[Mem0Client]") -> bool:
        failed = made.done() and made.exception() is not None
        return failed and time.monotonic() - self._failed_at >= AGAIN


@asynccontextmanager
async def _within(seconds: float, late: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise StoreError(f"mem0 {late}") from error


def _seen(made: "asyncio.Task[Mem0Client]") -> None:
    """Its failure is no surprise, also where everybody who waited has left."""
    if not made.cancelled():
        made.exception()
