"""Both validators' CSV, line by line."""

from __future__ import annotations

from unittest import mock

from rotonda.rpki import csv_exports
from rotonda.rpki.exports import BadExport, Export, read_export
from twisted.trial.unittest import SynchronousTestCase

ROUTINATOR = "ASN,IP Prefix,Max Length,Trust Anchor\n"
RPKI_CLIENT = "ASN,IP Prefix,Max Length,Trust Anchor,Expires\n"


def read(text: str, now: float = 1000.0) -> Export:
    return read_export(text.encode(), "vrps.csv", now)


class CsvTests(SynchronousTestCase):
    def test_the_lines_of_routinator(self) -> None:
        for ending in ("\n", "\r\n"):
            text = f"{ROUTINATOR}AS64496,192.0.2.0/24,25,ripe\nAS0,2001:db8::/32,48,apnic\n".replace("\n", ending)
            for data in (text, text.removesuffix(ending)):
                export = read(data)
                self.assertEqual(export.format, "routinator CSV")
                self.assertEqual(export.vrps4.tobytes().hex(), "c000020019180000fbf0")
                self.assertEqual(export.vrps6.tobytes().hex(), "20010db8000000000000000000000000302000000000")
                self.assertEqual(export.problems, ())

    def test_the_lines_of_rpki_client_expire(self) -> None:
        export = read(f"{RPKI_CLIENT}AS1,192.0.2.0/24,24,t,1001\nAS2,192.0.2.0/24,24,t,1000\n")
        self.assertEqual((export.format, len(export.vrps4), export.expired), ("rpki-client CSV", 1, 1))

    def test_bad_lines_are_named_and_the_others_used(self) -> None:
        bad = (
            "AS1,192.0.2.0/24,24", "AS1,192.0.2.0/24,24,t,t", "AS1,192.0.2.0/24,33,t", "AS1,192.0.2.0/24,,t",
            "nonsense", "AS1,192.0.2.0/24,+24,t", "AS1,192.0.2.0/24,2_4,t", "AS1.5,192.0.2.0/24,24,t",
            "AS1,192.0.2/24,24,t",
            "AS1,192.0.2.0/24,\u0662\u0664,t", '"AS1","192.0.2.0/24","24","t"', "AS1, 192.0.2.0/24,24,t",
        )  # fmt: skip
        for line in bad:
            with self.subTest(line=line):
                export = read(f"{ROUTINATOR}AS1,192.0.2.0/24,24,t\n{line}\n\nAS2,192.0.2.0/24,24,t\n")
                self.assertEqual([problem.where for problem in export.problems], ["line 3"])
                self.assertEqual(len(export.vrps4), 2)

    def test_columns_that_would_make_up_for_each_other_do_not(self) -> None:
        export = read(f"{ROUTINATOR}AS1,192.0.2.0/24,24\nt,AS2,192.0.2.0/24,24,t\n")
        self.assertEqual((export.problem_count, len(export.vrps4)), (2, 0))

    def test_octets_that_are_no_text_do_no_harm_to_other_lines(self) -> None:
        data = ROUTINATOR.encode() + b"AS1,192.0.2.0/24,24,t\nAS\xff1,192.0.2.0/24,24,t\n"
        export = read_export(data, "vrps.csv", 0.0)
        self.assertEqual([problem.where for problem in export.problems], ["line 3"])
        self.assertEqual(len(export.vrps4), 1)

    def test_the_number_of_a_line_counts_from_the_start_of_the_file(self) -> None:
        with mock.patch.object(csv_exports, "CHUNK", 2):
            export = read(ROUTINATOR + "AS1,192.0.2.0/24,24,t\n" * 5 + "x\n")
        self.assertEqual([problem.where for problem in export.problems], ["line 7"])
        self.assertEqual(export.duplicates, 4)

    def test_too_many_lines_are_refused_before_they_are_looked_at(self) -> None:
        with mock.patch.object(csv_exports, "MAX_LINES", 5):
            refusal = self.assertRaises(BadExport, read, ROUTINATOR + "\n" * 5)
        self.assertIn("more than 5 lines", refusal.what)
