"""Where mem0 keeps its vectors: chroma in a folder, or PostgreSQL with pgvector.

What mem0 would do by default and does not do here: an HNSW index in PostgreSQL finds next to
nothing of an owner among many others, and chroma's log keeps what was deleted.
"""

import importlib
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from ..errors import StoreError
from .mem0_chroma_files import Room

NAME = "yychat"
ENTITIES = f"{NAME}_entities"  # mem0 makes it where it finds spaCy
LOCK = 0x79796368  # of those who make the tables: CREATE EXTENSION is not safe against itself
WITHIN = 3.0  # seconds to reach PostgreSQL
STATEMENT = "10s"
# A host that is gone is noticed within seconds, not hours; what is only slow is waited for.
KEEPALIVE = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
BUSY = 5.0  # seconds to wait for chroma

Where = Mapping[str, str]


class Store(Protocol):
    """Called from mem0's threads; raises whatever its driver raises, and ``StoreError`` where
    its extra is not installed. Values of a *where* are compared as they are: ``*`` is a star."""

    threshold: float

    def missing(self) -> str | None:
        """What has to be installed, if anything is missing; from any thread, at once."""
        ...

    def used(self) -> bool:
        """Whether anything may ever have been stored; from any thread, at once."""
        ...

    def open(self, dimensions: int) -> dict[str, Any]:
        """mem0's ``vector_store`` configuration."""
        ...

    def warm(self, vectors: Any) -> None:
        """Make what is missing, by one process at a time; *vectors* is mem0's store."""
        ...

    def dimensions(self) -> int | None:
        """Those of the vectors that are there; None where there are none yet."""
        ...

    def delete(self, where: Where) -> int:
        """Delete what has all these values, from the disk as well; how many turns it was
        extracted from."""
        ...

    def close(self) -> None: ...


