"""Tests for L{rotonda.sources.table} and L{rotonda.sources.table_files}: good files, hostile ones, and look-ups."""

from __future__ import annotations

import gc
import json
from typing import Any
from unittest import mock

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rotonda.blocks import types
from rotonda.blocks.types import FieldOf, ListType, RecordType
from rotonda.blocks.values import Prefix, RecordValue
from rotonda.filters.world import NONE, SourceGone
from rotonda.sources import table_files
from rotonda.sources.table import TableView
from rotonda.sources.table_files import BadTable, format_of
from twisted.trial.unittest import SynchronousTestCase

from tests.session.worlds import patient
from tests.sources.plain import CUSTOMER, LOOK_UPS, keys, matching, prefixes

ROWS = [("10.0.0.0/8", 64496, "a"), ("10.1.0.0/16", 64497, 'b, "c"'), ("2001:db8::/32", 64496, "ü")]
CSV = '\ufeffname,extra,asn,Prefix\na,1,AS64496,10.0.0.0/8\n\n"b, ""c""",2,64497,10.1.0.0/16\nü,,64496,2001:db8::/32\n'


def objects() -> list[dict[str, Any]]:
    return [{"asn": asn, "x": [1], "prefix": prefix, "name": name} for prefix, asn, name in ROWS]


def files() -> dict[str, bytes]:
    """The same table in all formats."""
    lines = "\n\n".join(map(json.dumps, objects()))
    return {"t.csv": CSV.encode(), "t.json": json.dumps(objects()).encode(), "t.jsonl": lines.encode()}


def record(prefix: str, asn: int, name: str) -> RecordValue:
    return RecordValue("Customer", (("prefix", Prefix.parse(prefix)), ("asn", asn), ("name", name)))


