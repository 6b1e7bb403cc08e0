"""The compartments of a table: in each slot lie records of one kind from one origin.

A slot knows what its records look like (the dtypes of their columns) and how they enter the state digest. All keys
are octets whose memcmp order is the natural order of the records.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from rotoro.table.attributes import AttributeStore
from rotoro.table.columns import OCTETS
from rotoro.table.digest import Hashes, key_hashes, mix, octet_hashes
from rotoro.table.ingress import Ingress

NUMBER = np.dtype(np.uint32)


class Slot(Protocol):
    """What a table needs to know of a slot; slots are values, and keys of mappings."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def order(self) -> tuple[int, ...]:
        """Where it stands among the slots of a table."""

    @property
    def key_dtype(self) -> np.dtype[Any]:
        """S<n>, or object for Python bytes."""

    @property
    def value_dtype(self) -> np.dtype[Any] | None:
        """uint32 for attribute set numbers, object for Python bytes, or None where the key is the whole record."""

    @property
    def timed(self) -> bool:
        """Whether its records have a time (uint32, seconds since 1970), which is carried but never compared."""

    def hashes(self, keys: NDArray[Any], values: NDArray[Any] | None) -> Hashes:
        """What each record adds to the state digest (see `rotoro.table.digest`)."""

    def retain(self, values: NDArray[Any] | None) -> None:
        """Records with these values came into a table."""

    def release(self, values: NDArray[Any] | None) -> None:
        """Records with these values are forgotten."""


@dataclass(frozen=True, slots=True)
class PayloadSlot:
    """RPKI data of one kind; there is one slot of each, whatever cache they came from."""

    name: str
    tag: int
    key_dtype: np.dtype[Any]
    value_dtype: np.dtype[Any] | None = None

    @property
    def order(self) -> tuple[int, ...]:
        """By tag, before all routes."""
        return (self.tag,)

    @property
    def timed(self) -> bool:
        """RPKI data has no time."""
        return False

    def hashes(self, keys: NDArray[Any], values: NDArray[Any] | None) -> Hashes:
        """What each record adds to the state digest."""
        if self.key_dtype == OCTETS or self.value_dtype is not None:
            tag = bytes([self.tag])
            return octet_hashes(tag + octets for octets in _joined(keys, values))
        return key_hashes(self.tag, keys)

    def retain(self, values: NDArray[Any] | None) -> None:
        """Nothing is shared."""

    def release(self, values: NDArray[Any] | None) -> None:
        """Nothing is shared."""


VRP4 = PayloadSlot("vrp4", 1, np.dtype("S10"))
"""Address (4), max length (1), length (1), ASN (4)."""
VRP6 = PayloadSlot("vrp6", 2, np.dtype("S22"))
"""Address (16), max length (1), length (1), ASN (4)."""
ROUTER_KEY = PayloadSlot("router key", 3, OCTETS)
"""SKI (20), length of the SPKI (4), SPKI, ASN (4)."""
ASPA = PayloadSlot("aspa", 4, np.dtype("S4"), OCTETS)
"""Customer ASN (4); the value is the provider ASNs (4 each), ascending."""
PAYLOAD_SLOTS = (VRP4, VRP6, ROUTER_KEY, ASPA)


def is_der_sequence(octets: bytes) -> bool:
    """Whether this is one SEQUENCE in DER, as a subject public key info is (RFC 8608, RFC 5280 section 4.1).

    >>> is_der_sequence(bytes.fromhex("3003020100")), is_der_sequence(bytes.fromhex("3004020100"))
    (True, False)
    """
    if len(octets) < 2 or octets[0] != 0x30:
        return False
    if octets[1] < 0x80:
        return len(octets) == 2 + octets[1]
    count = octets[1] & 0x7F
    told = octets[2 : 2 + count]
    shortest = len(told) == count > 0 and told[0] > 0 and (count > 1 or told[0] >= 0x80)
    return shortest and len(octets) == 2 + count + int.from_bytes(told)


@dataclass(frozen=True, slots=True)
class RouteSlot:
    """The routes of one address family from one ingress; a value is the number of an attribute set in `attributes`.

    Two slots are the same if family, number and identity of the ingress and the store are the same: the state of
    an ingress may change under its routes, but a number that is given to another ingress makes another slot, because
    its routes weigh differently in the state digest, and numbers of two stores do not compare.
    """

    family: Literal[4, 6]
    ingress: Ingress = field(compare=False)
    attributes: AttributeStore = field(repr=False)
    number: int = field(init=False, repr=False)
    seed: int = field(init=False, repr=False)
    """What the hash of each of its routes starts with."""

    def __post_init__(self) -> None:
        if self.family not in _ROUTE_TAGS:
            raise ValueError(f"routes of ingress {self.ingress.number}: there is no family {self.family}, only 4 and 6")
        object.__setattr__(self, "number", self.ingress.number)
        object.__setattr__(self, "seed", mix(_ROUTE_TAGS[self.family] ^ self.ingress.digest))

    @property
    def name(self) -> str:
        """Family and ingress."""
        return f"route{self.family} of ingress {self.number}"

    @property
    def order(self) -> tuple[int, ...]:
        """By family, then by ingress."""
        return (_ROUTE_TAGS[self.family], self.number, self.seed)

    @property
    def key_dtype(self) -> np.dtype[Any]:
        """Address (4 or 16), length (1), path id (4)."""
        return _ROUTE_KEYS[self.family]

    @property
    def value_dtype(self) -> np.dtype[Any]:
        """The number of an attribute set."""
        return NUMBER

    @property
    def timed(self) -> bool:
        """Routes have a time."""
        return True

    def hashes(self, keys: NDArray[Any], values: NDArray[Any] | None) -> Hashes:
        """What each route adds to the state digest; its attribute set must still be in the store."""
        return key_hashes(self.seed, keys, self.attributes.hashes[_numbers(values)])

    def retain(self, values: NDArray[Any] | None) -> None:
        """These attribute sets are needed, once more for each occurrence."""
        self.attributes.retain(_numbers(values))

    def release(self, values: NDArray[Any] | None) -> None:
        """These attribute sets are needed once less for each occurrence."""
        self.attributes.release(_numbers(values))


_ROUTE_TAGS = {4: 5, 6: 6}
_ROUTE_KEYS = {4: np.dtype("S9"), 6: np.dtype("S21")}


def _numbers(values: NDArray[Any] | None) -> NDArray[np.uint32]:
    if values is None:
        raise ValueError("a route has an attribute set")
    return values


def _joined(keys: NDArray[Any], values: NDArray[Any] | None) -> Iterator[bytes]:
    """Key and value of each record in a row; a view as void, since Python's view of S<n> loses trailing NULs."""
    whole = keys if keys.dtype == OCTETS else keys.view(f"V{keys.dtype.itemsize}")
    octets: list[bytes] = whole.tolist()
    return iter(octets) if values is None else map(bytes.__add__, octets, values.tolist())
