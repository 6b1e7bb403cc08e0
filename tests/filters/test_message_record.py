"""Raw messages as filters see them: every field, all variants, and real sessions."""

from __future__ import annotations

import gzip
import random
import struct

from hypothesis import given
from hypothesis import strategies as st
from rotonda.bgp.bmp import BmpReader
from rotonda.bgp.messages import Framing
from rotonda.bgp.peers import Peer
from rotonda.bgp.raw import Protocol, RawMessage
from rotonda.bgp.update import RouteBatch
from rotonda.blocks.types import BMP_MESSAGE, RAW_BGP_MESSAGE, FieldOf
from rotonda.blocks.values import Address, Constant, Prefix
from rotonda.filters.interpret import Interpreter, frozen
from rotonda.filters.message_record import BgpRecord, BmpRecord
from rotonda.filters.world import Record, SmallWorld
from twisted.trial.unittest import SynchronousTestCase

from interop.traffic import bmp as made
from tests.blocks.filters import lowered
from tests.data import shared

SPEAKER = Peer(bytes((192, 0, 2, 10)), 64_500, 0xC000_020A)
PEER = made.Peer(distinguisher=7)
SIX = made.Peer(bytes.fromhex("20010db8000000000000000000000001"))


def bgp(octets: bytes, peer: Peer | None = SPEAKER, four_octet: bool = True) -> BgpRecord:
    return BgpRecord(RawMessage(Protocol.BGP, octets, peer, 100, four_octet))


def bmp(octets: bytes, four_octet: bool = True) -> BmpRecord:
    return BmpRecord(RawMessage(Protocol.BMP, octets, SPEAKER, 100, four_octet))


def everything(record: Record, fields: tuple[FieldOf, ...]) -> None:
    """Ask all fields, also those of records within."""
    for field in fields:
        value = record.get(field.name)
        if value is not None:
            frozen(field.type, value)