class FileTests(SynchronousTestCase):
    def problems(self, octets: bytes, name: str = "t.csv", type: RecordType = CUSTOMER) -> list[str]:
        """What is said of a file that is no good."""
        wrong = self.assertRaises(BadTable, TableView.read, octets, type, name)
        self.assertTrue(all(problem.startswith(name) and problem.isprintable() for problem in wrong.problems))
        return [problem.removeprefix(f"{name}:").strip() for problem in wrong.problems]

    def test_formats(self) -> None:
        for name, octets in files().items():
            with self.subTest(name):
                view = TableView.read(octets, CUSTOMER, name, version=3)
                self.assertEqual([view.record(row) for row in range(len(view))], [record(*row) for row in ROWS])
                self.assertEqual(view.version, 3)

    def test_an_object_with_one_array(self) -> None:
        for before, after in ((b'{"rows":', b"}"), (b' {"v": {"a": 1}, "r" :', b', "n": "x", "m": null}\n')):
            octets = before + files()["t.json"] + after
            self.assertEqual(len(TableView.read(octets, CUSTOMER, "t.json")), len(ROWS))
        self.assertEqual(len(TableView.read(b'{"rows":[]}', CUSTOMER, "t.json")), 0)

    def test_json_in_pieces(self) -> None:
        """Wherever it is cut: within objects, texts that look like ends, and lists of objects."""
        odd = [{**own, "name": f'}} , {{"{at}', "x": [{"y": 1}, {"z": {}}, {}]} for at, own in enumerate(3 * objects())]
        for indent in (None, 2):
            octets = b"\xef\xbb\xbf" + json.dumps(odd, indent=indent).encode()
            for size in (1, 7, 40, 200, 1 << 20):
                with mock.patch.object(table_files, "_SLICE", size):
                    view = TableView.read(octets, CUSTOMER, "t.json")
                    self.assertEqual([one["name"] for one in odd], [view.record(at).get("name") for at in range(9)])
                    broken = octets.replace(b'"asn": 64497', b'"asn": "y"')
                    self.assertEqual(self.problems(broken, "t.json"),
                                     [f"record {at}: asn: y is not an AS number" for at in (2, 5, 8)])  # fmt: skip
                    self.assertEqual(self.problems(octets.replace(b'"asn": 64497', b'"as": 64497'), "t.json"),
                                     ["record 2: Object missing required field `asn`"])  # fmt: skip

    def test_others_have_their_turn(self) -> None:
        """After each thousand records, and in between."""
        for name, octets in {"t.csv": b"prefix,asn,name\n" + b"::/0,1,a\n" * 5000,
                             "t.jsonl": b'{"prefix":"::/0","asn":1,"name":"a"}\n' * 5000,
                             "t.json": json.dumps(1500 * objects()).encode()}.items():  # fmt: skip
            turns: list[int] = []
            TableView.read(octets, CUSTOMER, name, pause=lambda turns=turns: turns.append(1))  # type: ignore[misc]
            self.assertGreaterEqual(len(turns), 5, name)

    def test_lists_in_cells(self) -> None:
        type = RecordType("T", (FieldOf("asns", ListType(types.ASN)), FieldOf("texts", ListType(types.STRING))))
        view = TableView.read(b'asns,texts\nAS1 2; 1.10,"a b; c"\n,\n', type, "t.csv")
        told = [tuple(value for _, value in view.record(row).fields) for row in range(2)]
        self.assertEqual(told, [((1, 2, 65546), ("a b", "c")), ((), ())])
        self.assertEqual([len(view.find("asns", key)) for key in ((1, 2, 65546), (), (1,))], [1, 1, 0])
        self.assertEqual(len(view.find("texts", ("a b", "c"))), 1)

    def test_empty_tables(self) -> None:
        for name, octets in {"t.csv": b"prefix,asn,name", "t.json": b"[]", "t.jsonl": b""}.items():
            view = TableView.read(octets, CUSTOMER, name)
            self.assertEqual((len(view), len(view.longest_match(Prefix(bytes(4), 0)))), (0, 0))

    def test_what_is_wrong_is_told_by_place_and_field(self) -> None:
        lines = b"prefix,asn,name\n10.0.0.0/8,x,a\n10.0.0.1/8,1,a\n1.0.0.0/8,1\n"
        self.assertEqual(
            self.problems(lines),
            ["line 4: 2 cells, not 3",
             "line 3: prefix: 10.0.0.1/8 has bits set behind its length; did you mean 10.0.0.0/8?",
             "line 2: asn: x is not an AS number"],
        )  # fmt: skip
        told = b'[{"prefix":"::/0","asn":1,"name":"a"},{"prefix":"::/0","asn":"y","name":"a"}]'
        self.assertEqual(self.problems(told, "t.json"), ["record 2: asn: y is not an AS number"])
        self.assertEqual(self.problems(told[1:-1].replace(b"},", b"}\n"), "t.jsonl"),
                         ["line 2: asn: y is not an AS number"])  # fmt: skip

    def test_fields_that_are_not_there(self) -> None:
        for name, octets, told in [
            ("t.csv", b"prefix,name\n", "line 1: there is no column asn, but prefix, name"),
            ("t.csv", b"", "line 1: there is no column prefix, but nothing"),
            ("t.csv", b"prefix;asn;name",
             "line 1: there is no column prefix, but prefix;asn;name; cells are divided by commas"),
            ("t.csv", b"prefix,asn,ASN,name", "line 1: there are 2 columns asn"),
            ("t.json", b'[{"prefix":"::/0","asn":1}]', "record 1: Object missing required field `name`"),
            ("t.jsonl", b'{"prefix":"::/0","asn":1}', "line 1: Object missing required field `name`"),
            ("t.json", b'[{"prefix":"::/0","asn":1,"name":null}]', "record 1: name: nothing is not a text"),
        ]:  # fmt: skip
            with self.subTest(octets):
                self.assertEqual(self.problems(octets, name), [told])

    def test_hostile_files(self) -> None:
        deep = b"[" * 100_000
        whole = b'{"prefix":"::/0","asn":1,"name":"a"'
        for name, octets, told in [
            ("t.csv", b"prefix,asn,name\n::/0,1,\xff\n", "line 2: this is not UTF-8"),
            ("t.csv", b"prefix,asn,name\n::/0,1,\0\n", "line 2: a NUL"),
            ("t.csv", b"prefix,asn,name\n::/0,1," + b"x" * 200_000, "line 2: field larger than field limit"),
            ("t.csv", b"prefix,asn,name\n::/0,1," + b"x" * 70_000, "line 2: name: 70,000 characters"),
            ("t.csv", b'prefix,asn,name\n::/0,1,"x', "line 2: unexpected end of data"),
            ("t.csv", b'prefix,asn,name\n::/0,1,"x"y', "line 2: ',' expected after '\"'"),
            ("t.json", deep, "record 1: Expected `object`"),
            ("t.json", b"[" + whole + b',"x":' + deep + b"]" * 100_000 + b"}]", "record 1: values are nested too deep"),
            ("t.jsonl", whole + b',"x":' + deep + b"]" * 100_000 + b"}", "line 1: values are nested too deeply"),
            ("t.json", b"[\n" + whole, "line 2"),
            ("t.json", b"{}", "line 1"),
            ("t.json", b"[" + whole[:-2] + b'\xff"}]', "line 1"),
            ("t.json", b"[1]", "record 1: Expected `object`, got `int`"),
            ("t.json", b"[" + whole.replace(b'"a"', b'"\\u0000"') + b"}]", "record 1: name: no text may have"),
            ("t.json", b"[" + whole.replace(b":1", b":" + b"9" * 5000) + b"}]", "record 1: asn"),
            ("t.json", b"[" + whole.replace(b":1", b":[1]") + b"}]", "record 1: asn: Expected"),
            ("t.json", b"[" + whole + b',"asn":2}]', "record 1: asn is there twice"),
            ("t.jsonl", whole + b"}\n" + whole + b',"name":"b"}', "line 2: name is there twice"),
            ("t.jsonl", b"\xff", "line 1"),
            ("t.csv", "prefix,asn,name\n::/0,1,Müller\n".encode("latin-1"), "line 2: this is not UTF-8"),
            ("t.csv", "prefix,asn,name\n".encode("utf-16"), "line 1: this is UTF-16, not UTF-8"),
            ("t.csv", "prefix,asn,name\n".encode("utf-16-le"), "line 1: a NUL"),
            ("t.csv", b"prefix,asn,name\n" + b"," * (2 << 20), "line 2: a record of more than 1,048,576 octets"),
            ("t.csv", b"prefix,asn,name\n" + b'"\n",' * 300_000, "a record of more than 1,048,576 octets"),
            ("t.csv", b"prefix,asn,name\n::/0,4294967296,a\n", "line 2: asn: 4294967296 is not between 0 and"),
            ("t.csv", b"prefix,asn,name\n::/0,-1,a\n", "line 2: asn: -1 is not an AS number"),
            ("t.csv", b"prefix,asn,name\n::/129,1,a\n", "line 2: prefix: ::/129 has no length of 0 to 128"),
            ("t.jsonl", b'{"x":"' + b"y" * (2 << 20) + b'"}', "line 1: a record of more than 1,048,576 octets"),
            ("t.json", b"[" + whole + b',"x":"' + b"y" * (3 << 20) + b'"}]', "more than 1,048,576 octets"),
            ("t.json", b'{"a":[' + whole + b'}],"b":[' + whole + b"}]}", "line 1"),
            ("t.json", b'{"a":{"b":[' + whole + b"}]}}", "line 1"),
            ("t.json", b"[\n" + whole.replace(b'"a"', b'"\xfc"') + b"}]", "line 2"),
            ("t.json", b"", "line 1"),
            ("t.txt", b"", "its suffix does not say what it is"),
        ]:  # fmt: skip
            with self.subTest(told):
                problems = self.problems(octets, name)
                self.assertEqual(len(problems), 1)
                self.assertIn(told, problems[0])
                self.assertLess(len(problems[0]), 400)

    def test_a_name_in_a_text_is_no_field(self) -> None:
        """Whether a field is there twice is found by looking, not by counting."""
        octets = json.dumps([{"prefix": "::/0", "asn": 1, "name": "asn"}]).encode()
        self.assertEqual(len(TableView.read(octets, CUSTOMER, "t.json")), 1)

    def test_limits(self) -> None:
        line = b"::/0,1,a\n"
        with mock.patch.multiple(table_files, MOST_RECORDS=3, _CHUNK=2, MOST_VALUES=30, MAX_OCTETS=1000):
            self.assertEqual(len(TableView.read(b"prefix,asn,name\n" + 3 * line, CUSTOMER, "t.csv")), 3)
            self.assertEqual(self.problems(b"prefix,asn,name\n" + 4 * line), ["more than 3 lines"])
            self.assertEqual(
                self.problems(b"\n".join(4 * [b'{"prefix":"::/0","asn":1,"name":"a"}']), "t.jsonl"),
                ["more than 3 records"],
            )
            self.assertEqual(self.problems(b"\n" * 7, "t.jsonl"), ["more than 3 records"])
            self.assertEqual(self.problems(b"{" * 7, "t.json"), ["more than 3 records"])
            self.assertEqual(self.problems(b" " * 1001), ["1,001 octets; 1,000 are allowed"])

    def test_only_the_first_problems_are_told(self) -> None:
        wrong = self.assertRaises(
            BadTable, TableView.read, b"prefix,asn,name\n" + b"x,1,a\n" * 100_000, CUSTOMER, "t.csv"
        )
        self.assertEqual(len(wrong.problems), table_files.PROBLEMS_TOLD)
        self.assertRegex(str(wrong), r"and 1,98\d more$")

    @given(st.binary(max_size=60), st.sampled_from(("t.csv", "t.json", "t.jsonl")))
    def test_anything_is_a_table_or_refused(self, octets: bytes, name: str) -> None:
        for begin in (b"", files()[name][:-1], b"prefix,asn,name\n" if name == "t.csv" else b"["):
            try:
                TableView.read(begin + octets, CUSTOMER, name)
            except BadTable as wrong:
                self.assertTrue(wrong.problems)

    def test_names_with_hyphens_and_other_types(self) -> None:
        type = RecordType(
            "T", (FieldOf("max_length", types.PREFIX_LENGTH), FieldOf("asns", ListType(types.ASN)),
                  FieldOf("note", types.STRING, optional=True)),
        )  # fmt: skip
        expected = RecordValue("T", (("max_length", 24), ("asns", (1, 2)), ("note", None)))
        read = TableView.read(b'[{"max-length": "/24", "asns": [1, "AS2"]}]', type, "t.json.gz")
        self.assertEqual(read.record(0), expected)
        self.assertEqual(
            TableView.read(b"Max-Length,asns,note\n24,1 2,\n", type, "t.csv").record(0).fields[:2], expected.fields[:2]
        )

    def test_suffixes(self) -> None:
        self.assertEqual(format_of("A.JSONL.xz"), ".jsonl")
        self.assertRaises(ValueError, format_of, "csv")


