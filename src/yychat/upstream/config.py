"""From settings to upstreams: which there are, with which keys and models."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from ..config_file import read_json
from ..errors import ConfigurationError

Name = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_.-]{1,64}\Z")]


class Endpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One upstream. ``models`` maps callers' names to its own, or lists names that are the same;
    without it every model is tried here."""

    name: Name
    base_url: str
    api_key: str | None = None
    api_key_file: str | None = None
    models: dict[str, str] | list[str] | None = None

    def __repr__(self) -> str:
        """Without the key: this may come into a log."""
        return f"<Endpoint {self.name}>"

    def check(self, url_setting: str, key_setting: str) -> None:
        """Raises ``ConfigurationError`` that names the setting which is wrong."""
        if not self.base_url.startswith(("http://", "https://")):
            raise ConfigurationError(
                f"{url_setting} must begin with http:// or https://, as http://localhost:1234/v1"
            )
        if not _is_url(self.base_url):
            raise ConfigurationError(
                f"{url_setting} is not a URL with a host, as http://localhost:1234/v1"
            )
        if "@" in urlsplit(self.base_url).netloc:
            raise ConfigurationError(
                f"{url_setting} must not hold a user or a password: a request bears one key"
            )
        key = self.key() or ""
        if not (key.isascii() and key.isprintable()):
            raise ConfigurationError(f"{key_setting} has characters that no key has")

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
    endpoints = read_json(path, list[Endpoint], f"the upstreams file {path}")
    names = [endpoint.name for endpoint in endpoints]
    if not endpoints or len(set(names)) < len(names):
        raise ConfigurationError(f"the upstreams file {path}: at least one, each with its own name")
    for endpoint in endpoints:
        where = f"the upstreams file {path}: upstream {endpoint.name}:"
        endpoint.check(f"{where} base_url", f"{where} its key")
    return endpoints


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").encode("idna")
        port = parts.port
    except ValueError:  # also of the two codecs
        return False
    return bool(host) and port != 0 and text.isprintable() and " " not in text
