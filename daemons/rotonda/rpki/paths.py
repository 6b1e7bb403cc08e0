"""AS path verification with ASPA (draft-ietf-sidrops-aspa-verification-28 section 5): one path with its reasons.

A path is written as BGP has it: the neighbour, which is AS(N), first, and the origin, AS(1), last. Prepends count
once. Seen from the origin a path goes up, customer to provider, as far as attestations let it (the up-ramp); seen from
the neighbour it does the same (the down-ramp). A path from a customer or a lateral peer must be all up-ramp; in one
from a provider both ramps must meet, and one hop between them needs no attestation: there two peers meet.

The longest that a ramp can be ends where a customer attests others ("maximum"); as far as it is attested, it is sure
("minimum"). `rotonda.rpki.path_tables` does the same for whole tables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from itertools import pairwise

from .aspas import AspaSet, Hop


class PathState(IntEnum):
    """What path verification finds; `str` gives the usual words."""

    UNKNOWN = 0
    VALID = 1
    INVALID = 2

    def __str__(self) -> str:
        return self.name.lower()


class Direction(Enum):
    """Which procedure a path is for, by who sent it.

    Upstream: customers and lateral peers, clients of a route server at the server, the server at its client.
    Downstream: providers; and siblings, whose routes may have come from providers of theirs (section 6.4).
    """

    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"


class Reason(Enum):
    """Why a path is not valid."""

    EMPTY = "empty"
    NEIGHBOUR = "neighbour"
    AS_SET = "as-set"
    AS_ZERO = "as0"
    NOT_PROVIDER = "not-provider"
    NO_ATTESTATION = "no-attestation"


@dataclass(frozen=True, slots=True)
class Path:
    """An AS path; if it has a set, it does not matter which numbers are in it."""

    numbers: tuple[int, ...]
    has_set: bool = False

    @property
    def compressed(self) -> tuple[int, ...]:
        """Without prepends (section 5.2)."""
        numbers = self.numbers
        return tuple(number for at, number in enumerate(numbers) if not at or numbers[at - 1] != number)


@dataclass(frozen=True, slots=True)
class Ramps:
    """How many ASes of a path can be, and surely are, on the way up and on the way down (section 5.4)."""

    max_up: int
    min_up: int
    max_down: int
    min_down: int


@dataclass(frozen=True, slots=True)
class CheckedHop:
    """One hop, as the ramp that goes over it asks for it, and the answer."""

    ramp: str
    customer: int
    provider: int
    found: Hop


@dataclass(frozen=True, slots=True)
class PathVerdict:
    """The state of one path, why, and the hops that decided: one of an up-ramp, or one of each ramp."""

    state: PathState
    reason: Reason | None = None
    ramps: Ramps | None = None
    decided_by: tuple[CheckedHop, ...] = ()


def verify_path(aspas: AspaSet, path: Path, direction: Direction, neighbour: int | None = None) -> PathVerdict:
    """The verdict on one path (sections 5.5 and 5.6).

    `neighbour` is the AS that sent it; None for a client of a transparent route server, and for who does not know.
    AS 0 is nobody (RFC 7607), so that a path with it is as invalid as one with a set.
    """
    wrong = _not_to_be_verified(path, neighbour)
    if wrong is not None:
        return PathVerdict(PathState.INVALID, wrong)
    walk = _Walk(aspas, path.compressed, direction)
    return walk.verdict()


def _not_to_be_verified(path: Path, neighbour: int | None) -> Reason | None:
    if not path.numbers and not path.has_set:
        return Reason.EMPTY
    if neighbour is not None and path.numbers[:1] != (neighbour,):
        return Reason.NEIGHBOUR
    if path.has_set:
        return Reason.AS_SET
    return Reason.AS_ZERO if 0 in path.numbers else None


class _Walk:
    """A path from its origin and from its neighbour: each hop as both ramps ask for it."""

    def __init__(self, aspas: AspaSet, compressed: Sequence[int], direction: Direction) -> None:
        self._length = len(compressed)
        self._downstream = direction is Direction.DOWNSTREAM
        self._up = _hops(aspas, "up", compressed[::-1])
        self._down = _hops(aspas, "down", compressed) if self._downstream else []

    def verdict(self) -> PathVerdict:
        limits = [
            _first(hops, ends)
            for ends in (lambda found: found is Hop.NOT_PROVIDER, lambda found: found is not Hop.PROVIDER)
            for hops in (self._up, self._down)
        ]
        max_up, max_down, min_up, min_down = (self._length if limit is None else limit + 1 for limit in limits)
        if not self._downstream:
            max_down = min_down = 0
        ramps = Ramps(max_up, min_up, max_down, min_down)
        if max_up + max_down < self._length:
            decided = self._ends(limits[0], limits[1])
            return PathVerdict(PathState.INVALID, Reason.NOT_PROVIDER, ramps, decided)
        if min_up + min_down < self._length:
            decided = self._ends(limits[2], limits[3])
            return PathVerdict(PathState.UNKNOWN, Reason.NO_ATTESTATION, ramps, decided)
        return PathVerdict(PathState.VALID, None, ramps)

    def _ends(self, up: int | None, down: int | None) -> tuple[CheckedHop, ...]:
        both = ((self._up, up), (self._down, down))
        return tuple(hops[at] for hops, at in both if at is not None)


def _hops(aspas: AspaSet, ramp: str, upwards: Sequence[int]) -> list[CheckedHop]:
    return [CheckedHop(ramp, *hop, aspas.authorized(*hop)) for hop in pairwise(upwards)]


def _first(hops: Sequence[CheckedHop], ends: Callable[[Hop], bool]) -> int | None:
    return next((at for at, hop in enumerate(hops) if ends(hop.found)), None)
