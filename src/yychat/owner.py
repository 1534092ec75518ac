"""Whose memory it is: tenant, kind and an id that nobody can read back."""

import hmac
from typing import Literal

import msgspec

Kind = Literal["conversation", "user"]


class Owner(msgspec.Struct, frozen=True):
    """The key of one memory; ``digest`` is an HMAC of tenant, kind and the caller's id, in hex."""

    tenant: str
    kind: Kind
    digest: str

    @property
    def key(self) -> str:
        """A name for stores and logs: one letter for the kind, then the digest."""
        return f"{self.kind[0]}{self.digest}"


class Owners:
    """Makes owners from callers' ids under one secret, shared by every instance of a deployment.

    Tenant, kind and id are framed by their lengths, so no choice of id reaches
    into another tenant or kind (RFC 2104 for the HMAC itself).
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def owner(self, tenant: str, kind: Kind, given_id: str) -> Owner:
        framed = _framed(tenant) + _framed(kind) + _framed(given_id)
        digest = hmac.digest(self._secret, framed, "sha256").hex()[:32]
        return Owner(tenant=tenant, kind=kind, digest=digest)

    @property
    def fingerprint(self) -> str:
        """The same for the same secret, and no way back to it. No owner's digest can be it: the
        text is no frame."""
        return hmac.digest(self._secret, b"fingerprint of the secret", "sha256").hex()


def _framed(part: str) -> bytes:
    """Command lines and paths can bring lone surrogates; they are as good an id as any."""
    raw = part.encode("utf-8", "surrogatepass")
    return len(raw).to_bytes(8, "big") + raw
