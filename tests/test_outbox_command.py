"""``yychat outbox``: what was given up is shown without a word of it, and tried again or dropped;
``yychat erase`` reaches what is in Redis, and says so where it cannot."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from commands import Done, command, printed
from outbox_promises import Whole, buried
from redis_server import RedisServer, redis_server
from remembering import job, turn
from running import Service, Simulator, service
from yychat.memory.outbox_redis import RedisOutbox
from yychat.memory.outbox_sqlite import SqliteOutbox
from yychat.owner import Owner, Owners
from yychat.redis_link import RedisLink
from yychat.sqlite import Database

SAID = "my lamp is crimson"
QUESTION = "say what is the colour of my lamp?"  # the answer does not tell: it is remembered too


class Place:
    """A service's data folder, with Redis or without, for commands and services."""

    def __init__(self, data: Path, redis: RedisServer | None) -> None:
        self.data, self.redis = data, redis
        self.environment = {"YYCHAT_DATA_DIR": str(data)}
        if redis:
            self.environment["REDIS_URL"] = redis.url

    def run(self, *arguments: str) -> str:
        return printed(*arguments, **self.environment)

    def refused(self, *arguments: str) -> Done:
        done = command(*arguments, **self.environment)
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
        return done

    def bury(self, *names: str, at: float = 0.0) -> Owner:
        """Dead letters of the user anna, who said something of her lamp."""
        anna = Owners((self.data / "owner.secret").read_bytes()).owner("local", "user", "anna")

        async def run() -> None:
            async with self._outbox() as outbox:
                for name in names:
                    said = turn(SAID, id=name, at=at or time.time())
                    await buried(outbox, job(said, anna))

        asyncio.run(run())
        return anna

    @asynccontextmanager
    async def _outbox(self) -> AsyncIterator[Whole]:
        if self.redis:
            link = RedisLink(self.redis.url, within=5.0)
            yield RedisOutbox(link)
            await link.close()
        else:
            database = Database(self.data / "yychat.db")
            yield SqliteOutbox(database)
            database.close()


