"""Every kind of failure is an error in OpenAI's shape with a true status, and says nothing else."""

import json
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from running import Service, Simulator, service

CHAT = "/v1/chat/completions"
SAID = "zebracrossing"  # what a user wrote, and no error may repeat
LEAK = "Upstream-internal text, key sk-upstream-1"
HELLO: list[Any] = [{"role": "user", "content": "say hello"}]
MESSAGES = json.dumps(HELLO).encode()


def error_of(answer: httpx2.Response, status: int) -> dict[str, Any]:
    """The error of *answer*, which has *status* and OpenAI's shape and nothing beside it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert list(body) == ["error"]
    assert sorted(body["error"]) == ["code", "message", "param", "type"]
    assert body["error"]["message"]
    assert answer.headers["x-request-id"]
    return dict(body["error"])


def posted(to: Service, body: bytes, path: str = CHAT) -> httpx2.Response:
    return to.http.post(path, content=body, headers={"content-type": "application/json"})


def asked(to: Service, **fields: Any) -> httpx2.Response:
    return to.http.post(CHAT, json={"messages": HELLO, **fields})


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.fixture(scope="module")
def strict_service(
    shared_simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    with service(
        tmp_path_factory.mktemp("data"),
        OPENAI_BASE_URL=shared_simulator.base_url,
        YYCHAT_MAX_BODY="1000",
        YYCHAT_MODELS="simulated",
    ) as running:
        yield running


@pytest.fixture
def strict(upstream: Simulator, strict_service: Service) -> Service:
    """A service that reads 1000 bytes and has one model, and no default."""
    return strict_service


# The body as a whole


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param(b"", "the body is empty", id="nothing"),
        pytest.param(b"hello", "not valid JSON", id="not JSON"),
        pytest.param(b'{"messages":[', "not valid JSON", id="broken off"),
        pytest.param(b'{"messages":%s} x' % MESSAGES, "not valid JSON", id="something behind it"),
        pytest.param(b"[]", "expected `object`, got `array`", id="an array"),
        pytest.param(b"null", "expected `object`, got `null`", id="null"),
        pytest.param(b'{"messages":%s,"x":NaN}' % MESSAGES, "not valid JSON", id="NaN"),
        pytest.param(
            b'{"messages":%s,"x":"\\ud800"}' % MESSAGES, "not valid JSON", id="a lone surrogate"
        ),
        pytest.param(
            b'{"messages":%s,"x":"\xff"}' % MESSAGES, "not valid UTF-8", id="broken UTF-8"
        ),
        pytest.param(
            b'{"messages":%s,"x":%s}' % (MESSAGES, nested(100_000)),
            "nested too deeply",
            id="nested without end",
        ),
    ],
)
@pytest.mark.parametrize("path", [CHAT, "/v1/embeddings", "/v1/tools/call"])
def test_a_body_that_cannot_be_read_is_a_400_that_says_why(
    yychat: Service, path: str, body: bytes, says: str
) -> None:
    error = error_of(posted(yychat, body, path), 400)
    assert error["type"] == "invalid_request_error"
    if path == CHAT or b"messages" not in body:
        assert says in error["message"]


@pytest.mark.parametrize("stream", [b"true", b"false"])
def test_no_depth_of_nesting_is_more_than_a_400(yychat: Service, stream: bytes) -> None:
    tool = b'[{"type":"function","function":{"name":"f","parameters":{"x":%s}}}]'
    for levels in range(940, 980):
        tools = tool % nested(levels)
        body = b'{"messages":%s,"stream":%s,"tools":%s}' % (MESSAGES, stream, tools)
        assert posted(yychat, body).status_code in (200, 400), levels


def test_a_field_given_twice_counts_as_the_last_one_that_is_checked(yychat: Service) -> None:
    body = b'{"messages":%s,"temperature":1,"temperature":9}' % MESSAGES
    assert error_of(posted(yychat, body), 400)["param"] == "temperature"


def test_a_field_written_with_escapes_is_checked_like_any_other(yychat: Service) -> None:
    body = b'{"messages":%s,"conversation\\u005fid":""}' % MESSAGES
    assert error_of(posted(yychat, body), 400)["param"] == "conversation_id"


@pytest.mark.parametrize("path", [CHAT, "/v1/embeddings", "/v1/tools/call"])
def test_a_body_over_the_limit_is_a_413_by_its_declared_length(strict: Service, path: str) -> None:
    error = error_of(posted(strict, b" " * 1001, path), 413)
    assert error["code"] == "body_too_large"


def test_a_body_over_the_limit_is_a_413_without_a_declared_length(strict: Service) -> None:
    answer = strict.http.post(CHAT, content=iter([b" " * 600, b" " * 600]))
    assert error_of(answer, 413)["code"] == "body_too_large"


def test_a_body_of_exactly_the_limit_is_read(strict: Service) -> None:
    body = b'{"messages":%s,"model":"simulated"}' % MESSAGES
    assert posted(strict, body.ljust(1000)).status_code == 200


def test_a_body_that_is_too_large_is_refused_before_it_is_asked_for(strict: Service) -> None:
    head = (
        f"POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1001\r\n"
        "expect: 100-continue\r\nconnection: close\r\n\r\n"
    )
    assert first_line(strict, head).startswith(b"HTTP/1.1 413 ")


def test_a_client_that_waits_to_be_asked_for_its_body_is_asked(yychat: Service) -> None:
    head = (
        f"POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n"
        "expect: 100-continue\r\nconnection: close\r\n\r\n"
    )
    assert first_line(yychat, head) == b"HTTP/1.1 100 Continue\r\n"


def first_line(of: Service, head: str) -> bytes:
    url = httpx2.URL(of.url)
    with socket.create_connection((url.host, url.port or 80), timeout=10) as connection:
        connection.sendall(head.encode())
        with connection.makefile("rb") as answer:
            return answer.readline()


# Fields


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        pytest.param({"messages": None}, "messages", id="messages null"),
        pytest.param({"messages": []}, "messages", id="no message"),
        pytest.param({"messages": "hello"}, "messages", id="messages a string"),
        pytest.param({"messages": {"role": "user"}}, "messages", id="messages an object"),
        pytest.param({"messages": ["hello"]}, "messages[0]", id="a message that is a string"),
        pytest.param({"messages": [*HELLO, {"content": "x"}]}, "messages[1].role", id="no role"),
        pytest.param(
            {"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role", id="a new role"
        ),
        pytest.param(
            {"messages": [{"role": "user", "content": None}]},
            "messages[0].content",
            id="a user who says null",
        ),
        pytest.param({"messages": [{"role": "user"}]}, "messages[0].content", id="no content"),
        pytest.param(
            {"messages": [{"role": "user", "content": 5}]}, "messages[0].content", id="a number"
        ),
        pytest.param(
            {"messages": [{"role": "assistant", "content": None}, *HELLO]},
            "messages[0].content",
            id="an assistant who says nothing and calls nothing",
        ),
        pytest.param(
            {"messages": [{"role": "tool", "content": "x"}]},
            "messages[0].tool_call_id",
            id="a tool result without its call",
        ),
        pytest.param(
            {"messages": [{"role": "user", "content": ["x"]}]},
            "messages[0].content[0]",
            id="a part that is a string",
        ),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"text": "x"}]}]},
            "messages[0].content[0].type",
            id="a part without a type",
        ),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "messages[0].content[0].text",
            id="a text part without text",
        ),
        pytest.param(
            {"messages": [{"role": "assistant", "tool_calls": [{"id": 5}]}, *HELLO]},
            "messages[0].tool_calls[0].id",
            id="a tool call with a number for its id",
        ),
        pytest.param({"model": ""}, "model", id="model empty"),
        pytest.param({"model": 4}, "model", id="model a number"),
        pytest.param({"stream": "yes"}, "stream", id="stream a string"),
        pytest.param({"stream": 1}, "stream", id="stream a number"),
        pytest.param({"stream_options": 1}, "stream_options", id="stream_options a number"),
        pytest.param(
            {"stream_options": {"include_usage": "yes"}},
            "stream_options.include_usage",
            id="include_usage a string",
        ),
        pytest.param({"n": 0}, "n", id="n 0"),
        pytest.param({"n": 129}, "n", id="n 129"),
        pytest.param({"n": 10**30}, "n", id="n huge"),
        pytest.param({"n": 1.5}, "n", id="n a fraction"),
        pytest.param({"temperature": 2.1}, "temperature", id="temperature too high"),
        pytest.param({"temperature": -0.1}, "temperature", id="temperature too low"),
        pytest.param({"temperature": "1"}, "temperature", id="temperature a string"),
        pytest.param({"top_p": 1.1}, "top_p", id="top_p too high"),
        pytest.param({"max_tokens": 0}, "max_tokens", id="max_tokens 0"),
        pytest.param({"max_completion_tokens": -1}, "max_completion_tokens", id="max negative"),
        pytest.param({"presence_penalty": 3}, "presence_penalty", id="penalty too high"),
        pytest.param({"logit_bias": {"50256": "x"}}, "logit_bias", id="logit_bias a string"),
        pytest.param({"top_logprobs": 21}, "top_logprobs", id="top_logprobs too high"),
        pytest.param({"seed": "x"}, "seed", id="seed a string"),
        pytest.param({"stop": [1]}, "stop[0]", id="stop a number"),
        pytest.param({"tools": [{}]}, "tools[0].type", id="a tool without a type"),
        pytest.param({"user": 5}, "user", id="user a number"),
        pytest.param({"user": "x" * 4097}, "user", id="user too long"),
        pytest.param({"conversation_id": ""}, "conversation_id", id="conversation_id empty"),
        pytest.param({"conversation_id": 5}, "conversation_id", id="conversation_id a number"),
        pytest.param({"conversation_id": "x" * 257}, "conversation_id", id="conversation_id long"),
        pytest.param({"personality_id": ""}, "personality_id", id="personality_id empty"),
        pytest.param({"use_tools": "no"}, "use_tools", id="use_tools a string"),
        pytest.param({"engine": 5}, "engine", id="engine a number"),
    ],
)
def test_a_wrong_field_of_a_chat_is_a_400_that_names_it(
    yychat: Service, fields: dict[str, Any], param: str
) -> None:
    error = error_of(asked(yychat, **fields), 400)
    assert (error["param"], error["type"]) == (param, "invalid_request_error")
    assert param in error["message"]


def test_a_chat_without_messages_is_a_400_that_names_them(yychat: Service) -> None:
    error = error_of(posted(yychat, b"{}"), 400)
    assert (error["param"], error["message"]) == ("messages", "messages is required")


@pytest.mark.parametrize("number", ["9" * 5000, "1e999"])
def test_a_number_beyond_reading_is_a_400_that_names_its_field(
    yychat: Service, number: str
) -> None:
    body = b'{"messages":%s,"seed":%s}' % (MESSAGES, number.encode())
    assert error_of(posted(yychat, body), 400)["param"] == "seed"


def test_a_chat_without_a_model_is_a_400_where_there_is_no_default(strict: Service) -> None:
    assert error_of(asked(strict), 400)["param"] == "model"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None, "model": "simulated"}, "input"),
        ({"input": 5, "model": "simulated"}, "input"),
        ({"model": "simulated"}, "input"),
        ({"input": "x"}, "model"),
        ({"input": "x", "model": ""}, "model"),
        ({"input": "x", "model": "simulated", "dimensions": 0}, "dimensions"),
        ({"input": "x", "model": "simulated", "encoding_format": "hex"}, "encoding_format"),
    ],
)
def test_a_wrong_field_of_an_embedding_is_a_400_that_names_it(
    yychat: Service, fields: dict[str, Any], param: str
) -> None:
    assert error_of(yychat.http.post("/v1/embeddings", json=fields), 400)["param"] == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "name"),
        ({"name": 5}, "name"),
        ({"name": ""}, "name"),
        ({"name": "calculator", "arguments": []}, "arguments"),
        ({"name": "calculator", "arguments": "{}"}, "arguments"),
        ({"name": "calculator", "personality_id": ""}, "personality_id"),
        ({"name": "calculator", "args": {}}, "args"),
    ],
)
def test_a_wrong_field_of_a_tool_call_is_a_400_that_names_it(
    yychat: Service, fields: dict[str, Any], param: str
) -> None:
    assert error_of(yychat.http.post("/v1/tools/call", json=fields), 400)["param"] == param


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=1001", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=1.0", "limit"),
        ("limit=%D9%A1", "limit"),
        (f"limit={'9' * 5000}", "limit"),
        ("kind=tenant", "kind"),
        ("kind=", "kind"),
    ],
)
def test_a_wrong_question_about_memory_is_a_400_that_names_it(
    yychat: Service, query: str, param: str
) -> None:
    answer = yychat.http.get(f"/v1/conversations/x/memory?{query}")
    assert error_of(answer, 400)["param"] == param


@pytest.mark.parametrize("given", ["%ff", "%ED%A0%80", "a%c3"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_id_that_is_not_utf_8_is_nobodys(yychat: Service, method: str, given: str) -> None:
    answer = yychat.http.request(method, f"/v1/conversations/{given}/memory")
    assert error_of(answer, 400)["param"] == "id"


def test_an_id_beyond_the_limit_is_a_400(yychat: Service) -> None:
    answer = yychat.http.get(f"/v1/conversations/{'x' * 4097}/memory")
    assert error_of(answer, 400)["param"] == "id"


# What is not there


@pytest.mark.parametrize("stream", [True, False])
def test_an_unknown_personality_is_a_404_that_names_it(yychat: Service, stream: bool) -> None:
    error = error_of(asked(yychat, personality_id="nobody", stream=stream), 404)
    assert (error["param"], error["type"]) == ("personality_id", "not_found_error")


@pytest.mark.parametrize("stream", [True, False])
def test_an_unknown_engine_is_a_404_that_names_it(yychat: Service, stream: bool) -> None:
    assert error_of(asked(yychat, engine="steam_engine", stream=stream), 404)["param"] == "engine"


def test_a_model_off_the_allow_list_is_a_404_and_never_asked_for(
    strict: Service, upstream: Simulator
) -> None:
    upstream.faults(models=["another"])
    error = error_of(asked(strict, model="another"), 404)
    error_of(strict.http.post("/v1/embeddings", json={"model": "another", "input": "x"}), 404)
    assert (error["param"], error["code"]) == ("model", "model_not_found")
    requests = upstream.stats()["requests"]
    assert (requests["chat"], requests["embeddings"]) == (0, 0)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/responses",
        "/v1/completions",
        "/v1/chat",
        "/docs",
        "/v1/conversations//memory",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_path_is_a_404_in_the_same_shape(
    yychat: Service, method: str, path: str
) -> None:
    error = error_of(yychat.http.request(method, path), 404)
    assert (error["type"], error["code"]) == ("not_found_error", "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", CHAT, {"POST"}),
        ("HEAD", CHAT, {"POST"}),
        ("PUT", "/v1/embeddings", {"POST"}),
        ("POST", "/v1/models", {"GET", "HEAD"}),
        ("DELETE", "/v1/personalities/friendly", {"GET", "HEAD"}),
        ("PUT", "/v1/conversations/x/memory", {"GET", "HEAD", "DELETE"}),
        ("GET", "/v1/tools/call", {"POST"}),
        ("POST", "/healthz", {"GET", "HEAD"}),
        ("OPTIONS", "/openapi.json", {"GET", "HEAD"}),
    ],
)
def test_a_method_that_a_path_does_not_have_is_a_405_with_those_it_has(
    yychat: Service, method: str, path: str, allowed: set[str]
) -> None:
    answer = yychat.http.request(method, path)
    assert set(answer.headers["allow"].split(", ")) == allowed
    if method == "HEAD":
        assert answer.status_code == 405
    else:
        assert error_of(answer, 405)["code"] == "method_not_allowed"


# What errors do not say


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": SAID, "content": SAID}]},
        {"messages": [{"role": "user", "content": [SAID]}]},
        {"messages": [{"role": "tool", "content": SAID}]},
        {"messages": [{"role": "tool", "content": SAID, "tool_call_id": SAID}]},
        {"messages": HELLO, "stream": SAID},
        {"messages": HELLO, "stop": {SAID: SAID}},
        {"messages": HELLO, "logit_bias": {SAID: SAID}},
        {"messages": HELLO, "model": SAID},
        {"messages": HELLO, "tool_choice": SAID},
        {"messages": HELLO, "engine": SAID},
        {"messages": HELLO, "personality_id": SAID},
        {"messages": HELLO, "conversation_id": SAID * 30},
        {SAID: SAID},
    ],
)
def test_an_error_does_not_repeat_what_the_user_wrote(
    yychat: Service, fields: dict[str, Any]
) -> None:
    answer = yychat.http.post(CHAT, json=fields)
    error_of(answer, answer.status_code)
    assert answer.status_code in (400, 404)
    assert SAID not in answer.text + str(answer.headers)


@pytest.mark.parametrize(
    "path",
    [
        f"/{SAID}",
        f"/v1/models/{SAID}",
        f"/v1/personalities/{SAID}",
        f"/v1/tools?personality_id={SAID}",
        f"/v1/conversations/{SAID * 400}/memory",
        f"/v1/conversations/x/memory?limit={SAID}",
        f"/v1/conversations/x/memory?kind={SAID}",
    ],
)
def test_an_error_does_not_repeat_the_path(yychat: Service, path: str) -> None:
    answer = yychat.http.get(path)
    error_of(answer, answer.status_code)
    assert answer.status_code in (400, 404)
    assert SAID not in answer.text


def test_an_unknown_field_is_not_named_where_it_may_be_a_text(yychat: Service) -> None:
    answer = yychat.http.post("/v1/tools/call", json={"name": "x", f"my {SAID}": 1})
    error_of(answer, 400)
    assert SAID not in answer.text


# What the upstream does


class Scripted:
    """An upstream that gives one answer to everything."""

    def __init__(self) -> None:
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(script.status)
                headers = {"content-type": "application/json", **script.headers}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(script.body) + script.withheld))
                self.end_headers()
                self.wfile.write(script.body)

            def log_message(self, *_args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.answers()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/v1"

    def answers(
        self,
        status: int = 200,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        withheld: int = 0,
    ) -> None:
        """From now on: *body* without its last *withheld* bytes, or a short good answer."""
        message = {"role": "assistant", "content": "fine"}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        fine = {"id": "x", "object": "chat.completion", "created": 1, "model": "m"}
        self.status, self.headers, self.withheld = status, headers or {}, withheld
        self.body = json.dumps({**fine, "choices": choices}).encode() if body is None else body

    def fails(self, status: int, headers: dict[str, str] | None = None, **fields: Any) -> None:
        error = {"message": LEAK, "type": LEAK, "param": None, "code": None, **fields}
        self.answers(status, json.dumps({"error": error}).encode(), headers)


@pytest.fixture(scope="module")
def scripted() -> Iterator[Scripted]:
    script = Scripted()
    thread = threading.Thread(target=script.server.serve_forever, args=(0.05,))
    thread.start()
    yield script
    script.server.shutdown()
    thread.join()
    script.server.server_close()


@pytest.fixture(scope="module")
def before_scripted(
    scripted: Scripted, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("data")
    with service(
        folder, OPENAI_BASE_URL=scripted.base_url, OPENAI_MODEL="m", YYCHAT_RETRIES="0"
    ) as running:
        yield running


@pytest.fixture
def fragile(scripted: Scripted, before_scripted: Service) -> Iterator[Service]:
    """A service before the scripted upstream, its breaker closed."""
    yield before_scripted
    scripted.answers()
    assert asked(before_scripted).status_code == 200


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("theirs", "ours", "code"),
    [
        (400, 400, "upstream_refused"),
        (413, 400, "upstream_refused"),
        (422, 400, "upstream_refused"),
        (401, 502, "upstream_auth"),
        (403, 502, "upstream_auth"),
        (404, 404, "model_not_found"),
        (409, 502, "upstream_protocol"),
        (418, 502, "upstream_protocol"),
        (429, 429, "upstream_rate_limit"),
        (500, 502, "upstream_5xx"),
        (503, 502, "upstream_5xx"),
        (529, 502, "upstream_5xx"),
    ],
)
def test_an_error_of_the_upstream_becomes_a_true_status_without_its_text(
    fragile: Service, scripted: Scripted, theirs: int, ours: int, code: str, stream: bool
) -> None:
    scripted.fails(theirs)
    answer = asked(fragile, stream=stream)
    assert error_of(answer, ours)["code"] == code
    assert LEAK not in answer.text
    assert "sk-upstream" not in answer.text + str(answer.headers)


def test_a_refusal_keeps_the_upstreams_param_and_code(fragile: Service, scripted: Scripted) -> None:
    scripted.fails(400, param="messages[3].content", code="context_length_exceeded")
    error = error_of(asked(fragile), 400)
    assert error["param"] == "messages[3].content"
    assert error["code"] == "context_length_exceeded"


@pytest.mark.parametrize(
    "odd", [LEAK, "you said: hello", "x" * 200, "", 7, {"a": 1}, "línea", "a\n"]
)
def test_a_refusal_keeps_no_param_and_code_that_are_not_identifiers(
    fragile: Service, scripted: Scripted, odd: Any
) -> None:
    scripted.fails(400, param=odd, code=odd)
    error = error_of(asked(fragile), 400)
    assert (error["param"], error["code"]) == (None, "upstream_refused")


def test_a_404_that_is_not_about_a_model_is_a_502(fragile: Service, scripted: Scripted) -> None:
    scripted.answers(404, b"<html>no such page</html>", {"content-type": "text/html"})
    assert error_of(asked(fragile), 502)["code"] == "upstream_protocol"


@pytest.mark.parametrize(("given", "said"), [("7", "7"), ("0.2", "1"), ("soon", "1"), (None, "1")])
def test_a_429_says_when_to_come_back(
    fragile: Service, scripted: Scripted, given: str | None, said: str
) -> None:
    scripted.fails(429, {"retry-after": given} if given else {})
    answer = asked(fragile)
    assert error_of(answer, 429)["type"] == "rate_limit_error"
    assert answer.headers["retry-after"] == said


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"choices":[]}',
        b'{"choices":5}',
        b"<html>",
        b"\xff",
        nested(5000),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_that_is_no_answer_is_a_502(
    fragile: Service, scripted: Scripted, body: bytes, stream: bool
) -> None:
    scripted.answers(200, body)
    assert error_of(asked(fragile, stream=stream), 502)["type"] == "upstream_error"


@pytest.mark.parametrize(
    "body", [b"data: {\n\n", b"data: []\n\n", b"data: [DONE]\n\n", b"\xff\n\n"]
)
def test_a_stream_without_an_answer_is_a_status(
    fragile: Service, scripted: Scripted, body: bytes
) -> None:
    scripted.answers(200, body, {"content-type": "text/event-stream"})
    answer = asked(fragile, stream=True)
    if body != b"data: [DONE]\n\n":  # an empty answer, and complete
        assert error_of(answer, 502)["type"] == "upstream_error"
    else:
        assert answer.status_code == 200


def test_an_upstream_that_cannot_be_reached_is_a_503_with_retry_after(data: Path) -> None:
    with socket.socket() as taken:  # bound and not listening: nobody answers here
        taken.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with service(data, OPENAI_BASE_URL=nowhere, YYCHAT_RETRIES="0") as alone:
            answers = [asked(alone, model="m", stream=stream) for stream in (True, False)]
    for answer in answers:
        assert error_of(answer, 503)["code"] == "upstream_connection"
        assert int(answer.headers["retry-after"]) >= 1


@pytest.fixture(scope="module")
def impatient_service(
    shared_simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    with service(
        tmp_path_factory.mktemp("data"),
        OPENAI_BASE_URL=shared_simulator.base_url,
        OPENAI_MODEL="simulated",
        YYCHAT_RETRIES="0",
        YYCHAT_FIRST_BYTE_TIMEOUT="0.4",
        YYCHAT_IDLE_TIMEOUT="0.4",
        YYCHAT_REQUEST_TIMEOUT="1",
    ) as running:
        yield running


@pytest.fixture
def impatient(upstream: Simulator, impatient_service: Service) -> Service:
    """A service that waits 0.4 s for a first byte or the next one, and 1 s for an answer."""
    assert asked(impatient_service).status_code == 200
    return impatient_service


@pytest.mark.parametrize("stream", [True, False])
def test_an_upstream_that_does_not_answer_is_a_504(
    impatient: Service, upstream: Simulator, stream: bool
) -> None:
    upstream.faults(hang_before_first_byte=True)
    assert error_of(asked(impatient, stream=stream), 504)["type"] == "timeout_error"


def test_embeddings_that_do_not_come_are_a_504(impatient: Service, upstream: Simulator) -> None:
    upstream.faults(hang_before_first_byte=True)
    answer = impatient.http.post("/v1/embeddings", json={"model": "simulated", "input": "x"})
    assert error_of(answer, 504)["type"] == "timeout_error"


def test_a_stream_that_stops_in_the_middle_ends_with_a_timeout(
    data: Path, scripted: Scripted
) -> None:
    event = b'data: {"id":"x","choices":[{"index":0,"delta":{"content":"so"}}]}\n\n'
    scripted.answers(200, event, {"content-type": "text/event-stream"}, withheld=100)
    with service(
        data, OPENAI_BASE_URL=scripted.base_url, OPENAI_MODEL="m", YYCHAT_IDLE_TIMEOUT="0.3"
    ) as quick:
        error = last_error(asked(quick, stream=True))
    assert error["type"] == "timeout_error"


def test_a_stream_longer_than_the_whole_time_ends_with_a_timeout(
    impatient: Service, upstream: Simulator
) -> None:
    upstream.faults(token_ms=100)
    error = last_error(impatient.chat("write 200 words", stream=True))
    assert error["code"] == "deadline_exceeded"


# Streams


def events_of(answer: httpx2.Response) -> list[str]:
    return re.findall(r"^data: (.*)$", answer.text, re.MULTILINE)


def last_error(answer: httpx2.Response) -> dict[str, Any]:
    """The error a stream ended with: after something was said, once, and with no [DONE]."""
    assert answer.status_code == 200, answer.text
    *said, last = events_of(answer)
    assert any(json.loads(event)["choices"][0]["delta"].get("content") for event in said)
    assert "[DONE]" not in answer.text
    assert not any("error" in json.loads(event) for event in said)
    body = json.loads(last)
    assert list(body) == ["error"]
    assert sorted(body["error"]) == ["code", "message", "param", "type"]
    return dict(body["error"])


@pytest.mark.parametrize(
    "fault",
    [
        {"cut_after_chunks": 0},
        {"cut_after_chunks": 1},
        {"error_event_after_chunks": 0},
        {"error_event_after_chunks": 1},
        {"error_rate": 1, "error_status": 500},
    ],
)
def test_a_stream_that_fails_before_its_first_token_is_a_status(
    yychat: Service, upstream: Simulator, fault: dict[str, Any]
) -> None:
    upstream.faults(**fault)
    answer = yychat.chat("say one two three", stream=True)
    assert error_of(answer, 502)["type"] == "upstream_error"


@pytest.mark.parametrize(
    "fault",
    [{"cut_after_chunks": 3}, {"error_event_after_chunks": 3}, {"malformed_json": True}],
)
def test_a_stream_that_fails_after_its_first_token_ends_with_one_error_and_no_done(
    yychat: Service, upstream: Simulator, fault: dict[str, Any]
) -> None:
    upstream.faults(**fault)
    answer = yychat.chat("say one two three four", stream=True)
    assert last_error(answer)["type"] == "upstream_error"
    assert "on order" not in answer.text  # the simulator's own words


def test_a_whole_answer_that_breaks_off_is_a_502(yychat: Service, upstream: Simulator) -> None:
    upstream.faults(cut_after_chunks=1)
    assert error_of(yychat.chat("say one two three"), 502)["type"] == "upstream_error"


def test_numbers_out_of_range_in_stream_options_pass_as_they_are(yychat: Service) -> None:
    """What we do not read we do not judge: the digits go upstream as they came."""
    body = (
        b'{"messages":[{"role":"user","content":"say hi"}],"stream":true,'
        b'"stream_options":{"zz":1e999}}'
    )
    headers = {"content-type": "application/json"}
    answer = yychat.http.post("/v1/chat/completions", content=body, headers=headers)
    assert answer.status_code < 500
