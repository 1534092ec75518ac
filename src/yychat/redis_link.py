"""One Redis for commands: asked within a deadline, and left alone while it is away.

A breaker stands before it. It opens when Redis cannot be reached, or lets three questions in a
row run out of time; then nobody asks but one probe, and the service works without. What a
stalled event loop lets run out of time is not counted: that is our fault, not Redis'.
"""

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import StoreError

if TYPE_CHECKING:  # who has no Redis pays neither the time nor the memory of its library
    import redis.asyncio as redis
    from redis.exceptions import ResponseError

log = logging.getLogger(__name__)
T = TypeVar("T")

CONNECTIONS = 64
TIMEOUTS = 3  # in a row, until the breaker opens
STALL = 0.05  # seconds that a timeout may come late before it counts as a stall of our own loop
PROBE_EVERY = 0.5  # seconds


class Patience:
    """How many seconds one request may still wait for Redis, all its questions together."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


_patience: ContextVar[Patience | None] = ContextVar("redis_patience", default=None)


@contextlib.contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Within the block, and in tasks begun in it, Redis is waited for *seconds* in all."""
    token = _patience.set(Patience(seconds))
    try:
        yield
    finally:
        _patience.reset(token)


class RedisLink:
    """Commands over a bounded pool. Raises ``StoreError`` and nothing else.

    ``probe`` has to run beside the service: only it closes the breaker again.
    """

    def __init__(self, url: str, *, within: float = 0.1, connections: int = CONNECTIONS) -> None:
        import redis.asyncio as redis
        from redis import exceptions
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        from .redis_pool import Pool

        self.url, self._within, self._errors = url, within, exceptions
        pool = Pool.from_url(
            url,
            max_connections=connections,
            # No timeouts of its own: with them redis-py awaits through asyncio.wait_for, which on
            # Python 3.11 can swallow a cancellation. Every question here has a deadline around it.
            socket_timeout=None,
            socket_connect_timeout=None,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )
        self._client: redis.Redis = redis.Redis.from_pool(pool)
        self._open = False
        self._timeouts = 0
        self.transitions = 0

    @property
    def degraded(self) -> bool:
        """Redis is being left alone."""
        return self._open

    async def ask(
        self, question: Callable[["redis.Redis"], Awaitable[T]], *, within: float | None = None
    ) -> T:
        """Put *question* to Redis, within *within* seconds or the request's patience."""
        if self._open:
            raise StoreError("Redis is away")
        mine = _patience.get()
        limit = within if within is not None else self._within
        if mine is not None and within is None:
            limit = min(limit, mine.seconds)
            if limit <= 0:
                raise StoreError("this request has waited long enough for Redis")
        started = time.monotonic()
        try:
            return await self._asked(question, limit)
        finally:
            if mine is not None:
                mine.seconds -= time.monotonic() - started

    async def run(
        self,
        script: str,
        keys: Sequence[str],
        arguments: Sequence[Any] = (),
        *,
        within: float | None = None,
    ) -> Any:
        """Have Redis run a Lua *script*: see ``ask``. Its text is sent where Redis has not got it
        yet, or not any more."""

        async def question(client: "redis.Redis") -> Any:
            try:
                return await client.evalsha(_digest(script), len(keys), *keys, *arguments)
            except self._errors.NoScriptError:
                return await client.eval(script, len(keys), *keys, *arguments)

        return await self.ask(question, within=within)

    async def probe(self, every: float = PROBE_EVERY) -> None:
        """While Redis is away, look whether it is back; until cancelled."""
        while True:
            await asyncio.sleep(every)
            if self._open:
                await self._look()

    async def close(self) -> None:
        await self._client.aclose()
        await self._client.connection_pool.disconnect()

    async def _asked(self, question: Callable[["redis.Redis"], Awaitable[T]], limit: float) -> T:
        due, errors = time.monotonic() + limit, self._errors
        try:
            async with asyncio.timeout(limit):
                answer = await question(self._client)
        except (TimeoutError, errors.TimeoutError) as error:
            self._timed_out(late=time.monotonic() - due)
            raise StoreError("Redis did not answer in time") from error
        except errors.AuthenticationError as error:  # a ConnectionError to redis-py
            self._leave_alone("it does not accept the password")
            raise StoreError("Redis does not accept the password", code="redis_auth") from error
        except errors.ResponseError as error:
            raise _refused(error) from error
        except (errors.RedisError, OSError) as error:
            self._leave_alone(type(error).__name__)
            raise StoreError("Redis cannot be reached") from error
        self._timeouts = 0
        return answer

    def _timed_out(self, late: float) -> None:
        if late > STALL:
            return
        self._timeouts += 1
        if self._timeouts >= TIMEOUTS:
            self._leave_alone("no answer in time")

    def _leave_alone(self, why: str) -> None:
        if not self._open:
            self._open = True
            self.transitions += 1
            log.warning("Redis is away (%s): going on without it", why)

    async def _look(self) -> None:
        with contextlib.suppress(TimeoutError, self._errors.RedisError, OSError):
            # Idle connections that a crash reset look sound: each would open the breaker once more.
            await self._client.connection_pool.disconnect(inuse_connections=False)
            async with asyncio.timeout(self._within * 2):
                if await self._client.ping() is not True:
                    return
            self._open, self._timeouts = False, 0
            self.transitions += 1
            log.warning("Redis is back")


@cache
def _digest(script: str) -> str:
    """What Redis calls it."""
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


def _refused(error: "ResponseError") -> StoreError:
    """Redis answered, and the answer was no: its first word says why, the rest may quote us.
    redis-py takes the words it knows out of the text."""
    reason = error.status_code or str(error).partition(" ")[0]
    text = f"Redis refused ({reason if reason.isupper() else 'ERR'})"
    return StoreError(text, code="redis_refused")
