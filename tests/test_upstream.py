"""Upstreams: what goes wrong there in our words, retries, several of them, breakers, models."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr

from fakes import (
    CUT,
    DONE,
    HANG,
    Echo,
    Replay,
    ScriptedUpstream,
    Step,
    answer,
    answers,
    asked,
    call,
    call_delta,
    chunk,
    completion,
    event,
    scripted_upstream,
    stream,
    tools,
    wire,
)
from yychat import errors
from yychat.app import endpoints_of
from yychat.chat import Usage
from yychat.errors import NotFound
from yychat.resilience import Backoff, Breaker
from yychat.settings import Settings
from yychat.upstream import sender
from yychat.upstream.client import Upstream, connected
from yychat.upstream.config import Endpoint
from yychat.upstream.models import ModelCatalogue, ModelEntry
from yychat.upstream.router import Upstreams
from yychat.upstream.sender import Sender, Timeouts

PATH = "/chat/completions"
QUICK = Timeouts(connect=5.0, first_byte=0.03, idle=0.03, total=0.03)
PATIENT = Timeouts()
NO_RETRIES = Backoff(retries=0)
RETRIES = Backoff(retries=2, first=0.001, most=0.002)
OK = answer({"ok": True})


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """Scripted upstreams and their clients; ``a``, ``b`` ... in the order they were added."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.clock = Clock()

    async def server(self, *scripts: list[Step]) -> ScriptedUpstream:
        running = await self._stack.enter_async_context(scripted_upstream())
        running.script(*(scripts or [OK]))
        return running

    def client(
        self,
        server: ScriptedUpstream,
        timeouts: Timeouts = PATIENT,
        models: dict[str, str] | None = None,
        **breaker: Any,
    ) -> Upstream:
        upstream = Upstream(
            f"u{server.port}",
            Sender(server.base_url, "k", timeouts),
            timeouts,
            models=models,
            breaker=partial(Breaker, clock=self.clock, **breaker),
        )
        self._stack.push_async_callback(upstream.close)
        return upstream

    def catalogue(self, upstreams: Upstreams, **options: Any) -> ModelCatalogue:
        catalogue = ModelCatalogue(upstreams, clock=self.clock, ttl=60.0, **options)
        self._stack.push_async_callback(catalogue.close)
        return catalogue

    async def one(self, *scripts: list[Step], timeouts: Timeouts = PATIENT) -> Upstream:
        return self.client(await self.server(*scripts), timeouts)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        yield Bench(stack)


async def streamed(upstream: Upstream) -> bytes:
    async with aclosing(upstream.stream(PATH, b"{}")) as reads:
        return b"".join([data async for data in reads])


async def routed(upstreams: Upstreams, model: str = "m", streaming: bool = False) -> bytes:
    if not streaming:
        return await upstreams.post(PATH, model, {})
    async with aclosing(upstreams.stream(PATH, model, {})) as reads:
        return b"".join([data async for data in reads])


# What goes wrong, in our words

