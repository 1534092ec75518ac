"""Workers that share a Redis are killed at random moments: no turn is lost, none is seen twice."""

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx2

from commands import worker
from fault.instances import asked, fact, instance, listed, until, well
from on_redis import end_leases
from redis_server import RedisServer, redis_server
from remembering import job, owner, turn
from running import Service, Simulator
from yychat.memory.outbox import Job
from yychat.memory.outbox_redis import RedisOutbox
from yychat.memory.turns_redis import RedisTurns
from yychat.redis_link import RedisLink

TURNS = 600
CLIENTS = 6
KILLS = 8
USERS = 6
PAUSE = 0.2  # seconds between two facts of a client: the kills need time to be in between


class Fleet:
    """Three instances, of which one may be gone at any moment."""

    def __init__(
        self, folder: Path, redis: RedisServer, upstream: Simulator, stack: ExitStack
    ) -> None:
        self._folder, self._redis, self._upstream, self._stack = folder, redis, upstream, stack
        self.running = [self._start(number) for number in range(3)]

    def kill(self, number: int) -> None:
        """kill -9, and its successor in the same data folder."""
        self.running[number].kill()
        self.running[number] = self._start(number)

    def _start(self, number: int) -> Service:
        starting = instance(self._folder, f"worker{number}", self._redis, self._upstream)
        started = self._stack.enter_context(starting)
        until(lambda: well(started))
        return started


class Teller(threading.Thread):
    """Tells facts to whoever lives until *enough* were answered; one without answer stays untold.

    Each has a user of its own: the order of a user's turns is the order of telling.
    """

    def __init__(self, fleet: Fleet, number: int) -> None:
        super().__init__(daemon=True)
        self._fleet, self._dice = fleet, random.Random(number)
        self.user = f"user-{number}"
        self.told: list[int] = []
        self.tried: list[int] = []
        self._next = number * 10_000

    def run(self) -> None:
        with httpx2.Client(timeout=30) as http:
            while len(self.told) < TURNS // CLIENTS:
                self._tell(http)
                time.sleep(self._dice.uniform(0, 2 * PAUSE))

    def _tell(self, http: httpx2.Client) -> None:
        number, self._next = self._next, self._next + 1
        url = self._dice.choice(self._fleet.running).url
        self.tried.append(number)
        try:
            answer = http.post(f"{url}/v1/chat/completions", json=asked(fact(number), self.user))
        except httpx2.TransportError:
            return  # killed
        if answer.status_code == 200:
            self.told.append(number)


