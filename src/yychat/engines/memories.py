"""What all engines remember of an owner, as one: listed together, and forgotten together."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import msgspec

from ..errors import StoreError, YYChatError
from ..memory.base import Record
from ..owner import Owner
from .base import BaseEngine

T = TypeVar("T")

LIST_WITHIN = 10.0  # seconds for one engine
FORGET_WITHIN = 30.0


class Remembered(msgspec.Struct, frozen=True):
    """``records`` are newest first, each with the engine that remembers it. ``counts`` are of all
    that engine listed; ``failures`` say why others could not."""

    records: list[tuple[str, Record]]
    counts: dict[str, int]
    failures: dict[str, str]


async def remembered(engines: Iterable[BaseEngine], owner: Owner, limit: int) -> Remembered:
    """The newest *limit* of all. Raises ``StoreError`` where not one engine could say."""
    listed, failures = await _each(
        engines, lambda engine: engine.get_conversation_memory(owner, limit), LIST_WITHIN
    )
    if failures and not listed:
        raise StoreError(f"the memories cannot be read: {_told(failures)}")
    records = [(name, record) for name, found in listed.items() for record in found]
    records.sort(key=lambda pair: pair[1].at, reverse=True)
    counts = {name: len(found) for name, found in listed.items()}
    return Remembered(records[:limit], counts, failures)


async def forgotten(engines: Iterable[BaseEngine], owner: Owner) -> dict[str, int]:
    """Forget everything of *owner*; how many memories of each engine that were.

    Raises ``StoreError`` unless all of them did; the others have, all the same.
    """
    counts, failures = await _each(
        engines, lambda engine: engine.clear_conversation_memory(owner), FORGET_WITHIN
    )
    if failures:
        done = f"; erased in: {', '.join(counts)}" if counts else ""
        raise StoreError(f"not erased in {_told(failures)}{done}. Ask again", code="not_erased")
    return counts


async def _each(
    engines: Iterable[BaseEngine], ask: Callable[[BaseEngine], Awaitable[T]], within: float
) -> tuple[dict[str, T], dict[str, str]]:
    """Answers and failures by engine; one that hangs does not keep the others from theirs."""
    answers: dict[str, T] = {}
    failures: dict[str, str] = {}

    async def one(engine: BaseEngine) -> None:
        try:
            async with asyncio.timeout(within):
                answers[engine.name] = await ask(engine)
        except TimeoutError:
            failures[engine.name] = f"no answer within {within:g} s"
        except YYChatError as error:
            failures[engine.name] = error.message

    asked = list(engines)
    await asyncio.gather(*map(one, asked))
    return {
        engine.name: answers[engine.name] for engine in asked if engine.name in answers
    }, failures


def _told(failures: dict[str, str]) -> str:
    return "; ".join(f"{name}: {why}" for name, why in sorted(failures.items()))
