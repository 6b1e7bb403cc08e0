"""AS paths as people and looking glasses write them: `64496 64497 {64498,64499}`, neighbour first.

Numbers may have `AS` before them, and commas between them. `{}` is an AS_SET. What a confederation has put in, `()` and
`[]`, is not between ASes: a sequence is passed over, a set makes the path as unfit as an AS_SET does (RFC 9774).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rotonda.http.errors import Refused, excerpt
from rotonda.rpki.path_tables import PathTable
from rotonda.rpki.paths import Path
from rotonda.rpki.records import MAX_AS_NUMBER, parse_as_number
from rotonda.rpki.validation import NO_ORIGIN

HINT = "write the numbers from the neighbour to the origin, like 64496 64497 {64498,64499}"
_PARTS = re.compile(r"(?:\{([^{}]*+)\}|\[([^][]*+)\]|\(([^()]*+)\)|([^][(){}]++))[\s,]*+", re.ASCII)
_PLAIN = re.compile(r"(?:[1-9][0-9]{0,9}+[, \t]++|0[, \t]++|[, \t]++)*+(?:0|[1-9][0-9]{0,9})?", re.ASCII)


class WrittenPath(NamedTuple):
    """A path, and the AS that originates its route, or NO_ORIGIN if it does not tell (RFC 6811 section 2)."""

    path: Path
    origin: int


def written_path(name: str, words: str) -> WrittenPath:
    """One path. Raises Refused."""
    numbers: list[int] = []
    has_set, origin, at = False, NO_ORIGIN, 0
    words = words.strip(" ,\t")
    while at < len(words):
        part = _PARTS.match(words, at)
        if part is None:
            raise Refused(400, f"{name}: {excerpt(words)} cannot be read from character {at + 1} on", HINT)
        group = part.lastindex or 0
        own = _numbers(name, part[group])
        if group == _SEQUENCE:
            numbers += own
            origin = own[-1] if own else origin
        else:
            has_set, origin = has_set or group != _CONFEDERATION, NO_ORIGIN
        at = part.end()
    return WrittenPath(Path(tuple(numbers), has_set), origin)


_CONFEDERATION, _SEQUENCE = 3, 4


def written_paths(lines: Sequence[str | Sequence[int]], neighbour: int | None) -> tuple[PathTable, NDArray[np.uint32]]:
    """Many paths as columns, and the origins of their routes. Raises Refused, naming the first path that is none."""
    plain = _plain(lines)
    found = [] if plain else [_any(f"paths[{number}]", line) for number, line in enumerate(lines)]
    table = plain or PathTable.of([own.path for own in found])
    if neighbour is not None:
        table = PathTable(table.numbers, table.offsets, table.sets, np.full(len(table), neighbour, np.uint32))
    origins = _last(table) if plain else np.fromiter((own.origin for own in found), np.uint32, len(found))
    return table, origins


def _plain(lines: Sequence[str | Sequence[int]]) -> PathTable | None:
    """Paths that are nothing but numbers, as all but a few are; None if any is more, or wrong."""
    words = [line for line in lines if isinstance(line, str)]
    if len(words) < len(lines) or not _PLAIN.fullmatch(" ".join(words)):
        return None
    rows = [line.replace(",", " ").split() for line in words]
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(np.fromiter(map(len, rows), np.int64, len(rows)))))
    numbers = np.fromiter((int(word) for row in rows for word in row), np.float64, int(offsets[-1]))
    return PathTable(numbers.astype(np.uint32), offsets) if (numbers <= MAX_AS_NUMBER).all() else None


def _last(table: PathTable) -> NDArray[np.uint32]:
    origins = np.full(len(table), NO_ORIGIN, np.uint32)
    some = table.offsets[1:] > table.offsets[:-1]
    origins[some] = table.numbers[table.offsets[1:][some] - 1]
    return origins


def _any(name: str, line: str | Sequence[int]) -> WrittenPath:
    if isinstance(line, str):
        return written_path(name, line)
    if line and not 0 <= min(line) <= max(line) <= MAX_AS_NUMBER:
        raise Refused(400, f"{name}: an AS number has 32 bits", HINT)
    return WrittenPath(Path(tuple(line)), line[-1] if line else NO_ORIGIN)


def _numbers(name: str, words: str) -> list[int]:
    try:
        return list(map(parse_as_number, words.replace(",", " ").split()))
    except ValueError as wrong:
        raise Refused(400, f"{name}: {wrong}", HINT) from None
