"""Messages as they came, before they are taken apart: what filters of connectors decide on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from rotonda.bgp.peers import Peer


class Protocol(Enum):
    """What a raw message is."""

    BGP = "BGP"
    BMP = "BMP"


@dataclass(frozen=True, slots=True)
class RawMessage:
    """One whole message with its header, BGP (RFC 4271 section 4) or BMP (RFC 7854 section 4), and who sent it.

    `octets` are the sender's and were not looked at but for the header. The peer is that of the BGP session, for BMP
    the one of the per-peer header; None where there is none. `four_octet` says how wide AS numbers in it are.
    """

    protocol: Protocol
    octets: bytes
    peer: Peer | None
    received: int
    """Seconds since 1970."""
    four_octet: bool = True


Accepts = Callable[[RawMessage], bool]
"""Whether a message is to be taken apart. Never raises: what cannot be decided is decided by the filter's policy."""


def accept_all(message: RawMessage) -> bool:
    """No filter."""
    return True
