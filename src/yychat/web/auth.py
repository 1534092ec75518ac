"""Who is calling: bearer keys, tenants and roles."""

import asyncio
import fcntl
import hashlib
import hmac
import logging
import os
import secrets
import stat
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import ConfigurationError, Forbidden, Unauthenticated
from ..limits.budget import Budget
from .problems import problem
from .sockets import Refusal, credentials

log = logging.getLogger(__name__)

Role = Literal["user", "admin"]
Name = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_.-]{1,64}\Z")]


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key as it is kept: never itself, only its SHA-256. Keys are random enough (256 bits) for
    a plain hash. Limits are per minute; None is no limit. ``engines`` lets a user's key choose the
    engine of a request; an admin's may anyway."""

    id: Name
    sha256: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
    tenant: Name
    role: Role = "user"
    requests_per_minute: Annotated[int, msgspec.Meta(ge=1)] | None = None
    tokens_per_minute: Annotated[int, msgspec.Meta(ge=1)] | None = None
    engines: bool = False


class Caller(msgspec.Struct, frozen=True):
    """Who a request comes from, as far as anything else needs to know."""

    tenant: str
    role: Role
    key: Key | None = None

    @property
    def may_choose_engine(self) -> bool:
        return self.role == "admin" or (self.key is not None and self.key.engines)

    @property
    def budget(self) -> Budget | None:
        """What the key may take per minute; None where nothing is limited."""
        key = self.key
        if key is None or not (key.requests_per_minute or key.tokens_per_minute):
            return None
        return Budget(key.id, key.requests_per_minute, key.tokens_per_minute)


LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
KEYLESS = Caller(tenant="local", role="admin")


def new_key(key_id: str, tenant: str, role: Role, **limits: int | None) -> tuple[str, Key]:
    """A fresh key: the secret for the caller, and the entry for the key file. *limits* are
    ``requests_per_minute`` and ``tokens_per_minute``."""
    secret = f"yy-{secrets.token_urlsafe(32)}"
    entry = {"id": key_id, "sha256": _digest(secret), "tenant": tenant, "role": role, **limits}
    return secret, msgspec.convert(entry, Key)


class Keyring:
    """The keys in force. Without any source the service is keyless."""

    def __init__(self, keys: Sequence[Key] | None) -> None:
        self._keys = keys

    @property
    def keyless(self) -> bool:
        return self._keys is None

    @property
    def tenants(self) -> list[str]:
        """Everybody's names, of whom there is a key."""
        return [KEYLESS.tenant] if self._keys is None else [key.tenant for key in self._keys]

    def replace(self, keys: Sequence[Key]) -> None:
        self._keys = keys

    def caller(self, authorization: str | None) -> Caller:
        """Whose ``Authorization`` header this is. Raises ``Unauthenticated``."""
        if self._keys is None:
            return KEYLESS
        scheme, _, secret = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise Unauthenticated(
                "send a key as 'Authorization: Bearer <key>'", code="missing_api_key"
            )
        digest = _digest(secret.strip())
        found = None
        for key in self._keys:  # all of them, always: time must not tell how near a guess was
            if hmac.compare_digest(key.sha256, digest):
                found = key
        if found is None:
            raise Unauthenticated("this key is not known here")
        return Caller(tenant=found.tenant, role=found.role, key=found)


