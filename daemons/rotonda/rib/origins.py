"""The origin AS of thousands of attribute sets at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rotonda.rib.path_segments import PathSegments
from rotonda.rib.set_walk import walked


def origins_of(sets: Sequence[bytes]) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """The origin AS of each set, 0 where its path tells none, and whether it tells one."""
    return PathSegments.of(walked(sets)).origins()
