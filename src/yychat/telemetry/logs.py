"""Log lines: JSON on stdout, words on a terminal, written by a thread of their own.

What is logged is what this package says, whose messages hold nothing that a user wrote. Other
packages' messages may quote anything, so of theirs only templates are kept, and of those not known
to keep templates apart from values, nothing but the place; of exceptions the type and the place.
"""

import logging
import os
import select
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache, partial
from time import time
from typing import Any, Literal, TextIO

import msgspec
from opentelemetry.trace import SpanContext
from starlette.types import Scope

from ..background import place_of
from . import semconv
from .observation import Observation
from .spans import Attributes, current_context

Form = Literal["auto", "json", "text"]
Fields = dict[str, Any]
# When, level, logger, message, within which span, what else is known or says it.
Line = tuple[float, int, str, str, SpanContext, Fields | Callable[[], Fields]]

OURS = "yychat"
REQUESTS = "yychat.request"
# Their templates are constants; the values in them are left out.
TEMPLATES = ("uvicorn", "asyncio", "opentelemetry", "aiohttp", "redis")
QUIET = frozenset({"/healthz", "/readyz"})  # asked all the time: at level DEBUG while they are well

GATHER = 0.05  # seconds that lines wait for others to be written with
WAITING = 10_000  # lines that may wait for whoever reads them; more are dropped and counted
CLOSE_WITHIN = 2.0  # seconds for the last lines
LONGEST = 8_192  # characters of a message

# Of what JSON does not have, the kind: a line that cannot be written would end the thread.
_encoder = msgspec.json.Encoder(enc_hook=lambda value: type(value).__name__)
_CONTROLS = {n: f"\\x{n:02x}" for n in (*range(32), *range(127, 160))}
_NOTED = (
    ("outcome", semconv.OUTCOME),
    ("error_type", semconv.ERROR_TYPE),
    ("engine", semconv.ENGINE),
    ("fallback_from", semconv.FALLBACK_FROM),
    ("stream", semconv.STREAM),
    ("tenant", semconv.TENANT),
    ("first_token_seconds", semconv.FIRST_TOKEN),
    ("input_tokens", semconv.INPUT_TOKENS),
    ("output_tokens", semconv.OUTPUT_TOKENS),
)


class Logs(logging.Handler):
    """Takes lines without ever waiting, and writes them to *stream* from its thread.

    ``dropped`` is told how many lines were too many for who reads there; it may be set later than
    the handler is made. ``close`` writes what is left, for ``CLOSE_WITHIN`` seconds at most.
    """

    def __init__(self, stream: TextIO, written: Callable[[Line], bytes]) -> None:
        super().__init__()
        self.dropped: Callable[[int], None] = lambda _: None
        self._stream, self._written = stream, written
        self._requests = logging.getLogger(REQUESTS)
        self._lines: deque[Line] = deque()
        self._some = threading.Event()
        self._ending = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write_forever, name="logs", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        within = current_context()
        fields: Fields = {}
        if record.exc_info and (error := record.exc_info[1]) is not None:
            fields["error"] = place_of(error)
        self.put((record.created, record.levelno, record.name, said(record), within, fields))

    def put(self, line: Line) -> None:
        if len(self._lines) >= WAITING or self._ending:
            self.dropped(1)
            return
        self._lines.append(line)
        if not self._some.is_set():
            self._some.set()

    def finished(self, observation: Observation, scope: Scope, status: int) -> None:
        """One request, with its span's ids: see ``telemetry.http.Finished``."""
        span = observation.span
        found: Attributes = getattr(span, "attributes", None) or {}
        level = _level(found.get(semconv.HTTP_ROUTE, ""), status, found.get(semconv.OUTCOME))
        if not self._requests.isEnabledFor(level):
            return
        request_id = scope.get("state", {}).get("request_id")
        took = sum(observation.timeline.spent.values())
        fields = partial(_told, found, took, scope["method"], status, request_id)
        self.put((time(), level, REQUESTS, "request", span.get_span_context(), fields))

    def close(self) -> None:
        self._ending = True
        self._ended.set()
        self._some.set()
        self._thread.join(CLOSE_WITHIN)
        super().close()

    def _write_forever(self) -> None:
        while True:
            self._some.wait()
            self._ended.wait(GATHER)  # a thread that is woken for each line costs more than it
            self._some.clear()
            ending = self._ending  # looked at before the lines: none is put after it
            self._write_waiting()
            if ending:
                return

    def _write_waiting(self) -> None:
        """In pieces that no other process' come into: workers share one pipe (POSIX, write)."""
        piece: list[bytes] = []
        size = 0
        while self._lines:
            line = self._written(self._lines.popleft())
            if piece and size + len(line) > select.PIPE_BUF:
                self._write(b"".join(piece), len(piece))
                piece, size = [], 0
            piece.append(line)
            size += len(line)
        self._write(b"".join(piece), len(piece))

    def _write(self, data: bytes, lines: int) -> None:
        # Not through sys.stdout: a thread that waits within it would hold its lock at exit.
        left, descriptor = memoryview(data), self._stream.fileno()
        while left:
            try:
                left = left[os.write(descriptor, left) :]
            except BlockingIOError:
                select.select([], [descriptor], [])
            except OSError:  # nobody reads any more
                self.dropped(lines)
                return


