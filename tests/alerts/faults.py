"""What goes wrong with a fleet for the time of a block, and which alert has to tell of it. Each
block is given the time, on the monotonic clock, at which its fault began."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from alerts.fleet import SECOND, Fleet, allow, refuse
from alerts.load import MEM0, MIXED, PLAIN, RATE, STREAM, Question
from fault.instances import until

LOW = 1.5  # requests a second
STUCK = 120.0  # seconds that a job has to wait until YYChatOutboxStuck calls it so

Begun = Iterator[float]


@contextmanager
def upstream_errors(fleet: Fleet) -> Begun:
    """Not all fail: the breaker would open, and nobody would be asked any more."""
    began = time.monotonic()
    fleet.upstream.faults(error_rate=0.4, error_status=500)
    try:
        yield began
    finally:
        fleet.upstream.reset()


@contextmanager
def rate_limits(fleet: Fleet) -> Begun:
    began = time.monotonic()
    fleet.upstream.faults(error_rate=0.3, error_status=429, retry_after=1)
    try:
        yield began
    finally:
        fleet.upstream.reset()


@contextmanager
def no_success(fleet: Fleet) -> Begun:
    """Few requests, too few for a burn rate; all went well until now."""
    began = time.monotonic()
    fleet.upstream.faults(error_rate=1, error_status=500)
    try:
        yield began
    finally:
        fleet.upstream.reset()


@contextmanager
def killed(fleet: Fleet) -> Begun:
    began = time.monotonic()
    fleet.second.kill()
    try:
        yield began
    finally:
        fleet.instances[1].stop()
        fleet.instances[1].start()


@contextmanager
def redis_stopped(fleet: Fleet) -> Begun:
    began = time.monotonic()
    fleet.redis.stop()
    try:
        yield began
    finally:
        fleet.redis.start()
        allow(fleet.redis, SECOND)


@contextmanager
def mem0_failing(fleet: Fleet) -> Begun:
    """Its model of embeddings fails, so nothing is recalled."""
    began = time.monotonic()
    fleet.models.faults(only="embeddings", error_rate=1, error_status=500)
    try:
        yield began
    finally:
        fleet.models.reset()


@contextmanager
def blocked(fleet: Fleet) -> Begun:
    over = threading.Event()
    thread = threading.Thread(target=_block, args=(fleet, over))
    began = time.monotonic()
    thread.start()
    try:
        yield began
    finally:
        over.set()
        thread.join()


def _block(fleet: Fleet, over: threading.Event) -> None:
    while not over.wait(0.4):
        fleet.second.http.get("/block").raise_for_status()


@contextmanager
def outbox_stuck(fleet: Fleet) -> Begun:
    """The model that extracts hangs. The fault counts from when the job has waited too long."""
    oldest = 'max(yychat_outbox_oldest_seconds{kind="mem0"})'
    until(lambda: fleet.prom.value(oldest) == 0)
    fleet.models.faults(only="chat", hang_before_first_byte=True)
    put = time.monotonic()
    fleet.first.say("say something to remember", user="waiting", **MEM0)
    until(lambda: time.monotonic() - put >= STUCK, within=2 * STUCK)
    try:
        yield put + STUCK
    finally:
        fleet.models.reset()


@contextmanager
def diverged(fleet: Fleet) -> Begun:
    """One instance is cut off from Redis, and the other one is told of a split."""
    began = time.monotonic()
    refuse(fleet.redis, SECOND)
    shares = {"weights": {"chat_engine": 50, "mem0_proxy": 50}, "reason": "a trial"}
    fleet.first.http.post("/v1/engines/split", json=shares).raise_for_status()
    try:
        yield began
    finally:
        allow(fleet.redis, SECOND)
        back = {"engine": "chat_engine", "reason": "the trial is over"}
        fleet.first.http.post("/v1/engines/switch", json=back).raise_for_status()


@contextmanager
def deadline_misses(fleet: Fleet) -> Begun:
    """mem0's embeddings come, but too late."""
    began = time.monotonic()
    fleet.models.faults(only="embeddings", latency_ms=2_000)
    try:
        yield began
    finally:
        fleet.models.reset()


@contextmanager
def slow_first_token(fleet: Fleet) -> Begun:
    began = time.monotonic()
    fleet.upstream.faults(only="chat", latency_ms=2_600)
    try:
        yield began
    finally:
        fleet.upstream.reset()


@dataclass(frozen=True)
class Fault:
    name: str
    injected: Callable[[Fleet], AbstractContextManager[float]]
    alert: str
    severity: str
    labels: dict[str, str]
    questions: Sequence[Question] = MIXED
    rate: float = RATE

    @property
    def expected(self) -> dict[str, str]:
        """All the labels that the alert has to have."""
        ours = {"service": "yychat"} if self.alert.startswith("YYChat") else {}
        said = {"alertname": self.alert, "severity": self.severity, "environment": "main"}
        return {**said, **ours, **self.labels}


JOB = {"job": "yychat"}
FAULTS = [
    Fault(
        "upstream errors",
        upstream_errors,
        "YYChatUpstreamErrors",
        "page",
        {**JOB, "upstream": "main"},
    ),
    Fault(
        "upstream rate limiting",
        rate_limits,
        "YYChatUpstreamRateLimited",
        "ticket",
        {**JOB, "upstream": "main"},
    ),
    Fault("no success at low traffic", no_success, "YYChatNoSuccess", "page", JOB, rate=LOW),
    Fault("instance killed", killed, "YYChatInstanceDown", "ticket", {**JOB, "instance": "b:0"}),
    Fault("Redis stopped", redis_stopped, "YYChatRedisDegraded", "ticket", JOB),
    Fault(
        "Redis stopped (exporter)",
        redis_stopped,
        "RedisDown",
        "ticket",
        {"job": "redis", "instance": "redis"},
    ),
    Fault(
        "mem0 failing",
        mem0_failing,
        "YYChatEngineFailing",
        "ticket",
        {**JOB, "engine": "mem0_proxy", "action": "rollback"},
        questions=(MEM0,),
    ),
    Fault(
        "event loop blocked",
        blocked,
        "YYChatEventLoopBlocked",
        "ticket",
        {**JOB, "instance": "b:0"},
    ),
    Fault(
        "selection diverged",
        diverged,
        "YYChatEngineSelectionDiverged",
        "page",
        {**JOB, "engine": "mem0_proxy"},
    ),
    Fault(
        "memory deadline misses",
        deadline_misses,
        "YYChatMemoryDeadlineMisses",
        "ticket",
        {**JOB, "memory": "mem0"},
        questions=(MEM0,),
    ),
    Fault(
        "slow first token",
        slow_first_token,
        "YYChatFirstTokenBudgetBurn",
        "page",
        {**JOB, "slo": "first_token", "window": "1h"},
        questions=(STREAM,),
    ),
    Fault(
        "outbox stuck",
        outbox_stuck,
        "YYChatOutboxStuck",
        "ticket",
        {"kind": "mem0"},
        questions=(PLAIN, STREAM),
    ),
]
