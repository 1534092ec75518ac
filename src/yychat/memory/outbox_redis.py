"""The outbox in Redis Streams, shared by all instances.

Jobs lie in partitions, by owner; every change is one script, so that a worker may die anywhere. A
claim is a lease: when it ends without a heartbeat, the next poll of any worker takes the job
over, idle or not.

Jobs for mem0 lie beside those for the native memory under keys of their own, so that neither has
to be looked through for the other:

    yychat:v1:{pNN}:mem0:outbox, :mem0:states, :mem0:dead, :mem0:pending:OWNER
    yychat:v1:active:mem0
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from ..errors import StoreError
from ..redis_link import RedisLink
from . import redis_layout as layout
from .outbox import Backlog, Job
from .turns_redis import seed, stored_job, tell_dropped

WITHIN = 2.0  # seconds for a worker's questions: no chat request waits for them
WINDOW = 512  # jobs of a partition that a claim looks at
LOOK_EVERYWHERE = 5.0  # seconds between claims that do not trust the set of active partitions


class Namespace:
    """The names of the keys that hold the jobs of one kind."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.active = f"{layout.ACTIVE}:{prefix.rstrip(':')}" if prefix else layout.ACTIVE

    def outbox(self, partition: int) -> str:
        return self._of("outbox", partition)

    def states(self, partition: int) -> str:
        return self._of("states", partition)

    def dead(self, partition: int) -> str:
        return self._of("dead", partition)

    def pending(self, owner: str) -> str:
        return self.of_owner("pending", owner)

    def of_owner(self, what: str, owner: str) -> str:
        return layout.of_owner(self._prefix + what, owner)

    def _of(self, what: str, partition: int) -> str:
        return f"{layout.tag(partition)}:{self._prefix}{what}"


NATIVE, MEM0 = Namespace(""), Namespace("mem0:")


def namespace_of(kind: str) -> Namespace:
    """What nobody knows is kept where an operator finds it."""
    return MEM0 if kind == "mem0" else NATIVE


class Lane(NamedTuple):
    """The jobs of one kind in one partition."""

    space: Namespace
    partition: int


