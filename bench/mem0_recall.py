"""What a recall through Mem0Memory costs beside the search of mem0's own library, on chroma.

    python bench/mem0_recall.py [--facts N] [--questions N]

Both hold as many facts of one owner, and are asked the same questions by turns in one process.
Every question is an embedding from the scripted upstream; none is asked twice, so no cache helps.
"""

import importlib
import random
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import click
import uvloop

from memory import owner, timed, turn
from processes import upstream
from report import Row, Table, percentile, show
from text import words
from upstream import DIMENSIONS
from yychat.memory.mem0 import Mem0Memory, recalled_facts
from yychat.memory.mem0_aim import Aims
from yychat.memory.mem0_ledger import SqliteLedger
from yychat.memory.mem0_process import InProcessMem0
from yychat.memory.mem0_stores import ChromaStore
from yychat.sqlite import Database
from yychat.upstream.config import Endpoint

TITLE = "A recall of Mem0Proxy's memory beside mem0's own search, milliseconds"
OURS, OWN = "Mem0Memory.recall", "mem0.Memory.search"
LIMIT = 10
MINE = owner("recall")


async def mem0_recall(facts: int, questions: int, rounds: int) -> Table:
    dice = random.Random(8)
    ours, own = Row(OURS), Row(OWN)
    async with _memories() as (client, memory, library):
        for number in range(facts):
            await client.add(MINE.key, MINE.tenant, turn(number), since=0.0)
            library.add(words(dice, 15), user_id=MINE.key)
        for _ in range(rounds):
            taken = [await _asked(memory, library, words(dice, 12)) for _ in range(questions)]
            for row, seconds in zip((ours, own), zip(*taken, strict=True), strict=True):
                row.requests += questions
                p50, p99 = (percentile(seconds, rank) * 1e3 for rank in (50, 99))
                row.note(recall_p50=p50, recall_p99=p99)
    return Table(TITLE, [ours, own])


async def _asked(memory: Mem0Memory, library: Any, question: str) -> tuple[float, float]:
    """Seconds of both for the same question."""
    ours = await timed(lambda: memory.recall(MINE, question, LIMIT))
    begun = time.perf_counter()
    library.search(question, filters={"user_id": MINE.key}, top_k=LIMIT)
    return ours, time.perf_counter() - begun


@asynccontextmanager
async def _memories() -> AsyncIterator[tuple[InProcessMem0, Mem0Memory, Any]]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mem0-bench-")))
        provider = await stack.enter_async_context(upstream())
        base_url = f"http://127.0.0.1:{provider.port}/v1"
        aims = Aims("bench", "bench")
        aims.use([Endpoint(name="bench", base_url=base_url)])
        client = await InProcessMem0(ChromaStore(folder / "ours"), aims, folder=folder).open()
        database = stack.enter_context(closing(Database(folder / "yychat.db")))
        memory = Mem0Memory(client, SqliteLedger(database), recalled_facts(ttl=60.0))
        stack.push_async_callback(memory.close)
        yield client, memory, _library(ChromaStore(folder / "own"), base_url)


def _library(store: ChromaStore, base_url: str) -> Any:
    """mem0 as its users have it, on the same kind of store."""
    # Not sooner: it reads, when it is imported, what opening ours has set.
    library = importlib.import_module("mem0")
    model = {"model": "bench", "api_key": "bench", "openai_base_url": base_url}
    return library.Memory.from_config(
        {
            "llm": {"provider": "openai", "config": model},
            "embedder": {"provider": "openai", "config": model},
            "vector_store": store.open(DIMENSIONS),
            "history_db_path": ":memory:",
        }
    )


@click.command()
@click.option("--facts", default=200, show_default=True)
@click.option("--questions", default=100, show_default=True, help="In each round.")
@click.option("--rounds", default=5, show_default=True)
def main(facts: int, questions: int, rounds: int) -> None:
    show(uvloop.run(mem0_recall(facts, questions, rounds)))


if __name__ == "__main__":
    main()
