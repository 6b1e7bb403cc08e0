"""Everything that one wrong octet, or one wrong length, can make of a conversation: our sides take it or say why not.

Nothing escapes a session but effects. It goes on, or it ends with at most one report of a code that fits what is wrong;
an Error Report is never answered with one.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from twisted.trial.unittest import SynchronousTestCase

from rotoro.session.base import Session
from rotoro.session.cache import CacheData, CacheSession
from rotoro.session.effects import Close, Effect, Send
from rotoro.session.router import RouterSession
from rotoro.wire.codec import encode
from rotoro.wire.errors import ProtocolError
from rotoro.wire.rtr import (
    Aspa,
    CacheResponse,
    EndOfData,
    ErrorReport,
    Ipv4Prefix,
    Ipv6Prefix,
    ResetQuery,
    RouterKey,
    SerialQuery,
)
from tests.session.worlds import history, vrps

TYPES, LENGTHS = (*range(12), 255), range(8, 81)
REPORT, HEADER = ErrorReport.number, 8
SESSION = 7

QUERIES = encode(ResetQuery(), 2) + encode(SerialQuery(SESSION, 1), 2)
BEGINNING, END = encode(CacheResponse(SESSION), 2), encode(EndOfData(SESSION, 1, 3600, 600, 7200), 2)
DATA = (
    encode(Ipv4Prefix(1, 16, 24, IPv4Address("10.0.0.0"), 1), 2),
    encode(Ipv6Prefix(1, 32, 48, IPv6Address("2001:db8::"), 1), 2),
    encode(RouterKey(1, bytes(20), 1, b"\x30\x03key"), 2),
    encode(Aspa(1, 1, (2, 3)), 2),
)

CORRUPT, REQUEST, VERSION, TYPE, WITHDRAWAL, TWICE, OTHER_VERSION, PROVIDERS = 0, 3, 4, 5, 6, 7, 8, 9
FIELDS = {
    0: {REQUEST, VERSION, OTHER_VERSION, CORRUPT},
    1: {CORRUPT, REQUEST, TYPE, WITHDRAWAL},
    2: {CORRUPT, WITHDRAWAL},
    3: {CORRUPT},
    **{place: {CORRUPT, REQUEST, VERSION, TYPE, OTHER_VERSION, PROVIDERS} for place in range(4, HEADER)},
}
"""Codes for a wrong octet of a header, by its place: version, type, session or flags, length.

A length that is wrong and may be moves where the next PDU begins."""
TELLING = (0, 1, 24, 33, 127, 128, 129, 255)
"""What is tried behind the header of a record, where octets are addresses, keys and numbers."""

BODY = {CORRUPT, WITHDRAWAL, TWICE, PROVIDERS}


class Heard:
    """What a session made of octets."""

    def __init__(self, session: Session, octets: bytes) -> None:
        self.reports: list[int] = []
        self.closed = False
        decoder = session.decoder()
        decoder.receive(octets)
        try:
            for version, pdu in decoder.items():
                self._note(session.receive(version, pdu, 1.0))
                self._note(session.drained(1.0))
                if self.closed:
                    break
        except ProtocolError as broken:
            self._note(session.broken(broken, 1.0))

    def _note(self, effects: list[Effect]) -> None:
        for effect in effects:
            self.closed = self.closed or isinstance(effect, Close)
            if isinstance(effect, Send) and isinstance(effect.pdu, ErrorReport):
                self.reports.append(effect.pdu.code)


class BrokenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.data = CacheData.of(history(vrps(1, 2), epoch=5, serial=1), SESSION - 2)

    def cache(self, octets: bytes) -> Heard:
        session = CacheSession(self.data)
        session.start(0.0)
        return Heard(session, octets)

    def router(self, octets: bytes) -> Heard:
        session = RouterSession()
        session.start(0.0)
        return Heard(session, octets)

    def test_as_they_should_be(self) -> None:
        for heard in (self.cache(QUERIES), self.router(BEGINNING + b"".join(DATA) + END)):
            self.assertEqual((heard.reports, heard.closed), ([], False))

    def test_any_type_in_any_length(self) -> None:
        for octets in self.any_length():
            for hears, before in (
                (self.cache, b""),
                (self.cache, QUERIES),
                (self.router, b""),
                (self.router, BEGINNING),
                (self.router, BEGINNING + END),
            ):
                heard = hears(before + octets)
                told = f"{octets.hex()} after {len(before)} octets: {heard.reports}"
                self.assertLessEqual(len(heard.reports), 1, told)
                self.assertLessEqual(set(heard.reports), set(range(10)), told)
                if octets[1] == REPORT:
                    self.assertEqual((heard.reports, heard.closed), ([], True), told)

    def any_length(self) -> Iterator[bytes]:
        """PDUs of zeros."""
        for version in range(3):
            for kind in TYPES:
                for length in LENGTHS:
                    yield bytes((version, kind, 0, 0)) + length.to_bytes(4) + bytes(length - HEADER)

    def test_any_octet_of_a_router(self) -> None:
        for place, octet, octets in changed(QUERIES):
            self.judge(self.cache(octets), place if place < HEADER else place - HEADER, octet, octets)

    def test_any_octet_of_a_cache(self) -> None:
        for pdu in DATA:
            for place, octet, octets in changed(pdu):
                if place < HEADER or octet in TELLING:
                    self.judge(self.router(BEGINNING + octets + END), place, octet, octets)
        for whole, first in ((BEGINNING + END, 0), (BEGINNING + END, HEADER)):
            for place, octet, octets in changed(whole):
                if first <= place < (HEADER if not first else len(whole)):
                    self.judge(self.router(octets), place - first, octet, octets)

    def judge(self, heard: Heard, place: int, octet: int, octets: bytes) -> None:
        """At most one report, and one that fits; if it is an offer of another version, the session may go on."""
        told = f"{octet:02x} at {place} in {octets.hex()}: {heard.reports}"
        self.assertLessEqual(len(heard.reports), 1, told)
        self.assertLessEqual(set(heard.reports), FIELDS.get(place, BODY), told)
        self.assertTrue(heard.closed or heard.reports in ([], [VERSION]), told)


def changed(octets: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Each octet, and each other value that it could have."""
    for place, right in enumerate(octets):
        for octet in range(256):
            if octet != right:
                yield place, octet, octets[:place] + bytes((octet,)) + octets[place + 1 :]
