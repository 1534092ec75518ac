"""What handlers work with: put together in app.py, carried in the request's state."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal, cast

from starlette.requests import HTTPConnection

from ..engines.manager import EngineManager
from ..errors import Draining, YYChatError
from ..limits.admission import Admission, Door
from ..owner import Owners
from ..personalities.loader import Personalities
from ..redis_link import RedisLink
from ..tools.registry import Registry
from ..upstream.models import ModelCatalogue
from ..upstream.router import Upstreams
from .auth import Caller
from .requests import Defaults

Phase = Literal["starting", "serving", "draining"]


class Lifecycle:
    """Where in its life this process is; readiness follows it, and early requests wait for it."""

    def __init__(self) -> None:
        self.phase: Phase = "starting"
        self.failure: YYChatError | None = None
        self.stop: Callable[[], None] = lambda: None
        self._ready = asyncio.Event()

    def begin(self) -> None:
        if self.phase == "starting":
            self.phase = "serving"
        self._ready.set()

    def fail(self, error: YYChatError) -> None:
        """The start went wrong after listening had begun: the process has to end."""
        self.failure = error
        self.stop()

    async def serving(self, within: float | None) -> None:
        """Wait until requests can be answered, however long that takes for None. Raises
        ``Draining``."""
        try:
            async with asyncio.timeout(within):
                await self._ready.wait()
        except TimeoutError:
            raise Draining("the service is still starting", retry_after=1) from None


@dataclass(frozen=True)
class Services:
    engines: EngineManager
    upstreams: Upstreams
    models: ModelCatalogue
    personalities: Personalities
    tools: Registry
    owners: Owners
    defaults: Defaults
    door: Door
    redis: RedisLink | None
    request_timeout: float
    metrics_token: str | None
    max_body: int
    lifecycle: Lifecycle = field(default_factory=Lifecycle)

    def admitted(self, caller: Caller) -> AbstractAsyncContextManager[Admission]:
        """A place for one request of *caller*, within its budget. Raises ``Rejected``."""
        return self.door.admitted(caller.tenant, caller.budget)


def services_of(connection: HTTPConnection) -> Services:
    return cast(Services, connection.state.services)


def caller_of(connection: HTTPConnection) -> Caller:
    return cast(Caller, connection.state.caller)


def request_id_of(connection: HTTPConnection) -> str:
    return cast(str, connection.state.request_id)
