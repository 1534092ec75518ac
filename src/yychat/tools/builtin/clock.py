"""What time it is, anywhere."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ...errors import ConfigurationError, ToolError

Clock = Callable[[], float]
"""Seconds since the Unix epoch."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class GetTime:
    """Tells the time in a zone of the IANA database.

    The database is the system's, or that of the ``tzdata`` package where the
    system has none; UTC needs neither. Raises ``ConfigurationError`` for a
    *default_zone* that is not in it.
    """

    name = "gettime"
    source = "builtin"

    def __init__(self, *, clock: Clock, default_zone: str = "UTC") -> None:
        if _zone(default_zone) is None:
            raise ConfigurationError(
                f"the time zone {default_zone[:64]!r} is not known here: it must be an IANA name,"
                " and a system without a time zone database needs the tzdata package"
            )
        self._clock = clock
        self._default_zone = default_zone

    @property
    def description(self) -> str:
        return (
            "Get the current date, time and weekday. Use it for anything that depends on today or"
            f" now. Without a timezone it answers for {self._default_zone}."
        )

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {
            "type": "object",
            "properties": {
                "timezone": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 64,
                    "description": "IANA name, such as Asia/Shanghai or Europe/Berlin.",
                }
            },
            "additionalProperties": False,
        }

    async def call(self, arguments: dict[str, Any]) -> dict[str, Any]:
        name = arguments.get("timezone", self._default_zone)
        zone = await asyncio.to_thread(_zone, name)  # reads a file the first time
        if zone is None:
            raise ToolError("timezone is not known; use an IANA name such as Asia/Shanghai or UTC")
        now = datetime.fromtimestamp(self._clock(), zone)
        return {
            "time": now.isoformat(timespec="seconds"),
            "timezone": name,
            "weekday": WEEKDAYS[now.weekday()],
            "unix": int(now.timestamp()),
        }


def _zone(name: str) -> tzinfo | None:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # unknown; no name at all; a folder
        return None
