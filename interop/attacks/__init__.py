"""Attacks on our daemons as they run: the list of them, and what tests of them share.

A test says in its docstring which attacks it makes (`Attack 7: ...`, `Attacks 22-29: ...`), and makes them within
`attack` of its case, which holds every one of them to the same: the process lives, others are served as before while
it goes on, and after it everybody gets the exact set, the memory is what it was, and the log says why, once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

ATTACKS = {
    1: "connections that are reset at once",
    2: "idle connections",
    3: "no more file descriptors",
    4: "a header that drips",
    5: "a TLS handshake that drips",
    6: "queries in one write",
    7: "all routers at once",
    8: "one that does not read",
    9: "a half-closed connection",
    10: "lengths that cannot be",
    11: "every type in every length, every octet changed",
    12: "reports about reports",
    13: "text that is none",
    14: "a storm of Serial Queries",
    15: "a flood of Serial Notifies",
    16: "a load without end",
    17: "another session with each answer",
    18: "what was announced already, and what never was",
    19: "provider lists",
    20: "router keys of any size",
    21: "half a report, then the end",
    22: "clients without a certificate",
    23: "clients of another authority",
    24: "clients whose certificate has expired",
    25: "clients whose certificate is not valid yet",
    26: "clients with the certificate of another address",
    27: "clients whose certificate names no address",
    28: "clients that IPv6 maps",
    29: "clients whose certificate is revoked",
    30: "servers with nothing but a common name",
    31: "servers with a wildcard",
    32: "servers of another name",
    33: "servers whose certificate names no address",
    34: "servers that sign for themselves",
    35: "servers with old TLS, or none",
    36: "an end without close_notify",
    44: "files of another making where state is kept",
    45: "keys that others can read",
    46: "daemons that root starts",
    47: "files that are broken when they are to be read again",
    48: "a wall clock that jumps",
    49: "a full disk",
    50: "no memory",
}
"""What is tried, by the numbers that tests give it."""

_CLAIM = re.compile(r"\bAttacks? (\d+(?:(?:-|, | and )\d+)*)")


def claimed(words: str) -> Iterator[int]:
    """Which attacks a docstring says that its test makes.

    >>> list(claimed("Attacks 22-24, 27 and 29: whoever is refused."))
    [22, 23, 24, 27, 29]
    >>> list(claimed("Attack 1, C-FR-15, CVE-2024-1622."))
    [1]
    """
    for found in _CLAIM.finditer(words):
        for part in re.split(", | and ", found[1]):
            first, _, last = part.partition("-")
            yield from range(int(first), int(last or first) + 1)
