"""The x-ratelimit-* headers that OpenAI's clients read, in OpenAI's formats."""

import math
from collections.abc import Iterable

from .budget import Standing


def rate_headers(standings: Iterable[Standing]) -> dict[str, str]:
    headers = {}
    for standing in standings:
        headers[f"x-ratelimit-limit-{standing.kind}"] = str(standing.limit)
        headers[f"x-ratelimit-remaining-{standing.kind}"] = str(standing.remaining)
        headers[f"x-ratelimit-reset-{standing.kind}"] = duration(standing.reset)
    return headers


def duration(seconds: float) -> str:
    """As Go and so OpenAI write it: ``20ms``, ``8.64s``, ``6m0s``; milliseconds rounded up."""
    milliseconds = math.ceil(seconds * 1000 - 1e-6)
    if 0 < milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest / 1000:g}s"
    if hours:
        return f"{hours}h{minutes}m{tail}"
    return f"{minutes}m{tail}" if minutes else tail
