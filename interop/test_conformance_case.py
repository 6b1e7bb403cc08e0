"""What a case is, and what its verdict is made of."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from interop.conformance.case import INFO, MUST, SHOULD, Broken, Case, Inconclusive, Outcome, Verdict, case, demand
from interop.conformance.octets import Heard, aspa, error_report, pdu, prefix, router_key, split


class CaseTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.roll: dict[str, Case] = {}

    def made(self, act: object, needs: tuple[str, ...] = ()) -> Case:
        def asked(subject: object) -> str | None:
            """It is so."""
            if isinstance(act, Exception):
                raise act
            return act if isinstance(act, str) else None

        return case("C-VN-01", SHOULD, rfc8210="7", bis="7", needs=needs, roll=self.roll)(asked)

    def test_verdicts(self) -> None:
        for act, outcome in (
            (None, Outcome(Verdict.PASS)),
            ("slowly", Outcome(Verdict.LENIENT, "slowly")),
            (Broken("no"), Outcome(Verdict.FAIL, "no")),
            (Inconclusive("silence"), Outcome(Verdict.INCONCLUSIVE, "silence")),
        ):
            with self.subTest(act=act):
                self.roll.clear()
                self.assertEqual(self.made(act).judge(None), outcome)

    def test_who_is_not_able_is_not_asked(self) -> None:
        asked = self.made(Broken("asked"), needs=("clock", "luck"))
        self.assertEqual(asked.judge(None, {"luck"}), Outcome(Verdict.SKIP, "needs clock"))
        self.assertEqual(asked.judge(None, {"luck", "clock"}).verdict, Verdict.FAIL)

    def test_our_own_mistakes_are_no_verdict(self) -> None:
        self.assertRaises(ZeroDivisionError, self.made(ZeroDivisionError()).judge, None)

    def test_names_and_words(self) -> None:
        self.assertEqual((self.made(None).clauses, self.roll["C-VN-01"].what), ("8210 7; bis 7", "It is so."))
        self.assertRaises(ValueError, self.made, None)
        for name in ("C-VN-1", "CVN-01", "C-VN-01 ", ""):
            self.assertRaises(ValueError, case, name, MUST, roll=self.roll)
        self.assertRaises(ValueError, case("C-VN-02", INFO, roll=self.roll), lambda subject: None)

    def test_what_is_shown(self) -> None:
        told = self.assertRaises(Broken, demand, False, "too long", bytes(100))
        self.assertEqual(str(told), f"too long [{bytes(64).hex(' ', -4)}]")
        demand(True, "nothing")


class OctetTests(SynchronousTestCase):
    def test_parts_of_pdus(self) -> None:
        report = Heard(error_report(2, 5, b"\x02\x2a", "no"))
        self.assertEqual((report.field, report.offending, report.text), (5, b"\x02\x2a", b"no"))
        self.assertEqual(Heard(aspa(2, 7, [1, 2])).providers, (1, 2))
        self.assertEqual(Heard(prefix(0, "10.1.2.3/8", 8, 1)).octets[12:16], bytes((10, 1, 2, 3)))
        for announced in (prefix(1, "2001:db8::/32", 48, 1), router_key(1, bytes(20), 1, b"\x30\0"), aspa(2, 1, [2])):
            self.assertTrue(Heard(announced).announces)
        for withdrawn in (prefix(1, "192.0.2.0/24", 24, 1, 0), router_key(1, bytes(20), 1, b"", 0), aspa(2, 1, [], 0)):
            self.assertFalse(Heard(withdrawn).announces)

    def test_the_rest_is_left(self) -> None:
        for rest in (b"", b"\x01", pdu(1, 2)[:7], pdu(1, 2, length=9), pdu(1, 2, length=7) + bytes(9)):
            self.assertEqual(split(pdu(1, 8) + rest), ([Heard(pdu(1, 8))], rest))
