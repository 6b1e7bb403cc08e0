"""Where routes come from.

The number of an ingress is a matter between two programs. Its identity is not: two programs that hear of the same
session write the same octets for it, and the state digest is built on those.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum

from rotoro.table.digest import digest64
from rotoro.wire.rotoro import IngressKind, RibView

__all__ = ["MAX_NAME", "NO_PARENT", "Ingress", "IngressKind", "IngressState", "RibView"]

NO_PARENT = 0xFFFFFFFF
MAX_NAME = 255
"""Octets of a name, as INGRESS carries it."""
_IDENTITY = struct.Struct(">BBIIQ")
_WIDTHS = {"number": 32, "asn": 32, "bgp_id": 32, "distinguisher": 64, "parent": 32}


class IngressState(IntEnum):
    """Whether an ingress was heard when this was written: a remark, which does not travel by itself."""

    DOWN = 0
    UP = 1


@dataclass(frozen=True, slots=True)
class Ingress:
    """One origin of routes: a BGP session, a router behind BMP, a file.

    `address` has 0, 4 or 16 octets, `name` at most 255 in UTF-8, `distinguisher` is u64, the other numbers are u32.
    Raises ValueError, naming the field, for what does not fit.
    """

    number: int
    kind: IngressKind
    address: bytes = b""
    asn: int = 0
    bgp_id: int = 0
    distinguisher: int = 0
    view: RibView = RibView.ADJ_RIB_IN_PRE
    parent: int = NO_PARENT
    name: str = ""
    state: IngressState = IngressState.UP
    identity: bytes = field(init=False, repr=False, compare=False)
    """Everything but number, parent and state: kind u8, view u8, asn u32, bgp_id u32, distinguisher u64, then
    length u8 and octets of the address, then length u16 and octets of the name in UTF-8; all big endian."""
    digest: int = field(init=False, repr=False, compare=False)
    """The identity's BLAKE2b of 8 octets, as a big-endian u64."""

    def __post_init__(self) -> None:
        for name, bits in _WIDTHS.items():
            if not 0 <= getattr(self, name) < 1 << bits:
                raise ValueError(f"ingress {self.number}: {name} {getattr(self, name)} does not fit in {bits} bits")
        if len(self.address) not in (0, 4, 16):
            raise ValueError(f"ingress {self.number}: an address has 0, 4 or 16 octets, not {self.address.hex()}")
        identity = self._encoded()
        object.__setattr__(self, "identity", identity)
        object.__setattr__(self, "digest", int.from_bytes(digest64(identity), "big"))

    def _encoded(self) -> bytes:
        name = self.name.encode()
        if len(name) > MAX_NAME:
            raise ValueError(f"ingress {self.number}: a name of {len(name)} octets is longer than {MAX_NAME}")
        fixed = _IDENTITY.pack(self.kind, self.view, self.asn, self.bgp_id, self.distinguisher)
        return b"".join((fixed, bytes([len(self.address)]), self.address, len(name).to_bytes(2, "big"), name))
