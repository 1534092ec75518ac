"""Crafted ids and filters, through both engines: nobody sees or erases what is another's."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from engines_asked import ENGINES, MODELS, TRACELESS, extracted, memory, told
from running import Service, Simulator, service
from test_auth import bearer, entry
from yychat.owner import Owners

ACME, OTHER = "yy-acme", "yy-other"
USER, TALK = "anna", "talk"
VICTIMS = ((USER, "user"), (TALK, "conversation"))
SECRET = "crimson"
QUESTION = "recall the colour of my secret lamp"

SEPARATORS = [":", "/", "|", ",", ";", "#", "&", "=", "@", "$", "^", "~", "{}", "[]", "()", "::"]
SPACES = [" ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u200b", "\u2028", "\ufeff", "\0", "\x1f"]
LOOKALIKES = {"a": "аɑａ", "n": "ռｎ", "t": "тｔ", "l": "ӏｌІ", "k": "кｋ"}

CRAFTED: dict[str, list[str]] = {
    "wildcards": [
        *("*", "**", "%", "_", "?", ".*", "^.*$", "a*", "an%", "ann_", "[a-z]*", "{anna,talk}"),
        *(f"{v}{w}" for v in (USER, TALK) for w in ("*", "%", "?", "_", ".*", "\\", "\\*", "$")),
        *(f"{w}{v}" for v in (USER, TALK) for w in ("*", "%", "?", "+", "-", "!", "^", ".*")),
    ],
    "injections": [
        *(f"x' OR '{v}'='{v}" for v in (USER, TALK)),
        *("' OR 1=1 --", '" OR ""="', "x' UNION SELECT * FROM turns --", "1; DROP TABLE turns"),
        *("x') OR user_id LIKE '%", "x' OR payload->>'user_id' <> ''", "$1", "%s", "%(user_id)s"),
        *("x\r\nDEL *", "*1\r\n$8\r\nFLUSHALL\r\n", "eval 'return 1' 0", "${jndi:x}", "{{7*7}}"),
        *("tenant=acme", "acme/anna", "acme:user:anna", "AND", "OR", "NOT", "*) OR (user_id:*"),
    ],
    "filters": [
        *('{"$ne": ""}', '{"$or": [{}]}', '{"OR": [{"user_id": "*"}]}', '{"AND": []}', '["anna"]'),
        *('{"user_id": "*"}', '{"user_id": {"ne": ""}}', '{"in": ["anna", "talk"]}', '"anna"'),
        *('{"gte": ""}', '{"icontains": "a"}', '{"user_id": "anna", "run_id": "*"}', "null", "[]"),
        *("true", "0", "-1", "NaN", "undefined", "{}", '{"$where": "1"}', '{"wildcard": "*"}'),
    ],
    "separators": [
        *(f"{USER}{s}" for s in SEPARATORS),
        *(f"{s}{TALK}" for s in SEPARATORS),
        *("anna,talk", "anna|talk", "user:anna", "conversation:talk", "uanna", "ctalk"),
    ],
    "spaces": [
        *(f"{USER}{s}" for s in SPACES),
        *(f"{s}{TALK}" for s in SPACES),
        *("an\0na", "anna\0x", "an na", "\0", " ", "\u200banna\u200b", "an\u00adna", "\u202eanna"),
    ],
    "look-alikes": [
        *(v.replace(a, b) for v in (USER, TALK) for a, bs in LOOKALIKES.items() for b in bs),
        *("ANNA", "Anna", "aNNA", "TALK", "Talk", "ännä", "a\u0301nna", "ᴀnna", "𝐚𝐧𝐧𝐚"),
    ],
    "paths": [
        *("../anna", "..", ".", "./anna", "x/../anna", "/anna", "anna/", "anna/.", "%61nna"),
        *("..%2fanna", "%2e%2e/anna", "anna%00", "anna?kind=user", "anna#x", "file:///etc/passwd"),
        *("../../v1/conversations/anna", "talk/memory", "anna/memory?kind=user", "talk%2fmemory"),
    ],
    "long": ["a" * 255, "a" * 256, "anna" * 64, "anna" * 1_000, "字" * 256, "😀" * 64, "*" * 256],
}
SHORT = 256  # characters of a conversation_id, at most


def others(given_id: str, kind: str) -> bool:
    """Whether this is nobody's whose secret is kept."""
    return (given_id, kind) not in VICTIMS and given_id != ""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("isolation") / "data"


