"""A process that dies takes no answered turn with it; one that is stopped leaves in good order."""

import json
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest

from running import Service, Simulator, service

USERS = 4
CLIENTS = 8
TURNS = 200
KILLED_AFTER = 80  # answered turns

pytestmark = pytest.mark.slow


class Client(threading.Thread):
    """Tells facts one after the other until the service is gone; notes what was answered."""

    def __init__(self, url: str, number: int, noted: "Noted") -> None:
        super().__init__(daemon=True)
        self._url, self._number, self._noted = url, number, noted

    def run(self) -> None:
        numbers = range(self._number, TURNS, CLIENTS)
        with httpx2.Client(base_url=self._url, timeout=30) as http:
            try:
                for n in numbers:
                    self._tell(http, n, streamed=n % 3 != 0)
            except httpx2.TransportError:
                return  # killed

    def _tell(self, http: httpx2.Client, n: int, *, streamed: bool) -> None:
        user = f"user-{n % USERS}"
        body = {**asked(fact(n)), "user": user, "stream": streamed}
        self._noted.sent(user, n)
        answer = http.post("/v1/chat/completions", json=body)
        complete = "data: [DONE]" in answer.text if streamed else bool(answer.json()["choices"])
        if answer.status_code == 200 and complete:
            self._noted.answered(user, n)