def parse_keys(text: str | bytes) -> list[Key]:
    """Keys from JSON: a list of entries, or one entry a line. Raises ``ConfigurationError``."""
    data = text.encode() if isinstance(text, str) else text
    try:
        if data.lstrip().startswith(b"["):
            keys = msgspec.json.decode(data, type=list[Key])
        else:
            keys = msgspec.json.Decoder(Key).decode_lines(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the keys cannot be read: {_without_values(error)}") from None
    ids = [key.id for key in keys]
    if doubled := {key_id for key_id in ids if ids.count(key_id) > 1}:
        raise ConfigurationError(f"two keys have the id {sorted(doubled)[0]}")
    return keys


def add_key(path: Path, key: Key) -> None:
    """Add an entry to a key file, replacing the file as a whole: a reader sees all or nothing.

    Raises ``ConfigurationError`` where the file is broken or has that id already.
    """
    path = path.resolve()  # a link stays one
    try:
        with _alone(path.parent):
            keys = KeyFile(path).read() if path.exists() else []
            lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in [*keys, key])
            parse_keys(lines)
            aside = path.with_name(f"{path.name}.new")
            aside.write_bytes(lines)
            aside.chmod(stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600)
            aside.replace(path)
    except OSError as error:
        raise ConfigurationError(f"the key file {path} cannot be written") from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes that add keys here waiting. Raises ``OSError``."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class KeyFile:
    """A file of keys, followed as it changes; a broken one changes nothing and is logged once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: bytes | None = None

    def read(self) -> list[Key]:
        """Raises ``ConfigurationError``."""
        try:
            self._seen = self._path.read_bytes()
        except OSError as error:
            raise ConfigurationError(f"the key file {self._path} cannot be read") from error
        return parse_keys(self._seen)

    async def follow(self, keyring: Keyring, every: float = 2.0) -> None:
        """Keep *keyring* as the file says, until cancelled."""
        complaint = None
        while True:
            await asyncio.sleep(every)
            before = self._seen
            try:
                keys = await asyncio.to_thread(self.read)
            except ConfigurationError as error:
                if str(error) != complaint:
                    log.error("keys stay as they were: %s", error)  # noqa: TRY400
                complaint = str(error)
                continue
            complaint = None
            if self._seen != before:
                keyring.replace(keys)
                level = logging.INFO if keys else logging.WARNING  # without any nobody can call
                log.log(level, "keys read again: %d in force", len(keys))


class Authenticate:
    """ASGI middleware: puts the ``Caller`` into the request's state, or answers 401; a WebSocket
    is closed with 4401 instead.

    Without keys, any page in a browser on this machine could call. So a keyless service refuses
    foreign origins, and unless *any_host*, names other than loopback's: a page whose name was
    rebound to this machine sends no origin, but its own name as the host.
    """

    def __init__(
        self,
        app: ASGIApp,
        keyring: Keyring,
        open_paths: Collection[str],
        origins: Collection[str],
        *,
        any_host: bool = False,
    ) -> None:
        self._app, self._keyring, self._any_host = app, keyring, any_host
        self._open, self._origins = open_paths, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or _is_open(scope, self._open):
            await self._app(scope, receive, send)
            return
        shown = credentials(scope)
        try:
            caller = self._caller(shown)
        except (Unauthenticated, Forbidden) as error:
            refusal = problem(error) if scope["type"] == "http" else Refusal(error)
            await refusal(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["caller"] = caller
        state["authenticate"] = partial(self._caller, shown)  # for what outlives a key
        await self._app(scope, receive, send)

    def _caller(self, headers: Headers) -> Caller:
        if len(headers.getlist("authorization")) > 1:  # a proxy may have checked another one
            raise Unauthenticated("send one Authorization header")
        if self._keyring.keyless:
            self._check_local(headers)
        return self._keyring.caller(headers.get("authorization"))

    def _check_local(self, headers: Headers) -> None:
        origin = headers.get("origin")
        if origin and origin not in self._origins:
            raise Forbidden("requests from browser pages need YYCHAT_CORS_ORIGINS")
        host = _without_port(headers.get("host", ""))
        if not self._any_host and host not in LOOPBACK:
            raise Forbidden("without keys, only localhost is answered")


def _is_open(scope: Scope, paths: Collection[str]) -> bool:
    """Whether *paths* name the path, or its method and the path."""
    path = scope["path"]
    return path in paths or f"{scope.get('method')} {path}" in paths


def _without_port(host: str) -> str:
    return host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _without_values(error: Exception) -> str:
    """The place a decoding error names, without the text it may quote."""
    _, _, place = str(error).rpartition(" - at ")
    return f"something is wrong at {place}" if " - at " in str(error) else "not JSON as expected"
