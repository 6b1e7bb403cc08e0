"""Which of some prefixes a client of RIS Live asks about, each told as family, address and length."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from rotonda.rib.prefixes import BITS, Prefix

Bare = tuple[int, int, int]
"""A prefix as family, address as a number, and length."""


class PrefixSet:
    """Prefixes; with `more`, those within one of them match too, with `less`, those that one of them is within."""

    def __init__(self, prefixes: Iterable[Prefix], more: bool, less: bool) -> None:
        bare = {(each.family, int.from_bytes(each.address), each.length) for each in prefixes}
        self._more, self._less = more, less
        self._exact = bare
        self._by_length: dict[int, dict[int, set[int]]] = {4: {}, 6: {}}
        for family, address, length in bare:
            self._by_length[family].setdefault(length, set()).add(address >> BITS[family] - length)
        self._ordered = sorted(bare)

    def __contains__(self, prefix: Bare) -> bool:
        return (
            prefix in self._exact or (self._more and self._covers(prefix)) or (self._less and self._is_within(prefix))
        )

    def _covers(self, prefix: Bare) -> bool:
        family, address, own = prefix
        bits = BITS[family]
        return any(
            length <= own and address >> bits - length in addresses
            for length, addresses in self._by_length[family].items()
        )

    def _is_within(self, prefix: Bare) -> bool:
        """Prefixes have no bits behind their length, so that those within this one follow it in order."""
        family, address, own = prefix
        at = bisect_left(self._ordered, prefix)
        return at < len(self._ordered) and self._ordered[at][:2] <= (family, address | (1 << BITS[family] - own) - 1)