TRANSLATIONS: dict[str, tuple[list[Step], type[errors.UpstreamError]]] = {
    "400": (answer({"error": {}}, 400), errors.UpstreamRefused),
    "413": (answer({"error": {}}, 413), errors.UpstreamRefused),
    "422": (answer(b"no", 422), errors.UpstreamRefused),
    "401": (answer({"error": {}}, 401), errors.UpstreamAuthFailed),
    "402": (answer({"error": {}}, 402), errors.UpstreamAuthFailed),
    "403": (answer(b"", 403), errors.UpstreamAuthFailed),
    "404 of the API": (answer({"error": {"code": "x"}}, 404), errors.UpstreamModelUnknown),
    "404 of a web server": (answer(b"<html>", 404), errors.UpstreamProtocolError),
    "409": (answer({"error": {}}, 409), errors.UpstreamProtocolError),
    "429": (answer({"error": {}}, 429), errors.UpstreamRateLimited),
    "500": (answer({"error": {}}, 500), errors.UpstreamFailed),
    "503 without JSON": (answer(b"<html>", 503), errors.UpstreamFailed),
    "a redirect in circles": (answer(b"", 307, location="/v1/again"), errors.UpstreamProtocolError),
    "a redirect to nowhere": (answer(b"", 308), errors.UpstreamProtocolError),
    "a redirect to no URL": (
        answer(b"", 308, location="http://[::1"),
        errors.UpstreamProtocolError,
    ),
    "a redirect away from HTTP": (
        answer(b"", 308, location="ftp://a.example/"),
        errors.UpstreamProtocolError,
    ),
    "a redirect to nobody": (
        answer(b"", 308, location="http://127.0.0.1:1/"),
        errors.UpstreamUnreachable,
    ),
    "not modified": (answer(b"", 304), errors.UpstreamProtocolError),
    "garbage for gzip": (answer(b"x", content_encoding="gzip"), errors.UpstreamProtocolError),
    "a header too large": (answer(b"x", x="y" * 9_000), errors.UpstreamProtocolError),
    "no chunks": (
        [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", CUT],
        errors.UpstreamProtocolError,
    ),
    "an error that hangs": (
        [b"HTTP/1.1 500 Scripted\r\ncontent-length: 9\r\n\r\n{", HANG],
        errors.UpstreamTimeout,
    ),
    "no HTTP": ([b"\x00nonsense\r\n\r\n", CUT], errors.UpstreamProtocolError),
    "cut before the first byte": ([CUT], errors.UpstreamUnreachable),
    "half a head": ([b"HTTP/1.1 200 OK\r\n", HANG], errors.UpstreamTimeout),
    "hang": ([HANG], errors.UpstreamTimeout),
}


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("case", TRANSLATIONS)
async def test_what_goes_wrong_upstream_has_a_name_here(
    bench: Bench, case: str, streaming: bool
) -> None:
    script, expected = TRANSLATIONS[case]
    upstream = await bench.one(script, timeouts=timeouts_for(case))
    with pytest.raises(errors.UpstreamError) as caught:
        await (streamed(upstream) if streaming else upstream.post(PATH, b"{}"))
    assert type(caught.value) is expected


def timeouts_for(case: str) -> Timeouts:
    return QUICK if TRANSLATIONS[case][1] is errors.UpstreamTimeout else PATIENT


async def test_a_whole_answer_cut_in_the_middle_is_a_protocol_error(bench: Bench) -> None:
    upstream = await bench.one([b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{", CUT])
    with pytest.raises(errors.UpstreamProtocolError):
        await upstream.post(PATH, b"{}")


@pytest.mark.parametrize("status", [200, 500])
async def test_an_answer_without_end_is_given_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(sender, "LONGEST", 1_000_000)
    endless: list[Step] = [b"HTTP/1.1 %d Any\r\n\r\n" % status, *[b"x" * 100_000] * 11, HANG]
    upstream = await bench.one(endless)
    with pytest.raises(errors.UpstreamProtocolError, match="too long"):
        await upstream.post(PATH, b"{}")


async def test_nobody_listening_is_unreachable(bench: Bench) -> None:
    async with scripted_upstream() as gone:
        upstream = bench.client(gone)
    with pytest.raises(errors.UpstreamUnreachable):
        await upstream.post(PATH, b"{}")


async def test_param_and_code_of_a_refusal_are_kept(bench: Bench) -> None:
    told = {"message": "secret", "param": "messages[0].role", "code": "context_length_exceeded"}
    upstream = await bench.one(answer({"error": told}, 400))
    with pytest.raises(errors.UpstreamRefused) as caught:
        await upstream.post(PATH, b"{}")
    assert (caught.value.param, caught.value.code) == (told["param"], told["code"])


async def test_param_and_code_that_are_no_identifiers_are_not_told(bench: Bench) -> None:
    told = {"message": "secret", "param": "my secret", "code": {"x": 1}}
    upstream = await bench.one(answer({"error": told}, 400))
    with pytest.raises(errors.UpstreamRefused) as caught:
        await upstream.post(PATH, b"{}")
    assert (caught.value.param, caught.value.code) == (None, "upstream_refused")


@pytest.mark.parametrize("case", [case for case in TRANSLATIONS if case[0] in "45"])
async def test_no_text_of_the_upstream_is_told(bench: Bench, case: str) -> None:
    status = int(case[:3])
    upstream = await bench.one(answer({"error": {"message": "secret"}}, status))
    with pytest.raises(errors.UpstreamError) as caught:
        await upstream.post(PATH, b"{}")
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("-1", 1.0), ("nan", 1.0), ("99999999", 1.0), ("soon", 1.0)],
)
async def test_retry_after_is_kept_where_it_makes_sense(
    bench: Bench, header: str, seconds: float
) -> None:
    upstream = await bench.one(answer({}, 429, retry_after=header))
    with pytest.raises(errors.UpstreamRateLimited) as caught:
        await upstream.post(PATH, b"{}")
    assert caught.value.retry_after == seconds


async def test_a_compressed_stream_arrives_unpacked(bench: Bench) -> None:
    upstream = await bench.one(stream(gzip.compress(b"data: x\n\n"), content_encoding="gzip"))
    assert await streamed(upstream) == b"data: x\n\n"


async def test_a_stream_asks_for_no_compression(bench: Bench) -> None:
    server = await bench.server(stream(b"x"))
    await streamed(bench.client(server))
    assert server.requests[0].headers["accept-encoding"] == "identity"


async def test_a_stream_that_stalls_is_given_up_after_the_idle_time(bench: Bench) -> None:
    upstream = await bench.one(
        stream(b"x", HANG), timeouts=Timeouts(first_byte=5.0, idle=0.02, total=5.0)
    )
    async with aclosing(upstream.stream(PATH, b"{}")) as reads:
        assert await anext(reads) == b"x"
        with pytest.raises(errors.UpstreamTimeout):
            await anext(reads)


async def test_a_head_without_a_body_is_given_up_after_the_first_bytes_time(bench: Bench) -> None:
    upstream = await bench.one(
        stream(HANG), timeouts=Timeouts(first_byte=0.02, idle=5.0, total=5.0)
    )
    with pytest.raises(errors.UpstreamTimeout):
        await streamed(upstream)


async def test_a_stream_cut_in_the_middle_gives_what_came_and_then_fails(bench: Bench) -> None:
    upstream = await bench.one(stream(b"x", CUT))
    async with aclosing(upstream.stream(PATH, b"{}")) as reads:
        assert await anext(reads) == b"x"
        with pytest.raises(errors.UpstreamProtocolError):
            await anext(reads)


FAILURE = b'data: {"error": {"message": "overloaded"}}\n\n'


async def test_an_event_that_is_an_error_fails_after_what_was_said_before_it(bench: Bench) -> None:
    said = b'data: {"choices": [{"delta": {"content": "\\"error\\""}}]}\n\n'
    upstream = await bench.one(stream(said + FAILURE + said))
    async with aclosing(upstream.stream(PATH, b"{}")) as reads:
        assert await anext(reads) == said
        with pytest.raises(errors.UpstreamFailed):
            await anext(reads)


@pytest.mark.parametrize("comment", [b"", b": one moment\n\n"], ids=["at once", "after a comment"])
async def test_an_error_before_anything_was_said_is_one_before_the_first_byte(
    bench: Bench, comment: bytes
) -> None:
    upstream = bench.client(await bench.server(stream(comment + FAILURE)), threshold=2)
    for _ in range(2):
        with pytest.raises(errors.UpstreamFailed):
            await streamed(upstream)
    assert upstream.breaker.state == "open"


async def test_closing_a_stream_early_leaves_the_upstream_at_once(bench: Bench) -> None:
    server = await bench.server(stream(b"x", HANG))
    async with aclosing(bench.client(server).stream(PATH, b"{}")) as reads:
        await anext(reads)
    await asyncio.wait_for(server.left.wait(), 5)


# Retries


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("failure", [answer({}, 500), [CUT], answer({}, 429, retry_after="0.01")])
async def test_a_passing_failure_is_retried(
    bench: Bench, failure: list[Step], streaming: bool
) -> None:
    good = stream(b"fine") if streaming else answer(b"fine")
    upstreams = Upstreams([await bench.one(failure, failure, good)], RETRIES)
    assert await routed(upstreams, streaming=streaming) == b"fine"


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
async def test_a_kept_connection_that_ends_as_it_is_used_again_costs_no_answer(
    bench: Bench, streaming: bool
) -> None:
    good = stream(b"fine") if streaming else answer(b"fine")
    server = await bench.server(good, [CUT], good)
    upstreams = Upstreams([bench.client(server)], RETRIES)
    for _ in range(2):
        assert await routed(upstreams, streaming=streaming) == b"fine"
    assert (len(server.requests), server.connections) == (3, 2)


@pytest.mark.parametrize(
    "nothing", [stream(CUT), stream(), stream(FAILURE)], ids=["cut", "empty", "an error"]
)
async def test_a_stream_that_ends_before_its_first_byte_is_retried(
    bench: Bench, nothing: list[Step]
) -> None:
    upstreams = Upstreams([await bench.one(nothing, stream(b"fine"))], RETRIES)
    assert await routed(upstreams, streaming=True) == b"fine"


async def test_an_empty_answer_is_retried(bench: Bench) -> None:
    upstreams = Upstreams([await bench.one(answer(b""), answer(b"fine"))], RETRIES)
    assert await routed(upstreams) == b"fine"


async def test_retries_end(bench: Bench) -> None:
    server = await bench.server(answer({}, 500))
    with pytest.raises(errors.UpstreamFailed):
        await routed(Upstreams([bench.client(server)], RETRIES))
    assert len(server.requests) == 3


async def test_nothing_is_retried_after_the_first_byte(bench: Bench) -> None:
    server = await bench.server(stream(b"x", CUT))
    with pytest.raises(errors.UpstreamProtocolError):
        await routed(Upstreams([bench.client(server)], RETRIES), streaming=True)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 422])
