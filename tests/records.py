"""Records of requests that never were."""

from itertools import count
from typing import Any

from yychat.performance.record import Record

_numbers = count(1)


def record(at: float, **fields: Any) -> Record:
    """One that ended at *at*; an id of its own, the rest as told or as it usually is."""
    number = next(_numbers)
    usual: dict[str, Any] = {
        "id": f"{number:016x}",
        "instance": "here:0",
        "tenant": "local",
        "engine": "chat_engine",
        "model": "simulated",
        "stream": False,
        "outcome": "ok",
        "duration_seconds": 0.25,
        "stages": {"auth": 0.05, "upstream_first_byte": 0.15, "other": 0.05},
        "trace_id": f"{number:032x}",
    }
    return Record(at=at, **{**usual, **fields})