class RedisOutbox:
    """See ``Outbox`` for the promises."""

    def __init__(
        self,
        link: RedisLink,
        clock: Callable[[], float] = time.time,
        *,
        kind: str | None = None,
    ) -> None:
        self._link, self._clock = link, clock
        self._spaces = [NATIVE, MEM0] if kind is None else [namespace_of(kind)]
        self._look_everywhere = 0.0

    async def put(self, job: Job) -> None:
        owner, space = job.owner.key, namespace_of(job.kind)
        partition = layout.partition_of(owner)
        keys = [
            space.outbox(partition),
            space.pending(owner),
            layout.of_owner("meta", owner),
            layout.erased(partition),
        ]
        arguments = [
            job.id,
            _encoded(job),
            _shown(job),
            job.turn.at,
            seed(),
            _who(job),
            self._clock(),
            job.owner.tenant,
        ]

        async def both(redis: Any) -> None:
            pipeline = redis.pipeline(transaction=False)
            pipeline.sadd(layout.owners(job.owner.tenant), owner)
            pipeline.eval(layout.PUT, len(keys), *keys, *arguments)
            # Only now: a claim that finds nothing takes the partition out, and looks once more.
            pipeline.sadd(space.active, partition)
            told = (await pipeline.execute())[1]
            if told == -1:
                tell_dropped(job.owner)
            elif told not in (0, 1):  # whatever answered, it was no Redis
                raise StoreError("Redis answered something else to a put")

        await self._link.ask(both)

    async def claim(self, worker: str, limit: int, lease: float) -> Sequence[Job]:
        now = self._clock()
        taken: list[Job] = []
        for space, partition in await self._with_jobs():
            keys = [space.outbox(partition), space.states(partition)]
            left = limit - len(taken)
            arguments = [layout.GROUP, worker, now, now + lease, left, WINDOW]
            taken += map(_job, await self._eval(layout.CLAIM, keys, arguments))
            if len(taken) >= limit:
                break
        return taken

    async def done(self, jobs: Iterable[Job]) -> None:
        await self._for_each([(layout.DONE, job, []) for job in jobs])

    async def retry(self, jobs: Sequence[Job], delay: float) -> None:
        due = self._clock() + delay
        for job in jobs:
            space, owner = namespace_of(job.kind), job.owner.key
            keys = [space.states(layout.partition_of(owner)), space.pending(owner)]
            await self._eval(layout.RETRY, keys, [job.id, due, job.attempts])

    async def bury(self, job: Job) -> None:
        await self._for_each([(layout.BURY, job, [_encoded(job)])])

    async def renew(self, worker: str, lease: float) -> None:
        now = self._clock()
        for space, partition in await self._with_jobs():
            keys = [space.outbox(partition), space.states(partition)]
            await self._eval(layout.RENEW, keys, [worker, now, now + lease, WINDOW])

    async def backlog(self) -> Backlog:
        def measure(pipeline: Any, lane: Lane) -> None:
            outbox = lane.space.outbox(lane.partition)
            pipeline.xlen(outbox)
            pipeline.hlen(lane.space.dead(lane.partition))
            pipeline.xrange(outbox, count=1)

        answers = await self._of_lanes(self._lanes(), measure)
        oldest = [float(entries[0][1][b"put_at"]) for entries in answers[2::3] if entries]
        age = max(0.0, self._clock() - min(oldest)) if oldest else 0.0
        return Backlog(pending=sum(answers[0::3]), dead=sum(answers[1::3]), oldest_seconds=age)

    async def dead_letters(self) -> list[Job]:
        """What was given up, oldest first."""
        answers = await self._of_lanes(
            self._lanes(), lambda pipeline, lane: pipeline.hvals(lane.space.dead(lane.partition))
        )
        jobs = [stored_job(raw) for found in answers for raw in found]
        return sorted(jobs, key=lambda job: job.turn.at)

    async def revive(self, job: Job) -> None:
        """A dead letter is to be delivered after all."""
        owner, space = job.owner.key, namespace_of(job.kind)
        partition = layout.partition_of(owner)
        keys = [space.outbox(partition), space.pending(owner), space.dead(partition)]
        fresh = msgspec.structs.replace(job, attempts=0)
        arguments = [job.id, _encoded(fresh), _shown(job), _who(job), self._clock()]
        await self._eval(layout.REVIVE, keys, arguments)
        await self._link.ask(lambda r: r.sadd(space.active, partition), within=WITHIN)

    async def drop(self, job: Job) -> None:
        """A dead letter is to be forgotten."""
        owner, space = job.owner.key, namespace_of(job.kind)
        keys = [
            space.dead(layout.partition_of(owner)),
            space.pending(owner),
            layout.of_owner("meta", owner),
        ]
        await self._eval(layout.DROP, keys, [job.id])

    def _lanes(self) -> list[Lane]:
        return [Lane(space, p) for space in self._spaces for p in range(layout.PARTITIONS)]

    async def _with_jobs(self) -> list[Lane]:
        """Lanes that have jobs, the one with the oldest first."""
        everywhere = time.monotonic() >= self._look_everywhere
        if everywhere:
            self._look_everywhere = time.monotonic() + LOOK_EVERYWHERE
            lanes = self._lanes()
        else:
            lanes = [lane for space in self._spaces for lane in await self._active(space)]
        heads = await self._heads(lanes)
        idle = [lane for lane in lanes if lane not in heads]
        if idle and not everywhere:
            await self._deactivate(idle)
            heads |= await self._heads(idle)
        return sorted(heads, key=lambda lane: heads[lane])

    async def _active(self, space: Namespace) -> list[Lane]:
        members = await self._link.ask(lambda r: r.smembers(space.active), within=WITHIN)
        return [Lane(space, int(member)) for member in members]

    async def _deactivate(self, lanes: Sequence[Lane]) -> None:
        async def ask(redis: Any) -> None:
            pipeline = redis.pipeline(transaction=False)
            for space, partition in lanes:
                pipeline.srem(space.active, partition)
            await pipeline.execute()

        await self._link.ask(ask, within=WITHIN)

    async def _heads(self, lanes: Sequence[Lane]) -> dict[Lane, int]:
        """When the first entry came, of every lane that has one."""
        found = await self._of_lanes(
            lanes,
            lambda pipeline, lane: pipeline.xrange(lane.space.outbox(lane.partition), count=1),
        )
        return {
            lane: int(entries[0][1][b"order"])
            for lane, entries in zip(lanes, found, strict=True)
            if entries
        }

    async def _of_lanes(
        self, lanes: Sequence[Lane], question: Callable[[Any, Lane], object]
    ) -> list[Any]:
        async def ask(redis: Any) -> list[Any]:
            pipeline = redis.pipeline(transaction=False)
            for lane in lanes:
                question(pipeline, lane)
            answers: list[Any] = await pipeline.execute()
            return answers

        return await self._link.ask(ask, within=WITHIN) if lanes else []

    async def _for_each(self, calls: Sequence[tuple[str, Job, list[Any]]]) -> None:
        async def ask(redis: Any) -> None:
            pipeline = redis.pipeline(transaction=False)
            for script, job, more in calls:
                space, owner = namespace_of(job.kind), job.owner.key
                partition = layout.partition_of(owner)
                keys = [
                    space.outbox(partition),
                    space.pending(owner),
                    space.states(partition),
                    space.dead(partition),
                ]
                pipeline.eval(script, len(keys), *keys, layout.GROUP, job.id, *more)
            await pipeline.execute()

        if calls:
            await self._link.ask(ask, within=WITHIN)

    async def _eval(self, script: str, keys: list[str], arguments: list[Any]) -> Any:
        return await self._link.run(script, keys, arguments, within=WITHIN)


def _encoded(job: Job) -> bytes:
    return msgspec.msgpack.encode(job)


def _job(claimed: Any) -> Job:
    raw, attempts = claimed
    return msgspec.structs.replace(stored_job(raw), attempts=int(attempts))


def _who(job: Job) -> str:
    """Whose turns have to stay in order: an owner's, for each memory on its own."""
    return f"{job.owner.key}/{job.kind}"


def _shown(job: Job) -> bytes:
    """What a look at its memory shows of a job on its way: its turn, if it goes anywhere."""
    return msgspec.msgpack.encode(job.turn) if job.kind in ("native", "mem0") else b""
