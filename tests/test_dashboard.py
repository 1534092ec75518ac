"""The picture of right now: asked for, and pushed to a few who keep up."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import pytest
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from records import record
from web_parts import Site, site
from yychat.engines.selection import Selection
from yychat.errors import StoreError
from yychat.memory.outbox import Backlog
from yychat.performance.recorder import Recorder
from yychat.web import dashboard
from yychat.web.auth import KEYLESS, Keyring, new_key
from yychat.web.dashboard import (
    WINDOW,
    Dashboard,
    DashboardSnapshot,
    InFlightView,
    InstanceView,
    Sources,
)
from yychat.web.performance import stats_of

ADMIN, ADMIN_KEY = new_key("ops", "operators", "admin")
USER, USER_KEY = new_key("user", "acme", "user")
ROUTES = [
    Route("/v1/dashboard/realtime", dashboard.realtime),
    WebSocketRoute("/ws/dashboard", dashboard.live),
]
SELECTION = Selection({"chat_engine": 90, "mem0_proxy": 10}, 7, "ops", "a try", 1_700_000_000.5)
KEYS = [ADMIN_KEY, USER_KEY]


def sources(recorder: Recorder | None = None) -> Sources:
    async def backlogs() -> dict[str, Backlog]:
        return {"native": Backlog(pending=3, dead=1, oldest_seconds=2.5)}

    return Sources(
        selection=lambda: SELECTION,
        chat=partial(stats_of, recorder or Recorder(), WINDOW, None),
        in_flight=lambda: InFlightView(2, 64, {"acme": 2}),
        outbox=backlogs,
        breakers=lambda: {"openai": "closed", "redis": "open"},
        instances=lambda: [InstanceView("here:0", "serve", "1.0", 1.5, 2.5, alive=True)],
    )


def quick(**options: Any) -> Dashboard:
    return Dashboard(sources(), **{"instance": "here:0", "every": 0.02, **options})


@asynccontextmanager
async def watched(
    served: Site, *protocols: str, key: str | None = None
) -> AsyncIterator[ClientConnection]:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with connect(
        f"ws://{served.address}/ws/dashboard",
        additional_headers=headers,
        subprotocols=[Subprotocol(each) for each in protocols] or None,
        proxy=None,
    ) as client:
        yield client


async def closed(client: ClientConnection) -> tuple[int, str]:
    """How it ended; what came before that is let go."""
    with suppress(ConnectionClosed):
        async with asyncio.timeout(5):
            async for _ in client:
                pass
    assert client.close_code is not None
    return client.close_code, client.close_reason or ""


async def test_one_picture_has_everything() -> None:
    recorder = Recorder()
    for _ in range(3):
        recorder.put(record(time.time() - 1))
    board = Dashboard(sources(recorder), instance="here:0")
    async with site(ROUTES, Keyring(KEYS), dashboard=board) as served:
        headers = {"authorization": f"Bearer {ADMIN}"}
        answer = await served.http.get("/v1/dashboard/realtime", headers=headers)
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    assert found["object"] == "dashboard.snapshot"
    assert found["selection"]["weights"] == {"chat_engine": 90, "mem0_proxy": 10}
    assert found["chat"]["overall"]["requests"] == 3
    assert found["chat"]["window_seconds"] == 60
    assert found["in_flight"] == {"requests": 2, "limit": 64, "tenants": {"acme": 2}}
    assert found["outbox"]["native"] == {"pending": 3, "dead": 1, "oldest_seconds": 2.5}
    assert found["breakers"] == {"openai": "closed", "redis": "open"}
    assert found["instances"][0]["instance"] == "here:0"
    assert (found["missing"], found["instance"]) == ({}, "here:0")


async def test_what_cannot_be_had_is_named_and_the_rest_is_there() -> None:
    async def away() -> dict[str, Backlog]:
        raise StoreError("Redis is away")

    async def never() -> list[InstanceView]:
        await asyncio.Event().wait()
        return []

    board = Dashboard(replace(sources(), outbox=away, instances=never), instance="here:0")
    found = msgspec.json.decode(await board.snapshot(), type=DashboardSnapshot)
    assert (found.outbox, found.instances) == (None, None)
    assert found.missing == {"outbox": "Redis is away", "instances": "no answer in time"}
    assert found.selection == SELECTION


async def test_however_many_look_one_picture_is_made() -> None:
    made = 0

    def counted() -> Selection:
        nonlocal made
        made += 1
        return SELECTION

    board = Dashboard(replace(sources(), selection=counted), instance="here:0", every=60)
    pictures = await asyncio.gather(*(board.snapshot() for _ in range(50)))
    assert (made, len(set(pictures))) == (1, 1)


async def test_only_an_admin_sees_it() -> None:
    async with site(ROUTES, Keyring(KEYS), dashboard=quick()) as served:
        for key, status in ((USER, 403), ("wrong", 401)):
            headers = {"authorization": f"Bearer {key}"}
            answer = await served.http.get("/v1/dashboard/realtime", headers=headers)
            assert answer.status_code == status
        refused = await served.http.get(
            "/v1/dashboard/realtime?since=1", headers={"authorization": f"Bearer {ADMIN}"}
        )
        assert refused.status_code == 400


async def test_it_is_pushed_again_and_again() -> None:
    async with site(ROUTES, Keyring(KEYS), dashboard=quick()) as served:
        async with watched(served, key=ADMIN) as client, asyncio.timeout(5):
            pictures = [json.loads(await client.recv()) for _ in range(3)]
        assert client.subprotocol is None
    assert all(picture["object"] == "dashboard.snapshot" for picture in pictures)
    assert len({picture["at"] for picture in pictures}) == 3


async def test_a_browsers_key_comes_as_a_subprotocol_and_is_not_sent_back() -> None:
    async with (
        site(ROUTES, Keyring(KEYS), dashboard=quick()) as served,
        watched(served, "yychat", f"yychat.key.{ADMIN}") as client,
    ):
        assert client.subprotocol == "yychat"
        assert json.loads(await client.recv())["instance"] == "here:0"
        assert client.response is not None
        assert ADMIN not in str(client.response.headers)


@pytest.mark.parametrize(
    ("key", "code"), [(None, 4401), ("wrong", 4401), (USER, 4403)], ids=["none", "wrong", "user"]
)
async def test_who_may_not_look_is_told_by_the_close_code(key: str | None, code: int) -> None:
    async with site(ROUTES, Keyring(KEYS), dashboard=quick()) as served:
        protocols = ["yychat", f"yychat.key.{key}"] if key else ["yychat"]
        async with watched(served, *protocols) as client:
            ended, reason = await closed(client)
    assert ended == code
    assert reason
    assert not key or key not in reason


async def test_more_clients_than_there_may_be_are_told_to_come_again() -> None:
    board = quick(clients=2)
    async with site(ROUTES, Keyring(KEYS), dashboard=board) as served:
        async with watched(served, key=ADMIN) as one, watched(served, key=ADMIN) as two:
            await asyncio.gather(one.recv(), two.recv())
            async with watched(served, key=ADMIN) as three:
                assert (await closed(three))[0] == 1013
            assert json.loads(await one.recv())
        await until(lambda: board.clients == 0)
        async with watched(served, key=ADMIN) as four:
            assert json.loads(await four.recv())


async def test_a_key_that_is_withdrawn_ends_what_it_began() -> None:
    keyring = Keyring(KEYS)
    async with (
        site(ROUTES, keyring, dashboard=quick()) as served,
        watched(served, key=ADMIN) as client,
    ):
        await client.recv()
        keyring.replace([USER_KEY])
        assert (await closed(client))[0] == 4401


async def test_a_client_that_talks_is_let_go() -> None:
    board = quick(every=30)
    async with site(ROUTES, Keyring(KEYS), dashboard=board) as served:
        async with watched(served, key=ADMIN) as client:
            await client.recv()
            await client.send("hello")
            assert (await closed(client))[0] == 1008
        await until(lambda: board.clients == 0)


async def test_a_client_that_does_not_read_is_let_go_and_its_place_is_free() -> None:
    board = quick(send_within=0.05)
    stuck = asyncio.Event()

    async def connected() -> Message:
        if not stuck.is_set():
            stuck.set()
            return {"type": "websocket.connect"}
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        if message["type"] == "websocket.send":
            await asyncio.Event().wait()  # its buffers are full

    scope = {
        "type": "websocket",
        "headers": [],
        "subprotocols": [],
        "state": {"dashboard": board, "caller": KEYLESS},
    }
    async with asyncio.timeout(5):
        await dashboard.live(WebSocket(scope, connected, send))
    assert board.clients == 0


async def test_a_client_that_leaves_frees_its_place_at_once() -> None:
    board = quick(every=30)
    async with site(ROUTES, Keyring(KEYS), dashboard=board) as served:
        async with watched(served, key=ADMIN) as client:
            await client.recv()
            assert board.clients == 1
        await until(lambda: board.clients == 0)


async def until(state: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not state():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)