async def test_what_would_fail_again_is_not_retried(bench: Bench, status: int) -> None:
    server = await bench.server(answer({"error": {"code": "x"}}, status))
    with pytest.raises(errors.UpstreamError):
        await routed(Upstreams([bench.client(server)], RETRIES))
    assert len(server.requests) == 1


async def test_a_timeout_is_not_retried_at_the_same_upstream(bench: Bench) -> None:
    server = await bench.server([HANG])
    with pytest.raises(errors.UpstreamTimeout):
        await routed(Upstreams([bench.client(server, QUICK)], RETRIES))
    assert len(server.requests) == 1


async def test_a_long_retry_after_is_left_to_the_caller(bench: Bench) -> None:
    server = await bench.server(answer({}, 429, retry_after="30"))
    with pytest.raises(errors.UpstreamRateLimited) as caught:
        await routed(Upstreams([bench.client(server)], RETRIES))
    assert caught.value.retry_after == 30
    assert len(server.requests) == 1


def test_a_pause_is_never_shorter_than_the_upstream_asked_for() -> None:
    pauses = [RETRIES.pause(0, 0.5) for _ in range(200)]
    assert 0.5 <= min(pauses) <= max(pauses) <= 0.55


def test_pauses_double_up_to_their_bound_with_jitter() -> None:
    backoff = Backoff(first=1.0, most=4.0)
    for attempt, longest in enumerate([1.0, 2.0, 4.0, 4.0]):
        pauses = [backoff.pause(attempt, None) for _ in range(200)]
        assert longest / 2 <= min(pauses) < max(pauses) <= longest


