"""Where the records in a buffer lie: runs of prefixes, or prefixes and ASPAs in any mix, found without a loop.

Nothing here is a guess: every PDU of what is taken is proved to begin where the one before it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import lt
from struct import Struct, unpack_from
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rotoro.wire.bulk import PREFIX_FORMS, Prefixes, PrefixForm, decode_prefixes
from rotoro.wire.errors import CorruptData
from rotoro.wire.pdu import HEADER_LENGTH, RTR_MAX_LENGTH, Pdu
from rotoro.wire.rtr import ANNOUNCE, Aspa

_FIRST_ROWS = 32
"""How many rows are looked at to see whether a run goes on; each further look is eight times as long.

A shorter run that another record follows is read as a mix."""
_FIRST_WINDOW = 1 << 10
_LAST_WINDOW = 1 << 20
"""How many octets are looked at to find a mix: eight times as many whenever it filled the last look to its end."""

_ASPA_HEAD = Struct(">2xBxII")
"""Flags, length, customer."""

_WORD = 4
"""Records are whole words long, so each of a mix lies on a word of the first."""
_TYPE_MASK = np.frombuffer(b"\xff\xff\0\0", np.uint32)[0]
_MIXED = (*(form.pdu.number for form in PREFIX_FORMS.values()), Aspa.number)

Places = NDArray[np.intp]


class Taken(NamedTuple):
    """Records from the front of a buffer."""

    pdus: list[Pdu]
    """The good ones: at most one run of prefixes of each family, then ASPAs; each kind in the order received."""
    octets: int
    """How much of the buffer they take."""
    broken: CorruptData | None
    """What is wrong with the PDU behind them, if it is why they end; that PDU is not taken."""


@dataclass(slots=True)
class PrefixReader:
    """Takes prefixes in the largest pieces that the buffer allows; remembers how wide it pays to look."""

    window: int = _FIRST_WINDOW

    def take(self, buffer: bytearray, at: int, form: PrefixForm) -> Taken:
        """The records from a place where a whole prefix PDU of the form begins."""
        rows = _run(buffer, at, form)
        if rows < _FIRST_ROWS and _other_follows(buffer, at, at + rows * form.size):
            mix = self._mix(buffer, at)
            if mix.octets:
                return mix
        run, broken = decode_prefixes(form, buffer[at : at + rows * form.size])
        return Taken([run] if len(run) else [], len(run) * form.size, broken)

    def _mix(self, buffer: bytearray, at: int) -> Taken:
        """What a look at the buffer can prove; a bad PDU ends it, and is for `decode` to explain."""
        looked = min(self.window, len(buffer) - at)
        chain = _chain(buffer, at, looked)
        families = [_Family(form, buffer, at, chain) for form in PREFIX_FORMS.values()]
        aspas, good = _aspas(buffer, at, chain, min(family.good for family in families))
        runs = [family.before(good) for family in families]
        octets = int(chain.ends[good - 1]) * _WORD if good else 0
        self._look(octets, looked, chain.reaches_end)
        return Taken([*(run for run in runs if len(run)), *aspas], octets, None)

    def _look(self, octets: int, looked: int, whole: bool) -> None:
        """Look wider if the mix may go on behind what was seen, and start small again if it ended within."""
        if not whole:
            self.window = _FIRST_WINDOW
        elif looked == self.window:
            self.window = min(self.window * 8, _LAST_WINDOW)


@dataclass(frozen=True, slots=True)
class _Chain:
    """Whole PDUs, each right behind the one before; places and sizes in words from where the first begins."""

    starts: Places
    ends: Places
    types: NDArray[np.uint8]
    reaches_end: bool
    """Whether it goes on to the end of what was looked at, but for one PDU that is not whole."""


class _Family:
    """The rows of one family out of a chain of PDUs."""

    def __init__(self, form: PrefixForm, buffer: bytearray, at: int, chain: _Chain) -> None:
        self.places = np.flatnonzero(chain.types == form.pdu.number)
        octets = b""
        if len(self.places):
            last = int(chain.starts[self.places[-1]])
            # One row at every word, overlapping; taking the right ones copies each as a whole.
            rows: NDArray[Any] = np.ndarray((last + 1,), f"V{form.size}", buffer, at, (_WORD,))
            octets = rows[chain.starts[self.places]].tobytes()
        self.run, broken = decode_prefixes(form, octets)
        self.good = len(chain.starts) if broken is None else int(self.places[len(self.run)])
        """How many PDUs of the chain come before the first bad one of this family."""

    def before(self, place: int) -> Prefixes:
        """The rows of this family that lie before a place in the chain."""
        return self.run.first(int(np.searchsorted(self.places, place)))


def _aspas(buffer: bytearray, at: int, chain: _Chain, good: int) -> tuple[list[Pdu], int]:
    """The ASPAs among the first PDUs of a chain, and how many of these come before the first bad one."""
    found: list[Pdu] = []
    places = np.flatnonzero(chain.types[:good] == Aspa.number)
    begins = (at + chain.starts[places] * _WORD).tolist()
    for place, begin in zip(places.tolist(), begins, strict=True):
        aspa = _aspa(buffer, begin)
        if aspa is None:
            return found, place
        found.append(aspa)
    return found, good


def aspas_in_a_row(buffer: bytearray, at: int, limit: int) -> tuple[list[Aspa], int]:
    """The ASPAs from a place where a whole one begins, and how many octets they take.

    They end before one of another version, that is not whole or has more octets than the limit, and before one that is
    not as it should be: `decode` explains what is wrong with it.
    """
    found: list[Aspa] = []
    begin, end, version = at, len(buffer), buffer[at]
    while end - at >= _ASPA_HEAD.size and buffer[at] == version and buffer[at + 1] == Aspa.number:
        length = int.from_bytes(buffer[at + 4 : at + 8])
        if not _ASPA_HEAD.size <= length <= min(limit, end - at):
            break
        aspa = _aspa(buffer, at)
        if aspa is None:
            break
        found.append(aspa)
        at += length
    return found, at - begin


def _aspa(buffer: bytearray, at: int) -> Aspa | None:
    """A whole ASPA, several times as fast as the codec reads it; None if it is not as it should be."""
    flags, length, customer = _ASPA_HEAD.unpack_from(buffer, at)
    count, odd = divmod(length - _ASPA_HEAD.size, _WORD)
    if odd or (count > 0) != bool(flags & ANNOUNCE):
        return None
    providers = unpack_from(f">{count}I", buffer, at + _ASPA_HEAD.size)
    if count > 1 and not (providers[0] and all(map(lt, providers, providers[1:]))):
        return None
    return Aspa(flags, customer, providers)


def _chain(buffer: bytearray, at: int, window: int) -> _Chain:
    """The records that a look proves."""
    words = np.frombuffer(buffer, np.uint32, window // _WORD, at)
    sizes = _sizes(words, buffer[at])
    starts = np.flatnonzero(sizes)
    ends = starts + sizes[starts]
    # What looks like a header may be the inside of a PDU; the first that is not where the chain leads ends it.
    joined = ends[:-1] == starts[1:]
    count = len(starts) if joined.all() else int(joined.argmin()) + 1
    end = int(ends[count - 1])
    if end > len(words):
        count -= 1
    octets = np.frombuffer(buffer, np.uint8, window, at)
    reaches_end = end > len(words) - HEADER_LENGTH // _WORD
    return _Chain(starts[:count], ends[:count], octets[starts[:count] * _WORD + 1], reaches_end)


def _sizes(words: NDArray[np.uint32], version: int) -> NDArray[np.uint16]:
    """For each word that looks like the header of a record the words of that record, else 0."""
    types = words[:-1] & _TYPE_MASK
    found = np.zeros(len(types), np.uint16)
    for form in PREFIX_FORMS.values():
        alike = (types == _header(version, form.pdu.number)) & (words[1:] == _native(form.size.to_bytes(_WORD)))
        found |= alike * np.uint16(form.size // _WORD)
    aspas = np.flatnonzero(types == _header(version, Aspa.number))
    sizes = words[1:][aspas].view(">u4").astype(np.int64)
    possible = (sizes >= HEADER_LENGTH + _WORD) & (sizes <= RTR_MAX_LENGTH) & (sizes % _WORD == 0)
    found[aspas] = np.where(possible, sizes // _WORD, 0)
    return found


def _header(version: int, number: int) -> np.uint32:
    return _native(bytes((version, number, 0, 0)))


def _native(octets: bytes) -> np.uint32:
    """Octets as the word that this machine reads them as."""
    return np.uint32(np.frombuffer(octets, np.uint32)[0])


def _other_follows(buffer: bytearray, at: int, behind: int) -> bool:
    """Whether another record of the same version begins behind a run."""
    return len(buffer) - behind >= HEADER_LENGTH and buffer[behind] == buffer[at] and buffer[behind + 1] in _MIXED


def _run(buffer: bytearray, at: int, form: PrefixForm) -> int:
    """How many prefixes follow one another from here, alike in version, type and length."""
    return sum(_alike(buffer, at, form))


def _alike(buffer: bytearray, at: int, form: PrefixForm) -> Iterator[int]:
    there = (len(buffer) - at) // form.size
    version, number = buffer[at], buffer[at + 1]
    known, look = 0, _FIRST_ROWS
    while known < there:
        rows = np.frombuffer(buffer, form.dtype, min(look, there - known), at + known * form.size)
        alike = (rows["version"] == version) & (rows["type"] == number) & (rows["size"] == form.size)
        run = len(alike) if alike.all() else int(alike.argmin())
        yield run
        if run < len(alike):
            return
        known += run
        look *= 8
