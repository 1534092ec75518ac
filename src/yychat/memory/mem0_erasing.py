"""Erasing what mem0 has: the mark first, then what is there.

It takes mem0's store alone: neither its library nor a model has to be there for it.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

from ..errors import StoreError
from ..owner import Owner
from .mem0_ledger import Ledger
from .mem0_stores import Store
from .mem0_threads import Threads

T = TypeVar("T")

WITHIN = 60.0  # seconds; a store with much in it is rewritten


class Deleting(Protocol):
    """The part of ``Mem0Client`` that forgets."""

    async def delete(self, owner: str, job: str | None = None) -> int: ...

    async def delete_tenant(self, tenant: str) -> int: ...


async def erased(ledger: Ledger, client: Deleting, owner: Owner) -> int:
    """Forget everything of *owner*, what still waits for mem0 included; of how many turns.

    Raises ``StoreError``; what is marked then is never shown again, and asking again deletes it.
    """
    # The mark first: what is being extracted meanwhile sees it, and is deleted again.
    waiting = await ledger.erase(owner)
    try:
        return waiting + await client.delete(owner.key)
    finally:
        await ledger.changed(owner)


async def erased_tenant(ledger: Ledger, client: Deleting, tenant: str) -> int:
    """The same for everybody of *tenant*: an operator's erasure."""
    return await ledger.erase_tenant(tenant) + await client.delete_tenant(tenant)


class StoreAlone:
    """mem0's *store* without mem0. See ``Deleting``; raises ``StoreError``."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._threads = Threads("mem0-erase", 1, waiting=4)
        self._opened = False

    async def delete(self, owner: str, job: str | None = None) -> int:
        return await self._delete({"user_id": owner, **({"job": job} if job is not None else {})})

    async def delete_tenant(self, tenant: str) -> int:
        return await self._delete({"tenant": tenant})

    async def reached(self) -> None:
        """Opens the store; makes one where there is none."""
        await self._run(self._open)

    async def close(self) -> None:
        self._threads.close()
        self._store.close()

    async def _delete(self, where: dict[str, str]) -> int:
        def work() -> int:
            self._open()
            return self._store.delete(where)

        return await self._run(work) if self._store.used() else 0

    def _open(self) -> None:
        if not self._opened:
            self._store.open(dimensions=1)  # for mem0's configuration, which nobody reads here
            self._opened = True

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(WITHIN):
                return await self._threads.run(work)
        except TimeoutError as error:
            raise StoreError(f"its store did not answer within {WITHIN:.0f} s") from error
