"""Tools in one real service, over both engines: what OpenAI's SDK gets, whatever the upstream."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI

from engines_asked import ENGINES, MODELS
from running import Service, Simulator, service
from tool_promises import WEATHER

ENGINE = pytest.mark.parametrize("engine", ENGINES)
STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])

SUM = 'call calculator {"operation":"add","a":1,"b":2}'
PRODUCT = 'call calculator {"operation":"multiply","a":6,"b":7}'
ROUNDS = f"{SUM}\ncall gettime {{}}\nthen {PRODUCT}"
OSLO = 'call weather {"city":"Oslo"}'
FAULTS: list[dict[str, bool]] = [
    {},
    {"late_tool_ids": True},
    {"missing_tool_ids": True},
    {"merge_finish": True},
    {"finish_missing": True},
    {"done_missing": True, "missing_usage": True},
    {"keepalive_comments": True, "crlf": True},
    {"late_tool_ids": True, "merge_finish": True, "done_missing": True},
]
FAULTY = pytest.mark.parametrize("faults", FAULTS, ids=lambda faults: "+".join(faults) or "none")


@pytest.fixture(scope="module")
def both(
    shared_simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service with both engines and a personality who may only calculate."""
    folder = tmp_path_factory.mktemp("tools")
    given = {"id": "strict", "name": "S", "system_prompt": "x", "allowed_tools": ["calculator"]}
    (folder / "strict.json").write_text(json.dumps(given))
    settings = {"OPENAI_BASE_URL": shared_simulator.base_url, **MODELS}
    with service(
        folder / "data", YYCHAT_PERSONALITIES_DIR=str(folder), YYCHAT_TOOL_ROUNDS="4", **settings
    ) as running:
        yield running


@pytest.fixture(scope="module")
def client(both: Service) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{both.url}/v1", api_key="any", max_retries=0) as made:
        yield made


class Asking:
    """One of the engines, asked for whole or streamed answers."""

    def __init__(self, client: OpenAI, engine: str, *, streamed: bool) -> None:
        self._create, self._stream = client.chat.completions.create, client.chat.completions.stream
        self._engine, self._streamed = engine, streamed

    def __call__(self, *messages: Any, **fields: Any) -> Any:
        """The one choice of the answer; a text is the user's."""
        extra = {"engine": self._engine, **fields.pop("extra_body", {})}
        given = [{"role": "user", "content": m} if isinstance(m, str) else m for m in messages]
        fields = {"model": "simulated", "messages": given, "extra_body": extra, **fields}
        if not self._streamed:
            (choice,) = self._create(**fields).choices
            return choice
        with self._stream(**fields) as stream:
            (choice,) = stream.get_final_completion().choices
            return choice


@pytest.fixture
def ask(client: OpenAI, upstream: Simulator, engine: str, *, streamed: bool) -> Asking:
    return Asking(client, engine, streamed=streamed)


def called(choice: Any) -> list[tuple[str, str]]:
    calls = choice.message.tool_calls or ()
    return [(each.function.name, each.function.arguments) for each in calls]


def chats(upstream: Simulator) -> int:
    count: int = upstream.stats()["requests"]["chat"]
    return count


@ENGINE
@STREAMED
@FAULTY
def test_rounds_and_parallel_calls_of_ours_are_one_ordinary_answer(
    ask: Asking, upstream: Simulator, faults: dict[str, bool]
) -> None:
    upstream.faults(**faults)
    before = chats(upstream)
    choice = ask(ROUNDS)
    assert choice.message.content.startswith("The tool said")
    assert "42" in choice.message.content
    assert (choice.message.role, called(choice), choice.finish_reason) == ("assistant", [], "stop")
    assert chats(upstream) == before + 3


