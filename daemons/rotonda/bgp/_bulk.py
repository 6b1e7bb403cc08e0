# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# mypy: disable-error-code="untyped-decorator, type-arg, no-any-return, operator"
"""The typed loops over UPDATE messages and MRT records, for Cython's pure-Python mode.

They take what is sound and usual. At anything else they stop in front of it without a trace, and `_plain.py`, where the
rules and their reasons stand, reads that message or record. Every octet is read only after its offset was compared with
the end of the message or record that it is in.
"""

from __future__ import annotations

import cython
from cython.cimports.libc.string import memcmp, memcpy, memmove, memset

from rotonda.bgp.errors import Malformed

NO_SET = cython.declare(cython.uint, 0xFFFFFFFF)
UPDATE = cython.declare(cython.int, 2)
NEXT_HOP = cython.declare(cython.int, 3)
MP_REACH = cython.declare(cython.int, 14)
MP_UNREACH = cython.declare(cython.int, 15)
EXTENDED = cython.declare(cython.int, 0x10)


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _u16(octets: cython.p_uchar) -> cython.uint:
    return cython.cast(cython.uint, octets[0]) << 8 | octets[1]


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _u32(octets: cython.p_uchar) -> cython.uint:
    return _u16(octets) << 16 | _u16(octets + 2)


@cython.cfunc
@cython.inline
def _octets(data: bytes) -> cython.p_uchar:
    return cython.cast(cython.p_uchar, cython.cast(cython.p_char, data))


