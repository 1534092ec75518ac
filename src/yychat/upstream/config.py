"""From settings to upstreams: which there are, with which keys and models."""

from pathlib import Path
from typing import Annotated

import msgspec

from ..errors import ConfigurationError

Name = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_.-]{1,64}\Z")]
Url = Annotated[str, msgspec.Meta(pattern=r"\Ahttps?://[^\s]+\Z")]


class Endpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One upstream. ``models`` maps callers' names to its own, or lists names that are the same;
    without it every model is tried here."""

    name: Name
    base_url: Url
    api_key: str | None = None
    api_key_file: str | None = None
    models: dict[str, str] | list[str] | None = None

    def key(self) -> str | None:
        """The key in the clear. Raises ``ConfigurationError``."""
        if self.api_key_file is None:
            return self.api_key
        try:
            return Path(self.api_key_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"upstream {self.name}: api_key_file {self.api_key_file} cannot be read"
            ) from error

    def model_map(self) -> dict[str, str] | None:
        return (
            {name: name for name in self.models} if isinstance(self.models, list) else self.models
        )


def read_endpoints(path: Path) -> list[Endpoint]:
    """The upstreams of a file, in order of preference. Raises ``ConfigurationError``."""
    try:
        endpoints = msgspec.json.decode(path.read_bytes(), type=list[Endpoint])
    except OSError as error:
        raise ConfigurationError(f"the upstreams file {path} cannot be read") from error
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"the upstreams file {path}: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ConfigurationError(f"the upstreams file {path} is not JSON") from None
    names = [endpoint.name for endpoint in endpoints]
    if not endpoints or len(set(names)) < len(names):
        raise ConfigurationError(f"the upstreams file {path}: at least one, each with its own name")
    return endpoints
