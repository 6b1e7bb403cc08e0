"""Octets in, in any slices; whole PDUs and runs of prefixes out."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from rotoro.wire.bulk import PREFIX_FORM_OF_TYPE
from rotoro.wire.codec import check_header, decode
from rotoro.wire.errors import CorruptData, ProtocolError, UnsupportedVersion
from rotoro.wire.pdu import HEADER_LENGTH, ROTORO, RTR_MAX_LENGTH, VERSIONS, Pdu, max_length
from rotoro.wire.rotoro import SKIPPABLE
from rotoro.wire.runs import PrefixReader

_header = struct.Struct(">BBHI")


@dataclass(frozen=True, slots=True)
class Foreign(Pdu):
    """A whole PDU of a version that is not spoken here: negotiation decides what it deserves."""

    version: int
    type_number: int
    octets: bytes


Foreign.title = "PDU of a foreign version"


class Decoder:
    """One direction of one connection."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._wanted = HEADER_LENGTH
        self._prefixes = PrefixReader()
        self.rotoro_limit = max_length(ROTORO)
        """The longest Rotoro PDU, in octets; PARAMS may lower it."""
        self.skipped = 0
        """How many skippable PDUs of unknown types went by."""

    @property
    def pending(self) -> int:
        """Octets of a PDU that is not whole yet."""
        return len(self._buffer)

    def receive(self, data: bytes) -> None:
        """Take octets as they come; `items` then gives what they complete."""
        self._buffer += data

    def items(self) -> Iterator[tuple[int, Pdu]]:
        """Each whole PDU so far, with its version. A broken one raises after the good ones.

        Prefixes come in runs. Among prefixes and ASPAs that follow one another each kind keeps its order, but the kinds
        may change places: what they say is about different records.

        >>> decoder = Decoder()
        >>> decoder.receive(bytes.fromhex("02 08 0000"))
        >>> list(decoder.items())
        []
        >>> decoder.receive(bytes.fromhex("00000008"))
        >>> list(decoder.items())
        [(2, CacheReset())]
        """
        if len(self._buffer) < self._wanted:
            return
        at = 0
        try:
            while len(self._buffer) - at >= HEADER_LENGTH:
                version, number, _, length = _header.unpack_from(self._buffer, at)
                skip = version == ROTORO and number in SKIPPABLE
                self._check(version, number, length, skip, at)
                self._wanted = length
                if len(self._buffer) - at < length:
                    break
                self._wanted = HEADER_LENGTH
                form = PREFIX_FORM_OF_TYPE.get(number) if version in VERSIONS else None
                if form is not None:
                    records, taken, broken = self._prefixes.take(self._buffer, at, form)
                    at += taken
                    for record in records:
                        yield version, record
                    if broken is not None:
                        at += form.size
                        raise broken
                    continue
                octets = bytes(self._buffer[at : at + length])
                at += length
                if skip:
                    self.skipped += 1
                elif version not in VERSIONS:
                    yield version, Foreign(version, number, octets)
                else:
                    yield decode(octets)
        finally:
            del self._buffer[:at]

    def _check(self, version: int, number: int, length: int, skip: bool, at: int) -> None:
        """Refuse what cannot become a PDU as soon as its header is there."""
        try:
            if version not in VERSIONS:
                if not HEADER_LENGTH <= length <= RTR_MAX_LENGTH:
                    raise UnsupportedVersion(f"version {version} with a length of {length}")
            elif skip:
                if not HEADER_LENGTH <= length <= self.rotoro_limit:
                    raise CorruptData(f"PDU type {number} of {length} octets")
            else:
                check_header(version, number, length, self.rotoro_limit if version == ROTORO else RTR_MAX_LENGTH)
        except ProtocolError as broken:
            raise type(broken)(str(broken), self._buffer[at : at + max(HEADER_LENGTH, min(length, 64))]) from None
