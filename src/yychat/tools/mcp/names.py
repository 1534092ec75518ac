"""What a server's tool is called here: ``server__tool`` wherever that is a name, and unique."""

import re
from hashlib import sha256

LONGEST = 64  # as model providers have it
DIGITS = 8  # of the hash that tells shortened names apart

_LEGAL = re.compile(rf"[a-zA-Z0-9_-]{{1,{LONGEST}}}")
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")


def exposed(server: str, tool: str) -> str:
    """The same for the same two names in every process and for good; another for any others.

    The plain form is taken only where it can be split back into these two: ``a__b`` and ``c``
    must not meet ``a`` and ``b__c``. All else is made legal, cut, and ends in a hash.
    """
    plain = f"{server}__{tool}"
    if _LEGAL.fullmatch(plain) and plain.split("__", 1) == [server, tool]:
        return plain
    told = sha256(f"{server}\0{tool}".encode(errors="surrogatepass")).hexdigest()[:DIGITS]
    return f"{_ILLEGAL.sub('_', plain)[: LONGEST - DIGITS - 1]}_{told}"
