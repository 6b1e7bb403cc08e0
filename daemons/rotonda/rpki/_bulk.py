# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# mypy: disable-error-code="untyped-decorator, type-arg, no-any-return, operator"
"""The typed loop over the ROAs of a JSON export, for Cython's pure-Python mode.

It takes what is sound and usual: flat objects with plain numbers and strings of ASCII without escapes. At anything else
it gives up without a trace, and `json_exports.py`, where the rules and their reasons stand, reads the whole file. A NUL
octet ends every `bytes` object and is accepted nowhere, so no octet behind the end is ever read.
"""

from __future__ import annotations

import cython
from cython.cimports.libc.string import memcmp, memcpy, memmove, memset

BLANK = cython.declare(cython.int, 0x20)
QUOTE = cython.declare(cython.int, 0x22)
COMMA = cython.declare(cython.int, 0x2C)
DOT = cython.declare(cython.int, 0x2E)
SLASH = cython.declare(cython.int, 0x2F)
ZERO = cython.declare(cython.int, 0x30)
NINE = cython.declare(cython.int, 0x39)
COLON = cython.declare(cython.int, 0x3A)
BACKSLASH = cython.declare(cython.int, 0x5C)
CLOSED_LIST = cython.declare(cython.int, 0x5D)
OPEN_OBJECT = cython.declare(cython.int, 0x7B)
CLOSED_OBJECT = cython.declare(cython.int, 0x7D)
DELETE = cython.declare(cython.int, 0x7F)

ASN = cython.declare(cython.int, 1)
PREFIX = cython.declare(cython.int, 2)
MAX_LENGTH = cython.declare(cython.int, 4)
EXPIRES = cython.declare(cython.int, 8)

WIDEST = cython.declare(cython.longlong, 999_999_999_999)
NEVER = cython.declare(cython.double, float("inf"))


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _is_digit(octet: cython.uchar) -> cython.bint:
    return ZERO <= octet <= NINE


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _after_blanks(at: cython.p_uchar) -> cython.p_uchar:
    while at[0] == BLANK or at[0] == 0x0A or at[0] == 0x0D or at[0] == 0x09:
        at += 1
    return at