# Several upstreams


async def two(bench: Bench, first: list[Step]) -> tuple[ScriptedUpstream, ScriptedUpstream]:
    return await bench.server(first), await bench.server(answer(b"second"))


async def test_the_first_upstream_that_has_the_model_is_asked(bench: Bench) -> None:
    a, b = await two(bench, answer(b"first"))
    upstreams = Upstreams([bench.client(a), bench.client(b)], NO_RETRIES)
    assert await routed(upstreams) == b"first"
    assert b.requests == []


async def test_each_upstream_is_asked_for_its_own_name_of_the_model(bench: Bench) -> None:
    a, b = await two(bench, answer(b"first"))
    upstreams = Upstreams(
        [bench.client(a, models={"other": "o"}), bench.client(b, models={"m": "its-m"})]
    )
    assert await routed(upstreams, "m") == b"second"
    assert b.bodies == [{"model": "its-m"}]


async def test_a_model_that_no_upstream_has_is_unknown(bench: Bench) -> None:
    a = await bench.server()
    with pytest.raises(errors.UpstreamModelUnknown) as caught:
        await routed(Upstreams([bench.client(a, models={"other": "o"})]), "m")
    assert caught.value.param == "model"
    assert a.requests == []


FAILURES: dict[str, list[Step]] = {
    "500": answer({}, 500),
    "429": answer({}, 429, retry_after="30"),
    "401": answer({}, 401),
    "404": answer({"error": {"code": "x"}}, 404),
    "cut": [CUT],
    "hang": [HANG],
}


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("failure", FAILURES)
async def test_another_upstream_is_asked_at_once_where_that_can_help(
    bench: Bench, failure: str, streaming: bool
) -> None:
    a = await bench.server(FAILURES[failure])
    b = await bench.server(stream(b"second") if streaming else answer(b"second"))
    timeouts = QUICK if failure == "hang" else PATIENT
    upstreams = Upstreams([bench.client(a, timeouts), bench.client(b)], NO_RETRIES)
    assert await routed(upstreams, streaming=streaming) == b"second"


async def test_a_refused_request_is_not_tried_elsewhere(bench: Bench) -> None:
    a, b = await two(bench, answer({}, 400))
    with pytest.raises(errors.UpstreamRefused):
        await routed(Upstreams([bench.client(a), bench.client(b)], RETRIES))
    assert b.requests == []


@pytest.mark.parametrize("failure", ["500", "429"])
async def test_an_upstream_that_just_failed_comes_last_until_it_has_cooled_down(
    bench: Bench, failure: str
) -> None:
    a = await bench.server(FAILURES[failure], answer(b"first"))
    b = await bench.server(answer(b"second"))
    upstreams = Upstreams([bench.client(a), bench.client(b)], NO_RETRIES)
    assert [await routed(upstreams), await routed(upstreams)] == [b"second", b"second"]
    assert len(a.requests) == 1
    bench.clock.now += 31
    assert await routed(upstreams) == b"first"


async def test_an_upstream_that_asked_for_time_is_not_retried_for_anothers_failure(
    bench: Bench,
) -> None:
    a = await bench.server(FAILURES["429"])
    b = await bench.server(answer({}, 500), answer(b"second"))
    upstreams = Upstreams([bench.client(a), bench.client(b)], RETRIES)
    assert await routed(upstreams) == b"second"
    assert len(a.requests) == 1


