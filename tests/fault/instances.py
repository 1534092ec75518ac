"""Instances that share one Redis, and the facts that users tell them."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from redis_server import RedisServer
from running import Service, Simulator, service


def instance(
    folder: Path, name: str, redis: RedisServer, upstream: Simulator
) -> AbstractContextManager[Service]:
    """``yychat serve`` with its data in *folder*/*name* and the owner secret that all share."""
    secret = folder / "secret"
    secret.write_text("a secret that all instances share")
    return service(
        folder / name,
        OPENAI_BASE_URL=upstream.base_url,
        OPENAI_MODEL="simulated",
        REDIS_URL=redis.url,
        YYCHAT_OWNER_SECRET_FILE=str(secret),
    )


@contextmanager
def instances(
    folder: Path, names: Iterable[str], redis: RedisServer, upstream: Simulator
) -> Iterator[list[Service]]:
    with ExitStack() as stack:
        running = [stack.enter_context(instance(folder, n, redis, upstream)) for n in names]
        for each in running:
            until(lambda each=each: well(each))  # type: ignore[misc]
        yield running


def well(where: Service) -> bool:
    """Whether ``/readyz`` says that nothing is degraded."""
    return bool(where.http.get("/readyz").json()["status"] == "ok")


def until(state: Callable[[], bool], within: float = 30.0) -> float:
    """Wait for *state*; how many seconds that took."""
    started = time.monotonic()
    while not state():
        assert time.monotonic() - started < within, "it did not come to that"
        time.sleep(0.02)
    return time.monotonic() - started


def fact(number: int) -> str:
    """A text nobody else says; the model answers with all of it behind "say"."""
    return f"say the code of lamp{number}x is secret{number}y"


def asked(text: str, user: str) -> dict[str, Any]:
    return {"model": "simulated", "messages": [{"role": "user", "content": text}], "user": user}


def records(where: Service, user: str) -> list[dict[str, Any]]:
    """All that *where* lists of a user: at most 500 turns."""
    answer = where.http.get(
        f"/v1/conversations/{user}/memory", params={"kind": "user", "limit": 1000}
    )
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def listed(where: Service, user: str) -> Counter[str]:
    """How often each text of a user is listed: what was asked and what was answered."""
    return Counter(record["text"] for record in records(where, user))


def recalls(where: Service, upstream: Simulator, number: int, user: str) -> bool:
    """Whether the code of a lamp goes upstream when its user asks for it."""
    where.say(f"recall lamp{number}x", user=user)
    return f"secret{number}y" in str(upstream.last()["chat"]["body"]["messages"][:-1])
