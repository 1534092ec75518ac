"""Real mem0 in this process, on chroma and on PostgreSQL, before the simulator."""

import asyncio
import itertools
import logging
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fakes import HANG, ScriptedUpstream, scripted_upstream
from mem0_parts import aims_at, in_process
from postgres_server import postgres_server
from remembering import owner, turn
from running import Simulator, simulator
from yychat.errors import StoreError
from yychat.memory.mem0 import Mem0Memory, recalled_facts
from yychat.memory.mem0_aim import Aims
from yychat.memory.mem0_chroma_files import HEADER
from yychat.memory.mem0_client import Fact
from yychat.memory.mem0_lazy import LazyClient
from yychat.memory.mem0_ledger import SqliteLedger
from yychat.memory.mem0_process import InProcessMem0
from yychat.memory.mem0_stores import ChromaStore, PgvectorStore, Store
from yychat.sqlite import Database
from yychat.upstream.config import Endpoint

# What chromadb and its friends do at import, and with the clock, is theirs.
pytestmark = pytest.mark.filterwarnings("default")

ANNA, BOB = owner("anna").key, owner("bob").key
STORES = ("chroma", "pgvector")
numbers = itertools.count()


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with postgres_server() as url:
        yield url


def empty(url: str) -> str:
    """The URL of a new database on the same server."""
    import psycopg

    name = f"db{next(numbers)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return url.replace("/postgres?", f"/{name}?")


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "chroma":
        return ChromaStore(tmp_path / "mem0" / "chroma")
    return PgvectorStore(empty(request.getfixturevalue("postgres")))


