"""Requests under way: at most so many in this process, and of one tenant at most its share."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ..errors import CapacityExceeded

COME_BACK = 1.0  # seconds: answers end all the time


class Inflight:
    """Counts places; never waits. *per_tenant* is half of *limit* where it is not given.

    ``inflight`` and ``tenants`` say how many are taken now, in all and by whom.
    """

    def __init__(self, limit: int, per_tenant: int | None = None) -> None:
        self.limit = limit
        self.per_tenant = min(limit, per_tenant or max(1, limit // 2))
        self.inflight = 0
        self._tenants: dict[str, int] = {}

    @property
    def tenants(self) -> Mapping[str, int]:
        """Places taken by tenant; only of tenants that have any."""
        return self._tenants

    @contextmanager
    def place(self, tenant: str) -> Iterator[None]:
        """A place for the time of the block. Raises ``CapacityExceeded``."""
        taken = self._tenants.get(tenant, 0)
        if self.inflight >= self.limit:
            raise _full("this instance has as many requests as it can answer at once")
        if taken >= self.per_tenant:
            raise _full("this tenant has as many requests under way as it may have")
        self.inflight += 1
        self._tenants[tenant] = taken + 1
        try:
            yield
        finally:
            self._leave(tenant)

    def _leave(self, tenant: str) -> None:
        self.inflight -= 1
        self._tenants[tenant] -= 1
        if not self._tenants[tenant]:
            del self._tenants[tenant]


def _full(message: str) -> CapacityExceeded:
    return CapacityExceeded(message, retry_after=COME_BACK)
