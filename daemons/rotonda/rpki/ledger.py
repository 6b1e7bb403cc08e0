"""What one export gave: good records, and an account of everything else.

Nothing is lost silently: an entry ends as a record, as a duplicate, as expired, or as a `Problem`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from .records import MAX_PROVIDERS, parse_aspa, parse_router_key, parse_vrp, vrp_keys

PROBLEMS_KEPT = 100
EXCERPT_OCTETS = 120


class BadExport(Exception):
    """The file as a whole is not what a validator exports; whoever has older data keeps it."""

    def __init__(self, name: str, what: str, where: str) -> None:
        super().__init__(f"{name}: {where}: {what}")
        self.name, self.what, self.where = name, what, where


@dataclass(frozen=True, slots=True)
class Problem:
    """One entry that was not used, or not as it stands: which file, where in it, what is wrong, and its octets."""

    file: str
    where: str
    what: str
    excerpt: str

    def __str__(self) -> str:
        return f"{self.file}: {self.where}: {self.what}: {self.excerpt}"


@dataclass(frozen=True, slots=True)
class Export:
    """All that one export says, sorted, each record once.

    `vrps4` (S10) and `vrps6` (S22) are keys as in `records.Vrp.key`; `router_keys` are SKI, key length, key, AS number;
    `aspas` gives each customer's providers as ascending 32-bit numbers. `expired` and `duplicates` count entries left
    out for that reason, `problem_count` all problems, of which `problems` are the first hundred.
    """

    format: str
    vrps4: NDArray[np.bytes_]
    vrps6: NDArray[np.bytes_]
    router_keys: tuple[bytes, ...]
    aspas: dict[int, bytes]
    expired: int
    duplicates: int
    problems: tuple[Problem, ...]
    problem_count: int


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
    _vrps4: list[NDArray[np.bytes_]] = field(default_factory=list)
    _vrps6: list[NDArray[np.bytes_]] = field(default_factory=list)
    _router_keys: set[bytes] = field(default_factory=set)
    _aspas: dict[int, set[int]] = field(default_factory=dict)
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
            max_lengths = list(compress(max_lengths, live))
        vrps4, vrps6 = vrp_keys(asns, prefixes, max_lengths)
        self._vrps4.append(vrps4)
        self._vrps6.append(vrps6)
        self._expired += expired

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
        if vrp.family == 4:
            self._vrps4.append(np.frombuffer(vrp.key(), "S10"))
        else:
            self._vrps6.append(np.frombuffer(vrp.key(), "S22"))

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
        self._router_keys.add(record)

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
        together = self._aspas.get(number, set()) | numbers
        together = together - {0} or together  # 8210bis: AS0, "no providers", stands alone; any other one outdoes it.
        if len(together) > MAX_PROVIDERS:
            self.refuse(place, f"{len(together)} providers of AS{number}, where {MAX_PROVIDERS} fit into an RTR PDU")
        else:
            self._aspas[number] = together

    def refuse(self, place: Place, what: str) -> None:
        """Note a problem; the first hundred are kept, all are counted."""
        self._problem_count += 1
        if len(self._problems) < PROBLEMS_KEPT:
            self._problems.append(Problem(self.name, place.where, what, excerpt(place.octets)))

    def close(self, format_name: str) -> Export:
        """Everything taken so far, sorted and each record once."""
        vrps4, repeated4 = _sorted_unique(self._vrps4, "S10")
        vrps6, repeated6 = _sorted_unique(self._vrps6, "S22")
        return Export(
            format=format_name,
            vrps4=vrps4,
            vrps6=vrps6,
            router_keys=tuple(sorted(self._router_keys)),
            aspas={customer: _big_endian(self._aspas[customer]) for customer in sorted(self._aspas)},
            expired=self._expired,
            duplicates=repeated4 + repeated6 + self._repeated_keys,
            problems=tuple(self._problems),
            problem_count=self._problem_count,
        )

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


def _big_endian(providers: set[int]) -> bytes:
    return np.array(sorted(providers), ">u4").tobytes()


def _sorted_unique(parts: list[NDArray[np.bytes_]], kind: str) -> tuple[NDArray[np.bytes_], int]:
    """All parts as one sorted array without repetitions, and how many repetitions there were."""
    keys = np.concatenate([np.empty(0, kind), *parts])
    keys.sort(kind="stable")  # Merge sort: exports are mostly sorted already.
    first = np.ones(len(keys), np.bool_)
    first[1:] = keys[1:] != keys[:-1]
    return (keys, 0) if first.all() else (keys[first], int(np.count_nonzero(~first)))
