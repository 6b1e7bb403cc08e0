"""Whole files: what is an export and what is not, real ones and crafted ones."""

from __future__ import annotations

import gzip
import json
from unittest import mock

from rotonda.rpki import exports
from rotonda.rpki.exports import BadExport, Export, read_export
from rotonda.rpki.records import VRP4
from twisted.trial.unittest import SynchronousTestCase

from tests.data import shared

LATER = 1_767_225_600.0

# What this reader makes of each crafted file: "file" refused as a whole, "entry" one entry refused and the rest used,
# "all" everything used. Where the cases leave a choice, the RFCs and the least harm decide.
DECISIONS = {
    "000": "file", "002": "file", "004": "file", "006": "file", "008": "file", "010": "file", "012": "file",
    "014": "file", "016": "entry", "018": "all", "020": "all", "022": "entry", "024": "entry", "026": "entry",
    "028": "all", "030": "entry", "032": "entry", "034": "entry", "036": "entry", "038": "entry", "040": "entry",
    "042": "entry", "044": "all", "046": "entry", "048": "entry", "050": "all", "052": "entry", "054": "all",
    "056": "all", "058": "all", "060": "all", "062": "all", "064": "entry", "066": "entry", "068": "all",
    "070": "entry", "072": "all", "074": "entry", "076": "entry", "078": "file", "080": "file", "082": "file",
    "084": "file",
}  # fmt: skip
ALLOWED = (
    ("that entry refused, the rest used, or the file refused", {"entry", "file"}),
    ("the file refused", {"file"}), ("no stack overflow", {"file"}), ("accepted or refused", {"all", "file"}),
    ("the prefix length, or refused", {"all"}), ("ignored, or the union", {"all"}),
    ("left out with a warning", {"entry"}),
    ("once", {"all"}), ("sorted, once", {"all"}), ("accepted", {"all"}), ("refused", {"file"}),
)  # fmt: skip


class CraftedTests(SynchronousTestCase):
    def test_each_crafted_file_is_used_as_far_as_it_should_be(self) -> None:
        folder = shared("adversarial/crafted-json")
        for name, case in json.loads((folder / "cases.json").read_bytes()).items():
            with self.subTest(name=name):
                got = self.outcome((folder / name).read_bytes(), name)
                self.assertEqual(got, DECISIONS[name[:3]], case["what"])
                if case["what"] == "filters for everything":  # SLURM: a good file, but not an export.
                    continue
                allowed = next(outcomes for words, outcomes in ALLOWED if case["expect"].startswith(words))
                self.assertIn(got, allowed)

    def outcome(self, data: bytes, name: str) -> str:
        try:
            export = read_export(data, name, LATER)
        except BadExport as refusal:
            self.assertTrue(str(refusal).startswith(f"{name}: "), str(refusal))
            self.assertLess(len(str(refusal)), 1000)
            return "file"
        self.assertEqual(len(export.problems), export.problem_count)
        self.assertIn(b"\xc0\x00\x02\x00\x18\x18\x00\x00\xfb\xf0", export.vrps4.tobytes(), "the good entry is used")
        for problem in export.problems:
            self.assertEqual(problem.file, name)
            self.assertTrue(problem.where and problem.what and problem.excerpt, str(problem))
        return "entry" if export.problems else "all"

    def test_the_records_of_crafted_files(self) -> None:
        self.assertEqual(self.crafted("028-asn-0.json").vrps4.view(VRP4)["asn"].tolist(), [64496, 0])
        self.assertEqual(self.crafted("050-max-null.json").vrps4.view(VRP4)["max_length"].tolist(), [24, 24])
        for name in ("054-dup-vrp.json", "056-dup-spelling.json"):
            export = self.crafted(name)
            self.assertEqual((len(export.vrps4), export.duplicates), (1, 1))
        self.assertEqual(len(self.crafted("044-pfx-upper.json").vrps6), 1)
        self.assertEqual(len(self.crafted("062-key-ski-lower.json").router_keys), 1)
        self.assertEqual(self.crafted("068-aspa-old-afi.json").aspas, {1: bytes((0, 0, 0, 2, 0, 0, 0, 3))})
        self.assertEqual(self.crafted("072-aspa-dup.json").aspas, {1: bytes((0, 0, 0, 2, 0, 0, 0, 3))})
        self.assertEqual(self.crafted("074-aspa-20k.json").aspas, {})

    def test_a_problem_says_which_entry(self) -> None:
        (problem,) = self.crafted("048-max-33.json").problems
        self.assertEqual(problem.where, "roas[1]")
        self.assertEqual(problem.what, "a maxLength of 33 where 24 to 32 is possible")
        self.assertIn('"maxLength": 33', problem.excerpt)

    def crafted(self, name: str) -> Export:
        return read_export(shared("adversarial/crafted-json").joinpath(name).read_bytes(), name, LATER)