async def test_an_upstream_with_a_wrong_key_does_not_shorten_the_wait_for_another(
    bench: Bench,
) -> None:
    a, b = await bench.server(FAILURES["429"]), await bench.server(FAILURES["401"])
    with pytest.raises(errors.UpstreamError):
        await routed(Upstreams([bench.client(a), bench.client(b)], RETRIES))
    assert (len(a.requests), len(b.requests)) == (1, 1)


# The breaker


async def failing(bench: Bench, threshold: int) -> tuple[ScriptedUpstream, Upstreams]:
    server = await bench.server(*[answer({}, 500)] * threshold, OK)
    upstream = bench.client(server, threshold=threshold, pause=5.0)
    upstreams = Upstreams([upstream], NO_RETRIES)
    for _ in range(threshold):
        with pytest.raises(errors.UpstreamFailed):
            await routed(upstreams)
    return server, upstreams


async def test_after_failures_in_a_row_the_upstream_is_left_alone(bench: Bench) -> None:
    server, upstreams = await failing(bench, threshold=3)
    with pytest.raises(errors.UpstreamUnreachable) as caught:
        await routed(upstreams)
    assert caught.value.retry_after == 5.0
    assert len(server.requests) == 3


async def test_after_the_pause_one_probe_closes_the_breaker(bench: Bench) -> None:
    server, upstreams = await failing(bench, threshold=3)
    bench.clock.now += 5
    await routed(upstreams)
    await routed(upstreams)
    assert len(server.requests) == 5


async def test_a_failed_probe_opens_it_again(bench: Bench) -> None:
    server = await bench.server(answer({}, 500))
    upstreams = Upstreams([bench.client(server, threshold=2, pause=5.0)], NO_RETRIES)
    for _ in range(2):
        with pytest.raises(errors.UpstreamFailed):
            await routed(upstreams)
    bench.clock.now += 5
    with pytest.raises(errors.UpstreamFailed):
        await routed(upstreams)
    with pytest.raises(errors.UpstreamUnreachable):
        await routed(upstreams)


def test_half_open_lets_one_through_at_a_time() -> None:
    clock = Clock()
    breaker = Breaker(threshold=1, pause=5.0, clock=clock)
    breaker.failed()
    clock.now += 5
    assert [breaker.admit(), breaker.admit()] == [True, False]


def test_a_probe_that_never_comes_back_does_not_close_the_door_for_ever() -> None:
    clock = Clock()
    breaker = Breaker(threshold=1, pause=5.0, clock=clock)
    breaker.failed()
    for _ in range(3):
        clock.now += 5
        assert breaker.admit()


def test_a_success_starts_the_count_again() -> None:
    breaker = Breaker(threshold=2, clock=Clock())
    for _ in range(3):
        breaker.failed()
        breaker.succeeded()
    assert breaker.state == "closed"


@pytest.mark.parametrize("body", [{"error": {"code": "x"}}, {}], ids=["with a code", "without"])
@pytest.mark.parametrize("status", [400, 404, 409, 418, 429])
async def test_a_refusal_is_no_failure_of_the_upstream(
    bench: Bench, status: int, body: Any
) -> None:
    server = await bench.server(answer(body, status))
    upstream = bench.client(server, threshold=1)
    with pytest.raises(errors.UpstreamError):
        await upstream.post(PATH, b"{}")
    assert upstream.breaker.state == "closed"


async def test_embeddings_that_fail_leave_chat_alone(bench: Bench) -> None:
    server = await bench.server(*[answer({}, 500)] * 2, OK)
    upstream = bench.client(server, threshold=2)
    upstreams = Upstreams([upstream], NO_RETRIES)
    for expected in (errors.UpstreamFailed, errors.UpstreamFailed, errors.UpstreamUnreachable):
        with pytest.raises(expected):
            await upstreams.post("/embeddings", "m", {})
    assert upstream.breaker.state == "closed"
    await routed(upstreams)


async def test_a_list_of_models_that_fails_leaves_chat_alone(bench: Bench) -> None:
    server = await bench.server(answer({}, 500), OK)
    upstream = bench.client(server, threshold=1)
    with pytest.raises(errors.UpstreamFailed):
        await upstream.get("/models")
    await routed(Upstreams([upstream], NO_RETRIES))


@pytest.mark.parametrize(
    "nothing", [stream(CUT), stream(), stream(FAILURE)], ids=["cut", "empty", "an error"]
)
async def test_streams_that_never_bring_a_byte_open_the_breaker(
    bench: Bench, nothing: list[Step]
) -> None:
    server = await bench.server(nothing)
    upstream = bench.client(server, threshold=2)
    for _ in range(2):
        with pytest.raises(errors.UpstreamError):
            await streamed(upstream)
    assert upstream.breaker.state == "open"