@pytest.fixture(scope="module")
def kept(folder: Path, shared_simulator: Simulator) -> Iterator[Service]:
    """A service where a user and a conversation of one tenant told both engines a secret."""
    shared_simulator.reset()
    keys = "\n".join(
        [entry(ACME, "a", "acme", engines=True), entry(OTHER, "o", "other", engines=True)]
    )
    with service(
        folder,
        OPENAI_BASE_URL=shared_simulator.base_url,
        YYCHAT_API_KEYS=keys,
        YYCHAT_MEMORY_DEADLINE_MS="20000",  # what is found matters here, not when
        **MODELS,
    ) as running:
        for engine in ENGINES:
            said = f"say The colour of my secret lamp is {SECRET} for {engine}."
            running.say(said, key=ACME, engine=engine, user=USER)
            running.say(said, key=ACME, engine=engine, conversation_id=TALK)
        for victim, kind in VICTIMS:
            extracted(running, victim, kind, ACME)
        yield running


@pytest.fixture
def safe(kept: Service, upstream: Simulator) -> Iterator[Service]:
    """The same; after the test all is where it was, and its owners are still told it."""
    before = [memory(kept, victim, kind, ACME) for victim, kind in VICTIMS]
    assert all({each["engine"] for each in found["data"]} == set(ENGINES) for found in before)
    yield kept
    assert [memory(kept, victim, kind, ACME) for victim, kind in VICTIMS] == before
    for engine in ENGINES:
        for whose in ({"user": USER}, {"conversation_id": TALK}):
            result, seen = told(kept, upstream, QUESTION, key=ACME, engine=engine, **whose)
            assert (result, SECRET in seen) == ("hit", True), (engine, whose)


def looked(service: Service, upstream: Simulator, given_id: str, key: str) -> None:
    """Everything that the owner of *given_id* can see, in both engines and as both kinds."""
    for kind, field in (("user", "user"), ("conversation", "conversation_id")):
        if key == ACME and not others(given_id, kind):
            continue
        path = f"/v1/conversations/{quote(given_id, safe='')}/memory"
        listed = service.http.get(path, params={"kind": kind}, headers=bearer(key))
        assert SECRET not in listed.text, (given_id, kind)
        assert listed.status_code in (200, 404), listed.text
        if kind == "conversation" and len(given_id) > SHORT:
            refused = service.chat(QUESTION, key=key, **{field: given_id})
            assert refused.status_code == 400
        else:
            for engine in ENGINES:
                asked = {"key": key, "engine": engine, field: given_id}
                result, seen = told(service, upstream, QUESTION, **asked)
                assert (result, SECRET in seen) == ("empty", False), asked
        gone = service.http.delete(path, params={"kind": kind}, headers=bearer(key))
        assert gone.status_code == 404 or gone.json()["deleted_count"] == 0, (given_id, kind)


def test_there_are_hundreds_of_them() -> None:
    assert len({each for family in CRAFTED.values() for each in family}) >= 200


@pytest.mark.parametrize("family", CRAFTED)
def test_no_id_reaches_what_is_anothers(safe: Service, upstream: Simulator, family: str) -> None:
    for given_id in dict.fromkeys(CRAFTED[family]):
        looked(safe, upstream, given_id, ACME)


@pytest.mark.parametrize("given_id", [USER, TALK, "*", "acme/anna", "local", "acme"])
def test_the_same_id_in_another_tenant_is_anothers(
    safe: Service, upstream: Simulator, given_id: str
) -> None:
    looked(safe, upstream, given_id, OTHER)