def log_to(stream: TextIO, level: int | str, form: Form = "auto") -> Logs:
    """Let everything that is logged go to *stream*, which has to be a real file; ``auto`` is text
    where that is a terminal. ``close`` what this returns."""
    text = form == "text" or (form == "auto" and stream.isatty())
    logs = Logs(stream, as_text if text else as_json)
    root = logging.getLogger()
    for before in list(root.handlers):
        root.removeHandler(before)
    root.addHandler(logs)
    root.setLevel(level)
    for chatty in ("uvicorn.error", "httpx2", "openai", "asyncio"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    return logs


def said(record: logging.LogRecord) -> str:
    """What *record* says, as far as it cannot quote anybody."""
    name = record.name.partition(".")[0]
    if name == OURS:
        with suppress(TypeError, ValueError):  # arguments that do not fit: its template, below
            return record.getMessage()[:LONGEST]
    if name in (OURS, *TEMPLATES) and isinstance(record.msg, str):
        return record.msg.strip().partition("\n")[0][:LONGEST]
    return f"(its text is left out) {record.filename}:{record.lineno}"


def as_json(line: Line) -> bytes:
    """One object, one line."""
    at, level, logger, message, within, _ = line
    written = {
        "time": f"{_second(int(at))}.{int(at % 1 * 1000):03d}Z",
        "level": logging.getLevelName(level),
        "logger": logger,
        "message": message,
        **_trace(within),
        **_fields(line),
    }
    try:
        return _encoder.encode(written) + b"\n"
    except UnicodeEncodeError:  # lone surrogates
        written = {name: _sane(value) for name, value in written.items()}
        return _encoder.encode(written) + b"\n"


def as_text(line: Line) -> bytes:
    """For a terminal: local time, and nothing that could steer it."""
    at, level, logger, message, within, _ = line
    moment = datetime.fromtimestamp(at, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
    words = [f"{moment} {logging.getLevelName(level):<7} {logger}: {message}"]
    words += [f"{name}={value}" for name, value in _fields(line).items()]
    if trace_id := _trace(within).get("trace_id"):
        words.append(f"trace={trace_id}")
    text = " ".join(words).translate(_CONTROLS)
    return text.encode(errors="backslashreplace") + b"\n"


def _told(
    found: Attributes, took: float, method: str, status: int, request_id: str | None
) -> Fields:
    """What the line of a request says. Asked for by the thread that writes it."""
    fields: Fields = {
        "method": method,
        "route": found.get(semconv.HTTP_ROUTE, ""),
        "status": status,
        "duration_seconds": round(took, 6),
    }
    if request_id is not None:
        fields["request_id"] = request_id
    for name, attribute in _NOTED:
        if (value := found.get(attribute)) is not None:
            fields[name] = value
    return fields


def _fields(line: Line) -> Fields:
    return line[5]() if callable(line[5]) else line[5]


def _level(route: str, status: int, outcome: Any) -> int:
    if status >= 500 or outcome == "internal_error":
        return logging.WARNING
    return logging.DEBUG if route in QUIET else logging.INFO


def _trace(context: SpanContext) -> Fields:
    if not context.is_valid:
        return {}
    return {
        "trace_id": f"{context.trace_id:032x}",
        "span_id": f"{context.span_id:016x}",
        "sampled": context.trace_flags.sampled,
    }


@lru_cache(maxsize=4)
def _second(at: int) -> str:
    """The same for many lines."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S}"


def _sane(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    return value
