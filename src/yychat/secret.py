"""The secret behind owners' ids: read from its file, or made once."""

import os
import secrets
from pathlib import Path

from .errors import ConfigurationError

SHORTEST = 16  # bytes


def owner_secret(path: Path, *, create: bool) -> bytes:
    """The secret in *path*; with *create* it is made where there is none, for nobody else to read.

    Losing it loses every memory: ids cannot be matched any more. Raises ``ConfigurationError``.
    """
    if create and not path.exists():
        _make(path)
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(f"the owner secret {path} cannot be read") from error
    if len(secret) < SHORTEST:
        raise ConfigurationError(f"the owner secret {path} is shorter than {SHORTEST} bytes")
    return secret


def _make(path: Path) -> None:
    """Written aside and then linked into place: whole or not at all, and the first one wins."""
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_hex(32).encode())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(aside, path)
        except FileExistsError:  # another process was first
            return
        finally:
            aside.unlink()
    except OSError as error:
        raise ConfigurationError(f"the owner secret {path} cannot be written") from error