class RealTests(SynchronousTestCase):
    def test_an_export_of_rpki_client_with_all_that_is_in_it(self) -> None:
        data = gzip.decompress(shared("rpki/rpki-client.20230504.ripe-prepdev.json.gz").read_bytes())
        export = read_export(data, "real", LATER, keep_expired=True)
        self.assertEqual(export.format, "rpki-client JSON")
        self.assertEqual((len(export.vrps4), len(export.vrps6), len(export.aspas)), (323_603, 100_620, 6_647))
        self.assertEqual((export.expired, export.duplicates, export.problem_count), (0, 0, 0))
        self.assertTrue(bool((export.vrps4[1:] > export.vrps4[:-1]).all()))
        self.assertEqual(export.aspas[213340], (199_255).to_bytes(4, "big"), "AS0 for one family only")
        expired = read_export(data, "real", LATER)
        self.assertEqual((len(expired.vrps4), len(expired.vrps6), expired.aspas), (0, 0, {}))
        self.assertEqual(expired.expired, 323_603 + 100_620 + 2 * 6_647)

    def test_small_exports_of_others(self) -> None:
        table = (
            ("rtrtr-vrps.json", "routinator JSON", 1, 1, 0), ("rtrtr-vrps-metadata.json", "routinator JSON", 1, 1, 0),
            ("rtrtr-vrps.rpki-client.json", "rpki-client JSON", 1, 1, 1),
        )  # fmt: skip
        for name, kind, vrps4, vrps6, keys in table:
            with self.subTest(name=name):
                export = read_export(shared(f"rpki/{name}").read_bytes(), name, LATER, keep_expired=True)
                self.assertEqual(export.format, kind)
                self.assertEqual((len(export.vrps4), len(export.vrps6), len(export.router_keys)), (vrps4, vrps6, keys))
                self.assertEqual(export.problems, ())


class WholeFileTests(SynchronousTestCase):
    def test_what_is_no_export(self) -> None:
        table = (
            (b"", "empty", "byte 0"), (b" \n", "empty", "byte 0"), (b"\xef\xbb\xbf", "empty", "byte 0"),
            (b"<html>502</html>", "neither", "byte 0"), (b"null", "neither", "byte 0"), (b"[]", "neither", "byte 0"),
            (b"[" * 100_000, "neither", "byte 0"), ("{}".encode("utf-16"), "UTF-16", "byte 0"),
            (gzip.compress(b"{}"), "compressed", "byte 0"), (b"{", "not an export", "the whole file"),
            (b"{}", "roas", "the whole file"), (b'{"roas": null}', "Expected array", "the whole file"),
            (b'{"roas": [1,]}', "trailing comma", "byte 12"), (b'{"roas": []} {}', "trailing", "byte 14"),
            (b'{"roas": ' + b"[" * 100_000, "deeply", "the whole file"), 
            (b'{"x": ' + b"[" * 100_000, "deeply", "the whole file"),
            (b'{"roas": [], "aspas": 1}', "aspas: Expected", "the whole file"),
            (b'{"roas": [{"asn": NaN}]}', "invalid character", "byte 18"),
            (b"asn,prefix\n1,192.0.2.0/24\n", "neither", "byte 0"), (b"\0" * 50, "neither", "byte 0"),
        )  # fmt: skip
        for data, what, where in table:
            with self.subTest(data=data[:20]):
                refusal = self.assertRaises(BadExport, read_export, data, "file.json", LATER)
                self.assertIn(what, refusal.what)
                self.assertIn(where, refusal.where)
                self.assertEqual(refusal.name, "file.json")
                self.assertTrue(str(refusal).isprintable())

    def test_too_much_is_refused_before_it_is_looked_at(self) -> None:
        with mock.patch.object(exports, "MAX_OCTETS", 10):
            refusal = self.assertRaises(BadExport, read_export, b'{"roas": []}', "big", LATER)
        self.assertIn("12 octets", refusal.what)

    def test_a_byte_order_mark_is_no_harm(self) -> None:
        for data, kind in (
            (b'{"roas": []}', "routinator JSON"),
            (b"ASN,IP Prefix,Max Length,Trust Anchor\n", "routinator CSV"),
        ):
            export = read_export(b"\xef\xbb\xbf" + data, "marked", LATER)
            self.assertEqual((export.format, len(export.vrps4), len(export.vrps6)), (kind, 0, 0))
