"""Octets that last: sealed by one digest over all of them, and taken apart as if they came from a stranger.

All integers are big endian. 8 octets of magic, version u16, kind u16, length of the whole u64; then the body; then the
BLAKE2b of 32 octets of all that stands before. In a body, texts are UTF-8 behind a u16. Columns of a slot: u32 records;
keys of fixed width as they are, others as u32 lengths and then all octets; values, where the slot has them, likewise.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from rotoro.table.columns import OCTETS
from rotoro.table.records import Records
from rotoro.table.slots import ASPA, ROUTER_KEY, VRP4, VRP6, PayloadSlot, Slot

_MAGIC = b"\x89Rotoro\n"
_VERSION = 1
_HEAD = struct.Struct(">8sHHQ")
_DIGEST_OCTETS = 32
_LENGTHS = np.dtype(">u4")
_PREFIX_BITS: dict[Slot, int] = {VRP4: 32, VRP6: 128}
_ASN_OCTETS = 4
_KEY_OCTETS = 28
"""Of a router key without its SPKI: SKI (20), length (4), ASN (4)."""


class BadStored(ValueError):
    """Octets that are no stored table of ours, or not whole."""


def sealed(kind: int, body: Iterable[bytes]) -> list[bytes]:
    """A body of this kind between head and digest, in pieces."""
    pieces = list(body)
    length = _HEAD.size + sum(map(len, pieces)) + _DIGEST_OCTETS
    pieces.insert(0, _HEAD.pack(_MAGIC, _VERSION, kind, length))
    digest = blake2b(digest_size=_DIGEST_OCTETS)
    for piece in pieces:
        digest.update(piece)
    return [*pieces, digest.digest()]


def columns(records: Records) -> Iterator[bytes]:
    """The columns of a slot."""
    yield len(records).to_bytes(4)
    for column in (records.keys, records.values):
        if column is None:
            continue
        if column.dtype != OCTETS:
            yield column.tobytes()
        else:
            items: list[bytes] = column.tolist()
            yield np.fromiter(map(len, items), _LENGTHS, len(items)).tobytes()
            yield b"".join(items)


def text(text: str) -> bytes:
    """Text of at most 65,535 octets."""
    octets = text.encode()
    return len(octets).to_bytes(2) + octets


def opened(octets: bytes, kind: int) -> Body:
    """What stands between head and digest; raises BadStored unless both are right."""
    if len(octets) < _HEAD.size + _DIGEST_OCTETS:
        raise BadStored(f"only {len(octets)} octets: {octets[:64].hex() or 'empty'}")
    magic, version, found, length = _HEAD.unpack_from(octets)
    if magic != _MAGIC:
        raise BadStored(f"begins with {magic.hex()}, as no file of ours does")
    if version != _VERSION:
        raise BadStored(f"written in version {version} of this format; read here is {_VERSION}")
    if found != kind:
        raise BadStored(f"kind {found} where {kind} was looked for")
    if length != len(octets):
        raise BadStored(f"{len(octets)} octets of {length}")
    end = length - _DIGEST_OCTETS
    if blake2b(memoryview(octets)[:end], digest_size=_DIGEST_OCTETS).digest() != octets[end:]:
        raise BadStored("damaged: the digest at its end is another")
    return Body(octets, _HEAD.size, end)


class Body:
    """Takes apart octets, none of them believed."""

    def __init__(self, octets: bytes, place: int, end: int) -> None:
        self._octets, self._place, self._end = octets, place, end

    def refuse(self, why: str) -> NoReturn:
        """Say what is wrong, and where."""
        raise BadStored(f"{why}, at octet {self._place}")

    def _take(self, count: int, what: str) -> int:
        """Where so many octets begin, if there are so many."""
        start = self._place
        if count > self._end - start:
            self.refuse(f"{what} of {count} octets where {self._end - start} are left")
        self._place += count
        return start

    def number(self, width: int, what: str) -> int:
        """An unsigned integer of so many octets."""
        start = self._take(width, what)
        return int.from_bytes(self._octets[start : start + width])

    def real(self, what: str) -> float:
        """A time, in seconds since 1970."""
        start = self._take(8, what)
        (value,) = struct.unpack_from(">d", self._octets, start)
        if not 0 <= value < 1 << 40:  # neither infinite nor no number
            self.refuse(f"{what} {value}")
        return float(value)

    def text(self, what: str) -> str:
        """Text; what is none is shown as octets."""
        length = self.number(2, what)
        start = self._take(length, what)
        return self._octets[start : start + length].decode("utf-8", "backslashreplace")

    def end(self) -> None:
        """There is nothing more."""
        if self._place != self._end:
            self.refuse(f"{self._end - self._place} octets too many")

    def records(self, slot: PayloadSlot) -> Records:
        """The columns of a slot, with keys as they have to be."""
        count = self.number(4, f"{slot.name} records")
        keys = self._items(slot.name, count) if slot.key_dtype == OCTETS else self._keys(slot, count)
        values = None if slot.value_dtype is None else self._items(f"{slot.name} values", count)
        if not (keys[:-1] < keys[1:]).all():
            self.refuse(f"{slot.name} keys that do not ascend")
        if not _well_formed(slot, keys, values):
            self.refuse(f"{slot.name} records that no cache has")
        return Records(keys, values)

    def _keys(self, slot: PayloadSlot, count: int) -> NDArray[Any]:
        start = self._take(count * slot.key_dtype.itemsize, f"{slot.name} keys")
        return np.frombuffer(self._octets, slot.key_dtype, count, start)

    def _items(self, what: str, count: int) -> NDArray[Any]:
        start = self._take(count * _LENGTHS.itemsize, f"lengths of {what}")
        ends = np.cumsum(np.frombuffer(self._octets, _LENGTHS, count, start), dtype=np.uint64).tolist()
        start = self._take(ends[-1] if ends else 0, what)
        cuts = zip([0, *ends], ends, strict=False)
        return np.fromiter((self._octets[start + low : start + high] for low, high in cuts), OCTETS, count)


def _well_formed(slot: Slot, keys: NDArray[Any], values: NDArray[Any] | None) -> bool:
    """Whether all lengths in these records are right."""
    if not len(keys):
        return True
    if slot in _PREFIX_BITS:
        octets = keys.view(np.uint8).reshape(len(keys), -1)
        longest, length = octets[:, -6], octets[:, -5]
        return bool((length <= longest).all() and longest.max() <= _PREFIX_BITS[slot])
    if slot == ROUTER_KEY:
        return all(int.from_bytes(key[20:24]) == len(key) - _KEY_OCTETS for key in keys.tolist())
    return slot == ASPA and values is not None and not any(len(value) % _ASN_OCTETS for value in values.tolist())
