"""Tool calls of one round: which are ours, which the client's, put together from their deltas."""

import uuid
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

Wire = dict[str, Any]


class OurCall(msgspec.Struct):
    """A call of one of our tools. ``arguments`` is the model's text, however broken it is."""

    id: str
    name: str
    arguments: str = ""

    def as_wire(self) -> Wire:
        function = {"name": self.name, "arguments": self.arguments or "{}"}
        return {"id": self.id, "type": "function", "function": function}


class CallBook:
    """Sorts a round's calls, streamed in deltas or whole, into ours and the client's.

    A call belongs to somebody once its name is known; deltas before that wait. The client's calls
    get indexes without gaps, in order of appearance. Where a round calls both, the client's
    stand and ours are dropped: the client has to answer first, and the model asks again for
    what it still needs.
    """

    def __init__(self, is_ours: Callable[[str], bool]) -> None:
        self._is_ours = is_ours
        self._ours: dict[int, OurCall] = {}
        self._theirs: dict[int, int] = {}
        self._nameless: dict[int, list[Wire]] = {}

    @property
    def ours(self) -> list[OurCall]:
        """Our calls to run now: none while the client has calls of its own to answer."""
        return [] if self._theirs else list(self._ours.values())

    @property
    def dropped(self) -> bool:
        """There were calls of ours that nobody is going to run."""
        return bool(self._theirs and self._ours)

    def sort(self, calls: Iterable[Wire]) -> list[Wire]:
        """Take ours out; give back the client's, with their new indexes."""
        passed = []
        for call in calls:
            taken = map(self._taken, self._named(call))
            passed += [theirs for theirs in taken if theirs is not None]
        return passed

    def sort_whole(self, calls: Iterable[Wire]) -> list[Wire]:
        """The same for calls of an unstreamed answer, which have no indexes."""
        passed = []
        for position, call in enumerate(calls):
            if self.sort([{**call, "index": position}]):
                passed.append(call)
        return passed

    def _named(self, delta: Wire) -> list[Wire]:
        """The deltas that can be placed now: this one and those that waited for it, or none."""
        index = delta.get("index") or 0
        if index in self._ours or index in self._theirs:
            return [delta]
        waiting = self._nameless.setdefault(index, [])
        waiting.append(delta)
        if not _name(delta):
            return []
        self._place(index, _name(delta))
        return self._nameless.pop(index)

    def _place(self, index: int, name: str) -> None:
        if self._is_ours(name):
            self._ours[index] = OurCall(id="", name=name)
        else:
            self._theirs[index] = len(self._theirs)

    def _taken(self, delta: Wire) -> Wire | None:
        index = delta.get("index") or 0
        ours = self._ours.get(index)
        if ours is None:
            new = self._theirs[index]
            return delta if new == delta.get("index") else {**delta, "index": new}
        ours.id = ours.id or delta.get("id") or ""
        ours.arguments += _function(delta).get("arguments") or ""
        return None

    def identified(self) -> list[OurCall]:
        """Our calls, each with an id: some upstreams send none."""
        for call in self.ours:
            call.id = call.id or f"call_{uuid.uuid4().hex[:24]}"
        return self.ours


def _function(delta: Wire) -> Wire:
    function = delta.get("function")
    return function if isinstance(function, dict) else {}


def _name(delta: Wire) -> str:
    """The name of a function or of a custom tool, which only clients have."""
    custom = delta.get("custom")
    name = (custom if isinstance(custom, dict) else _function(delta)).get("name")
    return name if isinstance(name, str) else ""
