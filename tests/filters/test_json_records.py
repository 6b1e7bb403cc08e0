"""Tests for L{rotonda.filters.json_records}: with the compiled loop and without it, the same is written."""

from __future__ import annotations

from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as some
from msgspec.json import decode, encode
from rotonda.blocks import types
from rotonda.blocks.types import FieldOf, RecordType
from rotonda.blocks.values import RecordValue
from rotonda.filters import json_records
from rotonda.filters.json_records import json_of
from rotonda.filters.written import plain
from twisted.trial.unittest import SynchronousTestCase

from tests.filters.test_written import ROWS

SEEN = RecordType("Seen", (FieldOf("prefix", types.PREFIX), FieldOf("asn", types.ASN), FieldOf("note", types.STRING)))


class JsonTests(SynchronousTestCase):
    def assertSame(self, type: RecordType, record: RecordValue, beside: str | None = None) -> None:
        for there in {json_records.accelerated, False}:
            with mock.patch.object(json_records, "accelerated", there):
                self.assertWritten(type, record, beside)

    def assertWritten(self, type: RecordType, record: RecordValue, beside: str | None) -> None:
        lines, values = json_of(type, beside, "\n")([record, record])
        for line, value in zip(lines, values, strict=True):
            self.assertEqual(decode(line), decode(encode(plain(type)(record))))
            self.assertEqual(line[-1:], b"\n")
            self.assertEqual(value, None if beside is None else record.get(beside))
        self.assertEqual(json_of(type, beside)([record])[0], [lines[0][:-1]])

    def test_each_type(self) -> None:
        rows = [(type, value) for type, value, *_ in ROWS if type is not None]
        fields = tuple(FieldOf(f"f{number}", type) for number, (type, _) in enumerate(rows))
        whole = RecordType("Whole", fields)
        pairs: Any = tuple((field.name, value) for field, (_, value) in zip(fields, rows, strict=True))
        self.assertSame(whole, RecordValue("Whole", pairs), "f3")
        self.assertSame(whole, RecordValue("Whole", tuple((name, None) for name, _ in pairs)), "f3")
        for field, pair in zip(fields, pairs, strict=True):
            with self.subTest(type=str(field.type)):
                self.assertSame(RecordType("One", (field,)), RecordValue("One", (pair,)), field.name)

    @given(some.text(), some.integers(0, 2**32 - 1) | some.none(), some.permutations(("asn", "note", "more")))
    def test_texts_and_orders(self, note: str, asn: int | None, order: list[str]) -> None:
        """Whatever is in a text, and also for fields in another order, too many, or too few."""
        values: dict[str, Any] = {"asn": asn, "note": note, "more": (1, "x")}
        self.assertSame(SEEN, RecordValue("Seen", (("prefix", None), ("asn", asn), ("note", note))), "note")
        for count in range(4):
            record = RecordValue("", tuple((name, values[name]) for name in order[:count]))
            self.assertSame(SEEN, record, "asn")
            self.assertSame(SEEN, record, "more")

    def test_names_are_only_text(self) -> None:
        names = ["", '"', "{x}", "\\", "v0", "class", "é"]
        type = RecordType("Odd", tuple(FieldOf(name, types.U8) for name in names))
        self.assertSame(type, RecordValue("Odd", tuple((name, number) for number, name in enumerate(names))), "v0")

    def test_none_and_very_many_fields(self) -> None:
        self.assertSame(RecordType("Any", ()), RecordValue("", (("a", 1),)), "a")
        many = tuple((f"f{number}", number % 256) for number in range(1000))
        type = RecordType("Many", tuple(FieldOf(name, types.U8) for name, _ in many))
        self.assertSame(type, RecordValue("", many), "f7")

    def test_values_that_the_loop_leaves_to_others(self) -> None:
        """Numbers that have more than 64 bits, or a sign; long texts; what JSON escapes."""
        texts = ["", "x" * 10_000, "\0", "a\x1fb", "\x7f", 'a"', "\\", "é\u2028", "\U0001f600" * 100]
        type = RecordType("Odd", (FieldOf("number", types.U64), FieldOf("text", types.STRING)))
        for number in (0, 9, 10, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -1):
            for text in texts:
                self.assertSame(type, RecordValue("Odd", (("number", number), ("text", text))), "number")

    def test_what_is_no_text(self) -> None:
        record = RecordValue("Seen", (("prefix", None), ("asn", None), ("note", "\ud800")))
        self.assertRaises(UnicodeEncodeError, json_of(SEEN), [record])
