"""Local exceptions: what an operator knows better than the RPKI (RFC 8416; for ASPAs draft-ietf-sidrops-aspa-slurm).

A file is taken whole or not at all. Of what validators say, filters take something away, then assertions add to the
rest, so that no filter ever touches an assertion. Both look at one record at a time: what a change of the data
changes in the result is told by the touched records alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from rotonda.rpki.filters import PrefixFilters, aspas_without, keys_without
from rotonda.rpki.records import BITS, Vrp
from rotonda.rpki.unions import held_by_any
from rotoro.table import EMPTY, ROUTER_KEY, VRP4, VRP6, Change, Diff, Records, Slot, Snapshot
from rotoro.table.columns import distinct

Prefix = tuple[int, int, int]
"""Family, address, length."""


class BadExceptions(ValueError):
    """Exceptions that must not be used: which file, where in it, and why. Whoever has older ones keeps them."""

    def __init__(self, name: str, where: str, what: str) -> None:
        super().__init__(f"{name}: {where}: {what}")
        self.name, self.where, self.what = name, where, what


@dataclass(frozen=True, slots=True)
class Exceptions:
    """What one file, or several that do not overlap, take away and add.

    `prefixes`, `signers` and `customers` are what its entries are about: where those of another file meet them, the
    two contradict each other or may come to do so (RFC 8416 section 4.2).
    """

    name: str
    filters: PrefixFilters = field(default_factory=PrefixFilters)
    key_asns: frozenset[tuple[int | None, bytes | None]] = frozenset()
    """Router keys to take away: AS number, SKI, or both."""
    customer_filters: frozenset[int] = frozenset()
    """Customers whose ASPAs are taken away."""
    added: Snapshot = field(default_factory=lambda: EMPTY)
    prefixes: frozenset[Prefix] = frozenset()
    signers: frozenset[int] = frozenset()
    customers: frozenset[int] = frozenset()

    @property
    def filter_count(self) -> int:
        """How many filters there are."""
        return self.filters.count + len(self.key_asns) + len(self.customer_filters)

    def __bool__(self) -> bool:
        return bool(self.filter_count or self.added.count)

    def of(self, snapshot: Snapshot) -> Diff:
        """What leads from a set of data to the same with the exceptions made; costs a few passes over all of it."""
        changes: dict[Slot, Change] = {}
        for slot in {**snapshot, **self.added}:
            own = snapshot.records(slot)
            gone = own.take(~self._kept(slot, own))
            touched = distinct(np.concatenate((gone.keys, self.added.records(slot).keys)))
            if len(touched):
                rows, there = own.find(touched)
                before = own.take(rows[there])
                changes[slot] = Change.between(before, self._result(slot, before, touched))
        return Diff.of(changes)

    def of_diff(self, diff: Diff) -> Diff:
        """What a change of the data changes in what `of` makes of it; costs what the change costs."""
        changes: dict[Slot, Change] = {}
        for slot, change in diff.items():
            touched = change.touched
            before, after = (self._result(slot, side, touched) for side in (change.before, change.after))
            changes[slot] = Change.between(before, after)
        return Diff.of(changes)

    def _result(self, slot: Slot, some: Records, touched: NDArray[np.void]) -> Records:
        """What becomes of the records with these keys."""
        kept = some.take(self._kept(slot, some))
        return held_by_any(slot, [kept, self.added.records(slot)], touched)

    def _kept(self, slot: Slot, records: Records) -> NDArray[np.bool_]:
        """Which records no filter takes away."""
        if slot in (VRP4, VRP6):
            return self.filters.kept(records.keys)
        if slot == ROUTER_KEY:
            return keys_without(records.keys, self.key_asns)
        return aspas_without(records.keys, self.customer_filters)


NO_EXCEPTIONS = Exceptions("")


def joined(several: Sequence[Exceptions]) -> Exceptions:
    """The exceptions of several files as one.

    Raises BadExceptions if two of them are about the same addresses, router keys of the same AS or ASPAs of the same
    customer: then neither may be used (RFC 8416 section 4.2).
    """
    return reduce(_both, several) if several else NO_EXCEPTIONS


def _both(some: Exceptions, more: Exceptions) -> Exceptions:
    _refuse_overlap(some, more)
    slots = {**some.added, **more.added}
    added = {
        slot: held_by_any(
            slot,
            [some.added.records(slot), more.added.records(slot)],
            distinct(np.concatenate((some.added.records(slot).keys, more.added.records(slot).keys))),
        )
        for slot in slots
    }
    return Exceptions(
        f"{some.name}, {more.name}",
        some.filters.with_those_of(more.filters),
        some.key_asns | more.key_asns,
        some.customer_filters | more.customer_filters,
        Snapshot.of(added),
        some.prefixes | more.prefixes,
        some.signers | more.signers,
        some.customers | more.customers,
    )


def _refuse_overlap(some: Exceptions, more: Exceptions) -> None:
    pair = _overlap(some.prefixes, more.prefixes)
    if pair is not None:
        raise BadExceptions(more.name, _words(pair[1]), f"overlaps {_words(pair[0])} of {some.name}; neither is used")
    for what, here, there in (("router keys", some.signers, more.signers), ("ASPAs", some.customers, more.customers)):
        if here & there:
            which = min(here & there)
            raise BadExceptions(more.name, f"AS{which}", f"{some.name} is about {what} of it, too; neither is used")


def _overlap(some: frozenset[Prefix], more: frozenset[Prefix]) -> tuple[Prefix, Prefix] | None:
    """A prefix of each that have addresses in common. Sorted, one that covers others stands before them."""
    outermost: dict[bool, Prefix] = {}
    for prefix, is_more in sorted([*((own, False) for own in some), *((own, True) for own in more)]):
        other = outermost.get(not is_more)
        if other is not None and _covers(other, prefix):
            return (other, prefix) if is_more else (prefix, other)
        if is_more not in outermost or not _covers(outermost[is_more], prefix):
            outermost[is_more] = prefix
    return None


def _covers(wide: Prefix, narrow: Prefix) -> bool:
    host = BITS[wide[0]] - wide[2]
    return wide[0] == narrow[0] and wide[2] <= narrow[2] and wide[1] >> host == narrow[1] >> host


def _words(prefix: Prefix) -> str:
    return Vrp(prefix[0], prefix[1], prefix[2], prefix[2], 0).prefix
