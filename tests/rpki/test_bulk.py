"""The compiled loop over ROAs takes exactly what the slow way takes, or nothing."""

from __future__ import annotations

import json
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from rotonda.rpki import json_exports
from rotonda.rpki.exports import BadExport, Export, read_export
from twisted.trial.unittest import SkipTest, SynchronousTestCase

addresses = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.ip_addresses(v=6).map(lambda address: address.exploded),
    st.text("0123456789abcdefAF:.", max_size=24),
    st.sampled_from(("::", "1::", "::1", "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:8::", ":", ":1", "1:", "1:::2", "::ffff:0")),
    st.sampled_from(("10.0.0.0", "010.0.0.0", "1.2.3", "1.2.3.4.5", "256.0.0.0", "2001:db8::", "1::2::3", "12345::")),
)
lengths = st.one_of(st.integers(0, 130).map(str), st.sampled_from(("", "08", "-1", "1.0", " 8")))
numbers = st.one_of(
    st.integers(0, 2**32 + 1),
    st.sampled_from(("AS1", "as64496", "1", "AS01", "AS", "A1", "4294967296")),
)
members: st.SearchStrategy[dict[str, object]] = st.fixed_dictionaries(
    {"asn": numbers, "prefix": st.builds("{}/{}".format, addresses, lengths)},
    optional={
        "maxLength": st.one_of(st.integers(0, 130), st.none(), st.just(24.0)),
        "expires": st.one_of(st.integers(0, 2000), st.floats(0, 2000), st.none(), st.just(10**13)),
        "ta": st.one_of(st.text(max_size=3), st.integers(), st.none(), st.just([{}])),
    },
)


def outcome(data: bytes, compiled: bool, keep: bool = False) -> Export | str:
    with mock.patch.object(json_exports, "accelerated", compiled):
        try:
            return read_export(data, "vrps.json", 1000.0, keep)
        except BadExport as wrong:
            return str(wrong)


class RoasTests(SynchronousTestCase):
    def setUp(self) -> None:
        if not json_exports.accelerated:
            raise SkipTest("there are no compiled loops")

    def assertAlike(self, data: bytes) -> None:
        for keep in (False, True):
            fast, slow = outcome(data, True, keep), outcome(data, False, keep)
            if isinstance(fast, str) or isinstance(slow, str):
                self.assertEqual(fast, slow)
                continue
            self.assertEqual((fast.format, fast.expired), (slow.format, slow.expired))
            self.assertEqual((fast.duplicates, fast.problems), (slow.duplicates, slow.problems))
            self.assertEqual(fast.vrps4.tobytes(), slow.vrps4.tobytes())
            self.assertEqual(fast.vrps6.tobytes(), slow.vrps6.tobytes())
            self.assertEqual((fast.next_end(), fast.aspas), (slow.next_end(), slow.aspas))

    @given(st.lists(members, max_size=5), st.sampled_from((None, 0, 1)), st.booleans())
    def test_entries_of_all_kinds(self, roas: list[object], indent: int | None, first: bool) -> None:
        other = {"metadata": {"x": 1}, "aspas": [{"customer": 1, "providers": [2]}]}
        document = {"roas": roas, **other} if first else {**other, "roas": roas}
        self.assertAlike(json.dumps(document, indent=indent).encode())

    def test_usual_files_are_read_by_it(self) -> None:
        roas = [
            {"asn": "AS64496", "prefix": "192.0.2.0/24", "maxLength": 24, "ta": "t", "expires": 1001},
            {"asn": 64496, "prefix": "2001:DB8::/32", "maxLength": 128, "source": "x"},
            {"prefix": "::/0", "asn": "1"},
            {"prefix": "1:2:3:4:5:6:7:8/128", "asn": "1"},
        ]
        with mock.patch.object(
            json_exports, "_add_roas", side_effect=lambda entries, ledger: self.assertEqual(entries, [])
        ):
            export = outcome(json.dumps({"roas": roas}).encode(), True)
        assert isinstance(export, Export)
        self.assertEqual((len(export.vrps4), len(export.vrps6), export.next_end()), (1, 3, 1001.0))

    def test_lists_that_are_not_the_one(self) -> None:
        entry = b'{"asn":1,"prefix":"192.0.2.0/24"}'
        for data in (
            b'{"metadata":{"roas":[' + entry + b']},"roas":[]}',
            b'{"metadata":{"roas":[]},"roas":[' + entry + b"]}",
            b'{"roas":[],"roas":[' + entry + b"]}",
            b'{"roas":[' + entry + b'],"roas":[]}',
            b'{"roas":[' + entry + b'],"\\u0072oas":[]}',
            b'{"metadata":"\\"roas\\":[' + entry + b']","roas":[]}',
            b'{"roas":[' + entry + b',],"aspas":[]}',
            b'{"roas":[' + entry,
            b'{"roas":[' + entry + b"]",
            b'{"roas":[' + entry[:20],
            b'{"roas":[' + entry + b"\0]}",
            b'{"roas":[{"asn":1,"asn":2,"prefix":"192.0.2.0/24"}]}',
            b'{"roas":[{"asn":1,"prefix":"192.0.2.0/24","x":"\xff"}]}',
            b'{"roas" : [ ' + entry + b" , " + entry + b" ] } ",
            b'{"roas":{"x":[' + entry + b"]}}",
        ):
            with self.subTest(data=data):
                self.assertAlike(data)

    def test_each_octet_changed(self) -> None:
        data = (
            b'{"roas":[{"asn":"AS1","prefix":"10.0.0.0/8","maxLength":9},{"asn":2,"prefix":"1::/16","expires":1002}]}'
        )
        for position in range(len(data)):
            for octet in (0, 0x20, 0x22, 0x2C, 0x30, 0x39, 0x3A, 0x5C, 0x7D, 0x80):
                self.assertAlike(data[:position] + bytes((octet,)) + data[position + 1 :])
                self.assertAlike(data[:position])
