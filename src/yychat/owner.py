"""Whose memory it is: tenant, kind and an id that nobody can read back."""

import hashlib
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
        framed = b"".join(
            len(part).to_bytes(8, "big") + part
            for part in (_bytes(tenant), _bytes(kind), _bytes(given_id))
        )
        digest = hmac.new(self._secret, framed, hashlib.sha256).hexdigest()[:32]
        return Owner(tenant=tenant, kind=kind, digest=digest)

    @property
    def fingerprint(self) -> str:
        """The same for the same secret, and no way back to it. No owner's digest can be it: the
        text is no frame."""
        return hmac.new(self._secret, b"fingerprint of the secret", hashlib.sha256).hexdigest()


def _bytes(part: str) -> bytes:
    """Command lines and paths can bring lone surrogates; they are as good an id as any."""
    return part.encode("utf-8", "surrogatepass")
