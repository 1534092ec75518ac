"""``yychat erase``: an operator's erasure, in the local file and in Redis where there is one."""

from contextlib import AsyncExitStack

from . import app
from .errors import ConfigurationError, StoreError
from .memory.secret_redis import OTHER, another_secret
from .memory.spool import SpooledTurns
from .memory.turns import TurnStore
from .memory.turns_redis import PATIENT, RedisTurns
from .memory.turns_sqlite import SqliteTurns
from .owner import Kind, Owner
from .redis_link import RedisLink
from .settings import Settings


async def erased(settings: Settings, tenant: str, whom: tuple[Kind, str] | None) -> int:
    """Erase a conversation or a user, without *whom* a whole tenant; how many turns that were.

    Raises ``StoreError`` or ``ConfigurationError``; a Redis that is away is noticed before
    anything is erased.
    """
    link = app.redis_link(settings)
    if link is None and not (settings.data_dir / "yychat.db").exists():
        raise StoreError(f"there is no memory in {settings.data_dir} (YYCHAT_DATA_DIR)")
    async with AsyncExitStack() as stack:
        if link:
            stack.push_async_callback(link.close)
            await _there(link)
        owner = await _owner(settings, link, tenant, whom) if whom else None
        turns = _turns(settings, link, stack)
        return await turns.erase(owner) if owner else await turns.erase_tenant(tenant)


async def _there(link: RedisLink) -> None:
    try:
        await link.ask(lambda r: r.ping(), within=PATIENT)
    except StoreError as error:
        raise StoreError(f"{error.message}: nothing was erased") from error


async def _owner(
    settings: Settings, link: RedisLink | None, tenant: str, whom: tuple[Kind, str]
) -> Owner:
    owners = app.owners_of(settings, create=False)
    if link and await another_secret(link, owners):  # it would find nobody, and say all is well
        raise ConfigurationError(f"nothing was erased: {OTHER}")
    return owners.owner(tenant, *whom)


def _turns(settings: Settings, link: RedisLink | None, stack: AsyncExitStack) -> TurnStore:
    app.make_data_dir(settings)
    database = app.open_database(settings)
    stack.callback(database.close)
    local = SqliteTurns(database)
    return SpooledTurns(RedisTurns(link), local, lambda: True) if link else local
