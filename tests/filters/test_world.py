"""What filters may ask of data sources, one by one and in columns."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rotonda.blocks.types import LOG_MESSAGE, PATH_STATE, ROV
from rotonda.blocks.values import Constant, Prefix, RecordValue
from rotonda.filters.world import LOOK_UPS, SmallWorld, SourceGone, SourceView, TableView, prefixes_of
from twisted.trial.unittest import SynchronousTestCase

SHORT = st.builds(
    lambda octet, length: Prefix(bytes((octet, 0, 0, 0)), 8).cut(length), st.integers(0, 15), st.integers(0, 8)
)


def keys(prefixes: list[Prefix]) -> np.ndarray[tuple[int], np.dtype[np.bytes_]]:
    octets = b"".join(prefix.octets + bytes((prefix.length,)) for prefix in prefixes)
    return np.frombuffer(octets, "S5" if not prefixes or len(prefixes[0].octets) == 4 else "S17")


class Judge(SourceView):
    def validate(self, prefix: Prefix, origin: int) -> Constant:
        return Constant("Rov", ROV.constants[(prefix.length + origin) % 3])

    def verify(self, path: object, direction: Constant) -> Constant:
        return Constant("PathState", "VALID" if direction.name == "UPSTREAM" else "INVALID")


class SourceTests(SynchronousTestCase):
    @given(st.lists(SHORT, max_size=12), st.lists(SHORT, max_size=6))
    def test_columns_say_the_same(self, held: list[Prefix], asked: list[Prefix]) -> None:
        view = TableView([RecordValue("", (("prefix", prefix), ("place", at))) for at, prefix in enumerate(held)])
        for look_up in LOOK_UPS:
            expected = [len(getattr(view, look_up)(prefix)) for prefix in asked]
            self.assertEqual(view.count_column(look_up, keys(asked)).tolist(), expected)
        self.assertEqual(view.contains_column("prefix", asked).tolist(), [prefix in held for prefix in asked])

    @given(st.lists(SHORT, max_size=12), SHORT)
    def test_look_ups(self, held: list[Prefix], asked: Prefix) -> None:
        view = TableView([RecordValue("", (("prefix", prefix),)) for prefix in held])
        covering = [prefix for prefix in held if prefix.covers(asked)]
        longest = [prefix for prefix in covering if prefix.length == max(one.length for one in covering)]

        def found(look_up: str) -> list[Prefix]:
            return [record.get("prefix") for record in getattr(view, look_up)(asked)]

        self.assertEqual(found("exact_match"), [prefix for prefix in held if prefix == asked])
        self.assertEqual(found("less_specifics"), covering)
        self.assertEqual(found("longest_match"), longest)
        self.assertEqual(found("more_specifics"), [prefix for prefix in held if asked.covers(prefix)])

    def test_judges(self) -> None:
        prefixes = [Prefix.parse("10.0.0.0/8"), Prefix.parse("10.0.0.0/9")]
        states = Judge().validate_column(keys(prefixes), np.array([1, 3], np.uint32))
        self.assertEqual(states.tolist(), [(8 + 1) % 3, (9 + 3) % 3])
        for direction, state in (("UPSTREAM", "VALID"), ("DOWNSTREAM", "INVALID")):
            found = Judge().verify_column([(), ((2, (1,)),)], Constant("PathDirection", direction))
            self.assertEqual(found.tolist(), [PATH_STATE.constants.index(state)] * 2)

    def test_keys_with_zeros_at_their_end(self) -> None:
        prefixes = [Prefix.parse("0.0.0.0/0"), Prefix.parse("10.0.0.0/8")]
        self.assertEqual(list(prefixes_of(keys(prefixes))), prefixes)
        six = [Prefix.parse("::/0"), Prefix.parse("2001:db8::/32")]
        self.assertEqual(list(prefixes_of(keys(six))), six)

    def test_what_a_source_has_not_is_gone(self) -> None:
        view = SourceView()
        prefix, direction = Prefix.parse("10.0.0.0/8"), Constant("PathDirection", "UPSTREAM")
        for look_up in LOOK_UPS:
            self.assertRaises(SourceGone, getattr(view, look_up), prefix)
        self.assertRaises(SourceGone, view.find, "asn", 1)
        self.assertRaises(SourceGone, view.contains, "asn", 1)
        self.assertRaises(SourceGone, view.validate, prefix, 1)
        self.assertRaises(SourceGone, view.verify, (), direction)

    def test_what_is_sent_is_remembered(self) -> None:
        world = SmallWorld({"table": TableView([])})
        record = RecordValue("LogMessage", (("message", "x"),))
        world.send("log", [record, record], LOG_MESSAGE)
        self.assertEqual(world.sent, [("log", record)] * 2)
        self.assertEqual(world.source("table").find("message", "x"), ())
