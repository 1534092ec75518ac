"""What sharing memory over Redis costs against the local SQLite file: a warm recall with its look
whether anything is new, and putting a turn into the outbox.

    python bench/redis_memory.py [--turns 2000] [--rounds 2000]

Both stores take turns, question by question, in one process. Redis is a redis-server of its own
on loopback, with its append-only file; no embedder, so recall is by words.
(Not called redis.py: from this folder that would be imported in place of the client.)
"""

import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path

import click
import uvloop

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from memory import figures, owner, timed, turn, words
from redis_server import redis_server
from report import percentile
from yychat.memory.native import NativeMemory
from yychat.memory.outbox import Job, Outbox
from yychat.memory.outbox_redis import RedisOutbox
from yychat.memory.outbox_sqlite import SqliteOutbox
from yychat.memory.turns import TurnStore
from yychat.memory.turns_redis import RedisTurns
from yychat.memory.turns_sqlite import SqliteTurns
from yychat.redis_link import RedisLink
from yychat.sqlite import Database

TARGET = 0.0005  # seconds, p50 of a warm recall over Redis
OWNERS = 50

Question = Callable[[], Awaitable[object]]


async def recalling(local: TurnStore, shared: TurnStore, turns: int, rounds: int) -> None:
    now, mine = time.time(), owner("recall")
    for number in range(turns):
        told = turn(number, now - 60 * (turns - number))
        for store in (local, shared):
            await store.append(mine, (told, None), keep=turns)
    memories = NativeMemory(local), NativeMemory(shared)
    for memory in memories:
        await memory.recall(mine, words(8), 10)
    mark = (await shared.look(mine, epoch=-1, after=0)).mark
    epoch = (await shared.look(mine, epoch=-1, after=0)).epoch

    async def ask(memory: NativeMemory, text: str) -> None:
        assert not (await memory.recall(mine, text, 10)).degraded

    questions = [words(8) for _ in range(rounds)]
    sqlite, redis = await in_turn(
        [(lambda q=q: ask(memories[0], q), lambda q=q: ask(memories[1], q)) for q in questions]  # type: ignore[misc]
    )
    show(f"warm recall, {turns} turns", sqlite, redis)
    verdict = "met" if percentile(redis, 50) <= TARGET else "MISSED"
    print(f"  target: p50 over Redis at most {TARGET * 1e6:.0f} us: {verdict}")
    looks = [
        (
            lambda: local.look(mine, epoch=0, after=10**9),
            lambda: shared.look(mine, epoch=epoch, after=10**9, mark=mark),
        )
    ] * rounds
    show("  of that, the look", *await in_turn(looks))


async def storing(local: Outbox, shared: Outbox, rounds: int) -> None:
    jobs = [
        Job(kind="native", owner=owner(f"put-{number % OWNERS}"), turn=turn(10**6 + number))
        for number in range(rounds)
    ]
    show(
        "outbox put",
        *await in_turn([(lambda j=j: local.put(j), lambda j=j: shared.put(j)) for j in jobs]),  # type: ignore[misc]
    )


async def in_turn(pairs: Sequence[tuple[Question, Question]]) -> tuple[list[float], list[float]]:
    """Seconds of the first and of the second of each pair; who begins alternates."""
    taken: tuple[list[float], list[float]] = ([], [])
    for number, pair in enumerate(pairs):
        for which in (number % 2, 1 - number % 2):
            taken[which].append(await timed(pair[which]))
    return taken


def show(what: str, sqlite: list[float], redis: list[float]) -> None:
    p50, p99 = (percentile(redis, n) / percentile(sqlite, n) for n in (50, 99))
    print(f"{what:<26}SQLite {figures(sqlite)}")
    print(f"{'':<26}Redis  {figures(redis)}   ratio p50 {p50:.2f}, p99 {p99:.2f}")


async def run(turns: int, rounds: int) -> None:
    with (
        tempfile.TemporaryDirectory() as name,
        redis_server(Path(name) / "redis", appendonly=True) as server,
    ):
        link = RedisLink(server.url, within=5.0)
        with closing(Database(Path(name) / "yychat.db")) as database:
            try:
                await recalling(SqliteTurns(database), RedisTurns(link), turns, rounds)
                await storing(SqliteOutbox(database), RedisOutbox(link), rounds)
            finally:
                await link.close()
    print(f"load {' '.join(f'{value:.2f}' for value in os.getloadavg())}, {os.cpu_count()} cores")


@click.command()
@click.option("--turns", default=2000, show_default=True, help="Turns of the owner who recalls.")
@click.option("--rounds", default=2000, show_default=True, help="Measurements of each kind.")
def main(turns: int, rounds: int) -> None:
    uvloop.run(run(turns, rounds))  # the loop that the service runs on


if __name__ == "__main__":
    main()
