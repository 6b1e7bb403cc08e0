from __future__ import annotations

from rotonda.bgp.as_path import AS_SEQUENCE, AS_SET
from rotonda.bgp.attributes import Attributes, decoded, parsed, written
from rotonda.bgp.errors import Malformed
from twisted.trial.unittest import SynchronousTestCase

from tests.bgp.archives import HOP6, NEXT_HOP, ORIGIN, PATH4, SET4

LINK_LOCAL = bytes.fromhex("fe800000000000000000000000000001")


class DecodedTests(SynchronousTestCase):
    def test_every_attribute_that_is_known(self) -> None:
        octets = b"".join(
            bytes.fromhex(attribute)
            for attribute in (
                "40010102",
                "4002100201fa56ea0001020000000100000002",
                "400304c0000201",
                "80040400000005",
                "40050400000064",
                "400600",
                "c00708fa56ea00c0000209",
                "c00808ffffff01fbf40007",
                "800904c0000202",
                "800a08c0000203c0000204",
                "c010280002fbf4000000074103c000020100080202fa56ea0000094300000000000001030c000000000008",
                "c0200cfa56ea0000000001ffffffff",
                "c023040000fbf4",
                "c0ff02cafe",
            )
        )
        self.assertEqual(
            decoded(octets),
            Attributes(
                origin="INCOMPLETE",
                as_path=((AS_SEQUENCE, (4_200_000_000,)), (AS_SET, (1, 2))),
                next_hop="192.0.2.1",
                med=5,
                local_pref=100,
                atomic_aggregate=True,
                aggregator=(4_200_000_000, "192.0.2.9"),
                communities=((65535, 65281), (64500, 7)),
                originator_id="192.0.2.2",
                cluster_list=("192.0.2.3", "192.0.2.4"),
                extended_communities=(
                    "rt:64500:7",
                    "soo:192.0.2.1:8",
                    "rt:4200000000:9",
                    "0x4300000000000001",
                    "0x030c000000000008",
                ),
                large_communities=((4_200_000_000, 1, 4_294_967_295),),
                only_to_customer=64500,
                unknown={255: "cafe"},
            ),
        )
        self.assertIsNone(decoded(octets).origin_as)
        self.assertEqual(decoded(SET4).origin_as, 64501)

    def test_next_hops_of_ipv6(self) -> None:
        for hops, expected in (
            (HOP6, ("2001:db8::1", None)),
            (HOP6 + LINK_LOCAL, ("2001:db8::1", "fe80::1")),
            (NEXT_HOP[3:], ("192.0.2.1", None)),
        ):
            told = decoded(bytes((0x80, 14, 5 + len(hops), 0, 2, 1, len(hops))) + hops + b"\0")
            self.assertEqual((told.next_hop, told.link_local_next_hop), expected)

    def test_what_cannot_be_read_is_handed_on(self) -> None:
        for octets in ("40010103", "4002020201", "400601aa", "c0070400000001", "800e0100", "80040100", "c0080300aabb"):
            with self.subTest(octets):
                kind, value = bytes.fromhex(octets)[1], octets[6:]
                self.assertEqual(decoded(bytes.fromhex(octets)), Attributes(unknown={kind: value}))

    def test_framing_is_kept(self) -> None:
        attributes = {1: (0x40, b"\0"), 8: (0xC0, bytes(300))}
        self.assertEqual(parsed(written(attributes)), {1: (0x40, b"\0"), 8: (0xD0, bytes(300))})
        self.assertRaises(Malformed, decoded, ORIGIN + PATH4[:-1])