class BgpTests(SynchronousTestCase):
    def test_fields_of_an_update(self) -> None:
        octets = made.update(made.prefix(1), made.prefix(2), extra=b"\x80\4\4\0\0\0\x32\xc0\x08\4\0\1\0\2")
        record = bgp(octets)
        nlris = record.get("nlris")
        found = {name: record.get(name) for name in ("kind", "length", "received", "med", "communities", "origin_asn")}
        self.assertEqual(found, {
            "kind": "UPDATE", "length": len(octets), "received": 100_000_000, "med": 50, "communities": (65538,),
            "origin_asn": 64_501,
        })  # fmt: skip
        self.assertEqual(
            (record.get("peer_asn"), record.get("peer_address"), record.get("router_id")),
            (64_500, Address.parse("192.0.2.10"), Address.parse("192.0.2.10")),
        )
        self.assertEqual(record.get("next_hop"), Address.parse("192.0.2.10"))
        self.assertEqual((nlris.get("afi"), nlris.get("safi")), (Constant("Afi", "IPV4"), Constant("Safi", "UNICAST")))
        self.assertEqual(nlris.get("prefixes"), (Prefix.parse("1.0.1.0/24"),))
        self.assertEqual(nlris.get("withdrawn"), (Prefix.parse("1.0.2.0/24"),))
        self.assertIsNone(nlris.get("nothing"))

    def test_ipv6(self) -> None:
        record = bgp(made.update6(bytes.fromhex("20010db8")))
        self.assertEqual(record.get("nlris").get("prefixes"), (Prefix.parse("2001:db8::/32"),))
        self.assertEqual(record.get("nlris").get("afi"), Constant("Afi", "IPV6"))
        self.assertEqual(record.get("next_hop"), Address(bytes.fromhex("20010db8").ljust(16, b"\1")))

    def test_withdrawn_ipv6(self) -> None:
        value = bytes((0, 2, 1, 32)) + bytes.fromhex("20010db8")
        attribute = bytes((0x80, 15, len(value))) + value
        record = bgp(made.bgp_message(2, bytes(2) + struct.pack(">H", len(attribute)) + attribute))
        nlris = record.get("nlris")
        self.assertEqual((nlris.get("prefixes"), nlris.get("withdrawn")), ((), (Prefix.parse("2001:db8::/32"),)))
        self.assertEqual(nlris.get("afi"), Constant("Afi", "IPV6"))

    def test_other_families(self) -> None:
        value = bytes((0, 25, 70, 4, 192, 0, 2, 1, 0, 99))
        own = made.attributes((1, 2), b"") + bytes((0x80, 14, len(value))) + value
        record = bgp(made.bgp_message(2, bytes(2) + struct.pack(">H", len(own)) + own))
        nlris = record.get("nlris")
        self.assertEqual((nlris.get("afi"), nlris.get("safi")), (Constant("Afi", "OTHER"), Constant("Safi", "OTHER")))
        self.assertEqual(nlris.get("prefixes"), ())
        self.assertEqual(record.get("as_path"), ((2, (1, 2)),))

    def test_numbers_of_two_octets(self) -> None:
        own = b"\x40\1\1\0\x40\2\6\2\2\0\1\0\2" + b"\x40\3\4\xc0\0\2\1"
        octets = made.bgp_message(2, bytes(2) + struct.pack(">H", len(own)) + own + made.prefix(1))
        self.assertEqual(bgp(octets, four_octet=False).get("as_path"), ((2, (1, 2)),))
        self.assertIsNone(bgp(octets).get("origin"))

    def test_other_messages(self) -> None:
        for octets, kind in ((made.bgp_message(4, b""), "KEEPALIVE"), (made.open_message(5), "OPEN")):
            record = bgp(octets, None)
            self.assertEqual(record.get("kind"), kind)
            self.assertEqual([None] * 4, [record.get(name) for name in ("nlris", "as_path", "peer_asn", "router_id")])
        self.assertIsNone(bgp(made.bgp_message(77, b"")).get("kind"))

    @given(st.binary(max_size=80), st.booleans())
    def test_no_octets_raise(self, body: bytes, framed: bool) -> None:
        octets = made.bgp_message(2, body) if framed else body
        everything(bgp(octets), RAW_BGP_MESSAGE.fields)

    def test_a_real_session(self) -> None:
        octets = gzip.decompress(shared("bgp-stream/gobgp-4.8-jinx2014.bgp.raw.gz").read_bytes())
        prefixes = messages = 0
        for _, message in Framing().receive(octets[: 4 << 20]):
            record = bgp(message)
            if record.get("kind") == "UPDATE":
                messages += 1
                prefixes += len(record.get("nlris").get("prefixes"))
                if record.get("nlris").get("prefixes"):
                    self.assertIsNotNone(record.get("origin"))
        self.assertGreater(messages, 10_000)
        self.assertGreater(prefixes, messages)


class BmpTests(SynchronousTestCase):
    def test_variants(self) -> None:
        for octets, variant in (
            (made.initiation(), "InitiationMessage"), (made.termination(), "TerminationMessage"),
            (made.peer_up(PEER), "PeerUpNotification"), (made.peer_down(PEER), "PeerDownNotification"),
            (made.statistics(PEER, _7=1), "StatisticsReport"), (made.mirroring(PEER, b""), "RouteMirroring"),
            (made.monitoring(PEER, made.update(made.prefix(1))), "RouteMonitoring"), (made.message(99), ""), (b"", ""),
        ):  # fmt: skip
            self.assertEqual(bmp(octets).variant, variant)

    def test_the_header(self) -> None:
        header = bmp(made.monitoring(PEER, made.end_of_rib(), 50)).get("per_peer_header")
        names = ("asn", "address", "is_ipv6", "bgp_id", "distinguisher", "rib", "timestamp")
        found = {name: header.get(name) for name in names}
        self.assertEqual(found, {
            "asn": 64_500, "address": Address.parse("192.0.2.10"), "is_ipv6": False,
            "bgp_id": Address.parse("192.0.2.10"), "distinguisher": 7, "rib": Constant("RibView", "ADJ_RIB_IN_PRE"),
            "timestamp": 50_000_000,
        })  # fmt: skip
        self.assertTrue(bmp(made.peer_down(SIX)).get("per_peer_header").get("is_ipv6"))
        self.assertIsNone(header.get("nothing"))
        self.assertIsNone(bmp(made.initiation()).get("per_peer_header"))

    def test_what_variants_hold(self) -> None:
        self.assertEqual(bmp(made.peer_down(PEER, 3)).get("reason"), 3)
        self.assertEqual(bmp(made.peer_up(PEER)).get("local_address"), Address.parse("192.0.2.1"))
        record = bmp(made.monitoring(PEER, made.update(made.prefix(1))))
        self.assertEqual(record.get("nlris").get("prefixes"), (Prefix.parse("1.0.1.0/24"),))
        self.assertEqual(record.get("origin_asn"), 64_501)
        self.assertIsNone(bmp(made.peer_down(PEER)).get("origin_asn"))

    def test_spoilt_messages_never_raise(self) -> None:
        for traffic in made.spoilt(3, 60):
            for at in random.Random(traffic.what).choices(range(len(traffic.octets) + 1), k=20):
                record = bmp(traffic.octets[at : at + 300])
                for variant in BMP_MESSAGE.variants:
                    everything(record, variant.type.fields)

    def test_a_real_session_has_the_same_prefixes_as_tables(self) -> None:
        announced: list[Prefix] = []

        def accepts(message: RawMessage) -> bool:
            record = BmpRecord(message)
            if record.variant == "RouteMonitoring":
                announced.extend(record.get("nlris").get("prefixes"))
            return True

        reader = BmpReader(accepts)
        found = list(reader.receive(shared("recordings/bmp-frr10.raw").read_bytes(), 100)) + list(reader.finish())
        tables = sorted(
            Prefix(key.ljust(width, b"\0")[: width - 5], key.ljust(width, b"\0")[width - 5])
            for batch in found
            if isinstance(batch, RouteBatch)
            for width in [batch.keys.dtype.itemsize]
            for key in batch.keys[batch.announce].tolist()
        )
        self.assertGreater(len(tables), 1000)
        self.assertEqual(sorted(announced), tables)


