"""Memory that is free, given back to the system: the C library keeps what lies between pieces that are still used."""

from __future__ import annotations

import ctypes
from contextlib import suppress

MUCH = 16 << 20
"""After so many octets on one connection it is worth while."""


def give_back() -> None:
    """Have the system get what is free; where that cannot be asked for, nothing happens."""
    with suppress(OSError, AttributeError):  # it is glibc's alone
        ctypes.CDLL(None).malloc_trim(0)
