"""One owner secret for all who share a Redis: with two, each would look for the other's memories
under names that nobody has."""

import asyncio
import logging
from collections.abc import Callable

from ..errors import ConfigurationError, StoreError
from ..owner import Owners
from ..redis_link import RedisLink
from .redis_layout import SECRET

log = logging.getLogger(__name__)

WITHIN = 2.0  # seconds; no chat request waits for it
OTHER = (
    "the owner secret is not the one that this Redis knows, so memories would silently not be"
    " shared: give every instance the same (YYCHAT_OWNER_SECRET_FILE)"
)


async def one_secret(
    link: RedisLink,
    owners: Owners,
    fail: Callable[[ConfigurationError], None],
    every: float = 0.5,
) -> None:
    """Compare secrets now, and each time Redis has come back (perhaps emptied); until cancelled.

    Another secret ends the start by *fail*. Where Redis was away then, it is only logged: what
    serves is not taken away.
    """
    checked = -1
    while True:
        if checked != link.transitions and not link.degraded:
            seen = link.transitions
            try:
                same = await _claimed(link, owners)
            except StoreError as error:
                log.debug("the owner secret is not compared yet: %s", error)
            else:
                if not same and seen == 0:
                    fail(ConfigurationError(OTHER))
                elif not same:
                    log.error(OTHER)
                checked = seen
        await asyncio.sleep(every)


async def another_secret(link: RedisLink, owners: Owners) -> bool:
    """Redis knows a secret, and it is not ours. Raises ``StoreError``."""
    known = await link.ask(lambda r: r.get(SECRET), within=WITHIN)
    return known not in (None, owners.fingerprint.encode())


async def _claimed(link: RedisLink, owners: Owners) -> bool:
    """Whether ours is the secret that Redis knows; the first to come is."""
    await link.ask(lambda r: r.set(SECRET, owners.fingerprint, nx=True), within=WITHIN)
    return not await another_secret(link, owners)