class FilterTests(SynchronousTestCase):
    def _accepts(self, text: str, record: Record) -> bool:
        return Interpreter(lowered(text), {}, SmallWorld()).run(record).accepted

    def test_unicast_only(self) -> None:
        text = (
            "filter unicast: PureFilter { define { rx m: RawBgpMessage; }"
            " term known { match { m.nlris.afi in [IPV4, IPV6]; m.nlris.safi == UNICAST; } }"
            " apply { filter match known matching { accept; }; reject; } }"
        )
        self.assertTrue(self._accepts(text, bgp(made.update(made.prefix(1)))))
        self.assertTrue(self._accepts(text.replace("RawBgp", "BgpUpdate"), bgp(made.update6(b"\x20\1"))))
        self.assertFalse(self._accepts(text, bgp(made.bgp_message(4, b""))))

    def test_variants(self) -> None:
        text = """filter test { define { rx m: BmpMessage; }
            term ours { match m with {
                PeerDownNotification(down) -> { down.reason == 3; down.per_peer_header.asn == AS64500; },
                RouteMonitoring(routes) -> routes.as_path.contains(AS64501),
                _ -> true
            } }
            apply { filter match ours matching { accept; }; reject; } }"""
        self.assertTrue(self._accepts(text, bmp(made.peer_down(PEER, 3))))
        self.assertFalse(self._accepts(text, bmp(made.peer_down(PEER, 4))))
        self.assertTrue(self._accepts(text, bmp(made.monitoring(PEER, made.update(made.prefix(1))))))
        self.assertFalse(self._accepts(text, bmp(made.monitoring(PEER, made.update(made.prefix(1), path=(1,))))))
        self.assertTrue(self._accepts(text, bmp(made.initiation())))
        unlisted = text.replace(",\n                _ -> true", "")
        self.assertFalse(self._accepts(unlisted, bmp(made.initiation())))

    def test_variants_in_apply(self) -> None:
        text = """filter test { define { rx m: BmpMessage; }
            apply {
                match m with {
                    PeerDownNotification(down) | down.reason == 3 -> { return reject; },
                    PeerDownNotification(down) -> { log.send({ reason: down.reason }); },
                    _ -> { log.send({ other: true }); return reject; }
                }
                accept;
            } }"""
        interpreter = Interpreter(lowered(text), {}, SmallWorld())
        for octets, accepted, sent in (
            (made.peer_down(PEER, 3), False, []),
            (made.peer_down(PEER, 4), True, [("reason", 4)]),
            (made.initiation(), False, [("other", True)]),
        ):
            decision = interpreter.run(bmp(octets))
            self.assertEqual((decision.accepted, [one.record.fields[0] for one in decision.sent]), (accepted, sent))
