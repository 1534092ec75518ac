"""JSON files of the configuration: read in their shape, or refused by name and field."""

from pathlib import Path
from typing import TypeVar

import msgspec

from .errors import ConfigurationError

T = TypeVar("T")


def read_json(path: Path, shape: type[T], what: str) -> T:
    """The *shape* that *path* holds; *what* names the file in ``ConfigurationError``."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=shape)
    except OSError as error:
        raise ConfigurationError(f"{what} cannot be read") from error
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{what}: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ConfigurationError(f"{what} is not JSON") from None
