"""Tool calls of one round: which are ours, which the client's, put together from their deltas."""

import uuid
from collections.abc import Callable, Iterable
from itertools import count
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

    A call belongs to somebody once its name is known; deltas before that wait. Some upstreams give
    all calls one index, or none: a new id with a name begins a new call too. The client's calls
    get indexes without gaps, in order of appearance. Where a round calls both, the client's
    stand and ours are dropped: the client has to answer first, and the model asks again for
    what it still needs.
    """

    def __init__(self, is_ours: Callable[[str], bool]) -> None:
        self._is_ours = is_ours
        self._ours: dict[int, OurCall] = {}
        self._theirs: dict[int, int] = {}
        self._nameless: dict[int, list[Wire]] = {}
        self._numbers = count()
        self._begun: dict[int, dict[str, int]] = {}  # by index and id, the numbers of calls

    @property
    def ours(self) -> list[OurCall]:
        """Our calls to run now: none while the client has calls of its own to answer."""
        return [] if self._theirs else list(self._ours.values())

    def sort(self, calls: Iterable[Wire]) -> list[Wire]:
        """Take ours out; give back the client's, with their new indexes."""
        passed = []
        for position, delta in enumerate(calls):
            number = self._number(delta, position)
            taken = [self._taken(each, number) for each in self._named(delta, number)]
            passed += [theirs for theirs in taken if theirs is not None]
        return passed

    def sort_whole(self, calls: Iterable[Wire]) -> list[Wire]:
        """The same for calls of an unstreamed answer, which have no indexes."""
        passed = []
        for position, call in enumerate(calls):
            if self.sort([{**call, "index": position}]):
                passed.append(call)
        return passed

    def _number(self, delta: Wire, position: int) -> int:
        """Which call of the round a delta is a piece of."""
        index, id = delta.get("index"), delta.get("id") or ""
        begun = self._begun.setdefault(position if index is None else index, {})
        if not begun or (id and id not in begun and _name(delta)):
            begun[id] = next(self._numbers)
        latest = max(begun.values())
        return begun.get(id, latest) if id else latest

    def _named(self, delta: Wire, number: int) -> list[Wire]:
        """The deltas that can be placed now: this one and those that waited for it, or none."""
        if number in self._ours or number in self._theirs:
            return [delta]
        waiting = self._nameless.setdefault(number, [])
        waiting.append(delta)
        if not _name(delta):
            return []
        self._place(number, _name(delta))
        return self._nameless.pop(number)

    def _place(self, number: int, name: str) -> None:
        if self._is_ours(name):
            self._ours[number] = OurCall(id="", name=name)
        else:
            self._theirs[number] = len(self._theirs)

    def _taken(self, delta: Wire, number: int) -> Wire | None:
        ours = self._ours.get(number)
        if ours is None:
            new = self._theirs[number]
            return delta if new == delta.get("index") else {**delta, "index": new}
        ours.id = ours.id or delta.get("id") or ""
        ours.arguments += _arguments(delta)
        return None

    def identified(self) -> list[OurCall]:
        """Our calls, each with an id: some upstreams send none."""
        for call in self.ours:
            call.id = call.id or f"call_{uuid.uuid4().hex[:24]}"
        return self.ours


def _function(delta: Wire) -> Wire:
    function = delta.get("function")
    return function if isinstance(function, dict) else {}


def _arguments(delta: Wire) -> str:
    """The model's text; some upstreams send what it stands for."""
    given = _function(delta).get("arguments") or ""
    return given if isinstance(given, str) else msgspec.json.encode(given).decode()


def _name(delta: Wire) -> str:
    """The name of a function or of a custom tool, which only clients have."""
    custom = delta.get("custom")
    name = (custom if isinstance(custom, dict) else _function(delta)).get("name")
    return name if isinstance(name, str) else ""