async def test_an_open_breaker_gives_the_turn_to_the_next(bench: Bench) -> None:
    a, b = await two(bench, answer({}, 500))
    upstreams = Upstreams([bench.client(a, threshold=1), bench.client(b)], NO_RETRIES)
    assert [await routed(upstreams) for _ in range(3)] == [b"second"] * 3
    assert len(a.requests) == 1


async def test_all_open_fails_at_once_and_says_when_the_first_reopens(bench: Bench) -> None:
    a, b = await bench.server(answer({}, 500)), await bench.server(answer({}, 500))
    upstreams = Upstreams(
        [bench.client(a, threshold=1, pause=9.0), bench.client(b, threshold=1, pause=4.0)],
        NO_RETRIES,
    )
    with pytest.raises(errors.UpstreamFailed):
        await routed(upstreams)
    bench.clock.now += 1
    with pytest.raises(errors.UpstreamUnreachable) as caught:
        await routed(upstreams)
    assert caught.value.retry_after == 3.0


# Models


def models(*names: str) -> list[Step]:
    return answer({"object": "list", "data": [{"id": name, "created": 5} for name in names]})


async def names(catalogue: ModelCatalogue) -> list[str]:
    return [entry.id for entry in await catalogue.all()]


async def names_in_time(catalogue: ModelCatalogue, expected: list[str]) -> bool:
    """Whether the list becomes the *expected* one: it is refreshed behind the answer."""
    async with asyncio.timeout(5):
        while await names(catalogue) != expected:  # noqa: ASYNC110 - asking is what refreshes it
            await asyncio.sleep(0.001)
    return True


async def catalogue_of(bench: Bench, *servers: ScriptedUpstream, **options: Any) -> ModelCatalogue:
    upstreams = Upstreams([bench.client(server) for server in servers], NO_RETRIES)
    return bench.catalogue(upstreams, **options)


async def test_the_models_are_listed_in_the_upstreams_order(bench: Bench) -> None:
    a, b = await bench.server(models("z", "a")), await bench.server(models("y", "a", "b"))
    assert await names(await catalogue_of(bench, a, b)) == ["z", "a", "y", "b"]


async def test_the_list_is_asked_for_once_per_ttl(bench: Bench) -> None:
    server = await bench.server(models("old"), models("new"))
    catalogue = await catalogue_of(bench, server)
    assert [await names(catalogue), await names(catalogue)] == [["old"], ["old"]]
    bench.clock.now += 60
    assert await names_in_time(catalogue, ["new"])
    assert len(server.requests) == 2


async def test_the_old_list_serves_while_the_new_one_is_asked_for(bench: Bench) -> None:
    gate = asyncio.Event()
    server = await bench.server(models("old"), [gate, *models("new")])
    catalogue = await catalogue_of(bench, server)
    await catalogue.all()
    bench.clock.now += 60
    assert [await names(catalogue), await names(catalogue)] == [["old"], ["old"]]
    gate.set()
    assert await names_in_time(catalogue, ["new"])
    assert len(server.requests) == 2


async def test_who_leaves_before_the_list_comes_does_not_take_it_from_others(bench: Bench) -> None:
    gate = asyncio.Event()
    server = await bench.server([gate, *models("m")])
    catalogue = await catalogue_of(bench, server)
    leaving, staying = (asyncio.create_task(names(catalogue)) for _ in range(2))
    await server.asked.wait()
    leaving.cancel()
    await asyncio.wait([leaving])
    gate.set()
    assert await staying == ["m"]
    assert len(server.requests) == 1


async def test_a_list_that_failed_is_asked_for_again_after_five_seconds(bench: Bench) -> None:
    server = await bench.server(answer({}, 500), models("m"))
    catalogue = await catalogue_of(bench, server)
    for _ in range(3):
        with pytest.raises(errors.UpstreamFailed):
            await catalogue.all()
    assert len(server.requests) == 1
    bench.clock.now += 5
    assert await names(catalogue) == ["m"]


async def test_a_list_that_does_not_come_in_time_is_not_waited_for(bench: Bench) -> None:
    a, b = await bench.server([HANG]), await bench.server(models("b"))
    assert await names(await catalogue_of(bench, b, a, within=0.05)) == ["b"]
    with pytest.raises(errors.UpstreamTimeout):
        await (await catalogue_of(bench, a, within=0.05)).all()


async def test_a_list_without_dates_and_owners_is_a_list(bench: Bench) -> None:
    entries = [{"id": "a", "created": None, "owned_by": None, "object": None}, {"id": "b"}]
    catalogue = await catalogue_of(bench, await bench.server(answer({"data": entries})))
    assert await catalogue.all() == [ModelEntry(id="a"), ModelEntry(id="b")]


