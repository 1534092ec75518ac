"""Guards around mem0's parts: what it would lose without a word is an error here.

mem0 2.x takes an answer that is no list of memories for one without any, and goes on without the
rows that could not be embedded or stored.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from ..errors import StoreError

LONGEST = 6_000  # characters of a text that are embedded; models refuse what is much longer


class Extracted(msgspec.Struct, frozen=True, omit_defaults=True):
    """One memory in the extractor's answer."""

    text: str
    attributed_to: str | None = None


class Extraction(msgspec.Struct, frozen=True):
    memory: list[Extracted]


class Guard:
    """Stands in for the methods of *memory*'s parts. One add runs in one thread, whole or not."""

    def __init__(self, memory: Any, unwrapped: Any) -> None:
        """*unwrapped* are mem0's own functions that take JSON out of a model's answer."""
        self._unwrapped = unwrapped
        self._add = threading.local()
        self._generate = memory.llm.generate_response
        self._embed = memory.embedding_model.embed
        self._embed_batch = memory.embedding_model.embed_batch
        self._insert = memory.vector_store.insert
        memory.llm.generate_response = self._generated
        memory.embedding_model.embed = self._embedded
        memory.embedding_model.embed_batch = self._all_embedded
        memory.vector_store.insert = self._inserted

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Within, what fails once fails to the end, and then the whole."""
        self._add.under_way, self._add.failed = True, None
        try:
            yield
        finally:
            self._add.under_way = False
            failed, self._add.failed = self._add.failed, None
        if failed is not None:
            raise StoreError("mem0 could not store a turn as a whole") from failed

    def _generated(self, *args: Any, **kwargs: Any) -> str:
        answer = self._generate(*args, **kwargs)
        return msgspec.json.encode(self._extraction(answer)).decode()

    def _embedded(self, text: str, *args: Any, **kwargs: Any) -> Any:
        with self._noted():
            return self._embed(text[:LONGEST], *args, **kwargs)

    def _all_embedded(self, texts: Sequence[str], *args: Any, **kwargs: Any) -> Any:
        with self._noted():
            return self._embed_batch([text[:LONGEST] for text in texts], *args, **kwargs)

    def _inserted(self, *args: Any, **kwargs: Any) -> Any:
        with self._noted():
            return self._insert(*args, **kwargs)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        if not getattr(self._add, "under_way", False):
            yield  # a search: what fails in one is nothing to the next
            return
        if self._add.failed is not None:
            raise StoreError("this turn has failed already")
        fine = False
        try:
            yield
            fine = True
        finally:
            if not fine:
                self._add.failed = StoreError("a part of it failed")

    def _extraction(self, answer: Any) -> Extraction:
        if not isinstance(answer, str):
            raise StoreError("the extracting model gave no text")
        try:
            text = self._unwrapped.remove_code_blocks(answer)
            given = json.loads(self._unwrapped.extract_json(text), strict=False)
            if given == {}:
                return Extraction([])
            found = msgspec.convert(given, Extraction)
        except (ValueError, RecursionError) as error:
            raise StoreError("the extracting model did not answer in its format") from error
        return Extraction([each for each in found.memory if each.text.strip()])
