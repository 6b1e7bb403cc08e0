"""The order of answers: by prefix, then ingress, then path identifier; and how to go on from any place in it.

A place is octets - address, length, ingress, path identifier - that compare as the order demands. It names a route
and not a row, so that it means the same when the table has moved on.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotonda.rib.prefixes import BITS, OCTETS

Keys = NDArray[Any]

_MARK = 4


class BadCursor(ValueError):
    """A cursor that no answer to this question can have given."""


@dataclass(frozen=True, slots=True)
class Place:
    """One route in the order of answers."""

    family: int
    prefix: bytes
    ingress: int
    path: bytes

    @staticmethod
    def of(family: int, place: bytes) -> Place:
        """The place with these octets."""
        prefix = OCTETS[family] + 1
        return Place(family, place[:prefix], int.from_bytes(place[prefix : prefix + 4]), place[prefix + 4 :])

    @staticmethod
    def read(cursor: str, mark: bytes) -> Place:
        """What a cursor says, if the mark of the question is this. Raises BadCursor."""
        try:
            octets = urlsafe_b64decode(cursor.encode("ascii"))
        except ValueError:
            raise BadCursor("the cursor is not one that was given here") from None
        family, place = octets[0] if octets else 0, octets[1 + _MARK :]
        if family not in OCTETS or len(place) != OCTETS[family] + 9 or place[OCTETS[family]] > BITS[family]:
            raise BadCursor("the cursor is not one that was given here")
        if octets[1 : 1 + _MARK] != mark[:_MARK]:
            raise BadCursor("the cursor belongs to another question")
        return Place.of(family, place)

    def written(self, mark: bytes) -> str:
        """The cursor that leads on from here."""
        octets = bytes([self.family]) + mark[:_MARK] + self.prefix + self.ingress.to_bytes(4) + self.path
        return urlsafe_b64encode(octets).decode()

    def passed(self, keys: Keys, ingress: int) -> int:
        """How many rows of an ingress's sorted keys are not behind this place."""
        if ingress == self.ingress:
            key, side = self.prefix + self.path, "right"
        elif ingress < self.ingress:
            key, side = self.prefix + b"\xff\xff\xff\xff", "right"
        else:
            key, side = self.prefix + bytes(4), "left"
        return int(keys.searchsorted(np.array([key], keys.dtype), side)[0])  # type: ignore[call-overload]


def places(keys: Keys, ingress: int) -> Keys:
    """The places of some rows of one ingress, as octets that compare."""
    width = keys.dtype.itemsize
    octets = np.empty((len(keys), width + 4), np.uint8)
    own = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), width)
    octets[:, : width - 4], octets[:, width:] = own[:, : width - 4], own[:, width - 4 :]
    octets[:, width - 4 : width] = np.frombuffer(ingress.to_bytes(4), np.uint8)
    return octets.view(f"S{width + 4}").reshape(-1)
