"""mem0, put together: its client, what is known beside it, its outbox and the worker behind."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from .delivering import delivered, replayed
from .engines.mem0_proxy import Condition
from .errors import ConfigurationError, EngineUnavailable
from .memory.base import Memory
from .memory.mem0 import Mem0Memory, recalled_facts
from .memory.mem0_aim import Aims
from .memory.mem0_lazy import LazyClient
from .memory.mem0_ledger import KIND, Ledger, SqliteLedger
from .memory.mem0_ledger_redis import RedisLedger, SpooledLedger
from .memory.mem0_process import InProcessMem0
from .memory.mem0_stores import ChromaStore, PgvectorStore, Store
from .memory.outbox import OutboxDoor
from .memory.outbox_redis import RedisOutbox
from .memory.outbox_sqlite import SqliteOutbox
from .memory.spool import SpooledOutbox
from .redis_link import RedisLink
from .settings import Settings
from .sqlite import Database
from .telemetry.readings import Readings
from .telemetry.telemetry import Telemetry

BATCH = 8  # turns under way at once; each is a call of a model


@dataclass(frozen=True)
class Mem0Parts:
    memory: Memory
    outbox: OutboxDoor
    probe: Condition


@dataclass(frozen=True)
class Mem0Condition:
    """See ``Condition``."""

    memory: Mem0Memory
    store: Store
    aims: Aims

    def missing(self) -> str | None:
        return self.store.missing() or self.aims.missing()

    async def __call__(self) -> None:
        if missing := self.missing():
            raise EngineUnavailable(missing)
        await self.memory.probe()


def aims_of(settings: Settings, *, simulated: bool) -> Aims:
    """Where mem0 finds its models, once somebody says where the upstreams are."""
    given = "simulated" if simulated else None
    return Aims(
        settings.mem0_model or settings.openai_model or given,
        settings.mem0_embedding_model or settings.embedding_model or given,
    )


def store_of(settings: Settings) -> Store:
    """Raises ``ConfigurationError``."""
    url = settings.mem0_database_url
    if settings.mem0_store == "chroma" or (settings.mem0_store == "auto" and url is None):
        return ChromaStore(settings.data_dir / "mem0" / "chroma")
    if url is None:
        raise ConfigurationError("MEM0_STORE=pgvector needs MEM0_DATABASE_URL")
    return PgvectorStore(url.get_secret_value())


def mem0_memory(
    settings: Settings,
    aims: Aims,
    ledger: Ledger,
    stack: AsyncExitStack,
    readings: Readings | None = None,
) -> Mem0Memory:
    store = store_of(settings)
    folder = settings.data_dir / "mem0"

    async def connect() -> InProcessMem0:
        mem0 = InProcessMem0(store, aims, folder=folder, timeout=settings.mem0_timeout)
        return await mem0.open()

    # In this process only: what is erased would lie in a shared cache until its time is up.
    cache = recalled_facts(ttl=settings.redis_ttl)
    if readings:
        readings.cache("recall", cache)
    memory = Mem0Memory(LazyClient(connect, store.used), ledger, cache)
    stack.push_async_callback(memory.close)
    return memory


def mem0_parts(
    settings: Settings,
    telemetry: Telemetry,
    database: Database,
    link: RedisLink | None,
    aims: Aims,
    stack: AsyncExitStack,
) -> Mem0Parts:
    local, noted = SqliteOutbox(database, kind=KIND), SqliteLedger(database)
    if link is None:
        memory = mem0_memory(settings, aims, noted, stack, telemetry.readings)
        watched = telemetry.memory(memory)
        door = delivered(local, watched, stack, telemetry.delivered, batch=BATCH)
        return Mem0Parts(
            watched, telemetry.outbox(door), Mem0Condition(memory, store_of(settings), aims)
        )
    shared = RedisOutbox(link, kind=KIND)
    spooled = SpooledOutbox(shared, local)
    ledger = SpooledLedger(RedisLedger(link), noted, lambda: spooled.behind)
    memory = mem0_memory(settings, aims, ledger, stack, telemetry.readings)
    watched = telemetry.memory(memory)
    if settings.workers_in_serve:
        spooled.before(delivered(shared, watched, stack, telemetry.delivered, batch=BATCH))
    replayed(spooled, KIND, local, shared, link, stack)
    condition = Mem0Condition(memory, store_of(settings), aims)
    return Mem0Parts(watched, telemetry.outbox(spooled), condition)
