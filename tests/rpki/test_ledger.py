"""The account of what was not used."""

from __future__ import annotations

from rotonda.rpki.ledger import PROBLEMS_KEPT, Ledger, Place, excerpt
from rotonda.rpki.records import MAX_PROVIDERS
from twisted.trial.unittest import SynchronousTestCase


class LedgerTests(SynchronousTestCase):
    def test_a_flood_of_problems_is_counted_but_not_kept(self) -> None:
        ledger = Ledger("flood", 0.0, False)
        for number in range(PROBLEMS_KEPT + 50):
            ledger.refuse(Place(f"roas[{number}]", b"null"), "nothing")
        export = ledger.close("a test")
        self.assertEqual((len(export.problems), export.problem_count), (PROBLEMS_KEPT, PROBLEMS_KEPT + 50))
        self.assertEqual(str(export.problems[7]), "flood: roas[7]: nothing: null")

    def test_many_that_fail_leave_no_trace(self) -> None:
        ledger = Ledger("half", 10.0, False)
        self.assertRaises(
            ValueError, ledger.add_vrps, [1, 2, 3], ["192.0.2.0/24"] * 2 + ["x"], [24] * 3, [1.0, None, None]
        )
        export = ledger.close("a test")
        self.assertEqual((len(export.vrps4), export.expired, export.problem_count), (0, 0, 0))

    def test_a_list_of_providers_must_fit_into_one_pdu_also_when_it_came_in_parts(self) -> None:
        ledger, place = Ledger("aspas", 0.0, False), Place("aspas[0]", b"{}")
        ledger.add_aspa(place, 1, range(10, MAX_PROVIDERS + 10))
        ledger.add_aspa(place, 2, range(10, MAX_PROVIDERS + 10))
        ledger.add_aspa(place, 1, [2])
        ledger.add_aspa(place, 1, [10])
        export = ledger.close("a test")
        self.assertEqual({customer: len(octets) for customer, octets in export.aspas.items()}, {2: 4 * MAX_PROVIDERS})
        self.assertEqual(export.problem_count, 2)

    def test_as0_stands_alone(self) -> None:
        ledger, place = Ledger("aspas", 0.0, False), Place("aspas[0]", b"{}")
        for customer, providers in ((1, [0]), (1, [7]), (2, [7]), (2, [0]), (3, [0]), (3, [0])):
            ledger.add_aspa(place, customer, providers)
        self.assertEqual(ledger.close("a test").problem_count, 0)
        ledger.add_aspa(place, 4, [0, 7])
        export = ledger.close("a test")
        self.assertEqual(export.aspas, {1: b"\0\0\0\7", 2: b"\0\0\0\7", 3: bytes(4), 4: b"\0\0\0\7"})
        self.assertEqual(export.problem_count, 1)


class ExcerptTests(SynchronousTestCase):
    def test_an_excerpt_is_short_and_harmless(self) -> None:
        table = (
            (b"", ""), (b"a\n\t\tb", "a b"), (b"\x1b[2J\xe2\x80\xae", r"\x1b[2J\xe2\x80\xae"), (b"x" * 120, "x" * 120),
            (b"x" * 121, "x" * 120 + "..."), (b" " * 1_000_000, "..."),
        )  # fmt: skip
        for octets, shown in table:
            with self.subTest(octets=octets[:20]):
                self.assertEqual(excerpt(octets), shown)
                self.assertEqual(excerpt(memoryview(octets)), shown)
