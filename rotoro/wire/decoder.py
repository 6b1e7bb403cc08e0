"""Octets in, in any slices; whole PDUs and runs of prefixes out."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from rotoro.wire.bulk import PREFIX_FORM_OF_TYPE
from rotoro.wire.codec import check_header, decode
from rotoro.wire.errors import SHOWN_OCTETS, CorruptData, ProtocolError, UnsupportedVersion
from rotoro.wire.lenient import STRICT, Leniency
from rotoro.wire.pdu import HEADER_LENGTH, ROTORO, ROTORO_MAX_LENGTH, RTR_MAX_LENGTH, VERSIONS, Pdu
from rotoro.wire.rotoro import SKIPPABLE
from rotoro.wire.rtr import Aspa
from rotoro.wire.runs import PrefixReader, aspas_in_a_row

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

    def __init__(self, lenient: Leniency = STRICT) -> None:
        self._lenient = lenient
        self._buffer = bytearray()
        self._wanted = HEADER_LENGTH
        """How many octets must be there before it is worth looking at them."""
        self._prefixes = PrefixReader()
        self.rotoro_limit = ROTORO_MAX_LENGTH
        """The longest Rotoro PDU, in octets; our PARAMS may lower it."""
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
        at = 0
        try:
            while (length := self._whole(at)) is not None:
                version, number = self._buffer[at], self._buffer[at + 1]
                form = PREFIX_FORM_OF_TYPE.get(number) if version in VERSIONS else None
                if number == Aspa.number and version in VERSIONS:
                    aspas, taken = aspas_in_a_row(self._buffer, at, min(self._limit(version), RTR_MAX_LENGTH))
                    at += taken
                    for aspa in aspas:
                        yield version, aspa
                    if aspas:
                        continue
                if form is None:
                    octets = bytes(self._buffer[at : at + length])
                    at += length
                    pdu = self._single(version, number, octets)
                    if pdu is not None:
                        yield version, pdu
                    continue
                records, taken, broken = self._prefixes.take(self._buffer, at, form)
                at += taken
                for record in records:
                    yield version, record
                if broken is not None:
                    at += form.size
                    raise broken
        finally:
            del self._buffer[:at]

    def _whole(self, at: int) -> int | None:
        """The length of the PDU that begins here, if it is all there; an error as soon as its header says one."""
        there = len(self._buffer) - at
        if there < self._wanted:
            return None
        version, number, _, length = _header.unpack_from(self._buffer, at)
        try:
            self._check(version, number, length)
        except ProtocolError as broken:
            shown = max(HEADER_LENGTH, min(length, SHOWN_OCTETS))
            raise type(broken)(str(broken), self._buffer[at : at + shown]) from None
        self._wanted = length if there < length else HEADER_LENGTH
        return length if there >= length else None

    def _check(self, version: int, number: int, length: int) -> None:
        """Refuse what cannot become a PDU."""
        if version not in VERSIONS:
            if not HEADER_LENGTH <= length <= RTR_MAX_LENGTH:
                raise UnsupportedVersion(f"version {version} with a length of {length}")
        elif _skippable(version, number):
            if not HEADER_LENGTH <= length <= self.rotoro_limit:
                raise CorruptData(f"PDU type {number} of {length} octets")
        else:
            check_header(version, number, length, self._limit(version))

    def _limit(self, version: int) -> int:
        return self.rotoro_limit if version == ROTORO else RTR_MAX_LENGTH

    def _single(self, version: int, number: int, octets: bytes) -> Pdu | None:
        if version not in VERSIONS:
            return Foreign(version, number, octets)
        if _skippable(version, number):
            self.skipped += 1
            return None
        return self._lenient.read(version, number, octets) or decode(octets)[1]


def _skippable(version: int, number: int) -> bool:
    return version == ROTORO and number in SKIPPABLE
