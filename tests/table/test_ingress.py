from dataclasses import replace
from hashlib import blake2b
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rotoro.table.ingress import NO_PARENT, Ingress, IngressKind, IngressState, RibView

INGRESS = Ingress(
    number=7,
    kind=IngressKind.BMP,
    address=b"\xc0\0\2\1",
    asn=64496,
    bgp_id=0xC0000201,
    distinguisher=1,
    view=RibView.LOC_RIB,
    parent=3,
    name="münchen",
)


class IngressTests(SynchronousTestCase):
    def test_identity(self) -> None:
        expected = "02 02 0000fbf0 c0000201 0000000000000001 04 c0000201 0008 6dc3bc6e6368656e"
        self.assertEqual(INGRESS.identity, bytes.fromhex(expected))

    def test_digest(self) -> None:
        octets = blake2b(INGRESS.identity, digest_size=8).digest()
        self.assertEqual(INGRESS.digest, int.from_bytes(octets, "big"))

    def test_number_parent_and_state_are_not_identity(self) -> None:
        same = replace(INGRESS, number=8, parent=NO_PARENT, state=IngressState.DOWN)
        self.assertEqual(same.digest, INGRESS.digest)
        self.assertNotEqual(same, INGRESS)

    def test_everything_else_is(self) -> None:
        others: dict[str, Any] = {
            "kind": IngressKind.MRT,
            "address": bytes(16),
            "asn": 64497,
            "bgp_id": 0,
            "distinguisher": 2,
            "view": RibView.ADJ_RIB_OUT_POST,
            "name": "",
        }
        for name, value in others.items():
            with self.subTest(name):
                self.assertNotEqual(replace(INGRESS, **{name: value}).digest, INGRESS.digest)

    def test_what_does_not_fit_is_named(self) -> None:
        wrong: dict[str, Any] = {
            "number": 2**32,
            "address": b"\1\2\3",
            "asn": -1,
            "bgp_id": 2**32,
            "distinguisher": 2**64,
            "parent": 2**32,
            "name": "x" * 0x10000,
        }
        for name, value in wrong.items():
            with self.subTest(name):
                refusal = self.assertRaises(ValueError, replace, INGRESS, **{name: value})
                self.assertIn(name, str(refusal))