async def test_callers_at_once_ask_once(bench: Bench) -> None:
    server = await bench.server(models("m"))
    catalogue = await catalogue_of(bench, server)
    await asyncio.gather(*(catalogue.all() for _ in range(10)))
    assert len(server.requests) == 1


async def test_while_all_upstreams_are_down_the_last_list_serves(bench: Bench) -> None:
    server = await bench.server(models("m"), answer({}, 500))
    catalogue = await catalogue_of(bench, server)
    await catalogue.all()
    bench.clock.now += 60
    assert await names(catalogue) == ["m"]


async def test_one_upstream_that_is_down_keeps_its_models_in_the_list(bench: Bench) -> None:
    a = await bench.server(models("a"), answer({}, 500))
    b = await bench.server(models("b"), models("b2"))
    catalogue = await catalogue_of(bench, a, b)
    await catalogue.all()
    bench.clock.now += 60
    assert await names_in_time(catalogue, ["a", "b2"])


async def test_one_upstream_that_was_never_up_does_not_hide_the_others(bench: Bench) -> None:
    a, b = await bench.server(answer({}, 500)), await bench.server(models("b"))
    assert await names(await catalogue_of(bench, a, b)) == ["b"]


async def test_without_any_list_ever_the_failure_is_told(bench: Bench) -> None:
    catalogue = await catalogue_of(bench, await bench.server(answer({}, 500)))
    with pytest.raises(errors.UpstreamFailed):
        await catalogue.all()


@pytest.mark.parametrize("body", [b'{"data":"?"}', b"{", b'{"data":[{"id":"\xff"}]}'])
async def test_a_list_that_cannot_be_read_is_a_protocol_error(bench: Bench, body: bytes) -> None:
    catalogue = await catalogue_of(bench, await bench.server(answer(body)))
    with pytest.raises(errors.UpstreamProtocolError):
        await catalogue.all()


async def test_the_allow_list_limits_what_is_listed_and_used(bench: Bench) -> None:
    catalogue = await catalogue_of(bench, await bench.server(models("a", "b")), allowed=["b"])
    assert await names(catalogue) == ["b"]
    catalogue.check("b")
    with pytest.raises(NotFound) as caught:
        catalogue.check("a")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


async def test_a_configured_model_map_is_listed_without_asking(bench: Bench) -> None:
    server = await bench.server()
    upstream = bench.client(server, models={"x": "its-x"})
    assert await names(ModelCatalogue(Upstreams([upstream]))) == ["x"]
    assert server.requests == []


async def test_one_model_can_be_looked_up(bench: Bench) -> None:
    catalogue = await catalogue_of(bench, await bench.server(models("org/m")))
    assert (await catalogue.get("org/m")).created == 5
    with pytest.raises(NotFound):
        await catalogue.get("org")


async def test_an_upstream_without_a_key_can_be_connected() -> None:
    async with scripted_upstream() as server:
        server.script(OK)
        upstream = connected(Endpoint(name="local", base_url=server.base_url), PATIENT)
        assert await upstream.post(PATH, b"{}") == b'{"ok":true}'
        await upstream.close()


@pytest.mark.parametrize(
    "name", ["OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_CUSTOM_HEADERS", "OPENAI_ADMIN_KEY"]
)
async def test_what_the_environment_has_for_openai_reaches_no_upstream(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "x-zebra: zebra\nauthorization: zebra")
    async with scripted_upstream() as server:
        server.script(OK)
        upstream = connected(Endpoint(name="local", base_url=server.base_url), PATIENT)
        await upstream.post(PATH, b"{}")
        await upstream.close()
    assert "zebra" not in str(server.requests[0].headers)


# What is configured


@pytest.mark.parametrize(
    "url",
    [
        "localhost:1234/v1",
        "ftp://localhost/v1",
        "http://",
        "https:///v1",
        "http://[::1",
        "http://localhost:port/v1",
        "http://localhost:99999/v1",
        "http://local host/v1",
        "http://a..b/v1",
    ],
)
def test_a_base_url_that_is_none_is_refused_by_the_name_of_its_setting(
    tmp_path: Path, url: str
) -> None:
    with pytest.raises(errors.ConfigurationError, match="OPENAI_BASE_URL"):
        endpoints_of(Settings(openai_base_url=url))
    file = tmp_path / "upstreams.json"
    file.write_bytes(msgspec.json.encode([{"name": "main", "base_url": url}]))
    with pytest.raises(errors.ConfigurationError, match="upstream main: base_url"):
        endpoints_of(Settings(upstreams_file=file))


def test_a_base_url_with_a_password_is_refused_and_not_shown() -> None:
    with pytest.raises(errors.ConfigurationError, match="OPENAI_BASE_URL") as caught:
        endpoints_of(Settings(openai_base_url="http://anna:zebra@localhost/v1"))
    assert "zebra" not in caught.value.message


