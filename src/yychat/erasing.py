"""``yychat erase``: an operator's erasure from every memory: in the local file, in Redis where
there is one, and in mem0's store."""

from collections.abc import Awaitable
from contextlib import AsyncExitStack

from . import app
from .errors import ConfigurationError, StoreError
from .extracting import store_of
from .memory.mem0_erasing import StoreAlone
from .memory.mem0_erasing import erased as erased_in_mem0
from .memory.mem0_erasing import erased_tenant as erased_tenant_in_mem0
from .memory.mem0_ledger import Ledger, SqliteLedger
from .memory.mem0_ledger_redis import RedisLedger, SpooledLedger
from .memory.mem0_process import quieten
from .memory.secret_redis import OTHER, another_secret
from .memory.spool import SpooledTurns
from .memory.turns import TurnStore
from .memory.turns_redis import PATIENT, RedisTurns
from .memory.turns_sqlite import SqliteTurns
from .owner import Kind, Owner
from .redis_link import RedisLink
from .settings import Settings
from .sqlite import Database

NATIVE, MEM0 = "chat_engine's memory", "mem0"


async def erased(settings: Settings, tenant: str, whom: tuple[Kind, str] | None) -> int:
    """Erase a conversation or a user, without *whom* a whole tenant, from all memories; how many
    turns that were.

    Raises ``ConfigurationError``, and ``StoreError`` that names what could not be erased; the rest
    is, all the same. A Redis that is away is noticed before anything is erased.
    """
    link = app.redis_link(settings)
    if link is None and not (settings.data_dir / "yychat.db").exists():
        raise StoreError(f"there is no memory in {settings.data_dir} (YYCHAT_DATA_DIR)")
    async with AsyncExitStack() as stack:
        if link:
            stack.push_async_callback(link.close)
            await _there(link)
        owner = await _owner(settings, link, tenant, whom) if whom else None
        return await _all(_erasures(settings, link, stack, owner, tenant))


def _erasures(
    settings: Settings,
    link: RedisLink | None,
    stack: AsyncExitStack,
    owner: Owner | None,
    tenant: str,
) -> dict[str, Awaitable[int]]:
    """By the memory that is erased: first mem0's, for which turns wait for long. Whoever delivers
    them would let those go, uncounted, that he finds erased."""
    quieten()
    app.make_data_dir(settings)
    database = app.open_database(settings)
    stack.callback(database.close)
    turns, ledger = _turns(database, link), _ledger(database, link)
    mem0 = StoreAlone(store_of(settings))
    stack.push_async_callback(mem0.close)
    if owner:
        return {MEM0: erased_in_mem0(ledger, mem0, owner), NATIVE: turns.erase(owner)}
    return {
        MEM0: erased_tenant_in_mem0(ledger, mem0, tenant),
        NATIVE: turns.erase_tenant(tenant),
    }


async def _all(erasures: dict[str, Awaitable[int]]) -> int:
    """Of how many turns the memories were. Raises ``StoreError`` unless all were erased."""
    count, done, failed = 0, [], []
    for name, erasing in erasures.items():
        try:
            count += await erasing
            done.append(name)
        except StoreError as error:
            failed.append(f"{name}: {error.message}")
    if failed:
        rest = f" Erased from {', '.join(done)}: {count} turns." if done else ""
        raise StoreError(f"not erased from {'; '.join(failed)}.{rest} Erase again")
    return count


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


def _turns(database: Database, link: RedisLink | None) -> TurnStore:
    local = SqliteTurns(database)
    return SpooledTurns(RedisTurns(link), local, lambda: True) if link else local


def _ledger(database: Database, link: RedisLink | None) -> Ledger:
    local = SqliteLedger(database)
    return SpooledLedger(RedisLedger(link), local, lambda: True) if link else local
