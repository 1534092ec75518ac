"""Everything beside chat: models, personalities, tools, embeddings, memory, health, headers."""

import base64
import json
import re
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from running import Service, Simulator, service
from yychat import __version__

PAGE = "https://app.example"


def data_of(from_: Service, path: str) -> list[Any]:
    answer = from_.http.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.json()["object"] == "list"
    entries: list[Any] = answer.json()["data"]
    return entries


# Models


@pytest.fixture
def choosy(data: Path, upstream: Simulator) -> Iterator[Service]:
    """Callers may use two of the upstream's three models."""
    upstream.faults(models=["meta/llama-3", "secret"])
    with service(
        data, OPENAI_BASE_URL=upstream.base_url, YYCHAT_MODELS="simulated, meta/llama-3"
    ) as running:
        yield running


def test_models_are_the_upstreams(yychat: Service) -> None:
    (model,) = data_of(yychat, "/v1/models")
    assert (model["id"], model["object"]) == ("simulated", "model")


def test_one_model_is_what_the_list_says_of_it(yychat: Service) -> None:
    (listed,) = data_of(yychat, "/v1/models")
    assert yychat.http.get("/v1/models/simulated").json() == listed


def test_models_are_limited_to_the_allow_list_and_found_with_their_slashes(
    choosy: Service,
) -> None:
    listed = [model["id"] for model in data_of(choosy, "/v1/models")]
    assert sorted(listed) == ["meta/llama-3", "simulated"]
    for path in ("/v1/models/meta/llama-3", "/v1/models/meta%2Fllama-3"):
        assert choosy.http.get(path).json()["id"] == "meta/llama-3"
    assert choosy.http.get("/v1/models/secret").status_code == 404


