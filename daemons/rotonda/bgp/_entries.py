"""Entries of RIB records, in plain Python and numpy: `careful` reads one record and tells its fault, `quick` many.

Both find where the entries are and which attribute sets they have; `columns` then cuts the rows out all at once.
"""

from __future__ import annotations

from array import array
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rotonda.bgp.errors import Malformed
from rotonda.bgp.records import HEADER_OCTETS, RibKind
from rotonda.bgp.sets import Form, set_number
from rotonda.bgp.update import ADDRESS_OCTETS, RouteBatch, keys_of

PREFIX = HEADER_OCTETS + 4  # where the prefix is in a record: after the sequence number
_ROUNDS_WORTH = 8
"""`quick` looks at the n-th entries of all records together: at this many together, on average, or not at all."""


class Entries(NamedTuple):
    """Where the prefixes of some records are, how many entries each has, where these are, and their attribute sets."""

    prefixes: list[int]
    counts: list[int]
    heads: list[int]
    numbers: list[int]


def head_octets(kind: RibKind) -> int:
    """The octets of an entry before its attributes (RFC 6396 §4.3.4), with a path identifier or not (RFC 8050 §4.1)."""
    return 12 if kind.add_path else 8


def careful(data: bytes, at: int, stop: int, kind: RibKind, peers: int, form: Form) -> Entries:
    """The entries of the one record whose prefix is at `at`; `Malformed` if anything is wrong, whatever it is."""
    bits = data[at] if at < stop else 0
    first = at + 3 + (bits + 7 >> 3)
    if bits > ADDRESS_OCTETS[kind.family] * 8 or first > stop:
        raise Malformed(f"prefix of length {bits} in {max(stop - at, 0)} octets", data[at:stop])
    count = data[first - 2] << 8 | data[first - 1]
    found = Entries([at], [count], [], [])
    at = first
    for _ in range(count):
        start = at + head_octets(kind)
        end = start + (data[start - 2] << 8 | data[start - 1]) if start <= stop else stop + 1
        if end > stop:
            raise Malformed(f"entry {len(found.heads)} of {count} goes beyond the record", data[at:stop])
        peer = data[at] << 8 | data[at + 1]
        if peer >= peers:
            raise Malformed(f"entry of peer {peer}, but the table has {peers} peers", data[at:stop])
        found.numbers.append(set_number(form, data[start:end]))
        found.heads.append(at)
        at = end
    if at != stop:
        raise Malformed(f"{stop - at} octets after the last entry", data[at:stop])
    return found


def quick(data: bytes, places: NDArray[np.int64], kind: RibKind, peers: int, form: Form) -> Entries:
    """The entries of records that lie one behind the other, from each of `places` to the next, up to the first that is
    not sound, or that must be read alone."""
    octets = np.frombuffer(data, np.uint8)
    prefixes, ends = places[:-1] + PREFIX, places[1:]
    prefixes = prefixes[: _until(prefixes + 3 <= ends)]
    bits = octets[prefixes]
    at = prefixes + 3 + ((bits.astype(np.int64) + 7) >> 3)
    good = _until((bits <= ADDRESS_OCTETS[kind.family] * 8) & (at <= ends[: len(at)]))
    at, ends = at[:good], ends[:good]
    counts = _two(octets, at - 2)
    if not good or counts.sum() < counts.max() * _ROUNDS_WORTH:
        return Entries([], [], [], [])
    records, heads, good = _rounds(octets, at, ends, counts, head_octets(kind), peers)
    kept = int(counts[:good].sum())
    order = np.argsort(records, kind="stable")
    heads = heads[order][:kept]
    return _numbered(data, octets, prefixes[:good], counts[:good], heads, head_octets(kind), form)


def _rounds(
    octets: NDArray[np.uint8],
    at: NDArray[np.int64],
    ends: NDArray[np.int64],
    counts: NDArray[np.int64],
    head: int,
    peers: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """For each entry the number of its record and its place, the first entries of all records in front, then the second
    and so on; and how many records are sound."""
    sound = np.ones(len(at), np.bool_)
    at, records, heads = at.copy(), [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    active = np.arange(len(at))
    for done in range(int(counts.max())):
        active = active[counts[active] > done]
        here = at[active]
        fits = here + head <= ends[active]
        starts = np.where(fits, here + head, head)
        at[active] = starts + _two(octets, starts - 2)
        fits &= (at[active] <= ends[active]) & (_two(octets, starts - head) < peers)
        sound[active[~fits]] = False
        active = active[fits]
        records.append(active)
        heads.append(here[fits])
    return np.concatenate(records), np.concatenate(heads), _until(sound & (at == ends))


def _numbered(
    data: bytes,
    octets: NDArray[np.uint8],
    prefixes: NDArray[np.int64],
    counts: NDArray[np.int64],
    heads: NDArray[np.int64],
    head: int,
    form: Form,
) -> Entries:
    starts = heads + head
    numbers: list[int] = []
    good = len(prefixes)
    seen = form.seen.get
    try:
        for start, end in zip(starts.tolist(), (starts + _two(octets, starts - 2)).tolist(), strict=True):
            attributes = data[start:end]
            number = seen(attributes)
            numbers.append(form.number(attributes) if number is None else number)
    except Malformed:
        good = int(np.searchsorted(counts.cumsum(), len(numbers), "right"))
    kept = int(counts[:good].sum())
    return Entries(prefixes[:good].tolist(), counts[:good].tolist(), heads[:kept].tolist(), numbers[:kept])


def columns(data: bytes, entries: Entries, kind: RibKind, peers: array[int]) -> RouteBatch:
    """The entries as rows; `peers` gives our number for each of the peer index table."""
    octets = np.frombuffer(data, np.uint8)
    address, heads = ADDRESS_OCTETS[kind.family], np.array(entries.heads)
    # prefixes come with octets that are not theirs, which are cleared with the host bits
    places = np.array(entries.prefixes)[:, None] + np.arange(1 + address)
    raw = np.zeros((len(places), address + 5), np.uint8)
    raw[:, : 1 + address] = octets[np.minimum(places, len(octets) - 1)]
    raw = raw.repeat(entries.counts, axis=0)
    if kind.add_path:
        raw[:, -4:] = octets[heads[:, None] + np.arange(6, 10)]
    numbers = np.array(entries.numbers, np.uint32)
    return RouteBatch(
        kind.family,
        np.ones(len(heads), np.bool_),
        np.array(peers, np.uint32)[_two(octets, heads)],
        keys_of(raw, kind.family),
        numbers,
        (_two(octets, heads + 2) << 16 | _two(octets, heads + 4)).astype(np.uint32),
    )


def _two(octets: NDArray[np.uint8], at: NDArray[np.int64]) -> NDArray[np.int64]:
    return octets[at].astype(np.int64) << 8 | octets[at + 1]


def _until(sound: NDArray[np.bool_]) -> int:
    """How many are sound before the first that is not."""
    return len(sound) if sound.all() else int(sound.argmin())
