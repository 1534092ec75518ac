"""Erasing what mem0 has: the mark first, then what is there.

It takes mem0's store alone: neither its library nor a model has to be there for it.
"""

import asyncio
from typing import Protocol

from ..errors import StoreError
from ..owner import Owner
from .mem0_ledger import Ledger
from .mem0_stores import Store
from .mem0_threads import Threads

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
    """mem0's *store* without mem0, for an erasure. See ``Deleting``; raises ``StoreError``."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._threads = Threads("mem0-erase", 1, waiting=4)
        self._opened = False

    async def delete(self, owner: str, job: str | None = None) -> int:
        return await self._delete({"user_id": owner, **({"job": job} if job is not None else {})})

    async def delete_tenant(self, tenant: str) -> int:
        return await self._delete({"tenant": tenant})

    async def close(self) -> None:
        self._threads.close()
        self._store.close()

    async def _delete(self, where: dict[str, str]) -> int:
        def work() -> int:
            if not self._opened:
                self._store.open(dimensions=1)  # for mem0's configuration, which nobody reads here
                self._opened = True
            return self._store.delete(where)

        if not self._store.used():
            return 0
        try:
            async with asyncio.timeout(WITHIN):
                return await self._threads.run(work)
        except TimeoutError as error:
            raise StoreError(f"its store did not answer within {WITHIN:.0f} s") from error
