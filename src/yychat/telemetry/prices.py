"""What models cost, as the operator's price file says."""

from pathlib import Path

import msgspec

from ..config_file import read_json

MILLION = 1_000_000


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For a million tokens. ``cached`` is for the part of the input that came from a cache; None
    is the price of any input."""

    input: float
    output: float
    cached: float | None = None
    currency: str = "USD"

    def of(self, asked: int, said: int, cached: int) -> float:
        """The cost of one answer."""
        fresh = max(0, asked - cached)
        old = asked - fresh
        each = self.input if self.cached is None else self.cached
        return (fresh * self.input + old * each + said * self.output) / MILLION


def read_prices(path: Path) -> dict[str, Price]:
    """By model. Raises ``ConfigurationError``."""
    return read_json(path, dict[str, Price], f"YYCHAT_PRICES_FILE: {path}")