@pytest.mark.parametrize("model", ["nope", "a/b", "%00", "%ff", "%E4%BD%A0", "x" * 4000])
def test_an_unknown_model_is_a_404(yychat: Service, model: str) -> None:
    answer = yychat.http.get(f"/v1/models/{model}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"


# Personalities


def test_personalities_have_a_description_and_their_tools(yychat: Service) -> None:
    personalities = {entry["id"]: entry for entry in data_of(yychat, "/v1/personalities")}
    assert {"friendly", "professional"} <= set(personalities)
    assert all(entry["description"] for entry in personalities.values())
    assert personalities["friendly"]["allowed_tools"] is None


def test_one_personality_is_what_the_list_says_of_it(yychat: Service) -> None:
    for listed in data_of(yychat, "/v1/personalities"):
        assert yychat.http.get(f"/v1/personalities/{listed['id']}").json() == listed


@pytest.mark.parametrize("given", ["nobody", "%00", "%ff", "%E4%BD%A0", "..%2Ffriendly", "x" * 999])
def test_an_unknown_personality_is_a_404(yychat: Service, given: str) -> None:
    assert yychat.http.get(f"/v1/personalities/{given}").status_code == 404


# Tools


@pytest.fixture(scope="module")
def personal_service(
    shared_simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("personalities")
    text = '{"id":"%s","name":"P","description":"d","system_prompt":"Be.","allowed_tools":%s}'
    (folder / "clock.json").write_text(text % ("clock", '["gettime"]'))
    (folder / "bare.json").write_text(text % ("bare", "[]"))
    with service(
        tmp_path_factory.mktemp("data"),
        OPENAI_BASE_URL=shared_simulator.base_url,
        OPENAI_MODEL="simulated",
        YYCHAT_PERSONALITIES_DIR=str(folder),
    ) as running:
        yield running


def tool_names(of: Service, query: str = "") -> set[str]:
    return {tool["function"]["name"] for tool in data_of(of, f"/v1/tools{query}")}


def called(of: Service, name: str, arguments: Any = None, **fields: Any) -> Any:
    asked = {"name": name, "arguments": {} if arguments is None else arguments, **fields}
    answer = of.http.post("/v1/tools/call", json=asked)
    assert answer.status_code == 200, answer.text
    assert answer.json()["name"] == name
    return answer.json()


def test_tools_are_openai_definitions_with_their_schemas(yychat: Service) -> None:
    for tool in data_of(yychat, "/v1/tools"):
        assert tool["type"] == "function"
        assert tool["function"]["description"]
        assert tool["function"]["parameters"]["type"] == "object"


@pytest.mark.parametrize(
    ("personality", "names"),
    [("friendly", {"calculator", "gettime"}), ("clock", {"gettime"}), ("bare", set())],
)
def test_tools_of_a_personality_are_those_it_may_use(
    personal_service: Service, personality: str, names: set[str]
) -> None:
    assert tool_names(personal_service, f"?personality_id={personality}") == names


@pytest.mark.parametrize("given", ["nobody", ""])
def test_tools_of_an_unknown_personality_are_a_404(yychat: Service, given: str) -> None:
    answer = yychat.http.get(f"/v1/tools?personality_id={given}")
    assert answer.status_code == 404
    assert answer.json()["error"]["param"] == "personality_id"


def test_a_tool_that_works_gives_its_result(yychat: Service) -> None:
    answer = called(yychat, "calculator", {"expression": "6 * 7"})
    assert answer["ok"] is True
    assert "42" in str(answer["result"])


def test_a_tool_that_fails_is_answered_with_its_error(yychat: Service) -> None:
    answer = called(yychat, "calculator", {"expression": "1 / 0"})
    assert answer["ok"] is False
    assert answer["result"]["error"]


@pytest.mark.parametrize("arguments", [{"expression": 5}, {"colour": "red"}, {"expression": ""}])
def test_arguments_that_do_not_fit_are_the_tools_to_complain_of(
    yychat: Service, arguments: dict[str, Any]
) -> None:
    answer = called(yychat, "calculator", arguments)
    assert answer["ok"] is False
    assert "wrong arguments for calculator" in answer["result"]["error"]


def test_an_unknown_tool_is_a_404_that_names_the_name(yychat: Service) -> None:
    answer = yychat.http.post("/v1/tools/call", json={"name": "teleport"})
    assert answer.status_code == 404
    assert answer.json()["error"]["param"] == "name"


def test_a_tool_that_the_personality_may_not_use_is_not_there(personal_service: Service) -> None:
    asked = {"name": "calculator", "arguments": {"expression": "1"}}
    call = personal_service.http.post
    assert call("/v1/tools/call", json=asked).status_code == 200
    for personality in ("clock", "bare"):
        answer = call("/v1/tools/call", json={**asked, "personality_id": personality})
        assert answer.status_code == 404


def test_without_a_personality_tools_are_those_of_the_default_one(
    data: Path, upstream: Simulator, tmp_path: Path
) -> None:
    clock = {"id": "clock", "name": "P", "description": "d", "system_prompt": "Be."}
    folder = tmp_path / "personalities"
    folder.mkdir()
    (folder / "clock.json").write_text(json.dumps({**clock, "allowed_tools": ["gettime"]}))
    with service(
        data,
        OPENAI_BASE_URL=upstream.base_url,
        YYCHAT_PERSONALITIES_DIR=str(folder),
        YYCHAT_PERSONALITY="clock",
    ) as limited:
        assert tool_names(limited) == {"gettime"}
        assert called(limited, "gettime")["ok"] is True
        asked = {"name": "calculator", "arguments": {"expression": "1"}}
        assert limited.http.post("/v1/tools/call", json=asked).status_code == 404
        asked["personality_id"] = "friendly"
        assert limited.http.post("/v1/tools/call", json=asked).status_code == 200


def test_a_tool_call_for_an_unknown_personality_is_a_404(yychat: Service) -> None:
    asked = {"name": "calculator", "personality_id": "nobody"}
    answer = yychat.http.post("/v1/tools/call", json=asked)
    assert answer.status_code == 404
    assert answer.json()["error"]["param"] == "personality_id"


# Embeddings


def embedded(of: Service, **fields: Any) -> Any:
    answer = of.http.post("/v1/embeddings", json={"model": "simulated", **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_embedding_is_the_upstreams_with_its_usage(yychat: Service) -> None:
    answer = embedded(yychat, input="hello")
    assert (answer["object"], answer["model"]) == ("list", "simulated")
    assert answer["usage"]["prompt_tokens"] > 0
    assert isinstance(answer["data"][0]["embedding"][0], float)


def test_base64_holds_the_same_numbers(yychat: Service) -> None:
    numbers = embedded(yychat, input="hello")["data"][0]["embedding"]
    packed = embedded(yychat, input="hello", encoding_format="base64")["data"][0]["embedding"]
    unpacked = struct.unpack(f"<{len(numbers)}f", base64.b64decode(packed))
    assert list(unpacked) == pytest.approx(numbers)


@pytest.mark.parametrize("given", [["a", "b", "c"], [[1, 2], [3], [4]]])
def test_a_list_gives_as_many_embeddings_in_its_order(yychat: Service, given: list[Any]) -> None:
    answer = embedded(yychat, input=given)
    assert [entry["index"] for entry in answer["data"]] == [0, 1, 2]


def test_fields_of_an_embedding_pass_upstream(yychat: Service, upstream: Simulator) -> None:
    fields = {"input": "x", "dimensions": 8, "user": "u", "novel": {"a": [1, None]}}
    embedded(yychat, **fields)
    assert upstream.last()["embeddings"]["body"] == {"model": "simulated", **fields}


@pytest.mark.parametrize(("theirs", "ours"), [(400, 400), (401, 502), (429, 429), (500, 502)])
def test_embeddings_fail_with_a_true_status(
    yychat: Service, upstream: Simulator, theirs: int, ours: int
) -> None:
    upstream.faults(error_rate=1, error_status=theirs)
    answer = yychat.http.post("/v1/embeddings", json={"model": "simulated", "input": "x"})
    assert answer.status_code == ours
    assert "told to fail" not in answer.text


def test_embeddings_of_an_unknown_model_are_a_404(yychat: Service) -> None:
    answer = yychat.http.post("/v1/embeddings", json={"model": "nope", "input": "x"})
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"


# Memory


def memory(of: Service, given: str, query: str = "") -> list[Any]:
    return data_of(of, f"/v1/conversations/{quote(given, safe='')}/memory{query}")


def erased(of: Service, given: str, query: str = "") -> int:
    answer = of.http.delete(f"/v1/conversations/{quote(given, safe='')}/memory{query}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["deleted"] is True
    count: int = answer.json()["deleted_count"]
    return count


def test_memory_is_newest_first_and_says_who_said_it(yychat: Service) -> None:
    for text in ("say one", "say two", "say three"):
        yychat.say(text, conversation_id="newest")
    said = [(entry["role"], entry["text"]) for entry in memory(yychat, "newest")]
    assert [pair for pair in said if pair[0] == "user"] == [
        ("user", "say three"),
        ("user", "say two"),
        ("user", "say one"),
    ]
    assert [text for role, text in said if role == "assistant"] == ["three", "two", "one"]


def test_memory_says_when_and_by_which_engine(yychat: Service) -> None:
    yychat.say("say one", conversation_id="when")
    first, second = memory(yychat, "when")
    assert first["created_at"] > 1_700_000_000
    assert first["engine"] == "chat_engine"
    assert first["id"] != second["id"]
    assert first["object"] == "memory"


def test_limit_gives_the_newest_ones(yychat: Service) -> None:
    for text in ("say one", "say two", "say three"):
        yychat.say(text, conversation_id="limit")
    everything = memory(yychat, "limit")
    assert memory(yychat, "limit", "?limit=2") == everything[:2]
    assert memory(yychat, "limit", "?limit=1000") == everything


def test_without_a_limit_memory_is_twenty_entries(yychat: Service) -> None:
    for number in range(11):
        yychat.say(f"say {number}", conversation_id="twenty")
    assert len(memory(yychat, "twenty")) == 20


def test_a_users_memory_is_not_a_conversations(yychat: Service) -> None:
    yychat.say("say one", user="same")
    yychat.say("say two", conversation_id="same")
    users = memory(yychat, "same", "?kind=user")
    conversations = memory(yychat, "same", "?kind=conversation")
    assert [entry["text"] for entry in users if entry["role"] == "user"] == ["say one"]
    assert [entry["text"] for entry in conversations if entry["role"] == "user"] == ["say two"]
    assert memory(yychat, "same") == conversations


def test_a_conversation_of_a_user_is_remembered_as_the_conversation(yychat: Service) -> None:
    yychat.say("say one", user="both-u", conversation_id="both-c")
    assert len(memory(yychat, "both-c")) == 2
    assert memory(yychat, "both-u", "?kind=user") == []


def test_erased_memory_is_gone_and_counted(yychat: Service) -> None:
    yychat.say("say one", conversation_id="gone")
    assert erased(yychat, "gone") > 0
    assert memory(yychat, "gone") == []
    assert erased(yychat, "gone") == 0


def test_erased_memory_is_recalled_no_more(yychat: Service) -> None:
    yychat.say("My snake is called Kaa", user="snake")
    assert "Kaa" in yychat.say("What is my snake called?", user="snake")
    erased(yychat, "snake", "?kind=user")
    assert "Kaa" not in yychat.say("What is my snake called?", user="snake")


@pytest.mark.parametrize(
    "other", ["keep", "Erase", "erase ", " erase", "erase/", "erase/x", "erase\x00", "eras%65"]
)
def test_erasing_touches_no_other_id(yychat: Service, other: str) -> None:
    yychat.say("say one", conversation_id=other)
    yychat.say("say one", user="erase")
    erased(yychat, "erase")
    assert len(memory(yychat, other)) == 2
    assert len(memory(yychat, "erase", "?kind=user")) >= 2
    erased(yychat, other)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param("a/b", id="a slash"),
        pytest.param("a/memory", id="the route's own word"),
        pytest.param("/", id="only a slash"),
        pytest.param("a?b#c&d=e", id="marks of a URL"),
        pytest.param("100%", id="a percent sign"),
        pytest.param("%2F", id="what looks encoded"),
        pytest.param("a b+c", id="a blank and a plus"),
        pytest.param("a\nb\r\n", id="line ends"),
        pytest.param("a\x00b", id="a zero"),
        pytest.param("会话-一", id="Chinese"),
        pytest.param("🦊" * 256, id="the longest, of emoji"),
        pytest.param("'; DROP TABLE turns; --", id="SQL"),
        pytest.param("e\u0301", id="a combining accent"),
    ],
)
def test_any_id_can_be_read_and_erased(yychat: Service, given: str) -> None:
    yychat.say("say one", conversation_id=given)
    assert len(memory(yychat, given)) == 2
    assert erased(yychat, given) > 0
    assert memory(yychat, given) == []


def test_ids_that_only_look_alike_are_two(yychat: Service) -> None:
    yychat.say("say one", conversation_id="caf\u00e9")
    assert memory(yychat, "cafe\u0301") == []


@pytest.mark.parametrize(
    "text", ["zero \x00 byte", "🦊 狐狸", "line\nbreak", "  blanks  ", "ü" * 5000]
)
def test_texts_are_remembered_as_they_were(yychat: Service, text: str) -> None:
    yychat.say(text, conversation_id="texts")
    users = [entry["text"] for entry in memory(yychat, "texts") if entry["role"] == "user"]
    assert users[0] == text


# Health


def test_healthz_says_ok_and_the_version(yychat: Service) -> None:
    answer = yychat.http.get("/healthz")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["version"]) == ("ok", __version__)


def test_readyz_names_every_dependency(yychat: Service) -> None:
    yychat.say("say hello")
    answer = yychat.http.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert answer.json()["dependencies"] == {"chat_engine:memory": "ok", "upstream:openai": "ok"}


def test_readyz_is_degraded_and_still_200_when_the_upstream_is_down(data: Path) -> None:
    with socket.socket() as taken:  # bound and not listening: nobody answers here
        taken.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with service(data, OPENAI_BASE_URL=nowhere, YYCHAT_RETRIES="0") as alone:
            for _ in range(10):
                assert alone.chat("hello").status_code == 503
            answer = alone.http.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["dependencies"]["upstream:openai"] != "ok"
    assert answer.json()["dependencies"]["chat_engine:memory"] == "ok"


def test_embeddings_and_models_that_fail_do_not_take_chat_with_them(
    data: Path, upstream: Simulator
) -> None:
    with service(
        data, OPENAI_BASE_URL=upstream.base_url, OPENAI_MODEL="simulated", YYCHAT_RETRIES="0"
    ) as running:
        upstream.faults(error_rate=1, error_status=500)
        for _ in range(10):
            asked = {"model": "simulated", "input": "x"}
            running.http.post("/v1/embeddings", json=asked)
        upstream.reset()
        assert running.say("say hello") == "hello"
        assert running.http.get("/readyz").json()["dependencies"]["upstream:openai"] == "ok"


def test_readyz_says_503_and_when_to_ask_again_while_draining(
    data: Path, upstream: Simulator
) -> None:
    with service(data, OPENAI_BASE_URL=upstream.base_url, YYCHAT_DRAIN_SECONDS="30") as leaving:
        leaving.process.terminate()
        while (answer := leaving.http.get("/readyz")).status_code == 200:
            pass
        assert (answer.status_code, answer.json()["status"]) == (503, "draining")
        assert int(answer.headers["retry-after"]) >= 1
        leaving.process.terminate()  # skips the rest of the drain


# Headers


@pytest.mark.parametrize("path", ["/healthz", "/v1/models", "/v1/nothing", "/v1/models/nope"])
def test_every_response_has_a_request_id_of_its_own(yychat: Service, path: str) -> None:
    ids = [yychat.http.get(path).headers["x-request-id"] for _ in range(2)]
    assert ids[0] != ids[1]
    assert all(re.fullmatch(r"req_[0-9a-f]{32}", one) for one in ids)


def test_streams_have_a_request_id(yychat: Service) -> None:
    answer = yychat.chat("say hello", stream=True)
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("given", ["a", "trace-1.2_3", "x" * 128])
def test_a_sane_request_id_is_kept(yychat: Service, given: str) -> None:
    answer = yychat.http.get("/v1/nothing", headers={"x-request-id": given})
    assert answer.headers.get_list("x-request-id") == [given]


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a/b", "<script>", "id;x=1", "ü"])
def test_an_insane_request_id_is_replaced(yychat: Service, given: str) -> None:
    answer = yychat.http.get("/healthz", headers=[(b"x-request-id", given.encode())])
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/openapi.json", "/v1/models", "/v1/conversations/x/memory"]
)
def test_head_is_get_without_the_body(yychat: Service, path: str) -> None:
    head, get = yychat.http.head(path), yychat.http.get(path)
    assert head.status_code == get.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == get.headers["content-length"]


def test_a_chat_says_which_engine_answered_and_what_memory_gave(yychat: Service) -> None:
    assert yychat.chat("My hat is red", user="hat").headers["x-yychat-memory"] == "empty"
    answer = yychat.chat("What colour is my hat?", user="hat")
    assert answer.headers["x-yychat-memory"] == "hit"
    assert answer.headers["x-yychat-engine"] == "chat_engine"


def test_a_chat_without_an_id_has_no_memory(yychat: Service) -> None:
    assert yychat.chat("say hello").headers["x-yychat-memory"] == "off"


# Browser pages


def preflight(of: Service, origin: str) -> Any:
    asked = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    return of.http.options("/v1/chat/completions", headers=asked)


def test_cors_is_off_by_default(yychat: Service) -> None:
    for answer in (preflight(yychat, PAGE), yychat.http.get("/healthz", headers={"origin": PAGE})):
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.fixture(scope="module")
def paged_service(
    shared_simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    with service(
        tmp_path_factory.mktemp("data"),
        OPENAI_BASE_URL=shared_simulator.base_url,
        OPENAI_MODEL="simulated",
        YYCHAT_CORS_ORIGINS=PAGE,
    ) as running:
        yield running


def test_an_origin_that_is_configured_may_ask_beforehand(paged_service: Service) -> None:
    answer = preflight(paged_service, PAGE)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "authorization" in answer.headers["access-control-allow-headers"].lower()


@pytest.mark.parametrize("path", ["/v1/models", "/v1/nothing"])
def test_an_origin_that_is_configured_reads_answers_and_errors(
    paged_service: Service, path: str
) -> None:
    answer = paged_service.http.get(path, headers={"origin": PAGE})
    assert answer.status_code in (200, 404)
    assert answer.headers["access-control-allow-origin"] == PAGE


def test_an_origin_that_is_not_configured_is_let_in_nowhere(paged_service: Service) -> None:
    other = "https://evil.example"
    assert preflight(paged_service, other).status_code == 400
    answer = paged_service.http.get("/v1/models", headers={"origin": other})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("query", ["knd=user", "kind=user&kind=conversation", "limit=1"])
def test_a_mistyped_parameter_erases_nothing(yychat: Service, query: str) -> None:
    """What was meant is not known, and the wrong memory would be gone for good."""
    yychat.say("say my lamp is crimson", conversation_id="typo")
    answer = yychat.http.delete(f"/v1/conversations/typo/memory?{query}")
    assert answer.status_code == 400
    assert "crimson" in yychat.http.get("/v1/conversations/typo/memory").text
