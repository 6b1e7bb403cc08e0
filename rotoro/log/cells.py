"""Cells: the parts of a table that are records of a log.

A cell is what one ingress has of one family in one span of addresses, the span of a prefix. Cells of the least length
together cover everything; one whose routes do not fit into a record is cut into halves, and these again. All cells
within one of the least length lie in the same partition.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rotoro.table import Diff, RouteSlot, Snapshot
from rotoro.table.columns import distinct
from rotoro.table.digest import digest64, mix
from rotoro.wire.errors import CorruptData

Numbers = NDArray[np.uint32]

LEAST = {4: 14, 6: 24}
"""How many leading bits of addresses make a cell: a full table has some 50 routes in one."""

OCTETS = {4: 4, 6: 16}
"""How long an address is."""

MARK_OCTETS = 8
"""How long the key of a mark is, which tells how its writer fares."""

_KEY = struct.Struct(">QQBB")
_HEAD = 16  # writer and ingress stand in front
_REMEMBERED = 1 << 17  # cells: those of four full tables
_TABLE = {4: np.dtype("S9"), 6: np.dtype("S21")}


class Cell(NamedTuple):
    """A key of the log. `address` has no bits behind `length`."""

    writer: int
    ingress: int
    """The digest of its identity."""
    family: int
    length: int
    address: bytes

    @property
    def key(self) -> bytes:
        """As octets: writer u64, ingress u64, family u8 (4 or 6), length u8, address (4 or 16)."""
        return _KEY.pack(self.writer, self.ingress, self.family, self.length) + self.address

    @property
    def number(self) -> int:
        """Which of the cells of the least length it lies in."""
        return int.from_bytes(self.address) >> 8 * len(self.address) - LEAST[self.family]

    @property
    def bounds(self) -> tuple[bytes, bytes | None]:
        """Route keys of the cell are at least the first, and less than the second if there is one."""
        bits = 8 * len(self.address)
        after = int.from_bytes(self.address) + (1 << bits - self.length)
        return self.address, None if after >> bits else after.to_bytes(len(self.address))

    def halves(self) -> tuple[Cell, Cell]:
        """The two cells of which it consists. Raises ValueError for a cell of one address."""
        bits = 8 * len(self.address)
        if self.length == bits:
            raise ValueError(f"a cell of one address, {self.address.hex()}")
        low = self._replace(length=self.length + 1)
        upper = int.from_bytes(self.address) | 1 << bits - low.length
        return low, low._replace(address=upper.to_bytes(len(self.address)))


@lru_cache(_REMEMBERED)
def cell_of(key: bytes) -> Cell:
    """The cell with this key; raises CorruptData for octets that are none."""
    if len(key) < _KEY.size or key[_HEAD] not in OCTETS:
        raise CorruptData(f"a key of {len(key)} octets that is no cell", key)
    writer, ingress, family, length = _KEY.unpack_from(key)
    cell = Cell(writer, ingress, family, length, key[_KEY.size :])
    bits = 8 * OCTETS[cell.family]
    if 8 * len(cell.address) != bits or not LEAST[cell.family] <= cell.length <= bits:
        raise CorruptData(f"a cell of family {cell.family}, length {cell.length} and {len(cell.address)} octets", key)
    if int.from_bytes(cell.address) & (1 << bits - cell.length) - 1:
        raise CorruptData(f"a cell with bits behind its length of {cell.length}", key)
    return cell


@lru_cache(_REMEMBERED)
def least_of(cell: Cell) -> Cell:
    """The cell of the least length that it lies in."""
    if cell.length == LEAST[cell.family]:
        return cell
    return numbered(cell.writer, cell.ingress, cell.family, cell.number)


def numbered(writer: int, ingress: int, family: int, number: int) -> Cell:
    """A cell of the least length."""
    return Cell(writer, ingress, family, LEAST[family], _first_address(family, number))


@lru_cache(_REMEMBERED)
def _first_address(family: int, number: int) -> bytes:
    return (number << 8 * OCTETS[family] - LEAST[family]).to_bytes(OCTETS[family])


def writer_number(name: str) -> int:
    """What stands for a writer in keys: the H of the name, as Rotoro has it (section 8 of its text)."""
    return int.from_bytes(digest64(name.encode()))


@lru_cache(_REMEMBERED)
def partition(family: int, number: int, partitions: int) -> int:
    """In which partition the cells are whose addresses begin with this number, of so many.

    >>> [partition(4, number, 12) for number in (0, 1, 2, 0x2802)], partition(6, 0x20010D, 12)
    ([11, 3, 11, 3], 8)
    """
    return mix(family << 32 | number) % partitions


def partition_of(prefix: bytes, partitions: int) -> int:
    """In which partition the routes of an address (4 or 16 octets) are, whatever the length of their prefix."""
    family = 4 if len(prefix) == OCTETS[4] else 6
    return partition(family, int.from_bytes(prefix) >> 8 * len(prefix) - LEAST[family], partitions)


def numbers_of(family: int, keys: NDArray[Any]) -> Numbers:
    """For each route key, the number of its cell of the least length."""
    octets = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), _TABLE[family].itemsize)
    words = np.ascontiguousarray(octets[:, :4]).view(">u4").reshape(-1)
    return words.astype(np.uint32) >> np.uint32(32 - LEAST[family])


def held(family: int, keys: NDArray[Any]) -> tuple[Numbers, NDArray[np.intp]]:
    """The numbers of the cells in which some ascending route keys lie, and how many in each."""
    numbers = numbers_of(family, keys)
    starts = np.flatnonzero(np.concatenate(([len(numbers) > 0], numbers[1:] != numbers[:-1])))
    return numbers[starts], np.diff(starts, append=len(numbers))


def lying_in(family: int, keys: NDArray[Any], wanted: Collection[int], partitions: int) -> NDArray[np.bool_]:
    """Which of some ascending route keys lie in one of these partitions, of so many."""
    numbers, counts = held(family, keys)
    each = (partition(family, number, partitions) in wanted for number in numbers.tolist())
    return np.repeat(np.fromiter(each, np.bool_, len(numbers)), counts)


def touched(diff: Diff) -> Mapping[RouteSlot, Numbers]:
    """The cells of the least length in which a diff changes something, by slot; ascending."""
    return {
        slot: distinct(np.concatenate([held(slot.family, side.keys)[0] for side in (change.before, change.after)]))
        for slot, change in diff.items()
        if isinstance(slot, RouteSlot)
    }


def all_of(snapshot: Snapshot) -> Mapping[RouteSlot, Numbers]:
    """The cells of the least length in which a table has something, by slot; ascending."""
    return {slot: held(slot.family, own.keys)[0] for slot, own in snapshot.items() if isinstance(slot, RouteSlot)}
