"""The selection as this process knows it: a snapshot to answer by, kept as what is shared says."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from msgspec.structs import replace

from ..errors import Conflict, StoreError
from .selection import LastKnown, Selection, SelectionStore

log = logging.getLogger(__name__)

CONFIGURATION = "configuration"  # who decides before anybody has

POLL = 2.0  # seconds; for announcements that were missed


class Selected:
    """``current`` asks nobody. What is shared decides; where that was emptied or set back, the
    highest revision that anybody knows is told again. *first* counts only where nobody knows any.

    ``follow`` has to run beside the service.
    """

    def __init__(
        self,
        store: SelectionStore,
        first: str,
        *,
        local: LastKnown | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._local, self._clock, self.first = store, local, clock, first
        self.current = Selection({first: 100}, 0, CONFIGURATION, "CHAT_ENGINE", clock())
        self._kept: Selection | None = None
        self._woken = asyncio.Event()

    async def begin(self) -> None:
        """Know what can be known at once. Where the shared state is away, what this instance knew
        last is in force until that is back."""
        await self.recall()
        try:
            await self.look()
        except StoreError as error:
            log.warning("staying on selection %d: %s", self.current.revision, error)

    async def recall(self) -> None:
        """Take up what this instance knew last, if it knows."""
        if self._local is None:
            return
        try:
            self._kept = await self._local.read()
        except StoreError as error:
            log.warning("the last known selection cannot be read: %s", error)
        if self._kept:
            self._adopt(self._kept)

    async def peek(self) -> Selection:
        """What is in force, as far as anybody knows, and nothing is changed by asking.

        Raises ``StoreError``.
        """
        stored = await self._store.read()
        if stored is None or stored.revision < self.current.revision:
            return self.current
        return stored

    async def look(self) -> Selection:
        """Compare with what is shared: take what is newer there, tell what is missing there.

        Raises ``StoreError``.
        """
        stored = await self._store.read()
        if stored is None or stored.revision < self.current.revision:
            stored = await self._told()
        if stored is not None and stored.revision >= self.current.revision:
            self._adopt(stored)
        return self.current

    def heard(self, selection: Selection) -> None:
        """Take over what was announced, unless something newer is known."""
        if selection.revision > self.current.revision:
            self._adopt(selection)
        self.wake()

    def wake(self) -> None:
        """Let ``follow`` look now."""
        self._woken.set()

    async def follow(self, every: float = POLL) -> None:
        """Look again every *every* seconds and when woken, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await self._woken.wait()
            self._woken.clear()
            try:
                await self.look()
            except StoreError as error:
                log.debug("staying on selection %d: %s", self.current.revision, error)
            await self._keep()

    async def base(self, if_revision: int | None) -> Selection:
        """What a change now would change. Raises ``Conflict`` if that is not *if_revision*, and
        ``StoreError``."""
        try:
            current = await self.look()
        except StoreError as error:
            raise StoreError(f"nothing was changed: {error.message}") from error
        if if_revision not in (None, current.revision):
            raise _stale(current)
        return current

    async def change(
        self, base: Selection, weights: Mapping[str, int], *, by: str, reason: str
    ) -> Selection:
        """Put *weights* in force everywhere, if *base* still is. Raises ``Conflict`` and
        ``StoreError``."""
        new = Selection(dict(weights), base.revision + 1, by, reason, self._clock())
        if not await self._written(new):
            raise _stale(await self.look())
        if new.revision > self.current.revision:
            self._adopt(new)
        await self._keep()
        return new

    async def history(self, limit: int) -> list[Selection]:
        """The last changes, newest first. Raises ``StoreError``."""
        return await self._store.history(limit)

    async def _written(self, new: Selection) -> bool:
        try:
            return await self._store.propose(new)
        except StoreError as error:
            with suppress(StoreError):  # what was not answered in time may have been done
                if await self._store.read() == new:
                    return True
            raise StoreError(
                f"the selection could not be written ({error.message}); look at the current one"
                " before you try again"
            ) from error

    async def _told(self) -> Selection | None:
        """What is shared after this process said what it knows."""
        mine = self.current if self.current.revision else replace(self.current, revision=1)
        if not await self._store.propose(mine):
            return await self._store.read()
        if mine.revision > 1:
            log.warning("the shared selection was lost: revision %d is told again", mine.revision)
        return mine

    def _adopt(self, selection: Selection) -> None:
        if selection == self.current:
            return
        self.current = selection
        shares = ", ".join(f"{name} {share}" for name, share in selection.in_force.items())
        news = selection.changed_by != CONFIGURATION  # nobody has to be told what is configured
        level = logging.INFO if news else logging.DEBUG
        log.log(level, "selection %d by %s: %s", selection.revision, selection.changed_by, shares)

    async def _keep(self) -> None:
        """Note for the next start what is in force."""
        known = self.current
        if self._local is None or known == self._kept or not known.revision:
            return
        try:
            await self._local.keep(known)
        except StoreError as error:
            log.warning("the selection is not noted for the next start: %s", error)
        else:
            self._kept = known


def _stale(current: Selection) -> Conflict:
    return Conflict(
        f"somebody else has changed the selection: revision {current.revision} is in force",
        param="if_revision",
        code="stale_revision",
    )
