"""Routes as filters see them: every field that is declared, on real sets and on broken ones."""

from __future__ import annotations

import random
from ipaddress import ip_address

from rotonda.bgp.attributes import Attributes, decoded
from rotonda.bgp.errors import Malformed
from rotonda.bgp.mrt import MrtReader
from rotonda.blocks.types import ROUTE, RecordType
from rotonda.blocks.values import Address, Constant, LargeCommunity, Prefix
from rotonda.filters.edits import Remove
from rotonda.filters.interpret import frozen
from rotonda.filters.route_record import ATTRIBUTE_FIELDS, AttributesView, RouteRecord
from rotonda.units.files import decompressed
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table.ingress import Ingress, IngressKind
from tests.data import shared
from tests.filters.records import BARE, PATH, PEER, route
from tests.filters.sets import some_set

EXPECTED = {
    "prefix": Prefix.parse("198.51.100.0/24"),
    "path_id": 7,
    "peer_id": PEER.digest,
    "peer_asn": 64497,
    "peer_address": Address.parse("192.0.2.9"),
    "peer_name": "edge-1",
    "router_id": Address.parse("10.0.0.1"),
    "rib": Constant("RibView", "ADJ_RIB_IN_POST"),
    "received": 1_700_000_000_000_000,
    "status": Constant("Status", "ACTIVE"),
    "origin": Constant("Origin", "EGP"),
    "as_path": PATH,
    "origin_asn": 64496,
    "next_hop": Address.parse("192.0.2.1"),
    "med": 50,
    "local_pref": 100,
    "atomic_aggregate": True,
    "aggregator_asn": 64496,
    "communities": (64496 << 16 | 1, 64496 << 16 | 2),
    "extended_communities": (0x0002_FBF0_0000_0001,),
    "large_communities": (LargeCommunity(64496, 1, 2),),
    "originator_id": Address.parse("192.0.2.3"),
    "only_to_customer": 64497,
}


class RouteRecordTests(SynchronousTestCase):
    def test_every_field(self) -> None:
        self.assertEqual([field.name for field in ROUTE.fields], list(EXPECTED))
        self.assertEqual({name: route().get(name) for name in EXPECTED}, EXPECTED)
        self.assertIsNone(route().get("nothing"))

    def test_only_optional_fields_are_ever_missing(self) -> None:
        bare = route(BARE, ingress=Ingress(1, IngressKind.FILE))
        missing = {name for name in EXPECTED if bare.get(name) is None}
        self.assertEqual(missing, {field.name for field in ROUTE.fields if field.optional})

    def test_keys_without_zeros_at_their_end(self) -> None:
        """Arrays of octets give them so."""
        record = RouteRecord(4, b"\x0a\0\0\0\x08", PEER, b"")
        self.assertEqual((record.prefix, record.get("path_id")), (Prefix.parse("10.0.0.0/8"), 0))
        self.assertEqual(RouteRecord(4, b"", PEER, b"").prefix, Prefix.parse("0.0.0.0/0"))

    def test_edits_are_kept(self) -> None:
        changed = route().edited([Remove(4)]).edited([Remove(5)])
        self.assertEqual(changed.edits, (Remove(4), Remove(5)))
        self.assertIsNone(changed.get("med"))
        self.assertRaises(ValueError, RouteRecord(4, b"", PEER, b"\1").edited, [Remove(4)])

    def test_frozen(self) -> None:
        kept = frozen(ROUTE, route())
        self.assertEqual(dict(kept.fields), EXPECTED)
        self.assertIs(frozen(ROUTE, kept), kept)


class SetTests(SynchronousTestCase):
    def _check(self, octets: bytes) -> None:
        view = AttributesView(octets)
        try:
            expected = decoded(octets)
        except Malformed:
            expected = Attributes()
        self.assertEqual(view.get("as_path"), expected.as_path)
        self.assertEqual(view.get("origin_asn"), expected.origin_as)
        self.assertEqual(view.get("med"), expected.med)
        self.assertEqual(len(view.get("extended_communities")), len(expected.extended_communities))
        self.assertEqual(len(view.get("communities")), len(expected.communities))
        hop = view.get("next_hop")
        wanted = None if expected.next_hop is None else ip_address(expected.next_hop).packed
        self.assertEqual(None if hop is None else hop.octets, wanted)
        fields = tuple(field for field in ROUTE.fields if field.name in ATTRIBUTE_FIELDS)
        self.assertEqual(len(fields), len(frozen(RecordType("Attributes", fields), view).fields))

    def test_sets_of_all_kinds(self) -> None:
        chance = random.Random(5)
        for _ in range(2000):
            self._check(some_set(chance))

    def test_real_sets(self) -> None:
        reader = MrtReader("test")
        for piece in decompressed(shared("mrt-updates/ris.updates.20190101.0000.gz")):
            list(reader.receive(piece))
        self.assertGreater(len(reader.sets), 1000)
        for octets in reader.sets[::20]:
            self._check(octets)
