"""Columns of numbers and addresses as lines of text, thousands at a time.

A column of words is a matrix of octets with NULs where a word is shorter than the widest; lines are such matrices and
fixed words side by side, and the NULs are left out at the end, once for all lines.
"""

from __future__ import annotations

from socket import AF_INET6, inet_ntop
from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint8]

_ZERO = ord("0")
_OCTET_WORDS = np.array([str(octet) for octet in range(256)], "S3").view(np.uint8).reshape(256, 3)


def decimal(numbers: NDArray[Any]) -> Words:
    """Numbers of at most 32 bits in decimal digits."""
    rest = numbers.astype(np.uint32)
    digits = len(str(int(rest.max()))) if len(rest) else 1
    words = np.zeros((len(rest), digits), np.uint8)
    for column in range(digits - 1, -1, -1):
        rest, digit = np.divmod(rest, np.uint32(10))
        words[:, column] = digit + _ZERO
    leading = np.cumsum(words[:, :-1] != _ZERO, axis=1) == 0
    words[:, :-1][leading] = 0
    return words


def ipv4(octets: NDArray[np.uint8]) -> Words:
    """Addresses of four octets each."""
    words = np.full((len(octets), 15), ord("."), np.uint8)
    for column in range(4):
        words[:, 4 * column : 4 * column + 3] = _OCTET_WORDS[octets[:, column]]
    return words


def ipv6(octets: NDArray[np.uint8]) -> Words:
    """Addresses of sixteen octets each."""
    packed = octets.tobytes()
    words = [inet_ntop(AF_INET6, packed[start : start + 16]) for start in range(0, len(packed), 16)]
    return np.array(words, "S45").view(np.uint8).reshape(len(words), 45)


def lines(*parts: bytes | Words) -> bytes:
    """All rows, each of these fixed words and columns, one behind the other."""
    rows = max(len(part) for part in parts if not isinstance(part, bytes))
    columns = [
        np.broadcast_to(np.frombuffer(part, np.uint8), (rows, len(part))) if isinstance(part, bytes) else part
        for part in parts
    ]
    matrix = np.concatenate(columns, axis=1).reshape(-1)
    octets: bytes = matrix[matrix != 0].tobytes()
    return octets
