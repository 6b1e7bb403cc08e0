"""What peers send instead of what they should, and how it is read by those who choose to.

Up to draft 10 of 8210bis an ASPA told the providers for one address family: flags, family and a count stood where the
customer stands now, and the type's header had zeros where the flags are. Programs of that time are still packaged.
A PDU that withdraws has 12 octets since, so a longer one of the old layout cannot be mistaken.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from rotoro.wire.errors import CorruptData
from rotoro.wire.pdu import RTR_LATEST, Pdu
from rotoro.wire.rtr import ANNOUNCE, Aspa

_head = struct.Struct(">2xB5xBBHI")
_OLD_LENGTH = 16


@dataclass(frozen=True, slots=True)
class OldAspa(Pdu):
    """The providers of one customer for one address family, as drafts up to 10 of 8210bis have them."""

    octets: bytes
    announced: bool
    family: int
    customer: int
    providers: tuple[int, ...]


OldAspa.title = "ASPA of draft 10"


@dataclass(frozen=True, slots=True)
class Leniency:
    """What is read although it should not be there: ASPAs of draft 10, withdrawals of ASPAs that name providers."""

    old_aspa: bool = False
    tolerant: bool = False

    def read(self, version: int, number: int, octets: bytes) -> Pdu | None:
        """A whole PDU that only the lenient read; None if it is for everybody. Raises CorruptData."""
        if version != RTR_LATEST or number != Aspa.number or len(octets) < _OLD_LENGTH or octets[2] & ANNOUNCE:
            return None
        _, flags, family, count, customer = _head.unpack_from(octets)
        if self.old_aspa and len(octets) == _OLD_LENGTH + 4 * count:
            providers = struct.unpack_from(f">{count}I", octets, _OLD_LENGTH)
            if flags & ANNOUNCE and not providers:
                raise CorruptData(f"AS{customer} announced without a provider, in the layout of draft 10", octets)
            return OldAspa(octets, bool(flags & ANNOUNCE), family, customer, providers)
        if self.tolerant and len(octets) % 4 == 0:
            return Aspa(0, int.from_bytes(octets[8:12]), ())
        return None


STRICT = Leniency()
"""Nothing is read that should not be there."""