@pytest.fixture(params=["sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        yield Place(tmp_path / "data", None)
    else:
        with redis_server(tmp_path / "redis") as redis:
            yield Place(tmp_path / "data", redis)


@pytest.fixture
def yychat(place: Place, upstream: Simulator) -> Iterator[Service]:
    where = {name: url for name, url in place.environment.items() if name == "REDIS_URL"}
    with service(
        place.data, OPENAI_BASE_URL=upstream.base_url, OPENAI_MODEL="simulated", **where
    ) as running:
        until_status(running, "ok")
        yield running


def until_status(yychat: Service, status: str) -> None:
    ends = time.monotonic() + 10
    while yychat.http.get("/readyz").json()["status"] != status:
        assert time.monotonic() < ends, f"it did not become {status}"
        time.sleep(0.02)


def until_status_line(place: Place, line: str) -> None:
    ends = time.monotonic() + 20
    while line not in place.run("outbox", "status"):
        assert time.monotonic() < ends, f"it did not come to {line}"


def remembers(yychat: Service, upstream: Simulator) -> bool:
    yychat.say(QUESTION, user="anna", use_tools=False)
    return "crimson" in str(upstream.last()["chat"]["body"]["messages"][:-1])


def test_a_dead_letter_is_listed_without_a_word_of_it(place: Place, yychat: Service) -> None:
    anna = place.bury("letter", at=time.time() - 7_200)
    header, line = place.run("outbox", "list").splitlines()
    assert header.split() == ["ID", "OWNER", "AGE", "TRIES", "MEMORY"]
    assert line.split() == ["letter", anna.key, "2h", "1", "native"]
    for name in ("OWNER", "AGE", "TRIES", "MEMORY"):
        at = header.index(name)
        assert line[at - 1] == " " != line[at]


def test_status_tells_what_waits_and_what_is_dead(place: Place, yychat: Service) -> None:
    place.bury("one", "two")
    status = place.run("outbox", "status")
    spool = "spool: pending 0, dead 0, oldest 0s\n" if place.redis else ""
    assert status == f"outbox: pending 0, dead 2, oldest 0s\n{spool}"


def test_a_dead_letter_tried_again_is_delivered_by_the_running_service(
    place: Place, yychat: Service
) -> None:
    place.bury("first", "second")
    assert place.run("outbox", "retry", "second") == "1 to be delivered again\n"
    until_status_line(place, "outbox: pending 0, dead 1")
    assert [line.split()[0] for line in place.run("outbox", "list").splitlines()] == ["ID", "first"]


def test_all_dead_letters_are_tried_again_at_once(place: Place, yychat: Service) -> None:
    place.bury("first", "second")
    assert place.run("outbox", "retry", "--all") == "2 to be delivered again\n"
    until_status_line(place, "outbox: pending 0, dead 0")
    assert place.run("outbox", "list") == ""


def test_a_dropped_dead_letter_is_not_recalled_any_more(
    place: Place, yychat: Service, upstream: Simulator
) -> None:
    place.bury("letter")
    assert remembers(yychat, upstream)
    assert place.run("outbox", "drop", "letter") == "1 dropped\n"
    assert not remembers(yychat, upstream)
    assert place.run("outbox", "list") == ""


@pytest.mark.parametrize("what", ["retry", "drop"])
def test_an_unknown_id_is_said_to_be_one(place: Place, yychat: Service, what: str) -> None:
    done = place.refused("outbox", what, "nobody")
    assert done.stderr == "Error: there is no dead letter nobody\n"


@pytest.mark.parametrize("arguments", [(), ("an-id", "--all")])
def test_retry_wants_either_an_id_or_all(arguments: tuple[str, ...]) -> None:
    done = command("outbox", "retry", *arguments)
    assert done.returncode == 2
    assert "either ID or --all" in done.stderr


def test_a_folder_without_an_outbox_is_said_to_be_one(data: Path) -> None:
    done = command("outbox", "status", YYCHAT_DATA_DIR=str(data))
    assert done.stderr == f"Error: there is no memory in {data} (YYCHAT_DATA_DIR)\n"
    assert not data.exists()


# With Redis alone


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Place]:
    with redis_server(tmp_path / "redis") as redis:
        yield Place(tmp_path / "data", redis)


@pytest.fixture
def sharing(shared: Place, upstream: Simulator) -> Iterator[Service]:
    with service(
        shared.data,
        OPENAI_BASE_URL=upstream.base_url,
        OPENAI_MODEL="simulated",
        REDIS_URL=shared.environment["REDIS_URL"],
    ) as running:
        until_status(running, "ok")
        yield running


@pytest.mark.parametrize("whom", [("--user", "anna"), ()])
def test_an_erasure_reaches_redis_and_is_logged_for_the_next_restore(
    shared: Place, sharing: Service, upstream: Simulator, whom: tuple[str, ...]
) -> None:
    sharing.say(f"say {SAID}", user="anna")
    assert remembers(sharing, upstream)
    assert shared.run("erase", "--tenant", "local", *whom, "--yes") == "2 turns erased\n"
    assert not remembers(sharing, upstream)
    database = Database(shared.data / "yychat.db")
    logged = asyncio.run(
        database.read(lambda c: c.execute("SELECT whose FROM erasures").fetchall())
    )
    database.close()
    assert len(logged) == 1


def test_an_erasure_while_redis_is_away_fails_and_erases_nothing(
    shared: Place, sharing: Service, upstream: Simulator
) -> None:
    assert shared.redis
    sharing.say(f"say {SAID}", user="anna")
    assert remembers(sharing, upstream)
    shared.redis.pause()
    done = shared.refused("erase", "--tenant", "local", "--yes")
    assert done.stderr == "Error: Redis did not answer in time: nothing was erased\n"
    shared.redis.resume()
    until_status(sharing, "ok")
    assert remembers(sharing, upstream)


def test_with_another_secret_nothing_is_erased_and_no_service_starts(
    shared: Place, sharing: Service, tmp_path: Path
) -> None:
    until_secret(shared)
    other = tmp_path / "other.secret"
    other.write_text("a secret that nobody else has")
    shared.environment["YYCHAT_OWNER_SECRET_FILE"] = str(other)
    done = shared.refused("erase", "--tenant", "local", "--user", "anna", "--yes")
    assert done.stderr.startswith("Error: nothing was erased: the owner secret is not the one")
    shared.environment["YYCHAT_DATA_DIR"] = str(tmp_path / "other data")
    done = shared.refused("serve", "--port", "0")
    assert "Error: the owner secret is not the one that this Redis knows" in done.stderr


def until_secret(place: Place) -> None:
    ends = time.monotonic() + 10
    while place.redis and not place.redis.keys("yychat:v1:secret"):
        assert time.monotonic() < ends, "the secret was not left"