class ChromaStore:
    """In a folder of this machine. Several processes may share it."""

    # As a cosine of 0.1; mem0 makes 1 / (1 + distance) of a distance.
    threshold = 1 / 1.9

    def __init__(self, folder: Path) -> None:
        self._folder, self._file = folder, folder / "chroma.sqlite3"
        self._client: Any = None
        self._deleting = threading.Lock()
        self._stale: list[str] = []  # what was deleted and may still be in the file
        self._room = Room(folder)

    def missing(self) -> str | None:
        return _missing("chromadb", extra="mem0-local")

    def used(self) -> bool:
        return self._file.exists()

    def open(self, dimensions: int) -> dict[str, Any]:
        chromadb = _imported("chromadb", "mem0-local")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = chromadb.config.Settings(anonymized_telemetry=False)
        self._client = chromadb.PersistentClient(str(self._folder), settings=settings)
        for name in (NAME, ENTITIES):
            self._client.get_or_create_collection(
                name, metadata={"hnsw:space": "cosine"}, embedding_function=None
            )
        config = {
            "collection_name": NAME,
            "client": self._client,
            "path": str(self._folder),
        }
        return {"provider": "chroma", "config": config}

    def warm(self, vectors: Any) -> None:
        vectors.list(filters={"user_id": "nobody"}, top_k=1)

    def dimensions(self) -> int | None:
        found = self._collection(NAME).get(limit=1, include=["embeddings"])["embeddings"]
        return len(found[0]) if len(found) else None

    def delete(self, where: Where) -> int:
        clauses = [{key: {"$eq": value}} for key, value in where.items()]
        condition = clauses[0] if len(clauses) == 1 else {"$and": clauses}
        with self._deleting:
            turns, _ = (self._delete_in(name, condition) for name in (NAME, ENTITIES))
            self._scrub()
        return len(turns)

    def close(self) -> None:
        self._client = None

    def _delete_in(self, name: str, condition: Mapping[str, Any]) -> set[Any]:
        """The turns that this was of."""
        collection = self._collection(name)
        found = collection.get(where=condition, include=["metadatas"])
        if found["ids"]:
            self._stale += found["ids"]
            collection.delete(where=condition)
        return {row.get("job") for row in found["metadatas"]}

    def _collection(self, name: str) -> Any:
        return self._client.get_collection(name, embedding_function=None)

    def _scrub(self) -> None:
        """chroma's log of additions, its free pages and the room in its indexes still have the
        text. Where that fails, the next deletion does it."""
        if not self._stale and not self._room.written():
            return
        with closing(sqlite3.connect(self._file, timeout=BUSY, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")  # nobody adds anything meanwhile
            self._room.blank()
            connection.executemany(
                "UPDATE embeddings_queue SET metadata = NULL WHERE id = ?",
                [(i,) for i in self._stale],
            )
            connection.execute("COMMIT")
            if self._stale:
                connection.execute("VACUUM")
        self._stale.clear()


class PgvectorStore:
    """In PostgreSQL, shared by all instances. *connections* is how many are used at once."""

    threshold = 0.1

    def __init__(self, url: str, *, connections: int = 12) -> None:
        self._url, self._connections = url, connections
        self._pool: Any = None

    def missing(self) -> str | None:
        return _missing("psycopg", "psycopg_pool", extra="mem0-pgvector")

    def used(self) -> bool:
        return True  # by another instance, for all we know

    def open(self, dimensions: int) -> dict[str, Any]:
        psycopg_pool = _imported("psycopg_pool", "mem0-pgvector")
        _imported("psycopg", "mem0-pgvector")
        self.close()
        pool = self._pool = psycopg_pool.ConnectionPool(
            self._url,
            min_size=1,
            max_size=self._connections,
            timeout=WITHIN,
            open=False,
            name="mem0",
            configure=_configure,
            check=psycopg_pool.ConnectionPool.check_connection,
            # A prepared statement's generic plan would not use the index by owner.
            kwargs={"connect_timeout": round(WITHIN), "prepare_threshold": None, **KEEPALIVE},
        )
        pool.open(wait=True, timeout=WITHIN)
        config = {
            "collection_name": NAME,
            "embedding_model_dims": dimensions,
            "hnsw": False,
            "connection_pool": pool,
        }
        return {"provider": "pgvector", "config": config}

    def warm(self, vectors: Any) -> None:
        with self._pool.connection() as locked:
            locked.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            vectors.list(filters={"user_id": "nobody"}, top_k=1)  # makes the table
            with self._pool.connection() as connection:
                connection.execute(
                    f"CREATE INDEX IF NOT EXISTS {NAME}_by_owner"
                    f" ON {NAME} ((payload ->> 'user_id'))"
                )

    def dimensions(self) -> int | None:
        with self._pool.connection() as connection:
            found = connection.execute(
                "SELECT atttypmod FROM pg_attribute"
                " WHERE attrelid = to_regclass(%s) AND attname = 'vector'",
                (NAME,),
            ).fetchone()
        return int(found[0]) if found else None

    def delete(self, where: Where) -> int:
        condition = " AND ".join(f"payload ->> '{key}' = %s" for key in where)
        values = tuple(where.values())
        with self._pool.connection() as connection:
            turns: set[Any] = set()
            for table in (ENTITIES, NAME):
                if connection.execute("SELECT to_regclass(%s)", (table,)).fetchone()[0]:
                    gone = f"DELETE FROM {table} WHERE {condition} RETURNING payload ->> 'job'"
                    turns = {row[0] for row in connection.execute(gone, values)}
            return len(turns)

    def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()


def _configure(connection: Any) -> None:
    connection.execute(f"SET statement_timeout = '{STATEMENT}'")
    connection.commit()


def _missing(*modules: str, extra: str) -> str | None:
    found: Sequence[object] = [find_spec(module) for module in modules]
    return None if all(found) else _told(extra)


def _imported(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise StoreError(_told(extra), code="extra_missing") from error


def _told(extra: str) -> str:
    return f'mem0 has no store: install it with pip install "yychat[{extra}]"'