def test_who_has_learned_an_owners_key_gets_nothing_by_it(
    safe: Service, upstream: Simulator, folder: Path
) -> None:
    owners = Owners((folder / "owner.secret").read_bytes().strip())
    for victim, kind in (("user", USER), ("conversation", TALK)):
        owner = owners.owner("acme", victim, kind)  # type: ignore[arg-type]
        for given_id in (owner.key, owner.digest, f"user_id={owner.key}", f"{owner.key}*"):
            for key in (ACME, OTHER):
                looked(safe, upstream, given_id, key)


@pytest.mark.parametrize(
    "fields",
    [
        {"user": "eve", "filters": {"user_id": "*"}},
        {"user": "eve", "filters": {"OR": [{"user_id": USER}, {"user_id": "eve"}]}},
        {"user": "eve", "user_id": USER, "agent_id": "*", "run_id": "*"},
        {"user": "eve", "metadata": {"user_id": USER, "tenant": "acme"}},
        {"user": "eve", "tenant": "acme", "owner": USER},
        {"user": {"$ne": ""}},
        {"user": [USER]},
        {"user": ["*"], "conversation_id": "x"},
        {"conversation_id": {"$ne": ""}},
        {"conversation_id": None, "user": "*"},
        {"conversation_id": "eve", "user": USER},
        {"conversation_id": "", "user": ""},
    ],
    ids=str,
)
@pytest.mark.parametrize("engine", ENGINES)
def test_no_field_of_a_request_widens_whose_memory_it_is(
    safe: Service, upstream: Simulator, engine: str, fields: dict[str, Any]
) -> None:
    upstream.reset()
    for key in (ACME, OTHER):
        answer = safe.chat(QUESTION, key=key, engine=engine, **TRACELESS, **fields)
        assert answer.status_code in (200, 400), answer.text
        last = upstream.last()["chat"]
        assert last is None or SECRET not in json.dumps(last["body"]["messages"])


@pytest.mark.parametrize(
    "query",
    [
        "kind=*",
        "kind=user&kind=conversation",
        "kind=user%00",
        "kind=",
        "filters=%7B%22user_id%22%3A%22*%22%7D",
        "user_id=*",
        "tenant=acme",
        "kind=user&owner=anna",
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_query_that_is_not_known_shows_and_erases_nothing(
    safe: Service, method: str, query: str
) -> None:
    for given_id, key in (("eve", ACME), (USER, OTHER)):
        path = f"/v1/conversations/{given_id}/memory?{query}"
        answer = safe.http.request(method, path, headers=bearer(key))
        assert answer.status_code == 400, answer.text
        assert SECRET not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/conversations/x/../{USER}/memory?kind=user",
        f"/v1/conversations/%2e%2e/{USER}/memory?kind=user",
        f"/v1/conversations//{USER}/memory?kind=user",
        f"//v1/conversations/{USER}/memory?kind=user",
        f"/v1/conversations/{USER}%2f/memory?kind=user",
        f"/v1/conversations/{USER};x/memory?kind=user",
        f"/v1/conversations/{USER}%00/memory?kind=user",
        f"/v1/conversations/%c0%ae{USER}/memory?kind=user",
        f"/v1/conversations/{USER}%ff/memory?kind=user",
        f"http://x/v1/conversations/{USER}/memory?kind=user",
        "/v1/conversations//memory?kind=user",
        "/v1/conversations/*/memory?kind=user",
        "/v1/conversations/%2a/memory",
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_no_path_as_it_is_written_on_the_wire_leads_to_anothers(
    safe: Service, method: str, path: str
) -> None:
    host = safe.url.removeprefix("http://")
    for key in (OTHER, *([] if f"/{USER}/" in path else [ACME])):
        connection = http.client.HTTPConnection(host, timeout=10)
        connection.putrequest(method, path, skip_host=True)
        for name, value in {"host": host, **bearer(key)}.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        assert SECRET not in body
        assert answer.status in (200, 400, 404), body
        assert method == "GET" or answer.status != 200 or json.loads(body)["deleted_count"] == 0
