"""What was said just before, for mem0's extraction: in this process only, and never on a disk.

mem0 would keep it in a SQLite file of each host, with a history of all memories that deleting
does not touch: an erasure could not reach the other hosts' files.
"""

import threading
from collections import OrderedDict
from typing import Any

OWNERS = 500
MESSAGES = 10
LONGEST = 2_000  # characters of one message


class Context:
    """Stands where mem0 has its ``SQLiteManager``; the least recently used owners go first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: OrderedDict[str, list[tuple[float, dict[str, Any]]]] = OrderedDict()
        self._now = threading.local()

    def begin(self, owner: str, *, at: float, since: float) -> None:
        """What this thread saves now is said at *at*; what *owner* said until *since* is erased."""
        self._now.at = at
        with self._lock:
            kept = [said for said in self._said.get(_scope(owner), ()) if said[0] > since]
            self._put(_scope(owner), kept)

    def forget(self, owner: str) -> None:
        with self._lock:
            self._said.pop(_scope(owner), None)

    def clear(self) -> None:
        with self._lock:
            self._said.clear()

    # What mem0 calls.

    def get_last_messages(self, session_scope: str, limit: int = MESSAGES) -> list[dict[str, Any]]:
        with self._lock:
            said = self._said.get(session_scope, [])[-limit:]
        return [{**message, "name": None, "created_at": None} for _, message in said]

    def save_messages(self, messages: list[dict[str, Any]], session_scope: str) -> None:
        new = [
            (self._now.at, {"role": each["role"], "content": each["content"][:LONGEST]})
            for each in messages
        ]
        with self._lock:
            self._put(session_scope, [*self._said.get(session_scope, []), *new][-MESSAGES:])

    def add_history(self, *_: Any, **__: Any) -> None:
        """There is none."""

    def batch_add_history(self, records: list[dict[str, Any]]) -> None:
        """There is none."""

    def get_history(self, memory_id: str) -> list[dict[str, Any]]:
        return []

    def close(self) -> None:
        self.clear()

    def _put(self, scope: str, said: list[tuple[float, dict[str, Any]]]) -> None:
        self._said.pop(scope, None)
        if said:
            self._said[scope] = said
        while len(self._said) > OWNERS:
            self._said.popitem(last=False)


def _scope(owner: str) -> str:
    """mem0's name for the messages of one ``user_id``."""
    return f"user_id={owner}"
