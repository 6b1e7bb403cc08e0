"""The order of answers: by prefix, then ingress, then path identifier; and how to go on from any place in it. What is
of the past comes after what is current of the same prefix, by the time when it ended.

A place is octets - address, length, end, ingress, path identifier - that compare as the order demands. The end is that
of an entry of the past, in microseconds, and 0 for a current route. A place names a route and not a row, so that it
means the same when the table has moved on.
"""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotonda.rib.prefixes import BITS, OCTETS

Keys = NDArray[Any]

_MARK = 4
_END = 8
_BEHIND_PREFIX = _END + 4 + 4


class BadCursor(ValueError):
    """A cursor that no answer to this question can have given."""


@dataclass(frozen=True, slots=True)
class Place:
    """One route in the order of answers."""

    family: int
    prefix: bytes
    ingress: int
    path: bytes
    ended: int = 0

    @staticmethod
    def of(family: int, place: bytes) -> Place:
        """The place with these octets."""
        prefix = OCTETS[family] + 1
        ended, ingress = place[prefix : prefix + _END], place[prefix + _END : -4]
        return Place(family, place[:prefix], int.from_bytes(ingress), place[-4:], int.from_bytes(ended))

    @staticmethod
    def read(cursor: str, mark: bytes) -> Place:
        """What a cursor says, if the mark of the question is this. Raises BadCursor."""
        try:
            octets = b64decode(cursor.encode("ascii"), b"-_", validate=True)
        except ValueError:
            raise BadCursor("the cursor is not one that was given here") from None
        family, place = octets[0] if octets else 0, octets[1 + _MARK :]
        if (
            family not in OCTETS
            or len(place) != OCTETS[family] + 1 + _BEHIND_PREFIX
            or place[OCTETS[family]] > BITS[family]
        ):
            raise BadCursor("the cursor is not one that was given here")
        if octets[1 : 1 + _MARK] != mark[:_MARK]:
            raise BadCursor("the cursor belongs to another question")
        return Place.of(family, place)

    def written(self, mark: bytes) -> str:
        """The cursor that leads on from here."""
        return urlsafe_b64encode(bytes([self.family]) + mark[:_MARK] + self.octets).decode()

    @property
    def octets(self) -> bytes:
        """What compares with those of other places."""
        return self.prefix + self.ended.to_bytes(_END) + self.ingress.to_bytes(4) + self.path

    def passed(self, keys: Keys, ingress: int) -> int:
        """How many rows of an ingress's sorted keys, all current, are not behind this place."""
        if ingress == self.ingress and not self.ended:
            key, side = self.prefix + self.path, "right"
        elif ingress < self.ingress or self.ended:
            key, side = self.prefix + b"\xff\xff\xff\xff", "right"
        else:
            key, side = self.prefix + bytes(4), "left"
        return int(keys.searchsorted(np.array([key], keys.dtype), side)[0])  # type: ignore[call-overload]


def places(keys: Keys, ingress: int, ended: NDArray[np.uint64] | None = None) -> Keys:
    """The places of some rows of one ingress, as octets that compare."""
    width = keys.dtype.itemsize
    end = width - 4
    octets = np.empty((len(keys), end + _BEHIND_PREFIX), np.uint8)
    own = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), width)
    octets[:, :end], octets[:, -4:] = own[:, :end], own[:, end:]
    octets[:, end : end + _END] = 0 if ended is None else ended.astype(">u8").view(np.uint8).reshape(len(keys), _END)
    octets[:, end + _END : -4] = np.frombuffer(ingress.to_bytes(4), np.uint8)
    return octets.view(f"S{octets.shape[1]}").reshape(-1)
