"""Tool calls of one round: which are ours, which the client's, put together from their deltas."""

import re
import uuid
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

import msgspec

from ..errors import ToolError
from ..tools.payloads import understood

Wire = dict[str, Any]

CUT_OFF = ("length", "content_filter")  # ends of a round whose calls may be half ones
READ = frozenset({"index", "id", "type", "function", "custom"})  # what is read of a call
LONGEST_MALFORMED = 1_000  # characters of arguments that are none, shown to who wrote them
_NO_NAME = re.compile(r"[^a-zA-Z0-9_-]")


class OurCall(msgspec.Struct):
    """A call of one of our tools. ``arguments`` is the model's text, however broken it is;
    ``extra`` what the upstream said of the call besides."""

    id: str
    name: str
    arguments: str = ""
    extra: Wire = {}

    def as_wire(self) -> Wire:
        """The call as the next round tells it. Providers refuse a history with a name that is
        none or with arguments that are no object, also where their own model wrote it."""
        name = _NO_NAME.sub("_", self.name)[:64] or "nameless"
        function = {"name": name, "arguments": _object(self.arguments)}
        return {**self.extra, "id": self.id, "type": "function", "function": function}


class CallBook:
    """Sorts a round's calls, streamed in deltas or whole, into ours and the client's.

    A call belongs to somebody once its name is known; deltas before that wait. Some upstreams give
    all calls one index, or none: a new id with a name begins a new call too, and so does an
    object of arguments after a whole one. The client's calls get indexes without gaps, in order
    of appearance. Where a round calls both, the client's stand and ours are dropped: the client
    has to answer first, and the model asks again for what it still needs.
    """

    def __init__(self, is_ours: Callable[[str], bool]) -> None:
        self._is_ours = is_ours
        self._ours: dict[int, OurCall] = {}
        self._theirs: dict[int, int] = {}
        self._nameless: dict[int, list[Wire]] = {}
        self._numbers = count()
        self._begun: dict[int, dict[str, int]] = {}  # by index and id, the numbers of calls

    def ours(self) -> list[OurCall]:
        """Our calls to run, at the end of a round: none where the client has calls of its own to
        answer. One that has no name by then is ours, to be refused."""
        for number, waiting in self._nameless.items():
            self._ours[number] = OurCall(id="", name="")
            for delta in waiting:
                self._taken(delta, number)
        self._nameless.clear()
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
        if not id and self._another(latest, delta):
            begun[id] = next(self._numbers)
            self._place(begun[id], _name(delta) or self._ours[latest].name)
            return begun[id]
        return begun.get(id, latest) if id else latest

    def _another(self, number: int, delta: Wire) -> bool:
        """Whether *delta* is a further call, sent as if it were of the same one: it begins an
        object of arguments after a whole one."""
        before = self._ours.get(number)
        if before is None or not _arguments(delta).lstrip().startswith("{"):
            return False
        return _is_object(before.arguments)

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
        ours.extra |= {name: said for name, said in delta.items() if name not in READ}
        return None

    def identified(self) -> list[OurCall]:
        """Our calls, each with an id of its own: some upstreams send none, or one for all."""
        calls, known = self.ours(), {""}
        for call in calls:
            if call.id in known:
                call.id = f"call_{uuid.uuid4().hex[:24]}"
            known.add(call.id)
        return calls


def _function(delta: Wire) -> Wire:
    function = delta.get("function")
    return function if isinstance(function, dict) else {}


def _arguments(delta: Wire) -> str:
    """The model's text; some upstreams send what it stands for."""
    given = _function(delta).get("arguments") or ""
    return given if isinstance(given, str) else msgspec.json.encode(given).decode()


def _object(arguments: str) -> str:
    """*arguments* as they are, or what is wrong with them as an object."""
    if not arguments.strip():
        return "{}"
    if _is_object(arguments):
        return arguments
    return msgspec.json.encode({"malformed": arguments[:LONGEST_MALFORMED]}).decode()


def _is_object(arguments: str) -> bool:
    try:
        understood(arguments)
    except ToolError:
        return False
    return True


def _name(delta: Wire) -> str:
    """The name of a function or of a custom tool, which only clients have."""
    custom = delta.get("custom")
    name = (custom if isinstance(custom, dict) else _function(delta)).get("name")
    return name if isinstance(name, str) else ""
