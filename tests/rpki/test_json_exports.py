"""Both validators' JSON, entry by entry."""

from __future__ import annotations

import json
from unittest import mock

from rotonda.rpki import json_exports
from rotonda.rpki.exports import BadExport, Export, read_export
from twisted.trial.unittest import SynchronousTestCase

SKI = "be889b55d0b737397d75c49f485b858fa98ad11f"
KEY = "MAUCA//++w=="
GOOD = {"asn": "AS64496", "prefix": "192.0.2.0/24", "maxLength": 24, "ta": "t"}


def read(document: object, now: float = 1000.0) -> Export:
    return read_export(json.dumps(document).encode(), "vrps.json", now)


class RpkiClientTests(SynchronousTestCase):
    document = {
        "metadata": {"buildmachine": "here"},
        "roas": [
            {"asn": 64496, "prefix": "192.0.2.0/24", "maxLength": 24, "ta": "t", "expires": 1001},
            {"asn": 64497, "prefix": "192.0.2.0/24", "maxLength": 24, "ta": "t", "expires": 1000},
            {"asn": 64498, "prefix": "2001:db8::/32", "maxLength": 48, "ta": "t", "expires": 999},
        ],
        "bgpsec_keys": [
            {"asn": 64496, "ski": SKI, "pubkey": KEY, "ta": "t", "expires": 1001},
            {"asn": 64497, "ski": SKI, "pubkey": KEY, "ta": "t", "expires": 1},
            {"asn": 64496, "ski": SKI, "pubkey": KEY, "ta": "t"},
        ],
        "aspas": [
            {"customer_asid": 2, "expires": 1001, "providers": [5, 4]},
            {"customer_asid": 1, "expires": 1001, "providers": [3]},
            {"customer_asid": 2, "expires": 1001, "providers": [3]},
            {"customer_asid": 3, "expires": 1, "providers": [4]},
        ],
    }

    def test_what_expired_is_left_out_and_counted(self) -> None:
        export = read(self.document)
        self.assertEqual(export.format, "rpki-client JSON")
        self.assertEqual((len(export.vrps4), len(export.vrps6), len(export.router_keys)), (1, 0, 1))
        self.assertEqual((export.expired, export.duplicates, export.problems), (4, 1, ()))

    def test_several_aspas_of_one_customer_are_one(self) -> None:
        aspas = read(self.document).aspas
        self.assertEqual(list(aspas.items()), [(1, b"\0\0\0\3"), (2, b"\0\0\0\3\0\0\0\4\0\0\0\5")])

    def test_what_expired_can_be_kept(self) -> None:
        export = read_export(json.dumps(self.document).encode(), "old", 1e9, keep_expired=True)
        self.assertEqual((len(export.vrps4), len(export.vrps6), len(export.aspas), export.expired), (2, 1, 3, 0))


class EntryTests(SynchronousTestCase):
    def test_bad_entries_are_named_and_the_others_used(self) -> None:
        table: tuple[tuple[object, str], ...] = (
            (None, "got null"), ([], "got array"), ({}, "asn"), ({**GOOD, "asn": None}, "asn: Expected int or str"),
            ({**GOOD, "asn": True}, "bool"), ({**GOOD, "asn": 1 << 40}, "32 bits"),
            ({**GOOD, "asn": 1 << 64}, "does not fit"),
            ({**GOOD, "prefix": 1}, "prefix: Expected str"),
            ({**GOOD, "maxLength": 24.5}, "maxLength"), ({**GOOD, "maxLength": "24"}, "maxLength"),
            ({**GOOD, "maxLength": 23}, "maxLength of 23"), ({**GOOD, "expires": "soon"}, "expires"),
            ({**GOOD, "prefix": "192.0.2.1/24"}, "taken as 192.0.2.0/24"),
        )  # fmt: skip
        for entry, what in table:
            with self.subTest(entry=str(entry)[:60]):
                export = read({"roas": [{**GOOD, "asn": 1}, GOOD, entry]})
                (problem,) = export.problems
                self.assertIn(what, problem.what)
                self.assertEqual(problem.where, "roas[2]")
                self.assertEqual(len(export.vrps4), 2)
                self.assertTrue(str(problem).isprintable() and str(problem).isascii(), str(problem))

    def test_octets_that_are_no_text(self) -> None:
        data = json.dumps({"roas": [GOOD, {**GOOD, "prefix": "@@@"}]}).encode().replace(b"@@@", b"\xff\xfe")
        (problem,) = read_export(data, "raw", 0.0).problems
        self.assertIn(r"\xff\xfe", problem.excerpt)

    def test_the_number_of_an_entry_counts_from_the_start_of_the_file(self) -> None:
        with mock.patch.object(json_exports, "CHUNK", 4):
            export = read({"roas": [GOOD] * 9 + [None] + [GOOD] * 3})
        self.assertEqual([problem.where for problem in export.problems], ["roas[9]"])
        self.assertEqual((len(export.vrps4), export.duplicates), (1, 11))

    def test_bad_keys_and_aspas_are_named(self) -> None:
        export = read(
            {
                "roas": [],
                "routerKeys": [{"asn": "AS1", "SKI": SKI, "routerPublicKey": "!"}, {"asn": "AS1"}],
                "aspas": [{"customer": "AS1", "providers": "AS2"}, {"customer": "AS1", "providers": ["AS2"]}],
                "provider_authorizations": {"ipv4": [], "ipv6": [{"customer_asid": 0, "providers": [1]}]},
            }
        )
        self.assertEqual(
            [problem.where for problem in export.problems],
            ["routerKeys[0]", "routerKeys[1]", "aspas[0]", "provider_authorizations.ipv6[0]"],
        )
        self.assertEqual(export.aspas, {1: b"\0\0\0\2"})

    def test_too_many_values_are_refused_before_they_are_looked_at(self) -> None:
        with mock.patch.object(json_exports, "MAX_VALUES", 5):
            refusal = self.assertRaises(BadExport, read, {"roas": [1] * 7})
        self.assertIn("more than 5 values", refusal.what)
