"""What an export says, record by record with the time until which each may be used.

An export that cannot be read again grows old, and so does each of its records on its own: what has ended leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import inf

import numpy as np
from numpy.typing import NDArray

from rotoro.table import ASPA, ROUTER_KEY, VRP4, VRP6, Change, Diff, PayloadSlot, Records, Slot, Snapshot

Ends = NDArray[np.float64]
"""When each of some records ends, in seconds since 1970; infinity is never."""


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

    `vrps4` (S10) and `vrps6` (S22) are keys as in `records.Vrp.key`, `ends4` and `ends6` when each ends, or None where
    none does; `router_keys` gives SKI, key length, key, AS number, each with its end; `providers` gives for each
    customer its providers, each with the end of what names it. `expired` and `duplicates` count entries left out for
    that reason, `problem_count` all problems, of which `problems` are the first hundred.
    """

    format: str
    vrps4: NDArray[np.bytes_]
    vrps6: NDArray[np.bytes_]
    ends4: Ends | None = None
    ends6: Ends | None = None
    router_keys: Mapping[bytes, float] = field(default_factory=dict)
    providers: Mapping[int, Mapping[int, float]] = field(default_factory=dict)
    expired: int = 0
    duplicates: int = 0
    problems: tuple[Problem, ...] = ()
    problem_count: int = 0

    @property
    def aspas(self) -> dict[int, bytes]:
        """Each customer's providers as ascending 32-bit numbers; AS0, "no providers", only where it stands alone."""
        return {customer: _in_octets(ends) for customer, ends in sorted(self.providers.items())}

    def snapshot(self) -> Snapshot:
        """All of it as a table."""
        return Snapshot.of(
            {
                VRP4: Records(self.vrps4),
                VRP6: Records(self.vrps6),
                ROUTER_KEY: Records.of(ROUTER_KEY, list(self.router_keys)),
                ASPA: _aspas(self.aspas),
            }
        )

    def next_end(self) -> float | None:
        """When the next record ends, or None if none ever does."""
        ends = [float(column.min()) for column in (self.ends4, self.ends6) if column is not None and len(column)]
        ends += self.router_keys.values()
        ends += (end for own in self.providers.values() for end in own.values())
        first = min(ends, default=inf)
        return None if first == inf else first

    def after(self, now: float) -> tuple[Export, Diff]:
        """What is left of it at that time, and what leads there; what is not counts as expired."""
        vrps4, ends4, change4 = _left(VRP4, self.vrps4, self.ends4, now)
        vrps6, ends6, change6 = _left(VRP6, self.vrps6, self.ends6, now)
        keys = {key: end for key, end in self.router_keys.items() if end > now}
        named = ((own, {asn: end for asn, end in ends.items() if end > now}) for own, ends in self.providers.items())
        left = replace(
            self,
            vrps4=vrps4,
            vrps6=vrps6,
            ends4=ends4,
            ends6=ends6,
            router_keys=keys,
            providers={customer: ends for customer, ends in named if ends},
        )
        ended = Records.of(ROUTER_KEY, [key for key in self.router_keys if key not in keys])
        changes: dict[Slot, Change] = {
            VRP4: change4,
            VRP6: change6,
            ROUTER_KEY: Change(ended, Records.none(ROUTER_KEY)),
            ASPA: Change.between(_aspas(self.aspas), _aspas(left.aspas)),
        }
        diff = Diff.of(changes)
        return replace(left, expired=self.expired + diff.count), diff


def _left(
    slot: PayloadSlot, keys: NDArray[np.bytes_], ends: Ends | None, now: float
) -> tuple[NDArray[np.bytes_], Ends | None, Change]:
    if ends is None or not (ended := ends <= now).any():
        return keys, ends, Change(Records.none(slot), Records.none(slot))
    return keys[~ended], ends[~ended], Change(Records(keys[ended]), Records.none(slot))


def _in_octets(providers: Iterable[int]) -> bytes:
    numbers = set(providers)
    return np.array(sorted(numbers - {0} or numbers), ">u4").tobytes()


def _aspas(aspas: Mapping[int, bytes]) -> Records:
    return Records.of(ASPA, np.array(list(aspas), ">u4").view("S4"), list(aspas.values()))
