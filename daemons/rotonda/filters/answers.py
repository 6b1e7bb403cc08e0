"""What expressions say of many rows at once: a value for each row, or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rotonda.blocks import types
from rotonda.blocks.places import Span
from rotonda.blocks.types import EnumType, Type
from rotonda.blocks.values import Address
from rotonda.filters import scalars
from rotonda.filters.interpret import Failed, Missing
from rotonda.filters.lists import Mask, Positions

States = NDArray[np.int32]
OBJECTS = np.dtype(object)
ADDRESSES = np.dtype("S17")
THERE = 0
"""The state of a row that has a value."""

_NUMBERS = {
    types.BOOL: np.bool_, types.FLOAT: np.float64, types.U64: np.uint64, types.TIME: np.uint64,
    types.EXTENDED_COMMUNITY: np.uint64,
    **dict.fromkeys((types.U8, types.U16, types.U32, types.ASN, types.PREFIX_LENGTH, types.COMMUNITY), np.uint32),
}  # fmt: skip


class Answer(NamedTuple):
    """Values of rows; `states` says where there is none and why (`Places`), or is None if all are there."""

    values: NDArray[Any]
    states: States | None = None

    def take(self, rows: Positions | Mask) -> Answer:
        """Some of the rows."""
        return Answer(self.values[rows], None if self.states is None else self.states[rows])

    @property
    def there(self) -> Mask | None:
        """Which rows have a value; None for all of them."""
        return None if self.states is None else self.states == THERE

    @property
    def holding(self) -> Mask:
        """Which rows say yes, if they say yes or no."""
        return self.values if self.states is None else self.values & (self.states == THERE)


class Places:
    """Where expressions have no value, as numbers: odd ones for what is missing there, even ones for what failed."""

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self._numbers: dict[Span, int] = {}

    def missing(self, span: Span) -> int:
        """The state of what is missing at this place."""
        return 2 * self._number(span) + 1

    def failed(self, span: Span) -> int:
        """The state of what failed at this place."""
        return 2 * self._number(span) + 2

    def of(self, failed: Failed) -> int:
        """The state that a failure leads to."""
        span = failed.failure.span
        return self.missing(span) if isinstance(failed, Missing) else self.failed(span)

    def span(self, state: int) -> Span:
        """The place that a state, not THERE, tells."""
        return self._spans[(state - 1) // 2]

    def _number(self, span: Span) -> int:
        number = self._numbers.get(span)
        if number is None:
            number = self._numbers[span] = len(self._spans)
            self._spans.append(span)
        return number


def form(type: Type) -> np.dtype[Any]:
    """What columns of values of this type are made of: numbers if they can be, places of constants in their
    enumeration, octets for addresses, else Python's objects."""
    if isinstance(type, EnumType):
        return np.dtype(np.uint8)
    if type == types.ADDRESS:
        return ADDRESSES
    return np.dtype(_NUMBERS.get(type, OBJECTS)) if isinstance(type, types.ScalarType) else OBJECTS


def cell(type: Type) -> Callable[[Any], Any]:
    """What makes of a value what stands in a column."""
    if isinstance(type, EnumType):
        return scalars.rank
    return _address if type == types.ADDRESS else _same


def addresses(octets: NDArray[np.uint8], width: NDArray[np.uint8] | int) -> NDArray[np.bytes_]:
    """Addresses as a column: rows of 16 octets, of which so many count."""
    made = np.empty((len(octets), 17), np.uint8)
    made[:, :16] = octets
    made[:, 16] = width
    return made.reshape(-1).view(ADDRESSES)


def column(type: Type, values: list[Any]) -> NDArray[Any]:
    """The values as a column."""
    return np.fromiter(map(cell(type), values), form(type), len(values))


def one_by_one(
    type: Type, places: Places, ask: Callable[[Any, Any], Any], records: Iterable[tuple[Any, Any]], count: int
) -> Answer:
    """What is asked of records one after the other. `ask` raises Failed."""
    own, put = form(type), cell(type)
    values = np.zeros(count, own)
    states: States | None = None
    for row, (came, goes) in enumerate(records):
        try:
            values[row] = put(ask(came, goes))
        except Failed as failed:
            if states is None:
                states = np.zeros(count, np.int32)
            states[row] = places.of(failed)
    return Answer(values, states)


def _same(value: Any) -> Any:
    return value


def _address(value: Address) -> bytes:
    return value.octets.ljust(16, b"\0") + bytes((len(value.octets),))


def first_states(*states: States | None) -> States | None:
    """For each row the state of the first of these that has no value."""
    found: States | None = None
    for one in states:
        if one is not None:
            found = one if found is None else np.where(found == THERE, one, found)
    return found
