"""The outbox as an operator sees it: what waits, what was given up; never what was said."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from . import app
from .errors import NotFound, StoreError
from .memory.outbox import Backlog, DeadLetters, Job
from .memory.outbox_redis import RedisOutbox
from .memory.outbox_sqlite import SqliteOutbox
from .settings import Settings

HEADER = ("ID", "OWNER", "AGE", "TRIES", "MEMORY")


@dataclass(frozen=True)
class Letter:
    """A dead letter, and the outbox it lies in."""

    job: Job
    home: DeadLetters

    @property
    def row(self) -> tuple[str, ...]:
        """What ``HEADER`` says."""
        job = self.job
        age = span(max(0.0, time.time() - job.turn.at))
        return job.id, job.owner.key, age, str(job.attempts), job.kind


class Outboxes:
    """The outbox in Redis and this instance's spool before it; without Redis the local one."""

    def __init__(self, shared: RedisOutbox | None, local: SqliteOutbox | None) -> None:
        self._shared, self._local = shared, local

    async def letters(self) -> list[Letter]:
        """All dead letters. Raises ``StoreError``."""
        homes: Sequence[DeadLetters] = [home for home in (self._shared, self._local) if home]
        return [Letter(job, home) for home in homes for job in await home.dead_letters()]

    async def letter(self, job_id: str) -> Letter:
        """Raises ``NotFound`` or ``StoreError``."""
        for letter in await self.letters():
            if letter.job.id == job_id:
                return letter
        raise NotFound(f"there is no dead letter {job_id}")

    async def backlogs(self) -> dict[str, Backlog]:
        """By what it is of: the outbox, the spool. Raises ``StoreError``."""
        local = await self._local.backlog() if self._local else None
        if self._shared is None:
            return {"outbox": local} if local else {}
        found = {"outbox": await self._shared.backlog()}
        return {**found, "spool": local} if local else found


@asynccontextmanager
async def outboxes(settings: Settings) -> AsyncIterator[Outboxes]:
    """Raises ``ConfigurationError``, and ``StoreError`` where there is no outbox at all."""
    async with AsyncExitStack() as stack:
        link = app.redis_link(settings)
        if link:
            stack.push_async_callback(link.close)
        local = None
        if (settings.data_dir / "yychat.db").exists():
            database = app.open_database(settings)
            stack.callback(database.close)
            local = SqliteOutbox(database)
        elif link is None:
            raise StoreError(f"there is no memory in {settings.data_dir} (YYCHAT_DATA_DIR)")
        yield Outboxes(RedisOutbox(link) if link else None, local)


def table(letters: Sequence[Letter]) -> list[str]:
    """Lines of aligned columns below a header; none where there is no letter."""
    if not letters:
        return []
    rows = [HEADER, *(letter.row for letter in letters)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def span(seconds: float) -> str:
    """A length of time to read: 5s, 3m, 2h, 9d."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"