@cython.cfunc
@cython.inline
def _cut(octets: cython.p_uchar, start: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> bytes:
    """A slice as an object, without the slice objects that Python makes for it."""
    return cython.cast(cython.p_char, octets)[start:stop]


@cython.cfunc
@cython.exceptval(-2, check=True)
def _number(seen: dict, number_of: object, octets: bytes) -> cython.longlong:
    """The number of an attribute set; -1 if it is malformed."""
    found = seen.get(octets)
    if found is None:
        try:
            found = number_of(octets)
        except Malformed:
            return -1
    return found


@cython.final
@cython.cclass
class Columns:
    """Rows of one family, in columns that are filled from the front and grow when they have to."""

    octets: cython.Py_ssize_t  # of an address
    width: cython.Py_ssize_t  # octets of a key
    length: cython.Py_ssize_t
    capacity: cython.Py_ssize_t
    buffers: tuple
    announce: cython.p_uchar
    keys: cython.p_uchar
    peers: cython.p_uint
    attributes: cython.p_uint
    times: cython.p_uint

    def __init__(self, octets: int, rows: int) -> None:
        self.octets = octets
        self.width = octets + 5
        self.length = 0
        self.capacity = 0
        self._grow(max(rows, 1))

    @cython.cfunc
    @cython.exceptval(-1)
    def _grow(self, capacity: cython.Py_ssize_t) -> cython.int:
        announce, keys = bytearray(capacity), bytearray(capacity * self.width)
        peers, attributes, times = bytearray(capacity * 4), bytearray(capacity * 4), bytearray(capacity * 4)
        new: tuple = (announce, peers, keys, attributes, times)
        if self.capacity:
            for fresh, old in zip(new, self.buffers):  # noqa: B905  # as many
                memoryview(fresh)[: len(old)] = old
        self.announce = cython.cast(cython.p_uchar, cython.cast(cython.p_char, announce))
        self.keys = cython.cast(cython.p_uchar, cython.cast(cython.p_char, keys))
        self.peers = cython.cast(cython.p_uint, cython.cast(cython.p_char, peers))
        self.attributes = cython.cast(cython.p_uint, cython.cast(cython.p_char, attributes))
        self.times = cython.cast(cython.p_uint, cython.cast(cython.p_char, times))
        self.buffers = new
        self.capacity = capacity
        return 0

    @cython.cfunc
    @cython.exceptval(-1)
    def _room(self, rows: cython.Py_ssize_t) -> cython.int:
        if self.length + rows > self.capacity:
            self._grow(2 * (self.length + rows))
        return 0

    def rows(self) -> int:
        """How many rows there are."""
        return self.length

    def take(self) -> tuple[int, tuple[bytearray, ...]]:
        """The number of rows, and the octets of the columns in the order of `RouteBatch`; no row is left."""
        length: cython.Py_ssize_t = self.length
        self.length = 0
        return length, self.buffers

    def extend(self, columns: tuple[bytes, ...], rows: int) -> None:
        """Append rows given as the octets of their columns, in the same order."""
        self._room(rows)
        at: cython.Py_ssize_t = self.length
        for buffer, column in zip(self.buffers, columns):  # noqa: B905  # as many
            size = len(column) // rows
            memoryview(buffer)[at * size : (at + rows) * size] = column
        self.length = at + rows

    @cython.cfunc
    @cython.inline
    @cython.exceptval(check=False)
    def _append(
        self,
        prefix: cython.p_uchar,
        path: cython.p_uchar,
        announce: cython.uchar,
        peer: cython.uint,
        number: cython.uint,
        time: cython.uint,
    ) -> cython.void:
        """Add a row; `prefix` is a length and as many octets as that needs, `path` NULL or a path identifier."""
        row: cython.Py_ssize_t = self.length
        key: cython.p_uchar = self.keys + row * self.width
        bits: cython.int = prefix[0]
        used: cython.int = (bits + 7) >> 3
        memset(key, 0, self.width)
        memcpy(key, prefix + 1, used)
        if bits & 7:
            key[used - 1] &= 0xFF << (8 - (bits & 7)) & 0xFF
        key[self.octets] = bits
        if path != cython.NULL:
            memcpy(key + self.octets + 1, path, 4)
        self.announce[row] = announce
        self.peers[row] = peer
        self.attributes[row] = number
        self.times[row] = time
        self.length = row + 1

    @cython.cfunc
    @cython.exceptval(check=False)
    def _nlri(
        self,
        at: cython.p_uchar,
        stop: cython.p_uchar,
        add_path: cython.bint,
        guess: cython.bint,
        announce: cython.uchar,
        peer: cython.uint,
        time: cython.uint,
    ) -> cython.bint:
        """Add a row for each prefix; False at one that cannot be, or where path identifiers must be guessed."""
        path: cython.p_uchar = cython.NULL
        if guess and not add_path and stop - at > 1 and at[0] == 0 and at[1] == 0:
            return False
        while at < stop:
            if add_path:
                if stop - at < 5:
                    return False
                path, at = at, at + 4
            if at[0] > self.octets * 8 or ((at[0] + 7) >> 3) >= stop - at:
                return False
            self._append(at, path, announce, peer, NO_SET, time)
            at += 1 + ((at[0] + 7) >> 3)
        return True


@cython.final
@cython.cclass
class Loops:
    """The loops, with the columns that they fill and what is known about attribute sets.

    A form is the pair of its `seen` and its `number`: `classic[four_octet]`, `multiprotocol[four_octet][six]`,
    `entries[six]`.
    """

    four: Columns
    six: Columns
    batch_rows: cython.Py_ssize_t
    classic: tuple
    multiprotocol: tuple
    entries: tuple
    # the message in hand: who sent it, how it is written; where its only MP attribute begins, has its value and ends
    peer: cython.uint
    time: cython.uint
    four_octet: cython.bint
    add_path: cython.int
    guess: cython.bint
    at: cython.Py_ssize_t
    value: cython.Py_ssize_t
    end: cython.Py_ssize_t

    def __init__(
        self, four: Columns, six: Columns, batch_rows: int, classic: tuple, multiprotocol: tuple, entries: tuple
    ) -> None:
        self.four, self.six, self.batch_rows = four, six, batch_rows
        self.classic, self.multiprotocol, self.entries = classic, multiprotocol, entries

    def update(
        self,
        message: bytes,
        start: cython.Py_ssize_t,
        stop: cython.Py_ssize_t,
        peer: cython.uint,
        time: cython.uint,
        four_octet: cython.bint,
        add_path: cython.int,
        guess: cython.bint,
    ) -> bool:
        """Add the routes of the UPDATE whose body is `message[start:stop]`; False if it is not for us."""
        if not 0 <= start <= stop <= len(message):
            return False
        self.four_octet, self.add_path, self.guess = four_octet, add_path, guess
        return self._update(message, start, stop, peer, time) != 0

    @cython.cfunc
    @cython.exceptval(-1)
    def _update(
        self,
        message: bytes,
        start: cython.Py_ssize_t,
        stop: cython.Py_ssize_t,
        peer: cython.uint,
        time: cython.uint,
    ) -> cython.int:
        before_four: cython.Py_ssize_t = self.four.length
        before_six: cython.Py_ssize_t = self.six.length
        self.peer, self.time = peer, time
        self.four._room(stop - start)
        self.six._room(stop - start)
        if self._routes(_octets(message), start, stop):
            return 1
        self.four.length, self.six.length = before_four, before_six
        return 0

    @cython.cfunc
    @cython.exceptval(-1)
    def _routes(self, p: cython.p_uchar, start: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> cython.int:
        attributes: cython.Py_ssize_t
        announced: cython.Py_ssize_t
        kind: cython.int
        if stop - start < 4:
            return 0
        attributes = start + 4 + _u16(p + start)
        if attributes > stop:
            return 0
        announced = attributes + _u16(p + attributes - 2)
        if announced > stop:
            return 0
        kind = self._multiprotocol(p, attributes, announced)
        if kind < 0 or (kind and announced < stop):
            return 0
        if not self._nlri(self.four, p + start + 2, p + attributes - 2, 0):
            return 0
        if kind == MP_UNREACH:
            return self._nlri(self._family(p), p + self.value + 3, p + self.end, 0)
        if kind == MP_REACH:
            return self._reach(p, attributes, announced)
        return self._classic(p, attributes, announced, stop)

    @cython.cfunc
    @cython.exceptval(check=False)
    def _multiprotocol(self, p: cython.p_uchar, at: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> cython.int:
        """The type of the only MP attribute, 0 if there is none, -1 if there are more or one that is unusual."""
        kind: cython.int = 0
        value: cython.Py_ssize_t
        end: cython.Py_ssize_t
        while at < stop:
            value = at + (4 if p[at] & EXTENDED else 3)
            if value > stop:
                return -1
            end = value + (_u16(p + at + 2) if p[at] & EXTENDED else p[at + 2])
            if end > stop:
                return -1
            if p[at + 1] == MP_REACH or p[at + 1] == MP_UNREACH:
                if kind or not self._usual(p + value, end - value, p[at + 1] == MP_REACH):
                    return -1
                kind = p[at + 1]
                self.at, self.value, self.end = at, value, end
            at = end
        return kind

    @cython.cfunc
    @cython.exceptval(check=False)
    def _usual(self, value: cython.p_uchar, length: cython.Py_ssize_t, reach: cython.bint) -> cython.bint:
        """Whether an MP attribute is of unicast and long enough for its next hop."""
        if length < (5 if reach else 3) or value[0] or not 1 <= value[1] <= 2 or value[2] != 1:
            return False
        return not reach or (5 + value[3] <= length and value[3] <= 32)

    @cython.cfunc
    @cython.inline
    def _family(self, p: cython.p_uchar) -> Columns:
        return self.six if p[self.value + 1] == 2 else self.four

    @cython.cfunc
    @cython.inline
    @cython.exceptval(check=False)
    def _nlri(self, table: Columns, at: cython.p_uchar, stop: cython.p_uchar, announce: cython.uchar) -> cython.bint:
        add_path: cython.bint = (self.add_path & (2 if table is self.six else 1)) != 0
        return table._nlri(at, stop, add_path, self.guess, announce, self.peer, self.time)

    @cython.cfunc
    @cython.exceptval(-1)
    def _classic(
        self,
        p: cython.p_uchar,
        attributes: cython.Py_ssize_t,
        announced: cython.Py_ssize_t,
        stop: cython.Py_ssize_t,
    ) -> cython.int:
        first: cython.Py_ssize_t = self.four.length
        if announced == stop:
            return 1
        if not self._nlri(self.four, p + announced, p + stop, 1):
            return 0
        return self._numbered(self.four, first, self.classic[self.four_octet], _cut(p, attributes, announced))

    @cython.cfunc
    @cython.exceptval(-1)
    def _reach(self, p: cython.p_uchar, attributes: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> cython.int:
        """The routes of MP_REACH_NLRI; their set is known without the NLRI."""
        table: Columns = self._family(p)
        first: cython.Py_ssize_t = table.length
        nlri: cython.Py_ssize_t = self.value + 5 + p[self.value + 3]
        if nlri == self.end:
            return 1
        if not self._nlri(table, p + nlri, p + self.end, 1):
            return 0
        header: bytes = b"\x90\x0e\0" + bytes((nlri - self.value,))
        octets: bytes = _cut(p, attributes, self.at) + header + _cut(p, self.value, nlri) + _cut(p, self.end, stop)
        return self._numbered(table, first, self.multiprotocol[self.four_octet][table is self.six], octets)

    @cython.cfunc
    @cython.exceptval(-1)
    def _numbered(self, table: Columns, first: cython.Py_ssize_t, form: tuple, octets: bytes) -> cython.int:
        """Give the rows from `first` on the number of their set."""
        number: cython.longlong = _number(form[0], form[1], octets)
        if number < 0:
            return 0
        while first < table.length:
            table.attributes[first] = cython.cast(cython.uint, number)
            first += 1
        return 1

    def messages(
        self,
        data: bytes,
        position: cython.Py_ssize_t,
        kind: cython.uint,
        extended_time: cython.bint,
        four_octet: cython.bint,
        add_path: cython.bint,
        known: dict,
    ) -> tuple[int, int]:
        """A run of BGP4MP records; where it ends and how many there were."""
        p: cython.p_uchar = _octets(data)
        length: cython.Py_ssize_t = len(data)
        records: cython.Py_ssize_t = 0
        stop: cython.Py_ssize_t
        self.four_octet, self.add_path, self.guess = four_octet, 3 if add_path else 0, not add_path
        while length - position >= 12 and self.four.length < self.batch_rows and self.six.length < self.batch_rows:
            if _u32(p + position + 4) != kind or _u32(p + position + 8) > length - position - 12:
                break
            stop = position + 12 + _u32(p + position + 8)
            if not self._message(data, p, position, stop, 16 if extended_time else 12, known):
                break
            position = stop
            records += 1
        return position, records

    @cython.cfunc
    @cython.exceptval(-1)
    def _message(
        self,
        data: bytes,
        p: cython.p_uchar,
        position: cython.Py_ssize_t,
        stop: cython.Py_ssize_t,
        first: cython.Py_ssize_t,
        known: dict,
    ) -> cython.int:
        start: cython.Py_ssize_t = position + first
        fixed: cython.Py_ssize_t = 12 if self.four_octet else 8
        at: cython.Py_ssize_t
        i: cython.int
        if start + fixed > stop or p[start + fixed - 2] or not 1 <= p[start + fixed - 1] <= 2:
            return 0
        at = start + fixed + (8 if p[start + fixed - 1] == 1 else 32)
        if at + 19 > stop or _u16(p + at + 16) != stop - at:
            return 0
        for i in range(16):
            if p[at + i] != 0xFF:
                return 0
        peer = known.get(_cut(p, start, at))
        if peer is None:
            return 0
        if p[at + 18] != UPDATE:
            return 1
        return self._update(data, at + 19, stop, peer, _u32(p + position))

    def ribs(
        self,
        data: bytes,
        position: cython.Py_ssize_t,
        kind: cython.uint,
        six: cython.bint,
        add_path: cython.bint,
        peers: bytes,
    ) -> tuple[int, int]:
        """A run of TABLE_DUMP_V2 records of one family; `peers` has our numbers as machine words of 4 octets."""
        p: cython.p_uchar = _octets(data)
        length: cython.Py_ssize_t = len(data)
        records: cython.Py_ssize_t = 0
        table: Columns = self.six if six else self.four
        before: cython.Py_ssize_t
        stop: cython.Py_ssize_t
        while length - position >= 12 and table.length < self.batch_rows:
            if _u32(p + position + 4) != kind or _u32(p + position + 8) > length - position - 12:
                break
            stop = position + 12 + _u32(p + position + 8)
            before = table.length
            if not self._rib(data, p, position + 16, stop, table, add_path, peers):
                table.length = before
                break
            position = stop
            records += 1
        return position, records

    @cython.cfunc
    @cython.exceptval(-1)
    def _rib(
        self,
        data: bytes,
        p: cython.p_uchar,
        at: cython.Py_ssize_t,
        stop: cython.Py_ssize_t,
        table: Columns,
        add_path: cython.bint,
        peers: bytes,
    ) -> cython.int:
        prefix: cython.p_uchar = p + at
        path: cython.p_uchar = cython.NULL
        head: cython.Py_ssize_t = 12 if add_path else 8
        start: cython.Py_ssize_t
        index: cython.Py_ssize_t
        count: cython.uint
        number: cython.longlong
        numbers: cython.p_uint = cython.cast(cython.p_uint, cython.cast(cython.p_char, peers))
        form: tuple = self.entries[table is self.six]
        seen: dict = form[0]
        number_of: object = form[1]
        if at >= stop or p[at] > table.octets * 8:
            return 0
        at += 1 + ((p[at] + 7) >> 3)
        if at + 2 > stop:
            return 0
        count = _u16(p + at)
        at += 2
        table._room(count)
        while count:
            start = at + head
            if start > stop or start + _u16(p + start - 2) > stop:
                return 0
            index = _u16(p + at)
            if index * 4 >= len(peers):
                return 0
            number = _number(seen, number_of, _cut(p, start, start + _u16(p + start - 2)))
            if number < 0:
                return 0
            if add_path:
                path = p + at + 6
            table._append(prefix, path, 1, numbers[index], cython.cast(cython.uint, number), _u32(p + at + 2))
            at = start + _u16(p + start - 2)
            count -= 1
        return at == stop


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _sound(kind: cython.int, value: cython.p_uchar, length: cython.Py_ssize_t) -> cython.bint:
    """Whether a value may stand in the normal form as it is."""
    if kind == 1:
        return length == 1 and value[0] <= 2
    if kind == 2:
        return length == 0 or (length > 2 and 0 < value[0] < 5 and value[1] * 4 + 2 == length)
    if kind == 3 or kind == 4 or kind == 5 or kind == 9 or kind == 35:
        return length == 4
    if kind == 8 or kind == 10:
        return length % 4 == 0
    if kind == 16:
        return length % 8 == 0
    if kind == 32:
        return length % 12 == 0
    return kind != 15 and kind != 17 and kind != 18


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _next_hops(value: cython.p_uchar, length: cython.Py_ssize_t) -> cython.int:
    """The length of the next hop in a usual MP_REACH_NLRI of IPv6 without NLRI, 0 if it is another one."""
    if length in (17, 33) and value[0] == length - 1:
        return length - 1
    if length in (21, 37) and value[0] == 0 and value[1] == 2 and value[2] == 1 and value[3] == length - 5:
        return 0 if value[length - 1] else length - 5
    return 0


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _size(kind: cython.int, value: cython.p_uchar, length: cython.Py_ssize_t, six: cython.bint) -> cython.Py_ssize_t:
    """The octets of an attribute in normal form, 0 if it is not a usual one."""
    hops: cython.int
    if kind == MP_REACH:
        hops = _next_hops(value, length)
        return hops + 8 if six and hops else 0
    if not _sound(kind, value, length):
        return 0
    return length + (4 if length > 255 else 3)


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _write(
    out: cython.p_uchar,
    flags: cython.uchar,
    kind: cython.uchar,
    value: cython.p_uchar,
    length: cython.Py_ssize_t,
    size: cython.Py_ssize_t,
) -> cython.void:
    """Write an attribute of which `_size` said how long it becomes."""
    out[0], out[1] = flags & 0xE0, kind
    if kind == MP_REACH:
        out[2] = size - 3
        memcpy(out + 3, b"\0\2\1", 3)
        memcpy(out + 6, value if value[0] else value + 3, size - 7)
        out[size - 1] = 0
    elif length > 255:
        out[0] |= EXTENDED
        out[2], out[3] = length >> 8, length & 0xFF
        memcpy(out + 4, value, length)
    else:
        out[2] = length
        memcpy(out + 3, value, length)


@cython.cfunc
@cython.exceptval(check=False)
def _place(out: cython.p_uchar, written: cython.Py_ssize_t, kind: cython.int) -> cython.Py_ssize_t:
    """Where an attribute belongs among those written, which ascend; -1 if there is one of its type already."""
    at: cython.Py_ssize_t = 0
    while at < written and out[at + 1] < kind:
        at += 4 + _u16(out + at + 2) if out[at] & EXTENDED else 3 + out[at + 2]
    return -1 if at < written and out[at + 1] == kind else at


def usual_normal(octets: bytes, six: cython.bint) -> bytes | None:
    """As `_usual.usual_normal`; also for attributes of 256 octets and more, and for those in another order."""
    p: cython.p_uchar = _octets(octets)
    stop: cython.Py_ssize_t = len(octets)
    buffer: bytearray = bytearray(stop + 8)
    out: cython.p_uchar = cython.cast(cython.p_uchar, cython.cast(cython.p_char, buffer))
    at: cython.Py_ssize_t = 0
    written: cython.Py_ssize_t = 0
    value: cython.Py_ssize_t
    length: cython.Py_ssize_t
    size: cython.Py_ssize_t
    place: cython.Py_ssize_t
    kind: cython.int
    last: cython.int = 0
    while at < stop:
        value = at + (4 if p[at] & EXTENDED else 3)
        if value > stop or p[at] & 0x0F:
            return None
        kind = p[at + 1]
        length = _u16(p + at + 2) if p[at] & EXTENDED else p[at + 2]
        if value + length > stop:
            return None
        size = _size(kind, p + value, length, six)
        place = written if kind > last else _place(out, written, kind)
        if not size or place < 0:
            return None
        memmove(out + place + size, out + place, written - place)
        _write(out + place, p[at], kind, p + value, length, size)
        written += size
        last = max(last, kind)
        at = value + length
    if last >= MP_REACH and _place(out, written, MP_REACH) < 0 and _place(out, written, NEXT_HOP) < 0:
        return None  # two next hops
    if written == stop and memcmp(out, p, stop) == 0:
        return octets  # not a copy: it is kept twice otherwise
    return bytes(buffer[:written])