@pytest.mark.parametrize("key", ["schl\u00fcssel", "two\nlines"])
def test_a_key_that_no_header_can_bear_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(errors.ConfigurationError, match="OPENAI_API_KEY") as caught:
        endpoints_of(Settings(openai_api_key=SecretStr(key)))
    assert key not in caught.value.message


@pytest.mark.parametrize(
    "url",
    ["http://localhost:1234/v1", "https://\u00fc.example", "http://[::1]:8/v1", "http://my_box"],
)
def test_a_base_url_with_a_host_is_taken_as_it_is(url: str) -> None:
    assert [endpoint.base_url for endpoint in endpoints_of(Settings(openai_base_url=url))] == [url]


def test_an_endpoint_does_not_show_its_key() -> None:
    endpoint = Endpoint(name="main", base_url="https://a.example/v1", api_key="sk-secret")
    assert "sk-secret" not in f"{endpoint} {endpoint!r}"


# What is not in the shape that it should have

PARTS = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "hello"}]
NULLS = {"prompt_tokens": None, "completion_tokens": 2, "total_tokens": None}
OBJECT = {"type": "function", "id": "c", "function": {"name": "theirs", "arguments": {"a": 1}}}

ODD_REPLIES: dict[str, Any] = {
    "parts for text": completion(PARTS),  # type: ignore[arg-type]
    "usage of nulls": completion(usage=NULLS),
    "usage of another kind": completion(usage="much"),
    "an object for arguments": completion("hello", [OBJECT]),
    "an odd identity": completion(id=7, created="today"),
}


@pytest.mark.parametrize("case", ODD_REPLIES)
async def test_an_odd_answer_passes_as_the_bytes_it_is(case: str) -> None:
    body = msgspec.json.encode(ODD_REPLIES[case])
    chunks = await answers(Replay([body]), asked(use_tools=False))
    assert wire(chunks) == body
    assert chunks[-1].answer is not None
    assert chunks[-1].answer.text == "hello"


ODD_EVENTS: dict[str, bytes] = {
    "parts for text": chunk({"content": PARTS}),
    "no delta": chunk({"content": "hello"}) + event({"choices": [{"index": 0, "delta": None}]}),
    "no choices": chunk({"content": "hello"}) + event({"choices": None}),
    "no index": event({"choices": [{"index": None, "delta": {}}]}) + chunk({"content": "hello"}),
    "usage of nulls": chunk({"content": "hello"}, usage=NULLS),
    "reasoning in parts": chunk({"reasoning": PARTS}) + chunk({"content": "hello"}),
    "an object for arguments": chunk({"content": "hello"})
    + chunk(call_delta(0, name="theirs", arguments={"a": 1})),
}


@pytest.mark.parametrize("case", ODD_EVENTS)
async def test_an_odd_stream_passes_as_the_bytes_it_is(case: str) -> None:
    body = ODD_EVENTS[case] + chunk({}, "stop") + DONE
    chunks = await answers(Replay([body]), asked(stream=True, use_tools=False))
    assert wire(chunks) == body
    assert chunks[-1].answer is not None
    assert chunks[-1].answer.text == "hello"


async def test_numbers_of_a_usage_that_are_none_count_as_nothing() -> None:
    chunks = await answers(Replay([msgspec.json.encode(completion(usage=NULLS))]), asked())
    assert chunks[-1].answer is not None
    assert chunks[-1].answer.usage == Usage(completion_tokens=2)


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
async def test_a_tool_of_ours_that_is_called_with_an_object_is_called(streaming: bool) -> None:
    echo = Echo()
    calls = [call("echo", {"text": "x"})]  # type: ignore[arg-type]
    whole = [msgspec.json.encode(completion(None, calls))], [msgspec.json.encode(completion())]
    delta = call_delta(0, id="c", name="echo", arguments={"text": "x"})
    streamed_ = (
        [chunk(delta) + chunk({}, "tool_calls") + DONE],
        [chunk({"content": "hello"}, "stop") + DONE],
    )
    replay = Replay(*(streamed_ if streaming else whole))
    await answers(replay, asked(stream=streaming), tools(echo))
    assert echo.calls == [{"text": "x"}]


async def test_a_look_finds_an_upstream_that_answers_anything_and_misses_one_that_is_gone(
    bench: Bench,
) -> None:
    without_a_list = await bench.one(answer({"error": {"message": "no"}}, 404))
    await Upstreams([without_a_list]).look()
    gone = bench.client(await bench.server())
    async with scripted_upstream() as closed:
        gone = bench.client(closed)
    with pytest.raises(errors.UpstreamUnreachable):
        await Upstreams([gone]).look()
    await Upstreams([gone, without_a_list]).look()