@pytest.fixture(scope="module", params=STORES)
def opened(
    request: pytest.FixtureRequest,
    shared_simulator: Simulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[InProcessMem0]:
    """One for all tests: it takes its time to open, and knows no event loop."""
    folder = tmp_path_factory.mktemp("mem0")
    store: Store = ChromaStore(folder / "chroma")
    if request.param == "pgvector":
        store = PgvectorStore(request.getfixturevalue("postgres"))
    client = asyncio.run(in_process(store, shared_simulator, folder).open())
    yield client
    asyncio.run(client.close())


@pytest.fixture
async def mem0(opened: InProcessMem0, upstream: Simulator) -> AsyncIterator[InProcessMem0]:
    yield opened
    upstream.reset()
    await opened.delete_tenant("acme")


async def add(client: InProcessMem0, whose: str, text: str, job: str, at: float = 100.0) -> None:
    said = turn(text, "I see.", id=job, at=at)
    await client.add(whose, "acme", said, since=0.0)


async def texts(client: InProcessMem0, whose: str) -> set[str]:
    return {fact.text for fact in await client.listing(whose)}


async def test_a_turn_becomes_facts_that_know_their_owner_turn_and_time(
    mem0: InProcessMem0,
) -> None:
    await add(mem0, ANNA, "I like zebrafinches. My car is blue.", "job-1", at=123.5)
    best, *_ = await mem0.search(ANNA, "zebrafinches, like", 5)
    assert (best.text, best.owner) == ("I like zebrafinches.", ANNA)
    assert (best.job, best.at) == ("job-1", 123.5)
    assert best.score > 0.5
    assert await texts(mem0, ANNA) == {"I like zebrafinches.", "My car is blue."}


async def test_what_has_nothing_to_do_with_the_question_is_not_found(mem0: InProcessMem0) -> None:
    await add(mem0, ANNA, "My car is blue.", "job-1")
    assert await mem0.search(ANNA, "zebrafinches", 5) == []
    assert await mem0.search(ANNA, " \n", 5) == []


async def test_chinese_is_found(mem0: InProcessMem0) -> None:
    await add(mem0, ANNA, "我喜欢喝绿茶。", "job-1")
    assert [fact.text for fact in await mem0.search(ANNA, "绿茶", 5)] == ["我喜欢喝绿茶。"]


async def test_nobody_finds_lists_or_deletes_what_is_anothers(mem0: InProcessMem0) -> None:
    await add(mem0, ANNA, "I like zebrafinches.", "job-1")
    assert await mem0.search(BOB, "zebrafinches", 5) == []
    assert await mem0.listing(BOB) == []
    assert await mem0.delete(BOB) == 0
    assert await mem0.delete(BOB, "job-1") == 0
    assert not await mem0.has(BOB, "job-1")
    assert len(await mem0.listing(ANNA)) == 1


@pytest.mark.parametrize("whose", ["*", "", "anna", f"{ANNA}*", f"{ANNA}\n"])
async def test_what_is_no_owners_key_never_reaches_mem0(mem0: InProcessMem0, whose: str) -> None:
    await add(mem0, ANNA, "I like zebrafinches.", "job-1")
    for asked in (mem0.search(whose, "a", 5), mem0.listing(whose), mem0.delete(whose)):
        with pytest.raises(StoreError, match="no owner's key"):
            await asked
    with pytest.raises(StoreError, match="no owner's key"):
        await add(mem0, whose, "I like zebrafinches.", "job-2")
    assert await mem0.delete_tenant("*") == 0
    assert len(await mem0.listing(ANNA)) == 1


async def test_a_turn_is_known_by_its_id(mem0: InProcessMem0) -> None:
    await add(mem0, ANNA, "I like tea.", "job-1")
    assert [await mem0.has(ANNA, job) for job in ("job-1", "job-2", "*")] == [True, False, False]


async def test_one_turns_facts_can_be_deleted_and_an_owners_and_a_tenants(
    mem0: InProcessMem0,
) -> None:
    await add(mem0, ANNA, "I like tea.", "job-1")
    await add(mem0, ANNA, "I like cake.", "job-2")
    await add(mem0, BOB, "I like beer.", "job-3")
    assert await mem0.delete(ANNA, "job-1") == 1
    assert await texts(mem0, ANNA) == {"I like cake."}
    assert await mem0.delete(ANNA) == 1
    assert await mem0.delete_tenant("acme") == 1
    assert await mem0.listing(BOB) == []


async def test_what_was_said_before_is_told_to_the_extractor_until_it_is_erased(
    mem0: InProcessMem0, upstream: Simulator
) -> None:
    def prompt() -> str:
        return str(upstream.last()["chat"]["body"]["messages"][1]["content"])

    await add(mem0, ANNA, "I have a zebrafinch.", "job-1", at=10.0)
    await add(mem0, ANNA, "It is red.", "job-2", at=20.0)
    assert prompt().count("I have a zebrafinch.") > 1
    await mem0.delete(ANNA)
    await add(mem0, ANNA, "I like tea.", "job-3", at=30.0)
    assert "zebrafinch" not in prompt()
    await mem0.add(ANNA, "acme", turn("I like cake.", "", at=50.0), since=40.0)
    before = prompt().partition("## Last k Messages")[2].partition("## Recently Extracted")[0]
    assert "tea" not in before


async def test_texts_that_stores_do_not_take_are_taken(mem0: InProcessMem0) -> None:
    await add(mem0, ANNA, "I like \0tea.", "job-1")
    await add(mem0, ANNA, "x" * 7_000, "job-2")
    await mem0.add(ANNA, "acme", turn(" ", "", id="job-3"), since=0.0)
    assert {fact.job for fact in await mem0.listing(ANNA)} == {"job-1", "job-2"}


async def test_it_is_well_and_says_so_until_its_models_are_not(
    mem0: InProcessMem0, upstream: Simulator
) -> None:
    await mem0.probe()
    upstream.faults(only="embeddings", error_rate=1)
    with pytest.raises(StoreError, match=r"mem0 failed \(InternalServerError"):
        await mem0.probe()


@pytest.mark.parametrize("only", ["chat", "embeddings"])
async def test_a_model_that_fails_fails_the_turn_and_nothing_of_it_is_stored(
    mem0: InProcessMem0, upstream: Simulator, only: str
) -> None:
    upstream.faults(only=only, error_rate=1)
    with pytest.raises(StoreError):
        await add(mem0, ANNA, "I like tea.", "job-1")
    upstream.reset()
    assert await mem0.listing(ANNA) == []
    await add(mem0, ANNA, "I like tea.", "job-1")
    assert len(await mem0.listing(ANNA)) == 1


async def test_searches_that_failed_leave_nothing_behind(
    mem0: InProcessMem0, upstream: Simulator
) -> None:
    await add(mem0, ANNA, "I like tea", "one")

    def searches() -> list[Coroutine[Any, Any, Sequence[Fact]]]:
        return [mem0.search(ANNA, f"tea {number}", 3) for number in range(16)]

    upstream.faults(only="embeddings", error_rate=1, error_status=400)
    failed = await asyncio.gather(*searches(), return_exceptions=True)
    assert {type(each) for each in failed} == {StoreError}
    upstream.reset()
    assert all(await asyncio.gather(*searches()))


async def test_sixteen_at_once_lose_nothing(mem0: InProcessMem0) -> None:
    keys = [owner(f"{n}").key for n in range(16)]
    await asyncio.gather(*(add(mem0, key, f"I like thing {key}.", "job") for key in keys))
    found = await asyncio.gather(*(mem0.search(key, f"thing {key}", 5) for key in keys))
    assert [[fact.owner for fact in facts] for facts in found] == [[key] for key in keys]


async def test_a_restarted_upstream_is_found_at_its_new_place(
    store: Store, upstream: Simulator, tmp_path: Path
) -> None:
    with simulator() as first:
        aims = aims_at(first.base_url)
        client = await InProcessMem0(store, aims, folder=tmp_path / "mem0").open()
        await add(client, ANNA, "I like tea.", "job-1")
    aims.use([Endpoint(name="simulator", base_url=upstream.base_url)])
    await add(client, ANNA, "I like cake.", "job-2")
    assert len(await client.listing(ANNA)) == 2
    await client.close()


async def test_what_is_remembered_is_there_after_a_restart(
    store: Store, upstream: Simulator, tmp_path: Path
) -> None:
    for n in range(2):
        client = await in_process(store, upstream, tmp_path / "mem0").open()
        await add(client, ANNA, f"I like thing{n}.", f"job-{n}")
        assert len(await client.listing(ANNA)) == n + 1
        await client.close()


async def test_no_user_text_is_logged_whatever_fails(
    mem0: InProcessMem0, upstream: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await add(mem0, ANNA, "I like zebrafinches.", "job-1")
    await mem0.search(ANNA, "zebrafinches", 5)
    upstream.faults(malformed_json=True)
    with pytest.raises(StoreError):
        await add(mem0, ANNA, "More zebrafinches.", "job-2")
    upstream.faults(error_rate=1)
    for doomed in (add(mem0, ANNA, "zebrafinch", "job-3"), mem0.search(ANNA, "zebrafinch", 5)):
        with pytest.raises(StoreError) as caught:
            await doomed
        assert "zebra" not in caught.value.message
    await mem0.delete(ANNA)
    assert "zebra" not in caplog.text


# Models that hang, and that answer something else


def chat(content: str) -> list[bytes]:
    return answer({"choices": [{"index": 0, "message": {"role": "assistant", "content": content}}]})


def answer(body: dict[str, object]) -> list[bytes]:
    raw = msgspec.json.encode({"id": "x", "object": "x", "created": 1, "model": "m", **body})
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(raw)}\r\n"
    return [head.encode() + b"connection: close\r\n\r\n" + raw]


@pytest.fixture
async def model() -> AsyncIterator[ScriptedUpstream]:
    async with scripted_upstream() as server:
        yield server


async def with_model(
    store: Store, model: ScriptedUpstream, upstream: Simulator, folder: Path, within: float = 5.0
) -> InProcessMem0:
    """mem0 with the simulator's embedder and a model that is scripted."""
    aims = Aims("m", "simulated")
    aims.use(
        [
            Endpoint(name="model", base_url=model.base_url, models=["m"]),
            Endpoint(name="embedder", base_url=upstream.base_url, models=["simulated"]),
        ]
    )
    return await InProcessMem0(store, aims, folder=folder, timeout=within).open()


@pytest.mark.parametrize(
    "content", ["no JSON", '["a"]', '{"facts": ["a"]}', '{"memory": ["a"]}', "", '{"memory": [{']
)
async def test_an_extraction_in_another_format_is_no_empty_one(
    model: ScriptedUpstream, upstream: Simulator, tmp_path: Path, content: str
) -> None:
    store = ChromaStore(tmp_path / "mem0" / "chroma")
    client = await with_model(store, model, upstream, tmp_path / "mem0")
    model.script(chat(content), chat('{"memory": [{"id": "0", "text": "Likes tea."}]}'))
    with pytest.raises(StoreError, match="format"):
        await add(client, ANNA, "I like tea.", "job-1")
    await add(client, ANNA, "I like tea.", "job-1")
    assert await texts(client, ANNA) == {"Likes tea."}
    await client.close()


async def test_a_model_that_hangs_is_left_in_time_and_no_recall_waits_for_it(
    model: ScriptedUpstream, upstream: Simulator, tmp_path: Path
) -> None:
    store = ChromaStore(tmp_path / "mem0" / "chroma")
    client = await with_model(store, model, upstream, tmp_path / "mem0", within=0.3)
    model.script([HANG])
    adding = [
        asyncio.create_task(add(client, owner(f"{n}").key, "I like tea.", "job")) for n in range(5)
    ]
    await model.asked.wait()
    async with asyncio.timeout(3):
        await client.search(ANNA, "tea", 5)
        assert not any(task.done() for task in adding)
    async with asyncio.timeout(10):
        done = await asyncio.gather(*adding, return_exceptions=True)
    assert {type(error) for error in done} == {StoreError}
    await client.close()


# Erasing


async def test_an_erasure_leaves_nothing_in_mem0s_files(
    upstream: Simulator, tmp_path: Path
) -> None:
    folder, database = tmp_path / "mem0", Database(tmp_path / "yychat.db")
    client = await in_process(ChromaStore(folder / "chroma"), upstream, folder).open()
    memory = Mem0Memory(client, SqliteLedger(database), recalled_facts(ttl=60))
    now = time.time()
    for n in range(30):
        said = turn(f"I like zebrafinch number{n}.", "zebrafinches!", at=now)
        await memory.remember(owner(), said)
    await memory.remember(owner("bob"), turn("I like beer.", "", at=now))
    await memory.recall(owner(), "zebrafinch", 10)
    assert holding(b"zebrafinch", tmp_path)
    assert await memory.erase(owner()) == 30
    assert await memory.listing(owner(), 10) == []
    assert holding(b"zebrafinch", tmp_path) == []
    assert [fact.text for fact in await memory.listing(owner("bob"), 10)] == ["I like beer."]
    await memory.close()
    database.close()


def holding(text: bytes, folder: Path) -> list[str]:
    return [p.name for p in folder.rglob("*") if p.is_file() and text in p.read_bytes()]


# Stores


async def test_a_store_with_vectors_of_another_embedder_is_told(
    store: Store, upstream: Simulator, tmp_path: Path
) -> None:
    client = await in_process(store, upstream, tmp_path / "mem0").open()
    await add(client, ANNA, "I like tea.", "job-1")
    await client.close()
    vector = [{"object": "embedding", "index": 0, "embedding": [0.5] * 8}]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    async with scripted_upstream() as other:
        other.script(answer({"data": vector, "usage": usage}))
        lazy = LazyClient(
            InProcessMem0(store, aims_at(other.base_url), folder=tmp_path / "mem0").open
        )
        with pytest.raises(StoreError, match="256 dimensions, the embedder gives 8"):
            await lazy.probe()
        await lazy.close()


async def test_a_postgresql_that_is_away_is_told_in_time(
    upstream: Simulator, tmp_path: Path
) -> None:
    store = PgvectorStore("postgresql://nobody:secret@127.0.0.1:1/none")
    async with asyncio.timeout(10):
        with pytest.raises(StoreError) as caught:
            await in_process(store, upstream, tmp_path / "mem0").open()
    assert caught.value.message == "mem0 failed (PoolTimeout)"


async def test_postgresql_gets_an_index_by_owner_and_none_that_hides_owners(
    postgres: str, upstream: Simulator, tmp_path: Path
) -> None:
    import psycopg

    url = empty(postgres)
    clients = [in_process(PgvectorStore(url), upstream, tmp_path / "mem0") for _ in range(4)]
    await asyncio.gather(*(client.open() for client in clients))  # as instances that start at once
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'yychat'")
        indexes = [row[0] for row in found]
    assert any("USING btree (((payload ->> 'user_id'::text)))" in each for each in indexes)
    assert not any("hnsw" in each for each in indexes)
    await asyncio.gather(*(client.close() for client in clients))


@pytest.mark.parametrize(
    ("module", "made", "extra"),
    [
        ("chromadb", "ChromaStore(Path(sys.argv[1]))", "mem0-local"),
        ("psycopg_pool", "PgvectorStore('postgresql://x')", "mem0-pgvector"),
    ],
)
def test_without_its_extra_a_store_names_it(
    tmp_path: Path, module: str, made: str, extra: str
) -> None:
    script = f"""
import sys
from pathlib import Path
from yychat.errors import StoreError
from yychat.memory.mem0_stores import ChromaStore, PgvectorStore
sys.modules[{module!r}] = None
try:
    {made}.open(3)
except StoreError as error:
    print(error.message)
"""
    told = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert (
        told.stdout.strip() == f'mem0 has no store: install it with pip install "yychat[{extra}]"'
    )


# What it costs, and does not


SMOKE = """
import asyncio, os, sys, threading
from pathlib import Path
from yychat.engines.chat_engine import ChatEngine
from yychat.engines.mem0_proxy import Mem0Proxy
from yychat.memory.mem0_aim import Aims
from yychat.memory.mem0_chroma_files import HEADER
from yychat.memory.mem0_lazy import LazyClient
from yychat.memory.mem0_process import InProcessMem0
from yychat.memory.mem0_stores import ChromaStore, PgvectorStore
from yychat.upstream.config import Endpoint

folder, url, database = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
heavy = {"mem0", "chromadb", "psycopg", "qdrant_client", "posthog", "httpx"}
importers = []

class Importers:
    def find_spec(name, *_):
        if name == "httpx":
            importers.append(threading.current_thread())

sys.meta_path.insert(0, Importers)

async def main():
    aims = Aims("simulated", "simulated")
    aims.use([Endpoint(name="simulator", base_url=url)])
    store = PgvectorStore(database) if database else ChromaStore(folder / "chroma")
    client = LazyClient(lambda: InProcessMem0(store, aims, folder=folder).open())
    assert not heavy & sys.modules.keys()
    await client.probe()
    assert "mem0" in sys.modules
    assert importers == [threading.main_thread()]  # the OpenAI SDK takes it half imported
    names = sorted(thread.name.rpartition("-")[0] for thread in threading.enumerate())
    assert not {name for name in names if "posthog" in name.lower() or "Thread" in name}, names
    await client.close()

asyncio.run(main())
sent = [os.environ.get(name) for name in ("MEM0_TELEMETRY", "OPENROUTER_API_KEY")]
assert sent == ["False", None], sent
print("well")
"""


@pytest.mark.parametrize("name", STORES)
def test_both_engines_start_without_mem0_and_it_starts_kept_private(
    name: str, upstream: Simulator, postgres: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    ran = subprocess.run(
        [sys.executable, "-c", SMOKE, str(tmp_path / "mem0"), upstream.base_url,
         empty(postgres) if name == "pgvector" else ""],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "OPENROUTER_API_KEY": "sk-or-1"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert (ran.stdout, ran.returncode) == ("well\n", 0), ran.stderr
    assert not (home / ".mem0").exists()
    assert (tmp_path / "mem0").stat().st_mode & 0o077 == 0


async def test_what_chroma_wrote_of_the_processs_memory_is_blanked_by_an_erasure(
    upstream: Simulator, tmp_path: Path
) -> None:
    """Its index has room for more elements than there are, and writes it unset."""
    folder = tmp_path / "mem0"
    client = await in_process(ChromaStore(folder / "chroma"), upstream, folder).open()
    await add(client, ANNA, "I like tea.", "job-1")
    (index,) = {path.parent for path in folder.rglob("length.bin")}
    version, _, room, elements, size = HEADER.unpack_from((index / "header.bin").read_bytes())
    assert (version, elements) == (1, 0)
    sizes = {(index / "length.bin"): 4 * room, (index / "data_level0.bin"): size * room}
    for path, length in sizes.items():
        assert path.stat().st_size == length
        path.write_bytes(b"what bob said".ljust(length, b"x"))
    assert await client.delete(BOB) == 0  # who never used mem0
    assert not any(path.read_bytes().strip(b"\0") for path in sizes)
    assert await texts(client, ANNA) == {"I like tea."}
    for n in range(120):  # more than there was room for
        await add(client, ANNA, f"I like thing{n}.", f"more-{n}")
    assert await client.delete(BOB) == 0
    assert len(await client.listing(ANNA)) == 121
    found = await client.search(ANNA, "thing5", 5)
    assert "I like thing5." in [fact.text for fact in found]
    await client.close()
    again = await in_process(ChromaStore(folder / "chroma"), upstream, folder).open()
    assert await again.search(ANNA, "thing5", 5) == found
    await again.close()


def test_chromas_log_is_where_it_is_scrubbed(tmp_path: Path) -> None:
    store = ChromaStore(tmp_path / "chroma")
    store.open(3)
    with sqlite3.connect(tmp_path / "chroma" / "chroma.sqlite3") as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(embeddings_queue)")]
    connection.close()
    assert {"id", "metadata"} <= set(columns)