class Noted:
    """What clients sent and got answered, by user."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.tried: dict[str, list[int]] = {f"user-{n}": [] for n in range(USERS)}
        self.told: dict[str, list[int]] = {f"user-{n}": [] for n in range(USERS)}
        self.enough = threading.Event()

    def sent(self, user: str, n: int) -> None:
        with self._lock:
            self.tried[user].append(n)

    def answered(self, user: str, n: int) -> None:
        with self._lock:
            self.told[user].append(n)
            if sum(map(len, self.told.values())) >= KILLED_AFTER:
                self.enough.set()


def asked(text: str) -> dict[str, Any]:
    return {"model": "simulated", "messages": [{"role": "user", "content": text}]}


def fact(n: int) -> str:
    """A text nobody else says; the model answers with all of it behind "say"."""
    return f"say the code of lamp{n}x is secret{n}y"


def told(n: int) -> str:
    return fact(n).removeprefix("say ")


def starting(data: Path, upstream: Simulator, **environment: str) -> Any:
    return service(data, OPENAI_BASE_URL=upstream.base_url, OPENAI_MODEL="simulated", **environment)


def remembered(yychat: Service, user: str) -> list[dict[str, Any]]:
    answer = yychat.http.get(
        f"/v1/conversations/{user}/memory", params={"kind": "user", "limit": 1000}
    )
    assert answer.status_code == 200, answer.text
    records: list[dict[str, Any]] = answer.json()["data"]
    return records


def recalled(yychat: Service, upstream: Simulator, question: str, user: str) -> str:
    """What the model is given besides the question."""
    yychat.say(question, user=user)
    messages = upstream.last()["chat"]["body"]["messages"]
    return json.dumps(messages[:-1])


def rows(data: Path, query: str) -> list[Any]:
    connection = sqlite3.connect(data / "yychat.db")
    try:
        found = connection.execute(query).fetchall()
        connection.commit()
    finally:
        connection.close()
    return found


def until(state: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not state():
        assert time.monotonic() < ends, "it did not come to that"
        time.sleep(0.02)


def test_kill_9_in_the_middle_of_many_turns_loses_none_that_was_answered(
    data: Path, upstream: Simulator
) -> None:
    upstream.faults(token_ms=1)
    noted = Noted()
    with starting(data, upstream) as yychat:
        clients = [Client(yychat.url, n, noted) for n in range(CLIENTS)]
        for client in clients:
            client.start()
        assert noted.enough.wait(60)
        yychat.kill()
        for client in clients:
            client.join(30)
    assert sum(map(len, noted.told.values())) < TURNS  # it was in the middle
    assert rows(data, "PRAGMA integrity_check") == [("ok",)]
    upstream.reset()
    with starting(data, upstream) as yychat:
        for user, answered in noted.told.items():
            check_remembered(remembered(yychat, user), answered, noted.tried[user])
        check_recalled(yychat, upstream, noted)


def check_remembered(
    records: Sequence[dict[str, Any]], answered: Iterable[int], tried: Iterable[int]
) -> None:
    """Both sides of every answered turn, nothing twice, and nothing that was never sent."""
    for role, said in (("user", fact), ("assistant", told)):
        texts = [record["text"] for record in records if record["role"] == role]
        assert {said(n) for n in answered} <= set(texts) <= {said(n) for n in tried}
        assert len(set(texts)) == len(texts)
    assert len({record["id"] for record in records}) == len(records)


def check_recalled(yychat: Service, upstream: Simulator, noted: Noted) -> None:
    for user, answered in noted.told.items():
        for n in answered:
            question = f"what is the code of lamp{n}x?"
            assert f"secret{n}y" in recalled(yychat, upstream, question, user)


def test_kill_9_with_undelivered_turns_loses_none_and_stores_none_twice(
    data: Path, upstream: Simulator
) -> None:
    upstream.faults(only="embeddings", hang_before_first_byte=True)
    with starting(data, upstream, YYCHAT_EMBEDDING_MODEL="simulated") as yychat:
        for n in range(6):
            yychat.say(fact(n), user=f"user-{n % 2}")
        assert rows(data, "SELECT count(*) FROM turns") == [(0,)]
        yychat.kill()
    assert rows(data, "SELECT count(*) FROM outbox") == [(6,)]
    upstream.reset()
    with starting(data, upstream) as yychat:
        for user, numbers in (("user-0", [0, 2, 4]), ("user-1", [1, 3, 5])):
            check_remembered(remembered(yychat, user), numbers, numbers)
        # As if the dead worker's lease were over.
        rows(data, "UPDATE outbox SET lease_ends = 0")
        until(lambda: rows(data, "SELECT count(*) FROM outbox") == [(0,)])
        for user, numbers in (("user-0", [0, 2, 4]), ("user-1", [1, 3, 5])):
            check_remembered(remembered(yychat, user), numbers, numbers)
            for n in numbers:
                question = f"what is the code of lamp{n}x?"
                assert f"secret{n}y" in recalled(yychat, upstream, question, user)


def test_sigterm_lets_a_streamed_answer_finish_and_remembers_it(
    data: Path, upstream: Simulator
) -> None:
    upstream.faults(token_ms=20)
    with starting(data, upstream) as yychat:
        body = {**asked("write 60 words"), "user": "anna", "stream": True}
        with yychat.http.stream("POST", "/v1/chat/completions", json=body) as answer:
            lines = answer.iter_lines()
            received = [next(lines)]
            yychat.process.send_signal(signal.SIGTERM)
            received += lines
        assert "data: [DONE]" in received
        assert yychat.stop() == 0
    assert rows(data, "SELECT count(*) FROM turns") == [(1,)]


def test_sigterm_says_not_ready_and_goes_on_answering_for_the_drain_time(
    data: Path, upstream: Simulator
) -> None:
    with starting(data, upstream, YYCHAT_DRAIN_SECONDS="1.5") as yychat:
        until(lambda: yychat.http.get("/readyz").status_code == 200)
        yychat.process.send_signal(signal.SIGTERM)
        until(lambda: yychat.http.get("/readyz").status_code == 503)
        assert yychat.http.get("/readyz").json()["status"] == "draining"
        assert yychat.http.get("/healthz").status_code == 200
        assert yychat.say("say still here", user="anna") == "still here"
        assert yychat.process.wait(30) == 0
    assert rows(data, "SELECT count(*) FROM turns") == [(1,)]


def test_sigterm_flushes_the_outbox(data: Path, upstream: Simulator) -> None:
    upstream.faults(only="embeddings", latency_ms=700)
    with starting(data, upstream, YYCHAT_EMBEDDING_MODEL="simulated") as yychat:
        for n in range(5):
            yychat.say(fact(n), conversation_id=f"talk-{n}")
        assert rows(data, "SELECT count(*) > 0 FROM outbox") == [(1,)]
        assert yychat.stop() == 0
    assert rows(data, "SELECT count(*) FROM outbox") == [(0,)]
    assert rows(data, "SELECT count(*) FROM turns WHERE vectors IS NOT NULL") == [(5,)]


def test_stopping_an_idle_service_is_clean(data: Path, upstream: Simulator) -> None:
    with starting(data, upstream) as yychat:
        assert yychat.stop() == 0
    assert rows(data, "PRAGMA integrity_check") == [("ok",)]
