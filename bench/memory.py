"""How fast native memory is over the local SQLite file: storing a turn, recalling, and building
the index of an owner who comes back.

    python bench/memory.py [--turns 2000] [--rounds 2000]

Everything runs on a file in a temporary folder; no embedder, so recall is by words.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import click

from yychat.memory.base import Turn
from yychat.memory.native import NativeMemory
from yychat.memory.outbox import Job
from yychat.memory.outbox_sqlite import SqliteOutbox
from yychat.memory.turns_sqlite import SqliteTurns
from yychat.owner import Owner, Owners
from yychat.sqlite import Database

TICK = 0.001  # seconds between two looks at the event loop's lag
CONCURRENT = 50
OWNERS = Owners(b"a secret for benchmarks")

_dice = random.Random(7)
_vocabulary = ["".join(_dice.choices("abcdefghijklmnoprstuvw", k=7)) for _ in range(4000)]
_weights = [1 / (rank + 20) for rank in range(len(_vocabulary))]  # stop words are not searched for


def words(count: int) -> str:
    """Text as uneven as language: a few words make up most of it."""
    return " ".join(_dice.choices(_vocabulary, _weights, k=count))


def turn(number: int, at: float | None = None) -> Turn:
    when = time.time() if at is None else at
    return Turn(id=f"turn-{number}", at=when, user=words(20), assistant=words(60), engine="chat")


def figures(seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    p50, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    return f"p50 {p50 * 1e6:8.0f} us   p99 {p99 * 1e6:8.0f} us   most {ordered[-1] * 1e6:8.0f} us"


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started


async def storing(database: Database, rounds: int) -> None:
    outbox = SqliteOutbox(database)
    jobs = [
        Job(kind="native", owner=owner(f"put-{n % CONCURRENT}"), turn=turn(n))
        for n in range(2 * rounds)
    ]

    async def put_all(share: list[Job]) -> list[float]:
        return [await timed(lambda job=job: outbox.put(job)) for job in share]  # type: ignore[misc]

    print(f"put, one at a time        {figures(await put_all(jobs[:rounds]))}")
    shares = [jobs[rounds + n :: CONCURRENT] for n in range(CONCURRENT)]
    started = time.perf_counter()
    results = await asyncio.gather(*map(put_all, shares))
    spent = time.perf_counter() - started
    flat = [seconds for result in results for seconds in result]
    print(f"put, {CONCURRENT} at once           {figures(flat)}   {len(flat) / spent:.0f}/s")


async def recalling(database: Database, turns: int, rounds: int) -> None:
    store, mine = SqliteTurns(database), owner("recall")
    now = time.time()
    history = [turn(10**6 + n, now - 60 * (turns - n)) for n in range(turns)]
    await asyncio.gather(*(store.append(mine, (t, None), keep=turns) for t in history))
    memory = NativeMemory(store)
    lags: list[float] = []
    ticker = asyncio.create_task(tick(lags))
    cold = await timed(lambda: memory.recall(mine, words(8), 10))
    ticker.cancel()
    print(f"cold recall, {turns} turns   {cold * 1e3:8.1f} ms   loop lag {max(lags) * 1e3:.1f} ms")
    questions = [words(8) for _ in range(rounds)]
    warm = [await timed(lambda q=q: memory.recall(mine, q, 10)) for q in questions]  # type: ignore[misc]
    print(f"warm recall, {turns} turns   {figures(warm)}")
    looks = [await timed(lambda: store.look(mine, epoch=0, after=10**9)) for _ in range(rounds)]
    print(f"  of that, the look       {figures(looks)}")


async def tick(lags: list[float]) -> None:
    while True:
        lags.append(await timed(lambda: asyncio.sleep(TICK)) - TICK)


def owner(given_id: str) -> Owner:
    return OWNERS.owner("bench", "user", given_id)


async def run(turns: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "yychat.db")
        try:
            await storing(database, rounds)
            await recalling(database, turns, rounds)
        finally:
            database.close()


@click.command()
@click.option("--turns", default=2000, show_default=True, help="Turns of the owner who recalls.")
@click.option("--rounds", default=2000, show_default=True, help="Measurements of each kind.")
def main(turns: int, rounds: int) -> None:
    asyncio.run(run(turns, rounds))


if __name__ == "__main__":
    main()
