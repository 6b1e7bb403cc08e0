"""The AS paths of attribute sets, as path verification takes them.

What a confederation has put in is not between ASes: its sequences are passed over, its sets make a path as unfit as an
AS_SET does (RFC 9774). A path that cannot be read is no path.
"""

from __future__ import annotations

from collections.abc import Sequence

from rotonda.bgp.as_path import AS_CONFED_SEQUENCE, AS_SEQUENCE
from rotonda.bgp.attributes import decoded
from rotonda.bgp.errors import Malformed
from rotonda.rib.path_segments import PathSegments
from rotonda.rib.set_walk import walked
from rotonda.rpki.path_tables import PathTable
from rotonda.rpki.paths import Path


def path_of(octets: bytes) -> Path:
    """The path of one set."""
    try:
        segments = decoded(octets).as_path
    except Malformed:
        return Path(())
    numbers = tuple(number for kind, own in segments if kind == AS_SEQUENCE for number in own)
    return Path(numbers, any(kind not in (AS_SEQUENCE, AS_CONFED_SEQUENCE) for kind, _ in segments))


def path_table(sets: Sequence[bytes]) -> PathTable:
    """The paths of many sets."""
    return PathSegments.of(walked(sets)).path_table()
