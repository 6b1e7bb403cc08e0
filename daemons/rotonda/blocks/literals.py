"""What literals mean: how a word that begins like a value is told to be a number, an address, a prefix, a community."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn

import msgspec

from rotonda.blocks.characters import cut
from rotonda.blocks.syntax import LiteralKind
from rotonda.blocks.values import Address, LargeCommunity, Prefix, SocketAddress, Value

MOST_DIGITS = 40
_U16, _U32, _U64 = 2**16, 2**32, 2**64
_NOWHERE = Address(bytes(4))
_SURROGATES = range(0xD800, 0xE000)


class Unreadable(ValueError):
    """A literal that means nothing: why, what was expected, a hint, and which part of it, if not the whole."""

    def __init__(self, message: str, expected: str = "", hint: str = "", part: tuple[int, int] | None = None) -> None:
        super().__init__(message)
        self.message, self.expected, self.hint, self.part = message, expected, hint, part


class _Shape(msgspec.Struct, frozen=True):
    """How literals of a kind look, which terminal they are, and how they are read; `blank` stands for broken ones."""

    terminal: str
    kind: LiteralKind
    pattern: str
    read: Callable[[str], Value]
    blank: Value = 0


def _limited(text: str, limit: int, what: str, hint: str = "") -> int:
    digits = text.lstrip("0")
    if len(digits) > MOST_DIGITS or int(digits or "0") >= limit:
        raise Unreadable(f"{cut(text)} is too large for {what}", f"at most {limit - 1}", hint)
    return int(digits or "0")


def _integer(text: str) -> int:
    return _limited(text, _U64, "a whole number")


def _hexadecimal(text: str) -> int:
    digits = text[2:].lstrip("0")
    if len(digits) > 16:
        raise Unreadable(f"{cut(text)} is too large for a whole number", "at most 16 hexadecimal digits")
    return int(digits or "0", 16)


def _float(text: str) -> float:
    if len(text) > MOST_DIGITS:
        raise Unreadable(f"{cut(text)} has too many digits", f"at most {MOST_DIGITS}")
    return float(text)


def _asn(text: str) -> int:
    high, dot, low = text[2:].partition(".")
    if dot:  # RFC 5396, asdot
        return _limited(high, _U16, "the first half of an AS number") << 16 | _limited(low, _U16, "half an AS number")
    return _limited(high, _U32, "an AS number")


def _address(text: str) -> Address:
    try:
        return Address.parse(text)
    except ValueError:
        shape = "eight groups of up to four hexadecimal digits" if ":" in text else "four numbers of 0 to 255"
        raise Unreadable(f"{cut(text)} is not an IP address", shape) from None


def _prefix(text: str) -> Prefix:
    address, _, length = text.partition("/")
    octets = _address(address).octets
    bits = 8 * len(octets)
    _limited(length, bits + 1, f"the length of a prefix of IPv{'6' if bits == 128 else '4'}")
    try:
        return Prefix.parse(text)
    except ValueError:
        meant = Prefix(octets, int(length)).cut(int(length))
        raise Unreadable(f"{cut(text)} has bits set behind its length", hint=f"did you mean {meant}?") from None


def _length(text: str) -> int:
    return _limited(text[1:], 129, "the length of a prefix")


def _socket_address(text: str) -> SocketAddress:
    address, _, port = text.rpartition(":")
    return SocketAddress(_address(address.strip("[]")), _limited(port, _U16, "a port"))


def _community(text: str) -> int:
    high, low = text.split(":")
    hint = "AS numbers above 65535 have large communities, AS:number:number" if len(high) > 4 else ""
    return _limited(high, _U16, "the AS number of a community", hint) << 16 | _limited(low, _U16, "a community", hint)


def _large_community(text: str) -> LargeCommunity:
    first, second, third = (_limited(part, _U32, "a part of a large community") for part in text.split(":"))
    return LargeCommunity(first, second, third)


_SUBTYPES = {"rt": 2, "soo": 3}


def _extended_community(text: str) -> int:
    """RFC 4360 section 3 and RFC 5668: route targets and origins, of an AS of two or four octets or of an address."""
    subtype, administrator, low = text.split(":")
    if "." in administrator:
        kind, high, bits = 1, int.from_bytes(_address(administrator).octets), 16
    else:
        high = _limited(administrator, _U32, "the AS number of an extended community")
        kind, bits = (0, 32) if high < _U16 else (2, 16)
    value = _limited(low, 1 << bits, "the number of this extended community")
    return kind << 56 | _SUBTYPES[subtype] << 48 | high << bits | value


_QUAD = r"\d+\.\d+\.\d+\.\d+"
_SIX = r"[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:]*(?:[0-9]+\.[0-9.]+)?"
SHAPES = {
    "integer": _Shape("INTEGER", LiteralKind.INTEGER, r"\d+", _integer),
    "asn": _Shape("LITERAL", LiteralKind.ASN, r"AS\d+(?:\.\d+)?", _asn),
    "float": _Shape("LITERAL", LiteralKind.FLOAT, r"\d+\.\d+", _float, 0.0),
    "community": _Shape("LITERAL", LiteralKind.COMMUNITY, r"\d+:\d+", _community),
    "large": _Shape("LITERAL", LiteralKind.LARGE_COMMUNITY, r"\d+:\d+:\d+", _large_community, LargeCommunity(0, 0, 0)),
    "extended": _Shape(
        "LITERAL", LiteralKind.EXTENDED_COMMUNITY, rf"(?:rt|soo):(?:\d+|{_QUAD}):\d+", _extended_community
    ),
    "octets": _Shape("LITERAL", LiteralKind.EXTENDED_COMMUNITY, r"0x[0-9A-Fa-f]{16}", _hexadecimal),
    "hexadecimal": _Shape("INTEGER", LiteralKind.INTEGER, r"0x[0-9A-Fa-f]+", _hexadecimal),
    "socket": _Shape(
        "LITERAL",
        LiteralKind.SOCKET_ADDRESS,
        rf"{_QUAD}:\d+|\[[0-9A-Fa-f:.]+\]:\d+",
        _socket_address,
        SocketAddress(_NOWHERE, 0),
    ),
    "prefix": _Shape("PREFIX", LiteralKind.PREFIX, rf"(?:{_QUAD}|{_SIX})/\d+", _prefix, Prefix(bytes(4), 0)),
    "address": _Shape("ADDRESS", LiteralKind.ADDRESS, rf"{_QUAD}|{_SIX}", _address, _NOWHERE),
    "length": _Shape("LENGTH", LiteralKind.PREFIX_LENGTH, r"/\d+", _length),
}
"""The first that fits is it: three numbers are a large community and not an address."""
_ANY = re.compile("|".join(f"(?P<{name}>(?:{shape.pattern})$)" for name, shape in SHAPES.items()), re.ASCII)


def shape(text: str) -> _Shape | None:
    """What kind of literal a word is, if it is one."""
    found = _ANY.match(text) if len(text) <= 200 or text.isdecimal() else None
    return SHAPES[str(found.lastgroup)] if found else None


def refuse(text: str) -> NoReturn:
    """Say of a word that begins like a value why it is none. Raises Unreadable."""
    if re.match(r"\d+(\.\d+){2,}", text):
        raise Unreadable(f"{cut(text)} is not an IP address", "four numbers of 0 to 255")
    if text[0] == "/" or "/" in text:
        raise Unreadable(f"{cut(text)} is not a prefix", "an address, '/' and a length, 192.0.2.0/24")
    if text.count(":") > 1:
        raise Unreadable(f"{cut(text)} is neither an IPv6 address nor a community")
    raise Unreadable(f"{cut(text)} is neither a number nor a name", hint="names begin with a letter")


# --- moments -------------------------------------------------------------------------------------------------------

_MOMENT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2})))?",
    re.ASCII,
)


def moment(text: str) -> int:
    """A text of RFC 3339 in microseconds since 1970; a date alone is its beginning in UTC. Raises Unreadable.

    >>> moment("1970-01-02T01:00:00.5+01:00")
    86400500000
    """
    from calendar import monthrange, timegm  # slow to load, and few files need it

    found = _MOMENT.fullmatch(text)
    if found is None:
        raise Unreadable(f"{cut(quoted(text))} is no moment", 'a moment, "2026-01-31T12:00:00Z"')
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    is_day = year > 0 and 0 < month < 13 and 0 < day <= monthrange(year, month)[1]
    ahead = (int(found[9] or 0) * 60 + int(found[10] or 0)) * (-60 if found[8] == "-" else 60)
    if not is_day or hour > 23 or minute > 59 or second > 59 or abs(ahead) >= 86_400:
        raise Unreadable(f"{cut(quoted(text))} is no moment that there is")
    since = timegm((year, month, day, hour, minute, second)) - ahead
    if since < 0:
        raise Unreadable(f"{cut(quoted(text))} is before 1970")
    return since * 1_000_000 + int((found[7] or "0").ljust(6, "0"))


# --- texts -----------------------------------------------------------------------------------------------------------

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
_ESCAPE = re.compile(r"\\(?:u\{([0-9A-Fa-f]{1,6})\}|(.))", re.DOTALL)


def string(text: str) -> str:
    r"""The text between two double quotes. Raises Unreadable for escapes that do not exist.

    >>> string(r'"a\tb\u{e9}"')
    'a\tbé'
    """
    return _ESCAPE.sub(_unescaped, text[1:-1]) if "\\" in text else text[1:-1]


def _unescaped(found: re.Match[str]) -> str:
    part = (found.start() + 1, found.end() + 1)
    if found[2] is not None:
        if found[2] not in _ESCAPES:
            known = r"one of \n \t \r \" \\ \u{...}"
            raise Unreadable(f"no such escape: {cut(found[0])}", known, "write \\\\ for a backslash", part)
        return _ESCAPES[found[2]]
    point = int(found[1], 16)
    if point == 0 or point in _SURROGATES or point > 0x10FFFF:
        raise Unreadable(f"no text may have the character U+{point:04X}", part=part)
    return chr(point)


def quoted(text: str) -> str:
    r"""A text as a literal, as it can be read again.

    >>> quoted('a"b\n')
    '"a\\"b\\n"'
    """
    signs = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
    return '"' + "".join(signs.get(one) or (one if one.isprintable() else f"\\u{{{ord(one):x}}}") for one in text) + '"'
