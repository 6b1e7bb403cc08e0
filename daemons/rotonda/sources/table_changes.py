"""What differs between two tables, told by prefixes: of what all others cover nobody is told anything else.

Records of one prefix are held against each other in their order, since what is found first counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from rotonda.filters.world import NONE
from rotonda.sources.columns import Column, PrefixColumn
from rotonda.sources.prefix_index import PrefixIndex
from rotonda.sources.prefix_tree import Keys, Mask, Numbers
from rotoro.table.columns import distinct

Changed = Mapping[int, Keys]
"""By family, 4 or 6: prefixes, S5 or S17, address and length."""


def changed(before: Sequence[Column], after: Sequence[Column], pause: Callable[[], object] = lambda: None) -> Changed:
    """The prefixes of which two tables of one type have other records, or in another order; `pause` is called between
    the fields."""
    places = [place for place, column in enumerate(before) if isinstance(column, PrefixColumn)]
    found: dict[int, Keys] = {}
    for place in places[:1]:  # the one in which prefixes are looked up
        for family, bits in ((4, 32), (6, 128)):
            one, other = (columns[place].index(bits) for columns in (before, after))  # type: ignore[attr-defined]
            found[family] = _changed(one, before, other, after, pause)
    return found


def together(changes: Sequence[Changed]) -> Changed:
    """All prefixes of some changes."""
    families = {family for one in changes for family in one}
    return {family: distinct(np.concatenate([one[family] for one in changes if family in one])) for family in families}


def _changed(
    one: PrefixIndex,
    before: Sequence[Column],
    other: PrefixIndex,
    after: Sequence[Column],
    pause: Callable[[], object],
) -> Keys:
    theirs = other.tree.exact(one.tree.keys)
    gone, fresh = theirs == NONE, one.tree.exact(other.tree.keys) == NONE
    own = np.flatnonzero(~gone)
    theirs = theirs[own]
    is_other = one.counts_of(own) != other.counts_of(theirs)
    alike = np.flatnonzero(~is_other)
    rows, which = _rows_of(one, own[alike])
    same = _same(before, rows, after, _rows_of(other, theirs[alike])[0], pause)
    is_other[alike[which[~same]]] = True
    return np.concatenate((one.tree.keys[gone], other.tree.keys[fresh], one.tree.keys[own[is_other]]))


def _rows_of(index: PrefixIndex, numbers: Numbers) -> tuple[Numbers, Numbers]:
    """The rows of these groups one after the other, and the place among them of the group of each."""
    starts, counts = index.groups.starts[numbers], index.counts_of(numbers)
    which = np.repeat(np.arange(len(numbers)), counts)
    offsets = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    return index.groups.order[starts[which] + offsets], which


def _same(
    before: Sequence[Column], rows: Numbers, after: Sequence[Column], theirs: Numbers, pause: Callable[[], object]
) -> Mask:
    same = np.ones(len(rows), np.bool_)
    for one, other in zip(before, after, strict=True):
        same &= one.same(rows, other, theirs)
        pause()
    return same
