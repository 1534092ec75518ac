"""What is known of one request while it is under way, and where its time goes.

An ``Observation`` is put into the context by http.py; the wrappers at the ports write into it,
and at its end it becomes attributes of the request's span. Nobody has to know whether there is
one: without a request (a worker's delivery, a check) there is none.
"""

from contextvars import ContextVar
from time import perf_counter, time_ns
from typing import Any, Literal

from opentelemetry.trace import Span

from ..chat import ChatRequest, Usage
from ..errors import YYChatError
from . import semconv
from .outcomes import error_type_of, outcome_of

Stage = Literal[
    "auth",  # reading, authenticating and admitting the request
    "selection",
    "recall_embed",
    "recall_search",
    "prompt",  # the engine's own work: prompts before it asks the upstream, answers after that
    "upstream_first_byte",
    "upstream_stream",
    "tool",
    "save",  # the outbox write before the answer ends
    "other",
]
STAGES: tuple[Stage, ...] = Stage.__args__  # type: ignore[attr-defined]
ATTRIBUTES: dict[Stage, str] = {stage: semconv.STAGE + stage for stage in STAGES}
"""Of the request's span, each with the stage's seconds; what is ``other`` follows from the rest."""


class Timeline:
    """A stopwatch with stages: at any moment exactly one runs, so that they add up.

    ``base`` says what runs while nothing else does; ``enter`` and ``leave`` put something on
    top of that, also from several tasks at once: parallel tools are one stage.
    """

    __slots__ = ("_base", "_on_top", "_running", "_since", "spent")

    def __init__(self, ago: float = 0.0) -> None:
        """It began *ago* seconds ago."""
        self.spent: dict[Stage, float] = {}
        self._base: Stage = "auth"
        self._running: Stage = "auth"
        self._on_top: list[Stage] = []
        self._since = perf_counter() - ago

    def base(self, stage: Stage) -> None:
        self._base = stage
        self._turn()

    def enter(self, stage: Stage) -> None:
        self._on_top.append(stage)
        self._turn()

    def leave(self, stage: Stage) -> None:
        if stage in self._on_top:
            self._on_top.remove(stage)
            self._turn()

    def stop(self) -> None:
        """Book the stage that runs."""
        self._turn()

    def _turn(self) -> None:
        now, running, spent = perf_counter(), self._running, self.spent
        spent[running] = spent.get(running, 0.0) + now - self._since
        self._since = now
        self._running = self._on_top[-1] if self._on_top else self._base


class Observation:
    """One request. ``finish`` is called before its span ends; what counts is the first time.

    *is_chat* says that it went to the chat endpoint: it counts as a chat request then, also where
    it is refused before anybody has understood it.
    """

    def __init__(self, span: Span, *, is_chat: bool = False) -> None:
        self.span, self._is_chat = span, is_chat
        ago = (time_ns() - getattr(span, "start_time", time_ns())) / 1e9
        self.timeline = Timeline(ago)
        self._begun = perf_counter() - ago
        self._chat: ChatRequest | None = None
        self._engine: str | None = None
        self._failed_engine: str | None = None
        self._first_token: float | None = None
        self._error: YYChatError | None = None
        self._left = self._finished = False
        self._attempt_failed: str | None = None
        self.usage: Usage | None = None

    @property
    def chat(self) -> ChatRequest | None:
        return self._chat

    @property
    def engine(self) -> str | None:
        return self._engine

    @property
    def gone(self) -> bool:
        """Whether the client has left: what is cancelled then has not run out of time."""
        return self._left

    @property
    def finished(self) -> bool:
        return self._finished

    def asked(self, chat: ChatRequest) -> None:
        """It is a chat request, and this is what it asks for."""
        self._chat = chat
        self.timeline.base("selection")

    def answered_by(self, engine: str) -> None:
        """An engine takes it up: the second one after the first has failed."""
        if self._engine is not None and self._engine != engine:
            self._failed_engine = self._engine
        self._engine = engine

    def first_token(self) -> float | None:
        """The first token has come; seconds since the request, the first time this is said."""
        if self._first_token is not None:
            return None
        self._first_token = perf_counter() - self._begun
        return self._first_token

    def attempt_failed(self, reason: str) -> None:
        """An attempt at an upstream has failed; another one may follow."""
        self._attempt_failed = reason

    def retried_after(self) -> str | None:
        """Why there has to be another attempt; None for a first one."""
        reason, self._attempt_failed = self._attempt_failed, None
        return reason

    def failed(self, error: YYChatError) -> None:
        self._error = error
        self.timeline.base("other")

    def left(self) -> None:
        """The client has gone."""
        self._left = True

    def finish(self, *, complete: bool) -> None:
        """Write everything down. *complete*: the whole response has been handed over."""
        if self._finished:
            return
        self._finished = True
        self.timeline.stop()
        if self._is_chat and self.span.is_recording():
            self._describe("ok" if complete else "cancelled")

    def _describe(self, otherwise: str) -> None:
        error, chat = self._error, self._chat
        outcome = "cancelled" if self._left else outcome_of(error) if error else otherwise
        found: dict[str, Any] = {
            semconv.OUTCOME: outcome,
            semconv.ENGINE: self._engine or "none",
            semconv.STREAM: chat is not None and chat.stream,
        }
        if chat is not None:
            found |= {semconv.TENANT: chat.tenant, semconv.REQUEST_MODEL: chat.model}
        if error is not None and not self._left:
            found[semconv.ERROR_TYPE] = error_type_of(error)
        if self._failed_engine:
            found[semconv.FALLBACK_FROM] = self._failed_engine
        for stage, seconds in self.timeline.spent.items():
            if stage != "other":
                found[ATTRIBUTES[stage]] = seconds
        if (usage := self.usage) is not None:
            found[semconv.INPUT_TOKENS] = usage.prompt_tokens
            found[semconv.OUTPUT_TOKENS] = usage.completion_tokens
        if chat is not None and chat.stream and self._first_token is not None:
            found |= self._tokens_in_time(self._first_token)
        self.span.set_attributes(found)

    def _tokens_in_time(self, first: float) -> dict[str, float]:
        usage, found = self.usage, {semconv.FIRST_TOKEN: first}
        if usage and usage.completion_tokens > 1:
            spoken = perf_counter() - self._begun - first
            found[semconv.PER_TOKEN] = spoken / (usage.completion_tokens - 1)
        return found


_current: ContextVar[Observation | None] = ContextVar("observation", default=None)


def current() -> Observation | None:
    """The observation of the request that this runs for."""
    return _current.get()


def observe(observation: Observation) -> None:
    """For the rest of this context, and tasks begun in it."""
    _current.set(observation)


class during:
    """What the request does within the block; nothing outside of one."""

    __slots__ = ("_observation", "_stage")

    def __init__(self, stage: Stage) -> None:
        self._stage, self._observation = stage, _current.get()

    def __enter__(self) -> None:
        if self._observation is not None:
            self._observation.timeline.enter(self._stage)

    def __exit__(self, *_: object) -> None:
        if self._observation is not None:
            self._observation.timeline.leave(self._stage)
