"""mem0 in this process, hardened: the only place that knows its library.

tests/test_mem0_contract.py holds what is relied on here.
"""

import asyncio
import importlib
import logging
import os
import re
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import StoreError
from .base import Turn
from .mem0_aim import Aim, Model
from .mem0_client import Fact, fact
from .mem0_context import Context
from .mem0_guard import Guard
from .mem0_stores import Store
from .mem0_threads import Threads

CONNECT = 5.0  # seconds to reach a model
EMBED = 10.0  # seconds for an embedding
PROBE = 4.0  # seconds for the embedding that shows whether mem0 is well; asked once
PROBED = "How many dimensions has a vector?"
NOBODY = f"c{0:032x}"
LONGEST_ANSWER = 4_000  # tokens of an extraction; a long turn's would be cut off at mem0's 2,000
MOST = 10_000  # facts of one owner that a listing brings
LOUD = ("mem0", "chromadb", "psycopg.pool", "openai", "httpx2", "httpx", "httpcore")

_OWNER = re.compile(r"[cu][0-9a-f]{32}")  # an ``Owner.key``


class InProcessMem0:
    """See ``Mem0Client``. Reads and writes have threads of their own: extracting takes seconds."""

    def __init__(
        self,
        store: Store,
        aims: Callable[[], Aim],
        *,
        folder: Path,
        timeout: float = 60.0,
        readers: int = 8,
        writers: int = 4,
    ) -> None:
        self._store, self._aims, self._folder, self._timeout = store, aims, folder, timeout
        self._reads = Threads("mem0-read", readers, waiting=64)
        self._writes = Threads("mem0-write", writers, waiting=256)
        self._aiming = threading.Lock()
        self._aimed: tuple[Aim, Any, Any] | None = None  # with the SDK's clients for both
        self._context = Context()
        self._memory: Any = None
        self._guard: Guard

    async def open(self) -> "InProcessMem0":
        """Import mem0, make it and warm it, in a thread; takes seconds."""
        try:
            await self._writes.run(lambda: importlib.import_module("httpcore"))
            # Not in a thread: the OpenAI SDK looks for httpx among the modules at every call, and
            # takes it half imported. Its greater part is there by now.
            importlib.import_module("httpx")
            await self._writes.run(self._open)
        except StoreError:
            await self.close()
            raise
        return self

    async def search(self, owner: str, query: str, limit: int) -> Sequence[Fact]:
        def work() -> list[Fact]:
            if not query.strip():
                return []
            self._take_aim()
            found = self._memory.search(
                _text(query), filters=_only(owner), top_k=limit, threshold=self._store.threshold
            )
            return [fact(row) for row in found["results"]]

        return await self._reads.run(work)

    async def listing(self, owner: str) -> Sequence[Fact]:
        def work() -> list[Fact]:
            found = self._memory.get_all(filters=_only(owner), top_k=MOST)
            return [fact(row) for row in found["results"]]

        return await self._reads.run(work)

    async def add(self, owner: str, tenant: str, turn: Turn, *, since: float) -> None:
        await self._writes.run(lambda: self._add(owner, tenant, turn, since))

    async def has(self, owner: str, job: str) -> bool:
        def work() -> bool:
            filters = {**_only(owner), "job": job}
            (rows,) = self._memory.vector_store.list(filters=filters, top_k=1)
            return any(row.payload.get("job") == job for row in rows)

        return await self._reads.run(work)

    async def delete(self, owner: str, job: str | None = None) -> int:
        def work() -> int:
            where = _only(owner)
            self._context.forget(owner)
            return self._store.delete({**where, "job": job} if job is not None else where)

        return await self._writes.run(work)

    async def delete_tenant(self, tenant: str) -> int:
        def work() -> int:
            self._context.clear()
            return self._store.delete({"tenant": tenant})

        return await self._writes.run(work)

    async def probe(self) -> None:
        def work() -> None:
            self._check(self._embedded_dimensions())

        await self._reads.run(work)

    async def close(self) -> None:
        def work() -> None:
            self._writes.close()
            self._reads.close()
            self._store.close()

        await asyncio.to_thread(work)

    # In mem0's threads.

    def _open(self) -> None:
        quieten()
        keep_private(self._folder)
        aim, *_ = self._models()
        dimensions = self._embedded_dimensions()
        library = importlib.import_module("mem0")
        vectors = self._store.open(dimensions)
        self._memory = library.Memory.from_config(
            {
                "llm": {
                    "provider": "openai",
                    "config": {**_config(aim.model), "max_tokens": LONGEST_ANSWER},
                },
                "embedder": {"provider": "openai", "config": _config(aim.embedder)},
                "vector_store": vectors,
                "history_db_path": ":memory:",
            }
        )
        self._memory.db.close()
        self._memory.db = self._context
        self._store.warm(self._memory.vector_store)
        self._guard = Guard(self._memory, importlib.import_module("mem0.memory.utils"))
        self._check(dimensions)
        self._take_aim()
        self._memory.search(PROBED, filters=_only(NOBODY), top_k=1)

    def _add(self, owner: str, tenant: str, turn: Turn, since: float) -> None:
        said = [("user", turn.user), ("assistant", turn.assistant)]
        messages = [{"role": role, "content": _text(text)} for role, text in said if text.strip()]
        if not messages:
            return
        ours = {
            "job": turn.id,
            "at": turn.at,
            "tenant": tenant,
            "created_at": datetime.fromtimestamp(turn.at, UTC).isoformat(),
        }
        self._take_aim()
        self._context.begin(owner, at=turn.at, since=since)
        with self._guard.whole():
            self._memory.add(messages, user_id=_only(owner)["user_id"], metadata=ours)

    def _take_aim(self) -> None:
        """Point mem0 at the models as they are now, with timeouts and few retries."""
        aim, model, embedder = self._models()
        if self._memory.llm.client is not model:
            self._memory.llm.client, self._memory.embedding_model.client = model, embedder
            self._memory.llm.config.model = aim.model.name
            self._memory.embedding_model.config.model = aim.embedder.name

    def _models(self) -> tuple[Aim, Any, Any]:
        aim = self._aims()
        with self._aiming:
            if self._aimed is None or self._aimed[0] != aim:
                self._aimed = (aim, *_clients(aim, self._timeout))
            return self._aimed

    def _embedded_dimensions(self) -> int:
        aim, _, client = self._models()
        hasty = _as_configured(client.with_options(timeout=PROBE, max_retries=0))
        answer = hasty.embeddings.create(
            input=[PROBED], model=aim.embedder.name, encoding_format="float"
        )
        return len(answer.data[0].embedding)

    def _check(self, dimensions: int) -> None:
        stored = self._store.dimensions()
        if stored is not None and stored != dimensions:
            raise StoreError(
                f"mem0's store has vectors of {stored} dimensions, the embedder gives {dimensions}:"
                " MEM0_EMBEDDING_MODEL is another than it was"
            )


