"""Octets to PDUs and back. Knows no session, no table and no network."""

from rotoro.wire.codec import decode, encode
from rotoro.wire.decoder import Decoder, Foreign
from rotoro.wire.pdu import PDUS, ROTORO, Pdu

__all__ = ["PDUS", "ROTORO", "Decoder", "Foreign", "Pdu", "decode", "encode"]
