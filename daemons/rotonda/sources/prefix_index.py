"""Rows by their prefixes: what the look-ups of data sources find, as rows for one prefix and as counts for many."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rotonda.blocks.values import BITS, Prefix
from rotonda.filters.world import NONE
from rotonda.sources.found import Rows
from rotonda.sources.prefix_tree import Keys, Numbers, PrefixTree


class Groups(NamedTuple):
    """Rows by what they have in common: group i has order[starts[i]:starts[i + 1]], ascending."""

    order: Numbers
    starts: Numbers

    def rows(self, group: int) -> Numbers:
        """The rows of one group."""
        return self.order[self.starts[group] : self.starts[group + 1]]

    def first(self, groups: Numbers) -> Numbers:
        """The first row of each of these groups, or NONE."""
        return np.append(self.order[self.starts[:-1]], NONE)[groups]  # NONE is the last


class PrefixIndex:
    """The rows of one family by their prefixes, which are S5 or S17: address and length."""

    def __init__(self, keys: Keys, rows: Numbers | None = None) -> None:
        """`rows` are what the rows of `keys` are called, if not by their places; without it, the keys ascend."""
        order = np.arange(len(keys)) if rows is None else np.argsort(keys, kind="stable")
        ordered = keys if rows is None else keys[order]
        first = np.ones(len(keys), np.bool_)
        first[1:] = ordered[1:] != ordered[:-1]
        self.tree = PrefixTree(ordered[first])
        self.groups = Groups(order if rows is None else rows[order], np.append(np.flatnonzero(first), len(keys)))
        self._counts = np.diff(self.groups.starts)

    # --- one prefix --------------------------------------------------------------------------------------------------

    def exact_match(self, prefix: Prefix) -> Rows:
        """The rows of this prefix."""
        number = self.tree.exact_of(prefix)
        return () if number == NONE else self.groups.rows(number)

    def longest_match(self, prefix: Prefix) -> Rows:
        """The rows of the longest prefix that covers this one."""
        number = self.tree.longest_of(prefix)
        return () if number == NONE else self.groups.rows(number)

    def less_specifics(self, prefix: Prefix) -> Rows:
        """The rows of all prefixes that cover this one, the shortest first."""
        numbers = self.tree.covering(self.tree.longest_of(prefix))
        return [row for number in numbers for row in self.groups.rows(number).tolist()]

    def more_specifics(self, prefix: Prefix) -> Rows:
        """The rows of all prefixes that this one covers, in order of address and length."""
        numbers = self.tree.within(*bounds(prefix))
        return self.groups.order[self.groups.starts[numbers.start] : self.groups.starts[numbers.stop]]

    # --- many prefixes -----------------------------------------------------------------------------------------------

    def counts(self, look_up: str, prefixes: Keys) -> Numbers:
        """How many rows one of `rotonda.filters.world.LOOK_UPS` finds for each of these."""
        match look_up:
            case "exact_match" | "longest_match":
                return self.counts_of(self.numbers(look_up, prefixes))
            case "less_specifics":
                return self.tree.summed(self._counts, self.tree.longest(prefixes))
            case "more_specifics":
                first, last = self.tree.spans(prefixes)
                counts: Numbers = self.groups.starts[last] - self.groups.starts[first]
                return counts
        raise ValueError(f"there is no look-up {look_up}")

    def numbers(self, look_up: str, prefixes: Keys) -> Numbers:
        """The number in the tree of what `exact_match` or `longest_match` finds for each of these, or NONE."""
        return self.tree.exact(prefixes) if look_up == "exact_match" else self.tree.longest(prefixes)

    def first_rows(self, look_up: str, prefixes: Keys) -> Numbers:
        """The first row that `exact_match` or `longest_match` finds for each of these, or NONE."""
        return self.groups.first(self.numbers(look_up, prefixes))

    def first_rows_ascending(self, look_up: str, prefixes: Keys) -> Numbers:
        """The same for prefixes in ascending order."""
        numbers, counts = self.tree.runs(look_up, prefixes)
        return np.repeat(self.groups.first(numbers), counts)

    def counts_of(self, numbers: Numbers) -> Numbers:
        """How many rows each of these prefixes of the tree has; 0 where there is none."""
        return np.append(self._counts, 0)[numbers]


def bounds(prefix: Prefix) -> tuple[bytes, bytes]:
    """The key of a prefix, address and length, and one above those of all prefixes that it covers."""
    last = int.from_bytes(prefix.octets) | (1 << BITS[len(prefix.octets)] - prefix.length) - 1
    return prefix.octets + bytes((prefix.length,)), last.to_bytes(len(prefix.octets)) + b"\xff"


def by_family(prefixes: list[Prefix]) -> list[tuple[NDArray[np.intp], Keys]]:
    """Prefixes of both families as keys: for each family, their places and they themselves."""
    columns = []
    for octets in (4, 16):
        places = [at for at, prefix in enumerate(prefixes) if len(prefix.octets) == octets]
        keys = [prefixes[at].octets + bytes((prefixes[at].length,)) for at in places]
        columns.append((np.array(places, np.intp), np.array(keys, f"S{octets + 1}")))
    return columns