class LookUpTests(SynchronousTestCase):
    @patient
    @given(st.lists(prefixes(), max_size=30), st.lists(prefixes(), max_size=10))
    def test_prefixes(self, own: list[Prefix], asked: list[Prefix]) -> None:
        numbers = list(range(len(own)))
        view = TableView.of(CUSTOMER, [own, numbers, ["a"] * len(own)])  # type: ignore[list-item]
        for look_up in LOOK_UPS:
            for prefix in asked:
                found = [one.get("asn") for one in getattr(view, look_up)(prefix)]
                self.assertEqual(sorted(found), matching(own, look_up, prefix))
            for bits in (32, 128):
                counts = [len(matching(own, look_up, prefix)) for prefix in asked if prefix.bits == bits]
                self.assertEqual(view.count_column(look_up, keys(asked, bits)).tolist(), counts)
        there = [prefix in own for prefix in asked]
        self.assertEqual(view.contains_column("prefix", asked).tolist(), there)
        self.assertEqual([view.contains("prefix", prefix) for prefix in asked], there)
        self.assertEqual(view.contains_column("prefix", keys(asked, 32)).tolist(),
                         [prefix in own for prefix in asked if prefix.bits == 32])  # fmt: skip

    @patient
    @given(st.lists(st.one_of(st.none(), st.integers(0, 5)), max_size=20), st.lists(st.integers(0, 6), max_size=10))
    def test_numbers_and_texts(self, own: list[int | None], asked: list[int]) -> None:
        type = RecordType("T", (FieldOf("n", types.U32, optional=True), FieldOf("s", types.STRING, optional=True)))
        texts = [None if number is None else str(number) for number in own]
        view = TableView.of(type, [own, texts])  # type: ignore[list-item]
        self.assertEqual([(one.get("n"), one.get("s")) for one in view.find("n", 3)], [(3, "3")] * own.count(3))
        for field, wanted in (("n", asked), ("s", list(map(str, asked)))):
            held: list[Any] = own if field == "n" else texts
            self.assertEqual(view.contains_column(field, wanted).tolist(), [key in held for key in wanted])
            first = [held.index(key) if key in held else NONE for key in wanted]
            self.assertEqual(view.first_rows(field, wanted).tolist(), first)
            self.assertEqual([len(view.find(field, key)) for key in wanted], [held.count(key) for key in wanted])
        self.assertEqual(view.contains_column("n", np.array(asked, np.uint32)).tolist(), [key in own for key in asked])

    def test_texts_in_pieces(self) -> None:
        """Of large tables, what is prepared in pieces; and none of it is looked through for garbage."""
        count = 50_000
        texts = [f"t{number % 20_000}" for number in range(count)]
        view = TableView.of(CUSTOMER, [[Prefix(bytes(4), 0)] * count, list(range(count)), texts])  # type: ignore[list-item]
        turns: list[int] = []
        view.prepare({"name"}, lambda: turns.append(1))
        self.assertGreater(len(turns), 5)
        self.assertEqual([one.get("asn") for one in view.find("name", "t7")], [7, 20_007, 40_007])
        self.assertEqual([one.get("asn") for one in view.find("name", "t19999")], [19_999, 39_999])
        self.assertEqual(view.first_rows("name", ["t8", "x", "t0"]).tolist(), [8, NONE, 0])
        self.assertFalse(gc.is_tracked(view.column("name")._values))  # type: ignore[attr-defined]

    def test_what_was_found_is_a_sequence(self) -> None:
        view = TableView.read(files()["t.csv"], CUSTOMER, "t.csv")
        found = view.less_specifics(Prefix.parse("10.1.2.0/24"))
        self.assertEqual([one.get("asn") for one in found], [64496, 64497])
        self.assertEqual((found[-1].get("asn"), found[1:][0].get("asn"), bool(found[2:])), (64497, 64497, False))
        self.assertRaises(IndexError, lambda: found[2])

    def test_no_prefixes_and_no_such_field(self) -> None:
        view = TableView.of(RecordType("T", (FieldOf("n", types.U8),)), [[1]])
        self.assertRaises(SourceGone, view.exact_match, Prefix(bytes(4), 0))
        self.assertRaises(SourceGone, view.count_column, "exact_match", keys([Prefix(bytes(4), 0)], 32))
        self.assertRaises(SourceGone, view.find, "m", 1)
        self.assertFalse(view.contains("n", "one"))
        self.assertFalse(view.contains("n", 300))
        self.assertFalse(view.contains("n", -1))