@cython.final
@cython.cclass
class Roas:
    """Walks over the entries of a list of ROAs, and fills columns with so many of them at a time."""

    data: bytes  # what `at` points into
    start: cython.p_uchar
    at: cython.p_uchar
    number: cython.longlong  # what `_digits` read
    address: cython.uchar[16]
    octets: cython.int  # of the address
    length: cython.int

    def __init__(self, data: bytes, position: int) -> None:
        """`position` is that of the octet behind the opening bracket."""
        self.data = data
        self.start = cython.cast(cython.p_uchar, cython.cast(cython.p_char, data))
        self.at = self.start + cython.cast(cython.Py_ssize_t, position)

    def position(self) -> int:
        """Where it stands: when all are taken, behind the closing bracket."""
        return self.at - self.start

    def take(self, entries: int) -> tuple[bool, bytearray, bytearray, bytearray, bytearray] | None:
        """Up to so many entries: whether there are more, S10 keys and their ends, S22 keys and their ends (f8).

        An end is in seconds since 1970, infinity where the entry names none. None at the first unusual entry.
        """
        most: cython.Py_ssize_t = entries
        four, six = bytearray(10 * entries), bytearray(22 * entries)
        ends4, ends6 = bytearray(8 * entries), bytearray(8 * entries)
        key4: cython.p_uchar = cython.cast(cython.p_uchar, cython.cast(cython.p_char, four))
        key6: cython.p_uchar = cython.cast(cython.p_uchar, cython.cast(cython.p_char, six))
        end4: cython.p_double = cython.cast(cython.p_double, cython.cast(cython.p_char, ends4))
        end6: cython.p_double = cython.cast(cython.p_double, cython.cast(cython.p_char, ends6))
        count4: cython.Py_ssize_t = 0
        count6: cython.Py_ssize_t = 0
        asn: cython.uint = 0
        longest: cython.int = 0
        end: cython.double = 0
        more: cython.bint = True
        key: cython.p_uchar
        self.at = _after_blanks(self.at)
        if self.at[0] == CLOSED_LIST:
            self.at += 1
            more = False
        while more and count4 + count6 < most:
            if not self._entry(cython.address(asn), cython.address(longest), cython.address(end)):
                return None
            if self.octets == 4:
                key, key4 = key4, key4 + 10
                end4[count4] = end
                count4 += 1
            else:
                key, key6 = key6, key6 + 22
                end6[count6] = end
                count6 += 1
            memcpy(key, cython.address(self.address[0]), self.octets)
            key += self.octets
            key[0] = longest
            key[1] = self.length
            key[2], key[3], key[4], key[5] = asn >> 24, asn >> 16 & 0xFF, asn >> 8 & 0xFF, asn & 0xFF
            self.at = _after_blanks(self.at)
            if self.at[0] == CLOSED_LIST:
                more = False
            elif self.at[0] != COMMA:
                return None
            self.at += 1
        del four[10 * count4 :], ends4[8 * count4 :], six[22 * count6 :], ends6[8 * count6 :]
        return more, four, ends4, six, ends6

    @cython.cfunc
    @cython.exceptval(check=False)
    def _entry(self, asn: cython.p_uint, longest: cython.p_int, end: cython.p_double) -> cython.bint:
        """One object, of which `at` is then behind the end."""
        seen: cython.int = 0
        member: cython.int
        self.at = _after_blanks(self.at)
        if self.at[0] != OPEN_OBJECT:
            return False
        end[0] = NEVER
        while True:
            self.at = _after_blanks(self.at + 1)
            member = self._member()
            if member < 0 or seen & member:
                return False
            seen |= member
            if not self._value(member):
                return False
            if member == ASN:
                asn[0] = cython.cast(cython.uint, self.number)
            elif member == MAX_LENGTH:
                longest[0] = cython.cast(cython.int, self.number)
            elif member == EXPIRES:
                end[0] = cython.cast(cython.double, self.number)
            self.at = _after_blanks(self.at)
            if self.at[0] == CLOSED_OBJECT:
                break
            if self.at[0] != COMMA:
                return False
        self.at += 1
        if not seen & ASN or not seen & PREFIX:
            return False
        if not seen & MAX_LENGTH:
            longest[0] = self.length
        return self.length <= longest[0] <= self.octets * 8 and self._has_no_host_bits()

    @cython.cfunc
    @cython.exceptval(check=False)
    def _member(self) -> cython.int:
        """Which member's name this is, 0 for one that does not matter here, -1 for none; `at` is then at its value."""
        name: cython.p_uchar = self.at + 1
        size: cython.Py_ssize_t
        if self.at[0] != QUOTE or not self._string():
            return -1
        size = self.at - name - 1
        self.at = _after_blanks(self.at)
        if self.at[0] != COLON:
            return -1
        self.at = _after_blanks(self.at + 1)
        if size == 3 and memcmp(name, cython.cast(cython.p_char, b"asn"), 3) == 0:
            return ASN
        if size == 6 and memcmp(name, cython.cast(cython.p_char, b"prefix"), 6) == 0:
            return PREFIX
        if size == 9 and memcmp(name, cython.cast(cython.p_char, b"maxLength"), 9) == 0:
            return MAX_LENGTH
        if size == 7 and memcmp(name, cython.cast(cython.p_char, b"expires"), 7) == 0:
            return EXPIRES
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def _value(self, member: cython.int) -> cython.bint:
        if member == PREFIX:
            return self._prefix()
        if member == ASN:
            return self._asn()
        if member == MAX_LENGTH:
            return self._digits() and self.number <= 128
        if member == EXPIRES:
            return self._digits()
        return self._string() if self.at[0] == QUOTE else self._digits()

    @cython.cfunc
    @cython.exceptval(check=False)
    def _string(self) -> cython.bint:
        """Go behind a string, of which `at` is at the opening quote."""
        at: cython.p_uchar = self.at + 1
        while at[0] != QUOTE:
            if at[0] < BLANK or at[0] >= DELETE or at[0] == BACKSLASH:
                return False
            at += 1
        self.at = at + 1
        return True

    @cython.cfunc
    @cython.exceptval(check=False)
    def _digits(self) -> cython.bint:
        """Go behind a number without sign, fraction, exponent and leading zeros, of at most 12 digits."""
        at: cython.p_uchar = self.at
        number: cython.longlong = 0
        if not _is_digit(at[0]) or (at[0] == ZERO and _is_digit(at[1])):
            return False
        while _is_digit(at[0]):
            number = number * 10 + (at[0] - ZERO)
            if number > WIDEST:
                return False
            at += 1
        if at[0] == DOT or (at[0] | 0x20) == 0x65:
            return False
        self.at, self.number = at, number
        return True

    @cython.cfunc
    @cython.exceptval(check=False)
    def _asn(self) -> cython.bint:
        """64496, "64496" or "AS64496"."""
        quoted: cython.bint = self.at[0] == QUOTE
        if quoted:
            self.at += 1
            if (self.at[0] | 0x20) == 0x61 and (self.at[1] | 0x20) == 0x73:
                self.at += 2
        if not self._digits() or self.number > 0xFFFF_FFFF:
            return False
        if quoted:
            if self.at[0] != QUOTE:
                return False
            self.at += 1
        return True

    @cython.cfunc
    @cython.exceptval(check=False)
    def _prefix(self) -> cython.bint:
        """A string with an address, a slash and a length."""
        at: cython.p_uchar = self.at + 1
        if self.at[0] != QUOTE:
            return False
        while _is_digit(at[0]):
            at += 1
        self.at += 1
        if not (self._ipv4() if at[0] == DOT else self._ipv6()) or self.at[0] != SLASH:
            return False
        self.at += 1
        if not self._digits() or self.number > self.octets * 8 or self.at[0] != QUOTE:
            return False
        self.length = cython.cast(cython.int, self.number)
        self.at += 1
        return True

    @cython.cfunc
    @cython.exceptval(check=False)
    def _ipv4(self) -> cython.bint:
        index: cython.int = 0
        number: cython.int
        at: cython.p_uchar = self.at
        while True:
            if not _is_digit(at[0]) or (at[0] == ZERO and _is_digit(at[1])):
                return False
            number = 0
            while _is_digit(at[0]):
                number = number * 10 + (at[0] - ZERO)
                if number > 255:
                    return False
                at += 1
            self.address[index] = number
            index += 1
            if index == 4:
                break
            if at[0] != DOT:
                return False
            at += 1
        self.at, self.octets = at, 4
        return True

    @cython.cfunc
    @cython.exceptval(check=False)
    def _ipv6(self) -> cython.bint:
        """Groups of up to four hexadecimal digits, with `::` once for one or more groups of zeros (RFC 4291 2.2)."""
        groups: cython.int = 0
        gap: cython.int = -1
        digits: cython.int
        number: cython.int
        digit: cython.int
        at: cython.p_uchar = self.at
        address: cython.p_uchar = cython.address(self.address[0])
        memset(address, 0, 16)
        if at[0] == COLON:
            if at[1] != COLON:
                return False
            gap = 0
            at += 2
        while True:
            number = digits = 0
            while True:
                digit = _hexadecimal(at[0])
                if digit < 0:
                    break
                number = number << 4 | digit
                digits += 1
                at += 1
                if digits > 4:
                    return False
            if digits == 0:
                break  # right only behind a `::`, which the checks below see to
            if groups == 8:
                return False
            address[2 * groups] = number >> 8
            address[2 * groups + 1] = number & 0xFF
            groups += 1
            if at[0] != COLON:
                break
            if at[1] == COLON:
                if gap >= 0:
                    return False
                gap = groups
                at += 2
            elif _hexadecimal(at[1]) >= 0:
                at += 1
            else:
                return False
        if gap >= 0:
            if groups == 8:
                return False
            memmove(address + 16 - 2 * (groups - gap), address + 2 * gap, 2 * (groups - gap))
            memset(address + 2 * gap, 0, 16 - 2 * groups)
        elif groups != 8:
            return False
        self.at, self.octets = at, 16
        return True

    @cython.cfunc
    @cython.exceptval(check=False)
    def _has_no_host_bits(self) -> cython.bint:
        """Whether the bits behind the length are zero; IPv4 inside IPv6 is for others to judge, too."""
        index: cython.int = self.length >> 3
        if self.length & 7:
            if self.address[index] & (0xFF >> (self.length & 7)):
                return False
            index += 1
        while index < self.octets:
            if self.address[index]:
                return False
            index += 1
        return not (self.octets == 16 and self.length >= 96 and self._is_mapped())

    @cython.cfunc
    @cython.exceptval(check=False)
    def _is_mapped(self) -> cython.bint:
        index: cython.int
        for index in range(10):
            if self.address[index]:
                return False
        return self.address[10] == 0xFF and self.address[11] == 0xFF


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _hexadecimal(octet: cython.uchar) -> cython.int:
    """The value of a digit, or -1."""
    if ZERO <= octet <= NINE:
        return octet - ZERO
    octet |= 0x20
    return octet - 0x61 + 10 if 0x61 <= octet <= 0x66 else -1
