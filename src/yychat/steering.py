"""``yychat engines``: the selection as an operator reads and changes it, without the service.

What is shared is read and written directly, in Redis or in the local file, so that it works while
instances hang or are down. Nothing here can ask an engine how it is: that gate is the API's.
"""

import getpass
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import get_args

from .answering import selected_of
from .app import open_database, redis_link
from .engines.selected import Selected
from .engines.selection import EngineName, Selection, checked_reason
from .errors import InvalidRequest, NotFound, StoreError
from .settings import Settings

ENGINES: tuple[str, ...] = get_args(EngineName)
WITHIN = 5.0  # seconds for a question to Redis; an operator waits longer than a service


@asynccontextmanager
async def selection(settings: Settings) -> AsyncIterator[Selected]:
    """What is shared. Raises ``ConfigurationError``, and ``StoreError`` where nothing is there."""
    async with AsyncExitStack() as stack:
        link = redis_link(settings)
        database = None
        if link:
            stack.push_async_callback(link.close)
        if (settings.data_dir / "yychat.db").exists():
            database = open_database(settings)
            stack.callback(database.close)
        elif link is None:
            raise StoreError(f"no service has run in {settings.data_dir} (YYCHAT_DATA_DIR)")
        selected = selected_of(settings, database, link, within=WITHIN)
        await selected.recall()
        yield selected


async def switched(
    settings: Settings, weights: Mapping[str, int], reason: str, if_revision: int | None
) -> Selection:
    """The new selection. Raises ``NotFound``, ``InvalidRequest``, ``Conflict``, ``StoreError``."""
    for name in weights:
        if name not in ENGINES:
            raise NotFound(f"there is no engine {name!r}; there are: {', '.join(ENGINES)}")
    if not any(weights.values()):
        raise InvalidRequest("one engine has to have more than 0")
    reason = checked_reason(reason)
    async with selection(settings) as selected:
        base = await selected.base(if_revision)
        shares = {name: weights.get(name, 0) for name in ENGINES}
        return await selected.change(base, shares, by=_operator(), reason=reason)


def lines(current: Selection) -> Iterator[str]:
    """The selection in force, to read."""
    for name in sorted({*ENGINES, *current.weights}):
        weight = current.weights.get(name, 0)
        yield f"{'*' if weight else ' '} {name:<12} {weight}"
    yield row(current)


def row(selection: Selection) -> str:
    """One change, to read: revision, time (UTC), who, shares, why."""
    when = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(selection.at))
    shares = ",".join(f"{name}={share}" for name, share in selection.in_force.items())
    who, why = selection.changed_by, selection.reason
    return f"revision {selection.revision}  {when}  {who}  {shares}  {why}"


def _operator() -> str:
    try:
        return f"cli:{getpass.getuser()}"[:64]
    except (KeyError, OSError):  # a container's user may have no name
        return "cli"