@ENGINE
@STREAMED
@FAULTY
def test_the_clients_calls_come_whole(
    ask: Asking, upstream: Simulator, faults: dict[str, bool]
) -> None:
    upstream.faults(**faults)
    choice = ask(f"{OSLO}\ncall weather {{}}", tools=[WEATHER])
    assert called(choice) == [("weather", '{"city":"Oslo"}'), ("weather", "{}")]


@ENGINE
@STREAMED
def test_a_client_answers_its_own_call_after_a_round_of_ours(ask: Asking) -> None:
    question = f"{SUM}\nthen {OSLO}"
    asking = ask(question, tools=[WEATHER])
    assert (called(asking), asking.finish_reason) == (
        [("weather", '{"city":"Oslo"}')],
        "tool_calls",
    )
    result = {"role": "tool", "tool_call_id": asking.message.tool_calls[0].id, "content": "sunny"}
    choice = ask("hello", asking.message, result, tools=[WEATHER])
    assert choice.message.content == "The tool said: sunny"


@ENGINE
@STREAMED
def test_of_a_round_with_both_the_client_gets_its_call(ask: Asking, upstream: Simulator) -> None:
    before = chats(upstream)
    choice = ask(f"{SUM}\n{OSLO}\n{PRODUCT}", tools=[WEATHER])
    assert (called(choice), choice.finish_reason) == (
        [("weather", '{"city":"Oslo"}')],
        "tool_calls",
    )
    assert chats(upstream) == before + 1


@ENGINE
@STREAMED
def test_calls_without_arguments_are_told_what_is_missing(ask: Asking, upstream: Simulator) -> None:
    upstream.faults(empty_arguments=True)
    said = ask(f"{SUM}\ncall gettime {{}}").message.content
    assert "an operation and its numbers" in said  # that is missing; the time needs none
    assert "timezone" in said


@ENGINE
@STREAMED
def test_a_call_that_repeats_itself_for_ever_ends_in_an_answer(
    ask: Asking, upstream: Simulator
) -> None:
    before = chats(upstream)
    choice = ask("always call gettime {}")
    assert "made before" in choice.message.content
    assert (called(choice), choice.finish_reason) == ([], "stop")
    assert chats(upstream) == before + 4


@ENGINE
@STREAMED
@pytest.mark.parametrize("name", ["gettime", "never_heard_of", "multi_tool_use.parallel"])
def test_a_tool_that_may_not_be_used_is_refused(ask: Asking, name: str) -> None:
    choice = ask(f"call {name} {{}}", extra_body={"personality_id": "strict"})
    assert "there are: calculator" in choice.message.content
    assert (called(choice), choice.finish_reason) == ([], "stop")


@ENGINE
@STREAMED
def test_a_forced_tool_of_the_clients_is_called_beside_ours(ask: Asking) -> None:
    for forced in ({"type": "function", "function": {"name": "weather"}}, "required"):
        choice = ask("hello", tools=[WEATHER], tool_choice=forced)
        assert [name for name, _ in called(choice)] == ["weather"]


@ENGINE
@STREAMED
def test_a_client_that_demands_a_call_gets_one_of_its_own_after_ours(ask: Asking) -> None:
    choice = ask(f"{SUM}\nthen {OSLO}", tools=[WEATHER], tool_choice="required")
    assert [name for name, _ in called(choice)] == ["weather"]


@ENGINE
@STREAMED
def test_calls_one_at_a_time_are_one_at_a_time(ask: Asking) -> None:
    choice = ask(f"{OSLO}\n{OSLO}", tools=[WEATHER], parallel_tool_calls=False)
    assert len(called(choice)) == 1


@ENGINE
@STREAMED
def test_arguments_in_chinese_reach_the_tool_and_come_back(ask: Asking) -> None:
    said = ask('调用 calculator {"operation":"加法","a":1,"b":2}').message.content
    assert "operation must be one of" in said
    choice = ask('调用 weather {"city":"北京🦜"}', tools=[WEATHER])
    assert called(choice) == [("weather", '{"city":"北京🦜"}')]
