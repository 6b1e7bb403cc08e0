"""What can be wrong with what a BGP speaker or an archive wrote."""

from __future__ import annotations


class Malformed(Exception):
    """Octets that do not mean what they have to: what is wrong, and the octets at the fault."""

    def __init__(self, what: str, octets: bytes = b"") -> None:
        super().__init__(what)
        self.what = what
        self.octets = bytes(octets[:32])

    def __str__(self) -> str:
        return f"{self.what}: {self.octets.hex()}" if self.octets else self.what


class MalformedAttributes(Malformed):
    """Attributes that cannot be used, of an UPDATE whose prefixes are known: RFC 7606 §2 wants these withdrawn."""
