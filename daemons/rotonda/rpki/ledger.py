"""What one export gave: good records, and an account of everything else.

Nothing is lost silently: an entry ends as a record, as a duplicate, as expired, or as a `Problem`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress
from math import inf

import numpy as np
from numpy.typing import NDArray

from .dated import Ends, Export, Problem
from .records import MAX_PROVIDERS, parse_aspa, parse_router_key, parse_vrp, vrp_keys

__all__ = ["PROBLEMS_KEPT", "BadExport", "Export", "Ledger", "Place", "Problem", "excerpt"]

PROBLEMS_KEPT = 100
EXCERPT_OCTETS = 120


class BadExport(Exception):
    """The file as a whole is not what a validator exports; whoever has older data keeps it."""

    def __init__(self, name: str, what: str, where: str) -> None:
        super().__init__(f"{name}: {where}: {what}")
        self.name, self.what, self.where = name, what, where


def excerpt(octets: bytes | memoryview) -> str:
    """The start of some octets, safe to print: runs of white space as one space, the rest that is not ASCII escaped."""
    start = b" ".join(bytes(octets[: 4 * EXCERPT_OCTETS]).split())
    shown = start[:EXCERPT_OCTETS].decode("latin-1").encode("unicode_escape").decode("ascii")
    return shown + "..." if len(start) > EXCERPT_OCTETS or len(octets) > 4 * EXCERPT_OCTETS else shown


@dataclass
class Ledger:
    """Takes the entries of one file in order; `close` gives the export.

    `now` is in seconds since 1970: what expired before is left out, unless it is to be kept.
    """

    name: str
    now: float
    keep_expired: bool
    _vrps4: list[Dated] = field(default_factory=list)
    _vrps6: list[Dated] = field(default_factory=list)
    _router_keys: dict[bytes, float] = field(default_factory=dict)
    _providers: dict[int, dict[int, float]] = field(default_factory=dict)
    _overfull: set[int] = field(default_factory=set)
    _problems: list[Problem] = field(default_factory=list)
    _problem_count: int = 0
    _expired: int = 0
    _repeated_keys: int = 0

    def add_vrps(
        self,
        asns: Sequence[int | str],
        prefixes: Sequence[str],
        max_lengths: Sequence[int | None],
        expires: Sequence[float | None],
    ) -> None:
        """Take many VRPs, or none at all and raise ValueError: then they are for `add_vrp` to judge one by one."""
        live = [self._is_live(end) for end in expires]
        expired = live.count(False)
        if expired:
            asns, prefixes = list(compress(asns, live)), list(compress(prefixes, live))
            max_lengths, expires = list(compress(max_lengths, live)), list(compress(expires, live))
        vrps4, vrps6 = vrp_keys(asns, prefixes, max_lengths)
        ends4 = ends6 = None
        if not self.keep_expired and any(end is not None for end in expires):
            six = np.fromiter((":" in prefix for prefix in prefixes), np.bool_, len(prefixes))
            ends = np.fromiter((inf if end is None else end for end in expires), np.float64, len(expires))
            ends4, ends6 = ends[~six], ends[six]
        self._vrps4.append((vrps4, ends4))
        self._vrps6.append((vrps6, ends6))
        self._expired += expired

    def add_keys(self, vrps4: NDArray[np.bytes_], ends4: Ends, vrps6: NDArray[np.bytes_], ends6: Ends) -> None:
        """Take VRPs that are sound, as keys (S10 and S22) with the end of each."""
        for parts, keys, ends in ((self._vrps4, vrps4, ends4), (self._vrps6, vrps6, ends6)):
            if self.keep_expired or (live := ends > self.now).all():
                parts.append((keys, None if self.keep_expired else ends))
            else:
                parts.append((keys[live], ends[live]))
                self._expired += len(keys) - int(np.count_nonzero(live))

    def add_vrp(
        self, place: Place, asn: int | str, prefix: str, max_length: int | None, expires: float | None = None
    ) -> None:
        """Take one VRP, or note what is wrong with it."""
        if self._is_expired(expires):
            return
        try:
            vrp, cleared = parse_vrp(asn, prefix, max_length)
        except ValueError as error:
            self.refuse(place, str(error))
            return
        if cleared:  # RFC 8210 section 5.6 wants them zero on the wire, whatever the feed says.
            self.refuse(place, f"host bits are set; taken as {vrp.prefix}")
        ends = np.array([self._end(expires)])
        if vrp.family == 4:
            self._vrps4.append((np.frombuffer(vrp.key(), "S10"), ends))
        else:
            self._vrps6.append((np.frombuffer(vrp.key(), "S22"), ends))

    def add_router_key(
        self, place: Place, asn: int | str, ski: str, public_key: str, expires: float | None = None
    ) -> None:
        """Take one router key, or note what is wrong with it."""
        if self._is_expired(expires):
            return
        try:
            record = parse_router_key(asn, ski, public_key)
        except ValueError as error:
            self.refuse(place, str(error))
            return
        self._repeated_keys += record in self._router_keys
        self._router_keys[record] = max(self._end(expires), self._router_keys.get(record, -inf))

    def add_aspa(
        self, place: Place, customer: int | str, providers: Sequence[int | str], expires: float | None = None
    ) -> None:
        """Take one ASPA, or note what is wrong with it; several of one customer are one with all their providers."""
        if self._is_expired(expires):
            return
        try:
            number, numbers = parse_aspa(customer, providers)
        except ValueError as error:
            self.refuse(place, str(error))
            return
        if 0 in numbers and len(numbers) > 1:
            self.refuse(place, f"AS0 beside other providers of AS{number}; taken without it")
        end, known = self._end(expires), self._providers.get(number, {})
        together = known | {asn: max(end, known.get(asn, -inf)) for asn in numbers}
        if number in self._overfull or len(together) - (0 in together and len(together) > 1) > MAX_PROVIDERS:
            # No ASPA at all is better than one without some of its providers, who would pass for strangers.
            self._overfull.add(number)
            self._providers.pop(number, None)
            what = f"more than {MAX_PROVIDERS} providers of AS{number}, which is all that fit into an RTR PDU"
            self.refuse(place, f"{what}; AS{number} is left out")
        else:
            self._providers[number] = together

    def refuse(self, place: Place, what: str) -> None:
        """Note a problem; the first hundred are kept, all are counted."""
        self._problem_count += 1
        if len(self._problems) < PROBLEMS_KEPT:
            self._problems.append(Problem(self.name, place.where, what, excerpt(place.octets)))

    def close(self, format_name: str) -> Export:
        """Everything taken so far, sorted and each record once."""
        vrps4, ends4, repeated4 = _sorted_unique(self._vrps4, "S10")
        vrps6, ends6, repeated6 = _sorted_unique(self._vrps6, "S22")
        return Export(
            format=format_name,
            vrps4=vrps4,
            vrps6=vrps6,
            ends4=ends4,
            ends6=ends6,
            router_keys=dict(sorted(self._router_keys.items())),
            providers=self._providers,
            expired=self._expired,
            duplicates=repeated4 + repeated6 + self._repeated_keys,
            problems=tuple(self._problems),
            problem_count=self._problem_count,
        )

    def _end(self, expires: float | None) -> float:
        """When a record ends; what is kept past its expiry never does."""
        return inf if expires is None or self.keep_expired else expires

    def _is_live(self, expires: float | None) -> bool:
        return self.keep_expired or expires is None or expires > self.now

    def _is_expired(self, expires: float | None) -> bool:
        expired = not self._is_live(expires)
        self._expired += expired
        return expired


@dataclass(frozen=True, slots=True)
class Place:
    """Which entry of a file is meant, and its octets."""

    where: str
    octets: bytes | memoryview


Dated = tuple[NDArray[np.bytes_], Ends | None]
"""Keys and when each ends; None where none does."""


def _sorted_unique(parts: list[Dated], kind: str) -> tuple[NDArray[np.bytes_], Ends | None, int]:
    """All parts as one sorted array without repetitions, their ends, and how many repetitions there were.

    A record that is there several times ends with the last of them.
    """
    keys = np.concatenate([np.empty(0, kind), *(keys for keys, _ in parts)])
    if all(ends is None or (ends == inf).all() for _, ends in parts):
        keys.sort(kind="stable")  # Merge sort: exports are mostly sorted already.
        first = _firsts(keys)
        return (keys, None, 0) if first.all() else (keys[first], None, int(np.count_nonzero(~first)))
    ends = np.concatenate([np.full(len(keys), inf) if ends is None else ends for keys, ends in parts])
    order = np.argsort(keys, kind="stable")
    keys, ends = keys[order], ends[order]
    first = _firsts(keys)
    return keys[first], np.maximum.reduceat(ends, np.flatnonzero(first)), int(np.count_nonzero(~first))


def _firsts(keys: NDArray[np.bytes_]) -> NDArray[np.bool_]:
    first = np.ones(len(keys), np.bool_)
    first[1:] = keys[1:] != keys[:-1]
    return first
