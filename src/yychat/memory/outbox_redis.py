"""The outbox in Redis Streams, shared by all instances.

Jobs lie in partitions, by owner; every change is one script, so that a worker may die anywhere. A
claim is a lease: when it ends without a heartbeat, the next poll of any worker takes the job
over, idle or not.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from ..errors import StoreError
from ..redis_link import RedisLink
from . import redis_layout as layout
from .outbox import Backlog, Job
from .turns_redis import seed, stored_job, tell_dropped

NATIVE = "native"
WITHIN = 2.0  # seconds for a worker's questions: no chat request waits for them
WINDOW = 512  # jobs of a partition that a claim looks at
LOOK_EVERYWHERE = 5.0  # seconds between claims that do not trust the set of active partitions


class RedisOutbox:
    """See ``Outbox`` for the promises."""

    def __init__(self, link: RedisLink, clock: Callable[[], float] = time.time) -> None:
        self._link, self._clock = link, clock
        self._look_everywhere = 0.0

    async def put(self, job: Job) -> None:
        owner = job.owner.key
        partition = layout.partition_of(owner)
        keys = [
            layout.outbox(partition),
            layout.of_owner("pending", owner),
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
            pipeline.sadd(layout.ACTIVE, partition)
            told = (await pipeline.execute())[1]
            if told == -1:
                tell_dropped(job.owner)
            elif told not in (0, 1):  # whatever answered, it was no Redis
                raise StoreError("Redis answered something else to a put")

        await self._link.ask(both)

    async def claim(self, worker: str, limit: int, lease: float) -> Sequence[Job]:
        now = self._clock()
        taken: list[Job] = []
        for partition in await self._with_jobs():
            keys = [layout.outbox(partition), layout.states(partition)]
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
            partition = layout.partition_of(job.owner.key)
            keys = [layout.states(partition), layout.of_owner("pending", job.owner.key)]
            await self._eval(layout.RETRY, keys, [job.id, due, job.attempts])

    async def bury(self, job: Job) -> None:
        await self._for_each([(layout.BURY, job, [_encoded(job)])])

    async def renew(self, worker: str, lease: float) -> None:
        now = self._clock()
        for partition in await self._with_jobs():
            keys = [layout.outbox(partition), layout.states(partition)]
            await self._eval(layout.RENEW, keys, [worker, now, now + lease, WINDOW])

    async def backlog(self) -> Backlog:
        def measure(pipeline: Any, partition: int) -> None:
            pipeline.xlen(layout.outbox(partition))
            pipeline.hlen(layout.dead(partition))
            pipeline.xrange(layout.outbox(partition), count=1)

        answers = await self._of_partitions(range(layout.PARTITIONS), measure)
        oldest = [float(entries[0][1][b"put_at"]) for entries in answers[2::3] if entries]
        age = max(0.0, self._clock() - min(oldest)) if oldest else 0.0
        return Backlog(pending=sum(answers[0::3]), dead=sum(answers[1::3]), oldest_seconds=age)

    async def dead_letters(self) -> list[Job]:
        """What was given up, oldest first."""
        answers = await self._of_partitions(
            range(layout.PARTITIONS), lambda pipeline, p: pipeline.hvals(layout.dead(p))
        )
        jobs = [stored_job(raw) for found in answers for raw in found]
        return sorted(jobs, key=lambda job: job.turn.at)

    async def revive(self, job: Job) -> None:
        """A dead letter is to be delivered after all."""
        owner = job.owner.key
        partition = layout.partition_of(owner)
        keys = [layout.outbox(partition), layout.of_owner("pending", owner), layout.dead(partition)]
        fresh = msgspec.structs.replace(job, attempts=0)
        arguments = [job.id, _encoded(fresh), _shown(job), _who(job), self._clock()]
        await self._eval(layout.REVIVE, keys, arguments)
        await self._link.ask(lambda r: r.sadd(layout.ACTIVE, partition), within=WITHIN)

    async def drop(self, job: Job) -> None:
        """A dead letter is to be forgotten."""
        owner = job.owner.key
        keys = [
            layout.dead(layout.partition_of(owner)),
            layout.of_owner("pending", owner),
            layout.of_owner("meta", owner),
        ]
        await self._eval(layout.DROP, keys, [job.id])

    async def _with_jobs(self) -> list[int]:
        """Partitions that have jobs, the one with the oldest first."""
        everywhere = time.monotonic() >= self._look_everywhere
        if everywhere:
            self._look_everywhere = time.monotonic() + LOOK_EVERYWHERE
            partitions = list(range(layout.PARTITIONS))
        else:
            members = await self._link.ask(lambda r: r.smembers(layout.ACTIVE), within=WITHIN)
            partitions = [int(member) for member in members]
        heads = await self._heads(partitions)
        idle = [partition for partition in partitions if partition not in heads]
        if idle and not everywhere:
            await self._link.ask(lambda r: r.srem(layout.ACTIVE, *idle), within=WITHIN)
            heads |= await self._heads(idle)
        return sorted(heads, key=lambda partition: heads[partition])

    async def _heads(self, partitions: Sequence[int]) -> dict[int, int]:
        """When the first entry came, of every partition that has one."""
        found = await self._of_partitions(
            partitions, lambda pipeline, p: pipeline.xrange(layout.outbox(p), count=1)
        )
        return {
            partition: int(entries[0][1][b"order"])
            for partition, entries in zip(partitions, found, strict=True)
            if entries
        }

    async def _of_partitions(
        self, partitions: Sequence[int], question: Callable[[Any, int], object]
    ) -> list[Any]:
        async def ask(redis: Any) -> list[Any]:
            pipeline = redis.pipeline(transaction=False)
            for partition in partitions:
                question(pipeline, partition)
            answers: list[Any] = await pipeline.execute()
            return answers

        return await self._link.ask(ask, within=WITHIN) if partitions else []

    async def _for_each(self, calls: Sequence[tuple[str, Job, list[Any]]]) -> None:
        async def ask(redis: Any) -> None:
            pipeline = redis.pipeline(transaction=False)
            for script, job, more in calls:
                partition = layout.partition_of(job.owner.key)
                keys = [
                    layout.outbox(partition),
                    layout.of_owner("pending", job.owner.key),
                    layout.states(partition),
                    layout.dead(partition),
                ]
                pipeline.eval(script, len(keys), *keys, layout.GROUP, job.id, *more)
            await pipeline.execute()

        if calls:
            await self._link.ask(ask, within=WITHIN)

    async def _eval(self, script: str, keys: list[str], arguments: list[Any]) -> Any:
        return await self._link.ask(
            lambda r: r.eval(script, len(keys), *keys, *arguments), within=WITHIN
        )


def _encoded(job: Job) -> bytes:
    return msgspec.msgpack.encode(job)


def _job(claimed: Any) -> Job:
    raw, attempts = claimed
    return msgspec.structs.replace(stored_job(raw), attempts=int(attempts))


def _who(job: Job) -> str:
    """Whose turns have to stay in order: an owner's, for each memory on its own."""
    return f"{job.owner.key}/{job.kind}"


def _shown(job: Job) -> bytes:
    """What a look at the native memory shows of a job on its way: its turn, if it goes there."""
    return msgspec.msgpack.encode(job.turn) if job.kind == NATIVE else b""
