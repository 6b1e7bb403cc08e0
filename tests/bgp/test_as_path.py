from __future__ import annotations

import struct

from rotonda.bgp import as_path
from rotonda.bgp.as_path import AS_CONFED_SEQUENCE, AS_CONFED_SET, AS_SEQUENCE, AS_SET, AS_TRANS, AsPath
from rotonda.bgp.errors import Malformed
from twisted.trial.unittest import SynchronousTestCase


def sequence(*numbers: int) -> AsPath:
    return ((AS_SEQUENCE, numbers),)


class AsPathTests(SynchronousTestCase):
    def test_both_widths_are_read_and_four_octets_written(self) -> None:
        path: AsPath = ((AS_CONFED_SEQUENCE, (1,)), (AS_SEQUENCE, (2, 3)), (AS_SET, (4,)), (AS_CONFED_SET, (5, 6)))
        narrow = b"".join(struct.pack(f">BB{len(numbers)}H", kind, len(numbers), *numbers) for kind, numbers in path)
        self.assertEqual(as_path.read(narrow, 2), path)
        self.assertEqual(as_path.read(as_path.written(path), 4), path)
        self.assertEqual(as_path.text(path), "(1) 2 3 {4} [5,6]")
        self.assertEqual(as_path.read(b"", 4), ())

    def test_segments_that_cannot_be_are_malformed(self) -> None:
        for octets in (b"\2", b"\2\0", b"\0\1\0\1", b"\5\1\0\1", b"\2\2\0\1", b"\2\1\0\1\2"):
            with self.subTest(octets.hex()):
                self.assertRaises(Malformed, as_path.read, octets, 2)

    def test_only_a_sequence_at_the_end_has_an_origin(self) -> None:
        for path, origin in (
            (sequence(1, 2), 2),
            ((*sequence(1), (AS_SET, (2,))), None),
            (((AS_CONFED_SEQUENCE, (2,)),), None),
            ((), None),
        ):
            self.assertEqual(as_path.origin(path), origin)

    def test_the_new_path_replaces_as_many_hops(self) -> None:
        """RFC 6793 §4.2.3."""
        big = 4_200_000_000
        confederation: AsPath = ((AS_CONFED_SEQUENCE, (9,)),)
        for name, old, new, merged in (
            ("all of it", sequence(AS_TRANS, 2), sequence(big, 2), sequence(big, 2)),
            ("the end", sequence(1, AS_TRANS, 3), sequence(big, 3), sequence(1, big, 3)),
            ("longer: it is ignored", sequence(AS_TRANS), sequence(1, big), sequence(AS_TRANS)),
            (
                "a set counts once",
                (*sequence(1, 2), (AS_SET, (3, AS_TRANS))),
                ((AS_SET, (3, big)),),
                (*sequence(1, 2), (AS_SET, (3, big))),
            ),
            (
                "a leading confederation stays",
                confederation + sequence(AS_TRANS),
                sequence(big),
                confederation + sequence(big),
            ),
            (
                "a confederation in the new path does not count",
                sequence(1, AS_TRANS),
                confederation + sequence(big),
                sequence(1, big),
            ),
        ):
            with self.subTest(name):
                self.assertEqual(as_path.merged(old, new), merged)

    def test_a_segment_does_not_grow_beyond_what_can_be_written(self) -> None:
        old, new = sequence(*range(1, 251), *[AS_TRANS] * 100), sequence(*[70000] * 100)
        self.assertEqual([len(numbers) for _, numbers in as_path.merged(old, new)], [250, 100])
