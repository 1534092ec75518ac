"""OpenAI's own Python SDK, as it is installed, against the service: what fails, and how."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

from running import Service, Simulator, service
from yychat.web.auth import new_key

MODEL = "simulated"
SAY_HI: list[ChatCompletionMessageParam] = [{"role": "user", "content": "say hi"}]


@pytest.fixture(scope="module")
def module_client(module_service: Service) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{module_service.url}/v1", api_key="any", max_retries=0) as made:
        yield made


@pytest.fixture
def client(yychat: Service, module_client: OpenAI) -> OpenAI:
    """A client that does not try again by itself."""
    return module_client


def hi(client: OpenAI, **fields: Any) -> ChatCompletion:
    completion: ChatCompletion = client.chat.completions.create(
        **{"model": MODEL, "messages": SAY_HI, **fields}
    )
    return completion


# The caller's own mistakes


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": 5}, "temperature"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "oracle", "content": "hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"n": 0}, "n"),
        ({"stream": "yes"}, "stream"),
        ({"tools": "all"}, "tools"),
        ({"stop": 7}, "stop"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"extra_body": {"conversation_id": ""}}, "conversation_id"),
        ({"extra_body": {"use_tools": "no"}}, "use_tools"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_request_names_the_field(client: OpenAI, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        hi(client, **fields)
    error = raised.value
    assert (error.param, error.code, error.type) == (
        param,
        "invalid_value",
        "invalid_request_error",
    )
    assert param in error.message
    assert error.request_id


def test_a_refusal_of_the_upstream_keeps_its_param_and_code(
    client: OpenAI, upstream: Simulator
) -> None:
    upstream.faults(context_tokens=2)
    with pytest.raises(openai.BadRequestError) as raised:
        hi(client)
    assert (raised.value.param, raised.value.code) == ("messages", "context_length_exceeded")


def test_a_tool_result_without_its_call_is_a_bad_request(client: OpenAI) -> None:
    lonely = {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}
    with pytest.raises(openai.BadRequestError) as raised:
        hi(client, messages=[lonely, *SAY_HI])
    assert raised.value.param == "messages.[0].role"


def test_a_body_that_is_too_large_is_a_413(client: OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as raised:
        hi(client, messages=[{"role": "user", "content": "x" * (5 * 1024 * 1024)}])
    assert (raised.value.status_code, raised.value.code) == (413, "body_too_large")


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_an_unknown_model_is_not_found(client: OpenAI, *, streamed: bool) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        hi(client, model="gpt-nonsense", stream=streamed)
    assert (raised.value.param, raised.value.code) == ("model", "model_not_found")


def test_an_unknown_model_is_not_found_by_its_name_either(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        client.models.retrieve("gpt-nonsense")
    assert raised.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="gpt-nonsense", input="hi")


def test_an_unknown_personality_is_not_found(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        hi(client, extra_body={"personality_id": "nobody"})
    assert raised.value.param == "personality_id"


def test_apis_of_openai_that_are_not_here_are_not_found(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        client.responses.create(model=MODEL, input="say hi")
    assert raised.value.code == "not_found"


def test_a_browser_page_is_not_let_in_without_a_key(client: OpenAI) -> None:
    with pytest.raises(openai.PermissionDeniedError) as raised:
        hi(client, extra_headers={"origin": "https://example.com"})
    assert raised.value.code == "forbidden"


# A service with keys and little patience


@pytest.fixture(scope="module")
def keyed(
    shared_simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, str]]:
    secret, key = new_key("sdk", "acme", "user")
    with service(
        tmp_path_factory.mktemp("keyed"),
        OPENAI_BASE_URL=shared_simulator.base_url,
        YYCHAT_API_KEYS=msgspec.json.encode([key]).decode(),
        YYCHAT_REQUEST_TIMEOUT="0.5",
        YYCHAT_RETRIES="0",
    ) as running:
        yield running, secret


@pytest.fixture
def strict(keyed: tuple[Service, str], upstream: Simulator) -> Iterator[OpenAI]:
    running, secret = keyed
    with OpenAI(base_url=f"{running.url}/v1", api_key=secret, max_retries=0) as made:
        yield made


def test_a_wrong_key_is_an_authentication_error(strict: OpenAI) -> None:
    assert hi(strict).choices[0].message.content == "hi"
    with pytest.raises(openai.AuthenticationError) as raised:
        hi(strict.with_options(api_key="yy-wrong"))
    assert (raised.value.status_code, raised.value.code) == (401, "invalid_api_key")
    with pytest.raises(openai.AuthenticationError):
        strict.with_options(api_key="yy-wrong").models.list()


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_an_upstream_that_never_answers_is_a_504(
    strict: OpenAI, upstream: Simulator, *, streamed: bool
) -> None:
    upstream.faults(hang_before_first_byte=True)
    with pytest.raises(openai.InternalServerError) as raised:
        hi(strict, stream=streamed)
    assert (raised.value.status_code, raised.value.code) == (504, "deadline_exceeded")


# The upstream's failures


def test_a_rate_limit_says_when_to_come_back(client: OpenAI, upstream: Simulator) -> None:
    upstream.faults(error_rate=1, error_status=429, retry_after=7)
    with pytest.raises(openai.RateLimitError) as raised:
        hi(client)
    assert raised.value.response.headers["retry-after"] == "7"
    assert raised.value.code == "upstream_rate_limit"


def test_the_sdk_comes_back_when_it_was_told_to(client: OpenAI, upstream: Simulator) -> None:
    upstream.faults(fail_next=1, error_rate=1, error_status=429, retry_after=1)
    began = time.monotonic()
    completion = hi(client.with_options(max_retries=1))
    # Left to itself, the SDK would try again within half a second.
    assert time.monotonic() - began >= 1
    assert completion.choices[0].message.content == "hi"


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_one_failure_of_the_upstream_is_mended_by_the_sdks_retry(
    client: OpenAI, upstream: Simulator, *, streamed: bool
) -> None:
    upstream.faults(fail_next=1, error_rate=1, error_status=503)
    with client.with_options(max_retries=1).chat.completions.with_streaming_response.create(
        model=MODEL, messages=SAY_HI, stream=streamed
    ) as response:
        assert b"hi" in response.read()
    assert response.retries_taken == 1
    assert upstream.stats()["requests"]["chat"] == 2


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    "faults",
    [
        {"error_rate": 1, "error_status": 500},
        {"error_rate": 1, "error_status": 503},
        {"require_key": "another"},
        {"cut_after_chunks": 0},
    ],
    ids=["500", "503", "our key is refused", "cut"],
)
def test_a_failing_upstream_is_a_502(
    client: OpenAI, upstream: Simulator, faults: dict[str, Any], *, streamed: bool
) -> None:
    upstream.faults(**faults)
    with pytest.raises(openai.InternalServerError) as raised:
        hi(client, stream=streamed)
    assert (raised.value.status_code, raised.value.type) == (502, "upstream_error")
    assert "order" not in raised.value.message  # the upstream's own words stay inside
    upstream.reset()
    assert hi(client).choices[0].message.content == "hi"


def test_an_upstream_that_is_not_there_is_a_503(data: Path) -> None:
    with ExitStack() as stack:
        nobody = stack.enter_context(socket.socket())
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1"
        running = stack.enter_context(service(data, OPENAI_BASE_URL=url, YYCHAT_RETRIES="0"))
        client = stack.enter_context(
            OpenAI(base_url=f"{running.url}/v1", api_key="any", max_retries=0)
        )
        with pytest.raises(openai.InternalServerError) as raised:
            hi(client)
    assert (raised.value.status_code, raised.value.code) == (503, "upstream_connection")
    assert int(raised.value.response.headers["retry-after"]) >= 1


def test_a_client_that_is_out_of_patience_gets_its_own_timeout(
    client: OpenAI, upstream: Simulator
) -> None:
    upstream.faults(hang_before_first_byte=True)
    with pytest.raises(openai.APITimeoutError):
        hi(client.with_options(timeout=0.2))


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        ({"error_event_after_chunks": 10}, "upstream_5xx"),
        ({"cut_after_chunks": 10}, "upstream_protocol"),
        ({"finish_missing": True, "done_missing": True}, "upstream_protocol"),
    ],
    ids=["error event", "cut", "no finish"],
)
def test_a_stream_that_fails_midway_raises_after_what_it_brought(
    client: OpenAI, upstream: Simulator, faults: dict[str, Any], code: str
) -> None:
    upstream.faults(token_ms=20, **faults)
    text = "one two three four five six seven eight nine ten eleven twelve"
    chunks = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": f"say {text}"}], stream=True
    )
    heard: list[str] = []
    with pytest.raises(openai.APIError) as raised:
        heard.extend(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert "".join(heard).startswith("one two")
    assert text.startswith("".join(heard))
    assert (raised.value.code, raised.value.type) == (code, "upstream_error")


def test_a_stream_that_fails_before_its_first_token_is_a_status(
    client: OpenAI, upstream: Simulator
) -> None:
    upstream.faults(error_event_after_chunks=1)
    with pytest.raises(openai.InternalServerError) as raised:
        hi(client, stream=True)
    assert raised.value.status_code == 502


def test_a_stream_that_falls_silent_ends_with_the_requests_time(
    strict: OpenAI, upstream: Simulator
) -> None:
    upstream.faults(token_ms=100)
    chunks = strict.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "write 500 words"}], stream=True
    )
    with pytest.raises(openai.APIError) as raised:
        list(chunks)
    assert raised.value.code == "deadline_exceeded"
