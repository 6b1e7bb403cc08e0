"""The bit boxes that RFCs draw, 32 bits to a row."""

from __future__ import annotations

from collections.abc import Iterator

from rotoro.wire.pdu import Layout, Pdu
from rotoro.wire.shape import Kind, in_header, shape

_BITS = 32
_Row = list[tuple[str, int]]
_MORE: _Row = [("", _BITS)]
"""A whole row that continues the field above it."""

_RULER = [
    "     0                   1                   2                   3",
    "     " + " ".join("0123456789" * 3 + "01"),
]


def picture(owner: type[Layout]) -> str:
    """A PDU with its header, or a part, as boxes.

    >>> from rotoro.wire.rotoro import TypeField
    >>> print(*picture(TypeField).splitlines()[2:], sep="\\n")
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |  name length  |                   name ...                    |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |     kind      |   repeated    |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    """
    lines = [*_RULER, _edge(_BITS)]
    for row in _rows(_cells(owner)):
        if row == _MORE:
            lines.pop()
        lines += [_line(row), _edge(sum(bits for _, bits in row))]
    return "\n".join(lines)


def _cells(owner: type[Layout]) -> Iterator[tuple[str, int | None]]:
    """Every box by name and width in bits; None where it varies."""
    if issubclass(owner, Pdu):
        yield from (("version", 8), (f"type = {owner.number}", 8))
        yield from list(_boxes(owner, True)) or [("zero", 16)]
        yield "length", 32
    yield from _boxes(owner, False)


def _boxes(owner: type[Layout], header: bool) -> Iterator[tuple[str, int | None]]:
    for name, wire in in_header(owner, header).items():
        form = shape(owner, name)
        if form.prefix:
            counted = "length" if form.kind is Kind.COUNTED_OCTETS else "count"
            label = f"{name} {counted}"
            yield label if len(label) < 16 * form.prefix else counted, 8 * form.prefix
        yield "zero" if wire.reserved else name, 8 * form.size if form.fixed else None


def _rows(cells: Iterator[tuple[str, int | None]]) -> Iterator[_Row]:
    """The boxes laid out; what does not end with its row goes on in the next."""
    row: _Row = []
    for name, bits in cells:
        left = bits
        while left != 0:
            free = _BITS - sum(taken for _, taken in row)
            taken = free if left is None else min(left, free)
            label = f"{name} ..." if bits is None else name
            if left != bits:
                label = "" if taken == _BITS else f"({name})"
            row.append((label, taken))
            left = 0 if left is None else left - taken
            if taken == free:
                yield row
                row = []
    if row:
        yield row


def _line(row: _Row) -> str:
    return "    |" + "|".join(f"{name:^{2 * bits - 1}}" for name, bits in row) + "|"


def _edge(bits: int) -> str:
    return "    +" + "-+" * bits
