"""The selection in Redis: one key, a stream of its changes, and a channel that announces them.

yychat:v1:{engines}:selection   hash    revision, selection (JSON)
yychat:v1:{engines}:history     stream  selection, about the last thousand
yychat:v1:{engines}:announced   channel the selection, each time it changes
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from ..redis_link import RedisLink
from .selection import KEPT, Selection, stored_selection

if TYPE_CHECKING:
    from redis.asyncio.client import PubSub

log = logging.getLogger(__name__)

SELECTION = "yychat:v1:{engines}:selection"
HISTORY = "yychat:v1:{engines}:history"
ANNOUNCED = "yychat:v1:{engines}:announced"

WITHIN = 1.0  # seconds for a question; no chat request waits for it
QUIET = 5.0  # seconds without a message until Redis is asked whether it is still there
AGAIN = 0.5  # seconds until a lost connection is made anew

# What can be refused comes before what changes: a script that fails half-way is not undone.
# The poll makes up for an announcement that Redis does not allow.
_PROPOSE = """
local known = tonumber(redis.call('HGET', KEYS[1], 'revision') or '0') or 0
if known >= tonumber(ARGV[1]) then return 0 end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'selection', ARGV[2])
redis.call('HSET', KEYS[1], 'revision', ARGV[1], 'selection', ARGV[2])
redis.pcall('PUBLISH', ARGV[4], ARGV[2])
return 1
"""


class RedisSelections:
    """See ``SelectionStore`` for the promises."""

    def __init__(self, link: RedisLink, *, within: float = WITHIN) -> None:
        self._link, self._within = link, within

    async def read(self) -> Selection | None:
        stored = await self._link.ask(lambda r: r.hget(SELECTION, "selection"), within=self._within)
        return stored_selection(stored)

    async def propose(self, selection: Selection) -> bool:
        arguments = (selection.revision, msgspec.json.encode(selection), KEPT, ANNOUNCED)
        return bool(
            await self._link.run(_PROPOSE, [SELECTION, HISTORY], arguments, within=self._within)
        )

    async def history(self, limit: int) -> list[Selection]:
        entries = await self._link.ask(
            lambda r: r.xrevrange(HISTORY, count=limit), within=self._within
        )
        found = (stored_selection((fields or {}).get(b"selection")) for _, fields in entries or ())
        return [selection for selection in found if selection is not None]


class RedisAnnouncements:
    """Hears of changes at once, over a connection of its own; while that is lost, of none."""

    def __init__(
        self, url: str, *, quiet: float = QUIET, within: float = WITHIN, again: float = AGAIN
    ) -> None:
        import redis.asyncio as redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError

        self._quiet, self._within, self._again = quiet, within, again
        self._lost = (TimeoutError, RedisError, OSError)
        # No timeouts of its own, for the reason that redis_link.py gives: they are around it here.
        self._client: redis.Redis = redis.Redis.from_url(
            url,
            socket_timeout=None,
            socket_connect_timeout=None,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )

    async def listen(self, heard: Callable[[Selection], None], joined: Callable[[], None]) -> None:
        """Tell *heard* what is announced, and *joined* whenever something may have been missed;
        until cancelled."""
        while True:
            try:
                async with self._client.pubsub() as channel:
                    await self._follow(channel, heard, joined)
            except self._lost as error:
                log.debug("announcements are not heard: %s", type(error).__name__)
            await asyncio.sleep(self._again)

    async def close(self) -> None:
        await self._client.aclose()

    async def _follow(
        self, channel: "PubSub", heard: Callable[[Selection], None], joined: Callable[[], None]
    ) -> None:
        async with asyncio.timeout(self._within):
            await channel.subscribe(ANNOUNCED)
        while True:
            message = await self._next(channel)
            if message["type"] == "subscribe":
                joined()
            elif message["type"] == "message" and (selection := stored_selection(message["data"])):
                heard(selection)

    async def _next(self, channel: "PubSub") -> Mapping[str, Any]:
        """The next message; a connection that only seems to be there raises ``TimeoutError``."""
        message: Mapping[str, Any] | None = None
        while message is None:
            try:
                async with asyncio.timeout(self._quiet):
                    message = await channel.get_message(timeout=None)
            except TimeoutError:
                async with asyncio.timeout(self._within):
                    await channel.ping()
                    message = await channel.get_message(timeout=None)
        return message