class Watcher(threading.Thread):
    """Looks at what is listed all the time; ``seen`` is what it saw twice in one listing."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(daemon=True)
        self._fleet, self.over = fleet, threading.Event()
        self.seen: Counter[str] = Counter()
        self.looks = 0

    def run(self) -> None:
        dice = random.Random(0)
        while not self.over.wait(0.05):
            where, user = dice.choice(self._fleet.running), f"user-{dice.randrange(USERS)}"
            try:
                self.seen.update(twice(where, user))
            except (httpx2.TransportError, RuntimeError):
                continue  # killed
            self.looks += 1


def twice(where: Service, user: str) -> list[str]:
    return [text for text, count in listed(where, user).items() if count > 1]


def test_eight_kills_of_three_workers_lose_no_turn_and_show_none_twice(
    tmp_path: Path, upstream: Simulator, note: Callable[[str], None]
) -> None:
    seed = time.time_ns()
    dice = random.Random(seed)
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server(tmp_path / "redis", appendonly=True))
        fleet = Fleet(tmp_path, redis, upstream, stack)
        tellers = [Teller(fleet, number) for number in range(CLIENTS)]
        watcher = Watcher(fleet)
        for thread in (*tellers, watcher):
            thread.start()
        killed_while_telling = kill_some(fleet, tellers, dice)
        for teller in tellers:
            teller.join(120)
        until(lambda: waiting(redis) == 0, within=90)
        watcher.over.set()
        watcher.join(30)
        note(
            f"kills     {sum(len(t.told) for t in tellers)} turns answered,"
            f" {sum(len(t.tried) - len(t.told) for t in tellers)} tried in vain, {KILLS} kills"
            f" ({killed_while_telling} under load), {watcher.looks} looks, seed {seed}"
        )
        assert killed_while_telling == KILLS
        assert sum(len(teller.told) for teller in tellers) == TURNS
        assert watcher.seen == Counter()
        for where in fleet.running:
            assert [t.user for t in tellers if lost(where, t)] == []
            assert [t.user for t in tellers if twice(where, t.user)] == []


def kill_some(fleet: Fleet, tellers: Sequence[Teller], dice: random.Random) -> int:
    """Kill eight times; how many of them while all still talked."""
    under_load = 0
    for _ in range(KILLS):
        time.sleep(dice.uniform(0, 0.5))  # the random moment is the test
        under_load += all(teller.is_alive() for teller in tellers)
        fleet.kill(dice.randrange(3))
    return under_load


def lost(where: Service, teller: Teller) -> list[int]:
    known = listed(where, teller.user)
    return [n for n in teller.told if not {fact(n), fact(n).removeprefix("say ")} <= set(known)]


def waiting(redis: RedisServer) -> int:
    """Jobs in the outbox, whoever has them."""
    streams = [key for key in redis.keys("*outbox*") if redis.cli("type", key) == "stream"]
    return sum(int(redis.cli("xlen", key)) for key in streams)


# `yychat work`

JOBS = 3_000
WORKER_KILLS = 5


def test_workers_that_are_killed_one_after_the_other_deliver_every_turn_once_and_in_order(
    tmp_path: Path, note: Callable[[str], None]
) -> None:
    dice = random.Random()
    with redis_server(tmp_path / "redis", appendonly=True) as redis:
        put = [
            job(turn(f"question {n}", f"answer {n}", at=1_000.0 + n), owner(f"user {n % USERS}"))
            for n in range(JOBS)
        ]
        asyncio.run(all_put(redis, put))
        in_the_middle = sum(killed_in_the_middle(redis, dice) for _ in range(WORKER_KILLS))
        end_leases(redis)
        with worker(REDIS_URL=redis.url):
            until(lambda: waiting(redis) == 0)
        note(
            f"work      {JOBS} turns, {WORKER_KILLS} workers killed, {in_the_middle} in the middle"
        )
        assert in_the_middle == WORKER_KILLS
        for number in range(USERS):
            mine = [each.turn.id for each in put if each.owner == owner(f"user {number}")]
            assert asyncio.run(stored(redis, f"user {number}")) == mine


def killed_in_the_middle(redis: RedisServer, dice: random.Random) -> bool:
    """Kill a worker a moment after it has begun to deliver; whether anything was left to do."""
    end_leases(redis)
    before = waiting(redis)
    with worker(REDIS_URL=redis.url) as working:
        until(lambda: waiting(redis) < before)
        time.sleep(dice.uniform(0, 0.05))  # the random moment is the test
        working.kill()
    until(lambda: alone(redis))  # what it sent last may still be on its way: a lease, too
    return 0 < waiting(redis) < before


def alone(redis: RedisServer) -> bool:
    """Whether nobody is connected but who asks this."""
    return len(redis.cli("client", "list", "type", "normal").splitlines()) == 1


async def all_put(redis: RedisServer, jobs: Sequence[Job]) -> None:
    link = RedisLink(redis.url, within=5.0)
    for each in jobs:
        await RedisOutbox(link).put(each)
    await link.close()


async def stored(redis: RedisServer, user: str) -> list[str]:
    """The ids of a user's turns in the order in which they were stored."""
    link = RedisLink(redis.url, within=5.0)
    look = await RedisTurns(link).look(owner(user), epoch=-1, after=0)
    await link.close()
    return [each.turn.id for each in sorted(look.turns, key=lambda each: each.seq or JOBS)]
