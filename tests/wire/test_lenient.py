from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rotoro.wire import Decoder, Pdu, encode
from rotoro.wire.errors import CorruptData
from rotoro.wire.lenient import STRICT, Leniency, OldAspa
from rotoro.wire.pdu import ROTORO
from rotoro.wire.rtr import Aspa, CacheReset

ANNOUNCED = bytes.fromhex("020b0000 00000018 01 01 0002 0000fbf0 0000fbf1 0000fbf2")
WITHDRAWN = bytes.fromhex("020b0000 00000010 00 00 0000 0000fbf0")
NAMES_PROVIDERS = bytes.fromhex("020b0000 00000014 0000fbf0 0000fbf1 0000fbf2")
OLD, TOLERANT = Leniency(old_aspa=True), Leniency(tolerant=True)


def read(octets: bytes, lenient: Leniency) -> list[Pdu]:
    decoder = Decoder(lenient)
    decoder.receive(octets)
    return [pdu for _, pdu in decoder.items()]


class OldAspaTests(SynchronousTestCase):
    def test_the_strict_say_what_it_is(self) -> None:
        """R-AS-08."""
        for octets in (ANNOUNCED, WITHDRAWN):
            error = self.assertRaises(CorruptData, read, octets, STRICT)
            self.assertIn("up to 10", str(error))
            self.assertEqual(error.offending, octets)

    def test_who_wants_to_reads_it(self) -> None:
        octets = ANNOUNCED + WITHDRAWN + encode(CacheReset(), 2)
        self.assertEqual(
            read(octets, OLD),
            [
                OldAspa(ANNOUNCED, True, 1, 0xFBF0, (0xFBF1, 0xFBF2)),
                OldAspa(WITHDRAWN, False, 0, 0xFBF0, ()),
                CacheReset(),
            ],
        )

    def test_announced_without_a_provider(self) -> None:
        self.assertRaises(CorruptData, read, WITHDRAWN[:8] + b"\x01" + WITHDRAWN[9:], OLD)

    @given(st.sampled_from([2, ROTORO]), st.booleans(), st.lists(st.integers(0, 0xFFFFFFFF), unique=True, max_size=20))
    def test_the_new_layout_is_never_taken_for_it(self, version: int, announced: bool, found: list[int]) -> None:
        providers = tuple(sorted({*found, 1} - {0})) if announced else ()
        pdu = Aspa(int(announced), 3, providers)
        for lenient in (STRICT, OLD, TOLERANT, Leniency(True, True)):
            self.assertEqual(read(encode(pdu, version), lenient), [pdu])


class TolerantTests(SynchronousTestCase):
    def test_withdrawals_that_name_providers(self) -> None:
        """R-AS-06, for those who are told to bear it."""
        self.assertRaises(CorruptData, read, NAMES_PROVIDERS, STRICT)
        self.assertRaises(CorruptData, read, NAMES_PROVIDERS, OLD)
        self.assertEqual(read(NAMES_PROVIDERS, TOLERANT), [Aspa(0, 0xFBF0, ())])

    def test_not_in_rotoro(self) -> None:
        self.assertRaises(CorruptData, read, bytes([ROTORO]) + NAMES_PROVIDERS[1:], TOLERANT)
