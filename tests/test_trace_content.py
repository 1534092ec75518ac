"""Spans hold what was said only where somebody asked for that."""

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fakes import asked
from scripted_engine import ScriptedEngine
from yychat.chat import collect
from yychat.telemetry.telemetry import Telemetry

SECRET = "what nobody else should read"


async def attributes_of_all_spans(*, content: bool, ratio: float = 1.0) -> str:
    sent = InMemorySpanExporter()
    telemetry = Telemetry(exporter=sent, content=content, ratio=ratio)
    async with telemetry.running():
        (engine,) = telemetry.engines([ScriptedEngine("chat_engine")])
        request = asked(messages=[{"role": "user", "content": SECRET}])
        assert await collect(engine.generate_response(request))
    return " ".join(str(dict(span.attributes or {})) for span in sent.get_finished_spans())


async def test_nothing_that_was_said_is_in_a_span() -> None:
    found = await attributes_of_all_spans(content=False)
    assert "invoke_agent" in found
    assert SECRET not in found


async def test_on_request_spans_hold_question_and_answer() -> None:
    found = await attributes_of_all_spans(content=True)
    assert SECRET in found
    assert "gen_ai.output.messages" in found


@pytest.mark.parametrize("content", [False, True])
async def test_what_is_not_sampled_is_not_sent(content: bool) -> None:
    assert await attributes_of_all_spans(content=content, ratio=0.0) == ""