def keep_private(folder: Path) -> None:
    """The one place that writes the process's environment: mem0 reads these when it is imported,
    and an OPENROUTER_API_KEY at every call would send what users say to another provider."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ["MEM0_TELEMETRY"] = "False"
    os.environ["MEM0_DIR"] = str(folder)
    os.environ.pop("OPENROUTER_API_KEY", None)


def quieten() -> None:
    """mem0 logs what users say, some of it as errors: what goes wrong is raised, and told by us."""
    logging.getLogger("mem0").setLevel(logging.CRITICAL + 1)
    for name in LOUD[1:]:
        logger = logging.getLogger(name)
        logger.setLevel(max(logging.ERROR, logger.level))


def _only(owner: str) -> dict[str, str]:
    """The one filter there is. mem0 takes ``*`` for everybody and a list for several."""
    if not _OWNER.fullmatch(owner):
        raise StoreError("that is no owner's key")
    return {"user_id": owner}


def _text(text: str) -> str:
    """PostgreSQL has no NUL."""
    return text.replace("\0", " ")


def _config(model: Model) -> dict[str, str]:
    return {"model": model.name, "api_key": model.api_key, "openai_base_url": model.base_url}


def _clients(aim: Aim, timeout: float) -> tuple[Any, Any]:
    """The SDK's clients for both models, on one pool of connections."""
    openai = importlib.import_module("openai")
    model = openai.OpenAI(
        base_url=aim.model.base_url,
        api_key=aim.model.api_key,
        timeout=openai.Timeout(timeout, connect=CONNECT),
        max_retries=1,
    )
    embedder = model.with_options(
        base_url=aim.embedder.base_url,
        api_key=aim.embedder.api_key,
        timeout=openai.Timeout(EMBED, connect=CONNECT),
    )
    return _as_configured(model), _as_configured(embedder)


def _as_configured(client: Any) -> Any:
    """Without what it read from OPENAI_* variables: they may be meant for another upstream."""
    client.organization = client.project = None
    client._custom_headers = {}
    return client
