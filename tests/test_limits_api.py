"""Limits as clients meet them: statuses, headers, and places that come free again."""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from running import Service, Simulator, service
from yychat.web.auth import KeyFile

TENANTS = ("acme", "other", "third")
PLACES, SHARE = 4, 2
LIMITS = [(2, None), (60, None), (2, 100_000), (None, 60), (None, 10), (10, 1000)]
KEYS_OF_A_KIND = 8
PATH = "/v1/chat/completions"
EMBED = {"model": "simulated", "input": "one text"}


def entry(secret: str, tenant: str, requests: int | None = None, tokens: int | None = None) -> str:
    """The line of a key file for *secret*, with its limits per minute."""
    digest = hashlib.sha256(secret.encode()).hexdigest()
    limits = {"requests_per_minute": requests, "tokens_per_minute": tokens}
    return json.dumps({"id": secret, "sha256": digest, "tenant": tenant, **limits})


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def asked(text: str, **fields: Any) -> dict[str, Any]:
    return {"model": "simulated", "messages": [{"role": "user", "content": text}], **fields}


def eventually(holds: Callable[[], bool], within: float = 10.0) -> bool:
    ends = time.monotonic() + within
    while not holds():
        if time.monotonic() > ends:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture(scope="module")
def narrow(
    shared_simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service with few places, and a key without limits for each tenant."""
    with service(
        tmp_path_factory.mktemp("narrow"),
        OPENAI_BASE_URL=shared_simulator.base_url,
        OPENAI_MODEL="simulated",
        YYCHAT_RETRIES="0",
        YYCHAT_API_KEYS="\n".join(entry(tenant, tenant) for tenant in TENANTS),
        YYCHAT_MAX_INFLIGHT=str(PLACES),
    ) as running:
        yield running


@pytest.fixture(scope="module")
def module_limited(
    shared_simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service whose keys have limits: of every pair in LIMITS one for each test."""
    with service(
        tmp_path_factory.mktemp("limited"),
        OPENAI_BASE_URL=shared_simulator.base_url,
        OPENAI_MODEL="simulated",
        YYCHAT_RETRIES="0",
        YYCHAT_API_KEYS="\n".join(
            entry(f"{requests}-{tokens}-{number}", "acme", requests, tokens)
            for requests, tokens in LIMITS
            for number in range(KEYS_OF_A_KIND)
        ),
    ) as running:
        yield running


@pytest.fixture
def limited(upstream: Simulator, module_limited: Service) -> Service:
    return module_limited


@pytest.fixture(scope="module")
def fresh_key() -> Callable[..., str]:
    """Gives a key that nobody has used, with limits out of LIMITS."""
    numbers = {pair: iter(range(KEYS_OF_A_KIND)) for pair in LIMITS}

    def key(requests: int | None = None, tokens: int | None = None) -> str:
        return f"{requests}-{tokens}-{next(numbers[requests, tokens])}"

    return key


@pytest.fixture
def sdk() -> Iterator[Callable[..., OpenAI]]:
    with ExitStack() as stack:

        def client(of: Service, key: str, max_retries: int = 0) -> OpenAI:
            made = OpenAI(base_url=f"{of.url}/v1", api_key=key, max_retries=max_retries)
            return stack.enter_context(made)

        yield client


def streaming(of: Service, tenant: str) -> AbstractContextManager[httpx2.Response]:
    """An answer that goes on until the client has enough; its status is there at once."""
    body = asked("write 5000 words", stream=True)
    return of.http.stream("POST", PATH, json=body, headers=bearer(tenant))


def busy(of: Service, tenant: str, stack: ExitStack, times: int) -> None:
    """Take places for as long as *stack* is open; those of an earlier test come free in between."""

    def taken() -> bool:
        with ExitStack() as attempt:
            if attempt.enter_context(streaming(of, tenant)).status_code != 200:
                return False
            stack.push(attempt.pop_all())
            return True

    for _ in range(times):
        assert eventually(taken), "a place was not freed"


def all_free(of: Service) -> None:
    """Asserts that every place can be had at once."""
    with ExitStack() as stack:
        for tenant in TENANTS[: PLACES // SHARE]:
            busy(of, tenant, stack, SHARE)


# Places


@pytest.fixture
def slow(upstream: Simulator) -> Simulator:
    """An upstream whose long answers last longer than a test."""
    upstream.faults(token_ms=20)
    return upstream


def test_a_tenant_over_its_share_is_told_to_come_back_in_a_second(
    narrow: Service, slow: Simulator
) -> None:
    with ExitStack() as stack:
        busy(narrow, "acme", stack, SHARE)
        for refused in (
            narrow.chat("hi", key="acme"),
            narrow.chat("hi", key="acme", stream=True),
            narrow.http.post("/v1/embeddings", json=EMBED, headers=bearer("acme")),
        ):
            error = refused.json()["error"]
            assert refused.status_code == 429
            assert refused.headers["retry-after"] == "1"
            assert (error["type"], error["code"]) == ("rate_limit_error", "capacity_exceeded")
        assert eventually(lambda: narrow.chat("say hi", key="other").status_code == 200)


def test_a_full_instance_refuses_everybody_and_still_serves_the_rest(
    narrow: Service, slow: Simulator
) -> None:
    with ExitStack() as stack:
        busy(narrow, "acme", stack, SHARE)
        busy(narrow, "other", stack, PLACES - SHARE)
        assert narrow.chat("hi", key="third").status_code == 429
        assert narrow.http.get("/healthz").status_code == 200
        assert narrow.http.get("/v1/personalities", headers=bearer("third")).status_code == 200


def test_a_stream_counts_until_its_last_byte_and_no_longer(
    narrow: Service, upstream: Simulator
) -> None:
    upstream.faults(token_ms=20)
    with ExitStack() as stack:
        busy(narrow, "acme", stack, SHARE - 1)
        body = asked("write 30 words", stream=True)
        with narrow.http.stream("POST", PATH, json=body, headers=bearer("acme")) as last:
            lines = last.iter_lines()
            next(lines)
            assert narrow.chat("hi", key="acme").status_code == 429
            assert "data: [DONE]" in list(lines)
        assert eventually(lambda: narrow.chat("hi", key="acme").status_code == 200)


def test_clients_that_hang_up_in_the_middle_leave_their_places(
    narrow: Service, slow: Simulator
) -> None:
    for _ in range(3):
        all_free(narrow)


def test_clients_that_hang_up_before_the_first_token_leave_their_places(
    narrow: Service, upstream: Simulator
) -> None:
    upstream.faults(hang_before_first_byte=True, only="chat")
    for stream in (True, False) * PLACES:
        assert eventually(partial(hangs_up, narrow, stream)), "a place was not freed"
    upstream.faults(token_ms=20)
    all_free(narrow)


def hangs_up(of: Service, stream: bool) -> bool:
    """Whether there was a place to hang up in."""
    body = asked("hi", stream=stream)
    try:
        refused = of.http.post(PATH, json=body, headers=bearer("third"), timeout=0.1)
    except httpx2.ReadTimeout:
        return True
    assert refused.status_code == 429
    return False


@pytest.mark.parametrize(
    "faults",
    [
        {"error_rate": 1},
        {"cut_after_chunks": 3},
        {"error_event_after_chunks": 3},
        {"malformed_json": True},
        {"done_missing": True, "finish_missing": True},
    ],
    ids=lambda faults: next(iter(faults)),
)
def test_answers_that_fail_leave_their_places(
    narrow: Service, upstream: Simulator, faults: dict[str, Any]
) -> None:
    all_free(narrow)
    upstream.faults(**faults)
    for stream in (True, False) * (PLACES + 1):
        assert eventually(partial(not_refused, narrow, stream)), "a place was not freed"
    upstream.faults(token_ms=20)
    all_free(narrow)


def not_refused(of: Service, stream: bool) -> bool:
    return of.chat("write 20 words", key="third", stream=stream).status_code != 429


def test_requests_that_are_wrong_leave_their_places(narrow: Service, upstream: Simulator) -> None:
    headers = bearer("third")
    assert eventually(partial(not_refused, narrow, False))
    for _ in range(PLACES + 1):
        assert narrow.http.post(PATH, content=b"{", headers=headers).status_code == 400
        assert narrow.chat("hi", key="third", personality_id="none").status_code == 404
        assert narrow.chat("hi", key="third", personality_id="none").status_code == 404
        assert narrow.http.post("/v1/embeddings", json={}, headers=headers).status_code == 400
    upstream.faults(token_ms=20)
    all_free(narrow)


# Requests and tokens per minute


def test_without_limits_there_are_no_rate_limit_headers(yychat: Service) -> None:
    answer = yychat.chat("hi")
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_the_sdk_reads_how_its_key_stands(
    limited: Service, fresh_key: Callable[..., str], sdk: Callable[..., OpenAI], stream: bool
) -> None:
    client = sdk(limited, fresh_key(2, 100_000))
    create: Any = client.chat.completions.with_raw_response.create
    raw = create(**asked("say hi"), stream=stream)
    assert raw.headers["x-ratelimit-limit-requests"] == "2"
    assert raw.headers["x-ratelimit-remaining-requests"] == "1"
    assert raw.headers["x-ratelimit-reset-requests"] == "30s"
    assert raw.headers["x-ratelimit-limit-tokens"] == "100000"
    assert raw.headers["x-ratelimit-remaining-tokens"] == "100000"
    assert raw.headers["x-ratelimit-reset-tokens"] == "0s"
    answer = raw.parse()
    if stream:
        assert list(answer)


def test_the_sdk_raises_its_own_error_over_the_limit(
    limited: Service, fresh_key: Callable[..., str], sdk: Callable[..., OpenAI]
) -> None:
    client = sdk(limited, fresh_key(2))
    for _ in range(2):
        client.embeddings.create(model="simulated", input="one text")
    with pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(**asked("say hi"))
    headers = refused.value.response.headers
    assert (refused.value.type, refused.value.code) == ("rate_limit_error", "rate_limit_exceeded")
    assert 28 <= int(headers["retry-after"]) <= 30
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert "x-ratelimit-limit-tokens" not in headers


def test_the_sdk_waits_as_it_is_told_and_then_gets_its_answer(
    limited: Service, fresh_key: Callable[..., str], sdk: Callable[..., OpenAI]
) -> None:
    """Its own first wait is half a second at most: that would be too soon."""
    key = fresh_key(60)
    while limited.chat("hi", key=key).status_code == 200:
        pass
    assert sdk(limited, key, max_retries=1).chat.completions.create(**asked("say hi")).choices


@pytest.mark.parametrize("missing", [False, True], ids=["counted", "estimated"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_tokens_of_an_answer_are_missing_afterwards(
    limited: Service,
    fresh_key: Callable[..., str],
    upstream: Simulator,
    stream: bool,
    missing: bool,
) -> None:
    key = fresh_key(tokens=60)
    upstream.faults(missing_usage=missing)
    assert limited.chat("write 200 words", key=key, stream=stream).status_code == 200
    refused = exhausted(limited, key)
    assert int(refused.headers["retry-after"]) >= 100
    assert refused.headers["x-ratelimit-remaining-tokens"] == "0"
    assert "x-ratelimit-limit-requests" not in refused.headers


def test_tokens_of_a_stream_that_breaks_are_booked(
    limited: Service, fresh_key: Callable[..., str], upstream: Simulator
) -> None:
    key = fresh_key(tokens=60)
    upstream.faults(cut_after_chunks=150)
    broken = limited.chat("write 300 words", key=key, stream=True)
    assert "[DONE]" not in broken.text
    assert int(exhausted(limited, key).headers["retry-after"]) >= 60


def test_tokens_of_a_stream_that_nobody_reads_to_its_end_are_booked(
    limited: Service, fresh_key: Callable[..., str], upstream: Simulator
) -> None:
    key = fresh_key(tokens=60)
    body = asked("write 3000 words", stream=True)
    upstream.faults(token_ms=1)
    with limited.http.stream("POST", PATH, json=body, headers=bearer(key)) as answer:
        lines = answer.iter_lines()
        for _ in range(400):
            next(lines)
    exhausted(limited, key)


def test_tokens_of_embeddings_are_booked(limited: Service, fresh_key: Callable[..., str]) -> None:
    key = fresh_key(tokens=10)
    text = "word " * 200
    limited.http.post("/v1/embeddings", json={**EMBED, "input": text}, headers=bearer(key))
    exhausted(limited, key)


def test_a_failing_upstream_costs_requests_but_no_tokens(
    limited: Service, fresh_key: Callable[..., str], upstream: Simulator
) -> None:
    key = fresh_key(10, 1000)
    upstream.faults(error_rate=1)
    for _ in range(3):
        assert limited.chat("write 200 words", key=key).status_code == 502
    upstream.faults()
    answer = limited.chat("hi", key=key)
    assert answer.headers["x-ratelimit-remaining-requests"] == "6"
    assert answer.headers["x-ratelimit-remaining-tokens"] == "1000"


def exhausted(of: Service, key: str) -> httpx2.Response:
    """The refusal, once what was used is booked: that is after the last byte."""
    refused: list[httpx2.Response] = []

    def over() -> bool:
        refused.append(of.chat("hi", key=key))
        return refused[-1].status_code == 429

    assert eventually(over)
    return refused[-1]


# Keys with limits


def test_a_key_is_made_with_its_limits(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    command = [sys.executable, "-m", "yychat", "keys", "new", "--id", "k", "--tenant", "acme"]
    command += ["--requests-per-minute", "60", "--tokens-per-minute", "9000", "--file", str(file)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    [key] = KeyFile(file).read()
    assert (key.requests_per_minute, key.tokens_per_minute) == (60, 9000)
