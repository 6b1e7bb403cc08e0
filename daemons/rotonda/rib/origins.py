"""The origin AS of thousands of attribute sets at once.

All sets are walked in step, one attribute at a time and then one path segment at a time, as columns of positions.
Sets that go on for longer than any honest one are read one by one. The answers are those of
`rotonda.bgp.attributes.decoded`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rotonda.bgp.as_path import AS_CONFED_SET, AS_SEQUENCE, AS_SET
from rotonda.bgp.attributes import AS_PATH, decoded
from rotonda.bgp.errors import Malformed

Positions = NDArray[np.int64]
Octets = NDArray[np.uint8]

_STEPS = 32
_PADDING = bytes(8)  # a header may be looked for where a set, or all of them, ends
_EXTENDED = 0x10


def origins_of(sets: Sequence[bytes]) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """The origin AS of each set, 0 where its path tells none, and whether it tells one."""
    origins, known = np.zeros(len(sets), np.uint32), np.zeros(len(sets), np.bool_)
    data, starts, ends = walkable(sets)
    rows, starts, ends, long_sets = as_paths(data, starts, ends)
    rows, places, long_paths = _last_numbers(data, rows, starts, ends)
    origins[rows] = numbers_at(data, places)
    known[rows] = True
    for row in (*long_sets, *long_paths):
        origin = _origin(sets[row])
        origins[row], known[row] = origin or 0, origin is not None
    return origins, known


def walkable(sets: Sequence[bytes]) -> tuple[Octets, Positions, Positions]:
    """All sets in one row, and where each starts and ends; a header may be looked for behind the last one."""
    data = np.frombuffer(b"".join(sets) + _PADDING, np.uint8)
    ends = np.cumsum(np.fromiter(map(len, sets), np.int64, len(sets)))
    return data, np.concatenate((np.zeros(1, np.int64), ends))[:-1], ends


def as_paths(data: Octets, at: Positions, ends: Positions) -> tuple[Positions, Positions, Positions, list[int]]:
    """Which sets have an AS_PATH, where it starts and ends; and the sets that were not walked to their end."""
    found: list[tuple[Positions, Positions, Positions]] = []
    rows = np.arange(len(at))
    for _ in range(_STEPS):
        kinds, long = data[at + 1], (data[at] & _EXTENDED) > 0
        short_size = data[at + 2].astype(np.int64)
        size = np.where(long, short_size << 8 | data[np.minimum(at + 3, len(data) - 1)], short_size)
        start = at + 3 + long
        end = start + size
        sound = end <= ends
        here = sound & (kinds == AS_PATH)
        found.append((rows[here], start[here], end[here]))
        going = sound & ~here & (end < ends)
        rows, at, ends = rows[going], end[going], ends[going]
        if not len(rows):
            break
    whole = [np.concatenate(column) for column in zip(*found, strict=True)]
    return whole[0], whole[1], whole[2], rows.tolist()


def _last_numbers(
    data: Octets, rows: Positions, at: Positions, ends: Positions
) -> tuple[Positions, Positions, list[int]]:
    """Which paths end in a sequence, where its last number is; and the paths that were not walked to their end."""
    found: list[tuple[Positions, Positions]] = []
    some = at < ends
    rows, at, ends = rows[some], at[some], ends[some]
    for _ in range(_STEPS):
        kinds, counts = data[at], data[at + 1].astype(np.int64)
        following = at + 2 + 4 * counts
        sound = (kinds >= AS_SET) & (kinds <= AS_CONFED_SET) & (counts > 0) & (following <= ends)
        here = sound & (following == ends) & (kinds == AS_SEQUENCE)
        found.append((rows[here], following[here] - 4))
        going = sound & (following < ends)
        rows, at, ends = rows[going], following[going], ends[going]
        if not len(rows):
            break
    whole = [np.concatenate(column) for column in zip(*found, strict=True)]
    return whole[0], whole[1], rows.tolist()


def numbers_at(data: Octets, places: Positions) -> NDArray[np.uint32]:
    """The AS numbers at these places."""
    octets = [data[places + i].astype(np.uint32) << np.uint32(24 - 8 * i) for i in range(4)]
    numbers: NDArray[np.uint32] = octets[0] | octets[1] | octets[2] | octets[3]
    return numbers


def _origin(octets: bytes) -> int | None:
    try:
        return decoded(octets).origin_as
    except Malformed:
        return None
