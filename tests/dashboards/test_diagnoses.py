"""Six faults: the Overview shows which part it is, the board it leads to agrees, and nothing else
stands out."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pytest

from alerts.fleet import wait
from alerts.load import MEM0, PLAIN, STREAM, Question
from dashboards.reading import lines, panel
from dashboards.stack import Stack, stack
from fault.instances import until
from prometheus_server import Prometheus

Note = Callable[[str], None]
Stages = Mapping[str, float]

WARM = 40.0  # seconds: mem0 is imported at its first use, which is felt
WITHIN = 150.0  # seconds until a fault stands out, or is over: an engine is judged by a minute
RATE = 6.0  # requests a second
SLOW = 0.1  # seconds that a stage has to take more than in health
MEMORIES = ("mem0", "native")


@dataclass(frozen=True)
class Running:
    stack: Stack
    healthy: Stages


def nap(seconds: float) -> Question:
    said = f'call nap {{"seconds": {seconds}}}'
    return {"messages": [{"role": "user", "content": said}]}


def questions(napping: float = 0.01) -> tuple[Question, ...]:
    return (PLAIN, STREAM, nap(napping), PLAIN, MEM0, STREAM, nap(napping))


# What somebody sees


def stages(prom: Prometheus) -> Stages:
    return lines(prom, "yychat-overview", "Mean seconds per request by stage")


def slow(running: Running) -> set[str]:
    now = stages(running.stack.prom).items()
    return {name for name, took in now if took - running.healthy.get(name, 0.0) > SLOW}


def ill(running: Running) -> set[str]:
    found = lines(running.stack.prom, "yychat-overview", "Health").items()
    return {name for name, well in found if well == 0}


def above(uid: str, title: str, line: str, bound: float) -> Callable[[Prometheus], bool]:
    return lambda prom: lines(prom, uid, title).get(line, 0.0) > bound


def without_mem0(prom: Prometheus) -> bool:
    """Most recalls from mem0 fail, and few of the others: what both need is well."""
    found = lines(prom, "yychat-memory", "Recalls by result")
    fails = {m: found.get(f"{m} error", 0.0) + found.get(f"{m} deadline", 0.0) for m in MEMORIES}
    asked = {m: sum(n for line, n in found.items() if line.startswith(m)) for m in MEMORIES}
    return fails["mem0"] > 0.5 * asked["mem0"] and fails["native"] < 0.2 * asked["native"]


# What goes wrong


def slow_upstream(running: Running) -> AbstractContextManager[None]:
    return ordered(running.stack.upstream.faults, running.stack.upstream.reset, "chat")


def slow_embedder(running: Running) -> AbstractContextManager[None]:
    return ordered(running.stack.meaning.faults, running.stack.meaning.reset, "embeddings")


@contextmanager
def ordered(faults: Callable[..., None], reset: Callable[[], None], service: str) -> Iterator[None]:
    faults(only=service, latency_ms=1_500)
    yield
    reset()


@contextmanager
def redis_hangs(running: Running) -> Iterator[None]:
    running.stack.redis.pause()
    yield
    running.stack.redis.resume()


@contextmanager
def mem0_fails(running: Running) -> Iterator[None]:
    running.stack.models.faults(only="embeddings", error_rate=1, error_status=500)
    yield
    running.stack.models.reset()


@contextmanager
def loop_blocked(running: Running) -> Iterator[None]:
    over = threading.Event()

    def block() -> None:
        while not over.wait(2.5):
            running.stack.instances[1].http.get("/block").raise_for_status()

    thread = threading.Thread(target=block)
    thread.start()
    yield
    over.set()
    thread.join()


@contextmanager
def slow_tool(running: Running) -> Iterator[None]:
    running.stack.load.questions = questions(1.5)
    yield
    running.stack.load.questions = questions()


@dataclass(frozen=True)
class Fault:
    """``slow`` stages and ``ill`` parts are all that the Overview shows of it, the panel *seen*;
    ``leads`` is the board from there on, and *stands* whether the part stands out on it."""

    injected: Callable[[Running], AbstractContextManager[None]]
    seen: str
    leads: str
    stands: Callable[[Prometheus], bool]
    slow: frozenset[str] = frozenset()
    ill: frozenset[str] = frozenset()


STAGES, HEALTH = "Mean seconds per request by stage", "Health"
FAULTS = {
    "slow upstream": Fault(
        slow_upstream,
        STAGES,
        "yychat-upstream",
        above("yychat-upstream", "Attempt duration", "main p50", 1.0),
        slow=frozenset({"upstream_first_byte"}),
    ),
    "slow embedder": Fault(
        slow_embedder,
        STAGES,
        "yychat-memory",
        above("yychat-memory", "Embedding", "p50", 0.5),
        slow=frozenset({"recall_embed"}),
    ),
    "Redis hangs": Fault(
        redis_hangs,
        HEALTH,
        "yychat-memory",
        above("yychat-memory", "Instances without Redis", "instances", 0.0),
        ill=frozenset(
            {
                "Redis, as instances see it",
                "redis",
                # What is kept in it is away with it.
                "chat_engine:memory",
                "mem0_proxy:memory",
                "answers of chat_engine",
                "answers of mem0_proxy",
            }
        ),
    ),
    "mem0 fails": Fault(
        mem0_fails,
        HEALTH,
        "yychat-memory",
        without_mem0,
        ill=frozenset({"mem0_proxy:mem0", "answers of mem0_proxy"}),
    ),
    "event loop blocked": Fault(
        loop_blocked,
        HEALTH,
        "yychat-instances",
        above("yychat-instances", "Event loop", "b:0", 0.1),
        ill=frozenset({"event loops"}),
    ),
    "slow tool": Fault(
        slow_tool,
        STAGES,
        "yychat-upstream",
        above("yychat-upstream", "Tool duration", "builtin p50", 0.5),
        slow=frozenset({"tool"}),
    ),
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with stack(tmp_path_factory.mktemp("stack")) as made:
        made.load.rate, made.load.questions = RATE, questions()
        wait(WARM)
        until(lambda: ill(Running(made, {})) == set(), within=WITHIN)
        yield Running(made, stages(made.prom))


def standing(running: Running) -> set[str]:
    """The faults whose part stands out on the board that knows it."""
    return {name for name, fault in FAULTS.items() if fault.stands(running.stack.prom)}


def picture(running: Running) -> tuple[set[str], set[str], set[str]]:
    return slow(running), ill(running), standing(running)


@pytest.mark.parametrize("name", FAULTS)
def test_the_right_part_stands_out_and_only_it(name: str, running: Running, note: Note) -> None:
    fault = FAULTS[name]
    nothing = (set[str](), set[str](), set[str]())
    came(lambda: picture(running), nothing)
    with fault.injected(running):
        took = came(lambda: picture(running), (set(fault.slow), set(fault.ill), {name}))
    note(f"{name:20} alone stands out after {took:5.1f} s: {fault.seen}, then {fault.leads}")
    assert fault.leads in panel("yychat-overview", fault.seen).leads


def came(now: Callable[[], object], wanted: object) -> float:
    """Wait until the picture is the one that is *wanted*; how many seconds that took."""
    seen: list[object] = []

    def is_so() -> bool:
        seen[:] = [now()]
        return seen == [wanted]

    try:
        return until(is_so, within=WITHIN)
    except AssertionError as error:
        raise AssertionError(f"{seen[0]} instead of {wanted}") from error
