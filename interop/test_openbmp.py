"""Our OpenBMP as others read it: recorded sessions, framed by us, through bgpkit-parser."""

from __future__ import annotations

import gzip
from collections import Counter

from rotonda.bgp.bmp import BmpReader, HandedOn, HandOn
from rotonda.bgp.openbmp import Framing, messages
from twisted.trial.unittest import SynchronousTestCase

from interop.peers import bgpkit
from interop.peers.base import require
from interop.peers.processes import PeerFailed
from tests.data import shared

RECORDED = (
    "bmp/recorded/frr-8.4.4-nosoftreconfig-5k.bmp.raw.gz",
    "bmp/recorded/gobgp-4.8-prepolicy-jinx2014.bmp.raw.gz",
)
ROUTERS = {"192.0.2.1": bytes((192, 0, 2, 1)), "2001:db8::1": bytes.fromhex("20010db8000000000000000000000001")}
KINDS = (
    "RouteMonitoring", "StatisticsReport", "PeerDownNotification", "PeerUpNotification", "InitiationMessage",
    "TerminationMessage", "RouteMirroringMessage",
)  # fmt: skip
"""By the types of BMP (RFC 7854 section 10.1), as bgpkit-parser calls them."""
NOW = 1_700_000_000.25


def recorded(name: str) -> list[bytes]:
    """The BMP messages of a session, as our connector hands them on."""
    reader = BmpReader(hand_on=HandOn.ALL)
    handed = reader.receive(gzip.decompress(shared(name).read_bytes()), 0)
    return [message for each in handed if isinstance(each, HandedOn) for message in messages(each)]


class BgpkitTests(SynchronousTestCase):
    def setUp(self) -> None:
        require(bgpkit.BGPKIT, self)

    def test_recorded_sessions(self) -> None:
        for name in RECORDED:
            said = recorded(name)
            self.assertGreater(len(said), 1000)
            for text, address in ROUTERS.items():
                framing = Framing("here", address)
                framed = [framing.framed(message, NOW) for message in said]
                read = bgpkit.read_openbmp(framed)
                self.assertEqual(
                    Counter(each.kind for each in read), Counter(KINDS[message[5]] for message in said), name
                )
                self.assertEqual([each.octets for each in read], [len(message) for message in said])
                self.assertEqual([each.message_octets for each in read], [len(message) for message in said])
                self.assertEqual(
                    [each.header_octets + each.message_octets for each in read], [len(octets) for octets in framed]
                )
                about = {(each.version, each.object_type, each.collector, each.router, each.group) for each in read}
                self.assertEqual(about, {("1.7", 12, "here", text, "")})
                self.assertEqual({each.timestamp for each in read}, {NOW})

    def test_it_would_not_read_anything(self) -> None:
        message = recorded(RECORDED[0])[0]
        framed = Framing("c", ROUTERS["192.0.2.1"]).framed(message, NOW)
        self.assertEqual(len(bgpkit.read_openbmp([framed])), 1)
        for broken in (framed[:-1], b"X" + framed[1:], framed[:5] + b"\x08" + framed[6:]):
            with self.assertRaises(PeerFailed):
                bgpkit.read_openbmp([broken])
