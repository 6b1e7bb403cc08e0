from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table.encoded import Encoded, Shelf
from tests.table.worlds import patient

KIB = 1024


class EncodedTests(SynchronousTestCase):
    @patient
    @given(
        st.lists(st.sampled_from((0, 1, 100 * KIB, 255 * KIB, 256 * KIB, KIB**2, KIB**2 + 1, 3 * KIB**2)), max_size=8)
    )
    def test_chunks(self, sizes: list[int]) -> None:
        pieces = [bytes([number]) * size for number, size in enumerate(sizes)]
        encoded = Encoded.of(iter(pieces))
        self.assertEqual(b"".join(encoded.chunks), b"".join(pieces))
        self.assertEqual(encoded.length, sum(sizes))
        lengths = [len(chunk) for chunk in encoded.chunks]
        self.assertTrue(all(0 < length <= KIB**2 for length in lengths), lengths)

    def test_a_good_piece_is_not_copied(self) -> None:
        piece = bytes(300 * KIB)
        self.assertIs(Encoded.of([piece]).chunks[0], piece)

    def test_small_pieces_go_together(self) -> None:
        self.assertEqual(Encoded.of([b"a"] * 1000).chunks, (b"a" * 1000,))
        self.assertEqual(Encoded.of([]), Encoded((), 0))


class ShelfTests(SynchronousTestCase):
    def test_what_was_not_asked_for_goes_first(self) -> None:
        shelf: Shelf[str, int] = Shelf(10)
        for name in "abc":
            shelf.put(name, ord(name), 3)
        self.assertEqual(shelf.get("a"), ord("a"))
        shelf.put("d", 0, 4)
        self.assertEqual([shelf.get(name) for name in "abcd"], [97, None, 99, 0])
        self.assertEqual(len(shelf), 3)

    def test_too_heavy_alone(self) -> None:
        shelf: Shelf[str, int] = Shelf(10)
        shelf.put("a", 1, 10)
        shelf.put("b", 2, 11)
        self.assertEqual([shelf.get("a"), shelf.get("b")], [1, None])

    def test_replaced_by_weight(self) -> None:
        shelf: Shelf[str, int] = Shelf(10)
        shelf.put("a", 1, 9)
        shelf.put("a", 2, 5)
        shelf.put("b", 3, 5)
        self.assertEqual([shelf.get("a"), shelf.get("b")], [2, 3])

    def test_clear(self) -> None:
        shelf: Shelf[str, int] = Shelf(10)
        shelf.put("a", 1, 10)
        shelf.clear()
        shelf.put("b", 2, 10)
        self.assertEqual([shelf.get("a"), shelf.get("b")], [None, 2])
