from __future__ import annotations

from rotonda.rib.display import FIELDS_OF_SETS, chosen, display
from twisted.trial.unittest import SynchronousTestCase

from tests.rib.tables import SETS, attribute_set


class DisplayTests(SynchronousTestCase):
    def test_a_set_is_flat(self) -> None:
        self.assertEqual(
            display(attribute_set(64496, ((64496, 1),), 5)),
            {
                "origin": "IGP",
                "origin_as": 64496,
                "as_path": "64500 64496",
                "next_hop": "192.0.2.1",
                "med": 5,
                "communities": ["64496:1"],
            },
        )

    def test_everything_there_is(self) -> None:
        octets = bytes.fromhex(
            "40010102" "40020602010000fbf0" "800404" "00000001" "40050400000064" "400600" "c00708" "0000fbf0c0000201"
            "c00804fbf00001" "800904c0000202" "800a04c0000203" "900e0025" "0002" "0120"
            "20010db8000000000000000000000001" "fe800000000000000000000000000001" "00"
            "c010080002fbf000000001" "c0200c" "0000fbf00000000100000002" "c023040000fbf0" "c0c801ff"
        )  # fmt: skip
        shown = display(octets)
        self.assertEqual(shown["aggregator"], {"asn": 64496, "address": "192.0.2.1"})
        self.assertEqual(shown["large_communities"], ["64496:1:2"])
        self.assertEqual(shown["extended_communities"], ["rt:64496:1"])
        self.assertEqual(shown["unknown"], {"200": "ff"})
        self.assertEqual(set(shown) | {"unreadable"}, set(FIELDS_OF_SETS))

    def test_what_cannot_be_read_is_shown_as_octets(self) -> None:
        self.assertEqual(display(b"\x40\x01\x05"), {"unreadable": "400105"})

    def test_fields_are_chosen(self) -> None:
        self.assertEqual(chosen(display(SETS[0]), {"med", "rov"}), {"med": 0})
