"""Tests for L{rotonda.sources.table_changes}: which prefixes of two tables have other records."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rotonda.blocks import types
from rotonda.blocks.types import FieldOf, ListType, RecordType
from rotonda.blocks.values import Prefix
from rotonda.filters.world import prefixes_of
from rotonda.sources.table import TableView
from rotonda.sources.table_changes import Changed, together
from twisted.trial.unittest import SynchronousTestCase

from tests.session.worlds import patient
from tests.sources.plain import keys, prefixes

ROW = RecordType(
    "Row",
    (
        FieldOf("n", types.U32, optional=True),
        FieldOf("prefix", types.PREFIX, optional=True),
        FieldOf("asns", ListType(types.ASN), optional=True),
        FieldOf("name", types.STRING),
        FieldOf("other", types.PREFIX, optional=True),
    ),
)
Rows = list[tuple[Any, ...]]


def rows() -> st.SearchStrategy[Rows]:
    """Some rows of few values, so that many are alike."""
    some = st.one_of(st.none(), prefixes())
    lists = st.one_of(st.none(), st.lists(st.integers(0, 2), max_size=2).map(tuple))
    row = st.tuples(st.one_of(st.none(), st.integers(0, 1)), some, lists, st.sampled_from(("", "a")), some)
    return st.lists(row, max_size=12)


def view(made: Rows) -> TableView:
    return TableView.of(ROW, [[row[at] for row in made] for at in range(len(ROW.fields))])


def told(changed: Changed) -> set[Prefix]:
    return {prefix for own in changed.values() for prefix in prefixes_of(own)}


class ChangesTests(SynchronousTestCase):
    @patient
    @given(rows(), rows(), st.integers(0, 12), st.randoms(use_true_random=False))
    def test_prefixes(self, one: Rows, other: Rows, kept: int, chance: Any) -> None:
        mixed = [*one[:kept], *other]
        chance.shuffle(mixed)
        for before, after in ((one, other), (one, mixed), (one, one)):
            wanted = {
                row[1]
                for row in (*before, *after)
                if row[1] is not None
                and [own for own in before if own[1] == row[1]] != [own for own in after if own[1] == row[1]]
            }
            self.assertEqual(told(view(after).changed_since(view(before))), wanted)

    def test_without_prefixes(self) -> None:
        plain = RecordType("T", (FieldOf("n", types.U8),))
        self.assertEqual(TableView.of(plain, [[1]]).changed_since(TableView.of(plain, [[2]])), {})

    def test_together(self) -> None:
        one, other = (keys([Prefix.parse(word)], 32) for word in ("10.0.0.0/8", "0.0.0.0/0"))
        made = together([{4: one}, {4: other, 6: np.empty(0, "S17")}, {4: one}])
        self.assertEqual([str(prefix) for prefix in prefixes_of(made[4])], ["0.0.0.0/0", "10.0.0.0/8"])
        self.assertEqual(together([]), {})
