# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# mypy: disable-error-code="untyped-decorator, type-arg, no-any-return, operator"
"""The typed loop that writes records as JSON, for Cython's pure-Python mode.

It takes what is usual: fields as the type has them, whole numbers of 64 bits, IPv4 prefixes, texts without anything
that JSON escapes. Other values are written by the functions of `json_records.py`, where the rules stand, and records of
another shape by that module as wholes.
"""

from __future__ import annotations

from typing import Any

import cython
from cython.cimports.cpython.bytes import PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cython.cimports.cpython.long import PyLong_AsLongLongAndOverflow
from cython.cimports.cpython.mem import PyMem_Free, PyMem_Realloc
from cython.cimports.cpython.tuple import PyTuple_GET_SIZE
from cython.cimports.cpython.unicode import PyUnicode_AsUTF8AndSize
from cython.cimports.libc.string import memcpy

WHOLE = cython.declare(cython.int, 1)
TEXT = cython.declare(cython.int, 2)
PREFIX = cython.declare(cython.int, 3)

KINDS = {"whole": WHOLE, "text": TEXT, "prefix": PREFIX}
"""Of values that are written here."""

BLANK = cython.declare(cython.int, 0x20)
QUOTE = cython.declare(cython.int, 0x22)
BACKSLASH = cython.declare(cython.int, 0x5C)
SPARE = cython.declare(cython.Py_ssize_t, 64)  # more than a number or a prefix takes


@cython.final
@cython.cclass
class Writer:
    """Writes records of a type, one after the other into the same memory."""

    names: tuple
    heads: tuple  # what stands before each value
    kinds: bytes  # of values: an octet each
    others: tuple  # what gives the text of values, as str, if this loop does not
    otherwise: object
    end: bytes
    beside: cython.Py_ssize_t
    memory: cython.p_char
    room: cython.Py_ssize_t
    at: cython.Py_ssize_t

    def __init__(
        self, names: tuple, heads: tuple, kinds: bytes, others: tuple, otherwise: Any, end: bytes, beside: int
    ) -> None:
        """`otherwise` gives the line and the value of a record of another shape; `beside` is the number of the field
        whose value is given, -1 for none."""
        self.names, self.heads, self.kinds, self.others = names, heads, kinds, others
        self.otherwise, self.end, self.beside = otherwise, end, beside

    def __dealloc__(self) -> None:
        PyMem_Free(self.memory)

    def write(self, records: Any) -> tuple[list[bytes], list[Any]]:
        """The line of each record, and the value of one of its fields."""
        lines: list = []
        values: list = []
        fields: Any
        for record in records:
            fields = record.fields
            if self._put(fields):
                lines.append(PyBytes_FromStringAndSize(self.memory, self.at))
                values.append(None if self.beside < 0 else fields[self.beside][1])
            else:
                line, value = self.otherwise(record)
                lines.append(line)
                values.append(value)
        return lines, values

    @cython.cfunc
    @cython.exceptval(-1)
    def _put(self, fields: tuple) -> cython.int:
        """Write a record; 0 if it is of another shape."""
        number: cython.Py_ssize_t
        kinds: cython.p_uchar = cython.cast(cython.p_uchar, PyBytes_AS_STRING(self.kinds))
        count: cython.Py_ssize_t = PyTuple_GET_SIZE(self.names)
        if PyTuple_GET_SIZE(fields) != count:
            return 0
        self.at = 0
        for number in range(count):
            pair: tuple = fields[number]
            name: object = pair[0]
            own: object = self.names[number]
            if name is not own and name != own:
                return 0
            value: Any = pair[1]
            self._octets(self.heads[number])
            if value is None:
                self._octets(b"null")
            elif not self._usual(kinds[number], value):
                self._octets(self.others[number](value).encode())
        self._octets(self.end)
        return 1

    @cython.cfunc
    @cython.exceptval(-1)
    def _usual(self, kind: cython.uchar, value: object) -> cython.int:
        """Write a value; 0 if it is not one of those that are written here."""
        if kind == WHOLE:
            return self._whole(value)
        if kind == TEXT:
            return self._text(value)
        return self._prefix(value) if kind == PREFIX else 0

    @cython.cfunc
    @cython.exceptval(-1)
    def _octets(self, octets: bytes) -> cython.int:
        size: cython.Py_ssize_t = PyBytes_GET_SIZE(octets)
        self._more(size)
        memcpy(self.memory + self.at, PyBytes_AS_STRING(octets), size)
        self.at += size
        return 0

    @cython.cfunc
    @cython.exceptval(-1)
    def _more(self, size: cython.Py_ssize_t) -> cython.int:
        """Have room for so many octets."""
        if self.at + size <= self.room:
            return 0
        room: cython.Py_ssize_t = 2 * (self.at + size) + SPARE
        memory: cython.p_void = PyMem_Realloc(self.memory, room)
        if memory == cython.NULL:
            raise MemoryError
        self.memory, self.room = cython.cast(cython.p_char, memory), room
        return 0

    @cython.cfunc
    @cython.exceptval(-1)
    def _whole(self, value: object) -> cython.int:
        """Write a whole number; 0 if it is none, or a larger one."""
        overflow: cython.int = 0
        if type(value) is not int:
            return 0
        number: cython.longlong = PyLong_AsLongLongAndOverflow(value, cython.address(overflow))
        if overflow != 0 or number < 0:
            return 0
        self._more(SPARE)
        self._digits(number)
        return 1

    @cython.cfunc
    @cython.exceptval(check=False)
    def _digits(self, number: cython.ulonglong) -> cython.void:
        """Write a number where there is room for it."""
        digits = cython.declare(cython.char[20])
        count: cython.int = 0
        while True:
            digits[count] = cython.cast(cython.char, 0x30 + number % 10)
            count += 1
            number //= 10
            if number == 0:
                break
        while count:
            count -= 1
            self.memory[self.at] = digits[count]
            self.at += 1

    @cython.cfunc
    @cython.exceptval(-1)
    def _text(self, value: object) -> cython.int:
        """Write a text in quotes; 0 if JSON escapes something in it, or it is none."""
        size: cython.Py_ssize_t = 0
        number: cython.Py_ssize_t
        octet: cython.uchar
        if not isinstance(value, str):
            return 0
        octets: cython.p_const_char = PyUnicode_AsUTF8AndSize(value, cython.address(size))
        for number in range(size):
            octet = cython.cast(cython.uchar, octets[number])
            if octet < BLANK or octet in (QUOTE, BACKSLASH):
                return 0
        self._more(size + 2)
        self.memory[self.at] = QUOTE
        memcpy(self.memory + self.at + 1, octets, size)
        self.memory[self.at + 1 + size] = QUOTE
        self.at += size + 2
        return 1

    @cython.cfunc
    @cython.exceptval(-1)
    def _prefix(self, value: Any) -> cython.int:
        """Write an IPv4 prefix in quotes; 0 if it is another one."""
        address: Any = value.octets
        length: cython.int = value.length
        number: cython.int
        if not isinstance(address, bytes) or PyBytes_GET_SIZE(address) != 4:
            return 0
        octets: cython.p_uchar = cython.cast(cython.p_uchar, PyBytes_AS_STRING(address))
        self._more(SPARE)
        self.memory[self.at] = QUOTE
        self.at += 1
        for number in range(4):
            self._digits(octets[number])
            self.memory[self.at] = 0x2F if number == 3 else 0x2E
            self.at += 1
        self._digits(length)
        self.memory[self.at] = QUOTE
        self.at += 1
        return 1
