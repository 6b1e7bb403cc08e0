"""Values of the language, as Python has them: what literals, constants and configurations are made of.

Numbers, texts and truth are Python's own. AS numbers, communities (u32), extended communities (u64) and durations
(seconds) are whole numbers, too: their type is known to whoever holds them. Times are microseconds since 1970.
"""

from __future__ import annotations

from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import TypeAlias

import msgspec

BITS = {4: 32, 16: 128}
"""Of addresses, by how many octets they have."""


class Address(msgspec.Struct, frozen=True, order=True, gc=False):
    """An IP address of 4 or 16 octets."""

    octets: bytes

    @staticmethod
    def parse(words: str) -> Address:
        """The address that somebody wrote. Raises ValueError.

        >>> str(Address.parse("2001:DB8:0::1"))
        '2001:db8::1'
        """
        try:
            return Address(inet_pton(AF_INET6 if ":" in words else AF_INET, words))
        except (OSError, ValueError):
            raise ValueError(f"{words!r} is not an IP address") from None

    @property
    def is_ipv6(self) -> bool:
        """Whether it has 16 octets."""
        return len(self.octets) == 16

    def __str__(self) -> str:
        return inet_ntop(AF_INET6 if self.is_ipv6 else AF_INET, self.octets)


class Prefix(msgspec.Struct, frozen=True, order=True, gc=False):
    """A prefix: the octets of its address, with no bit set behind its length."""

    octets: bytes
    length: int

    @staticmethod
    def parse(words: str) -> Prefix:
        """The prefix that somebody wrote. Raises ValueError, also for bits behind the length.

        >>> str(Prefix.parse("192.0.2.0/24"))
        '192.0.2.0/24'
        """
        address, _, length = words.partition("/")
        octets = Address.parse(address).octets
        bits = BITS[len(octets)]
        if not length.isascii() or not length.isdecimal() or int(length[:4]) > bits:
            raise ValueError(f"{words!r} has no length of 0 to {bits}")
        made = Prefix(octets, int(length)).cut(int(length))
        if made.octets != octets:
            raise ValueError(f"{words!r} has bits set behind its length; did you mean {made}?")
        return made

    def cut(self, length: int) -> Prefix:
        """The prefix of that length, not longer than this one, that covers it."""
        shift = BITS[len(self.octets)] - length
        return Prefix((int.from_bytes(self.octets) >> shift << shift).to_bytes(len(self.octets)), length)

    def covers(self, other: Prefix) -> bool:
        """Whether the other is the same or more specific."""
        same = len(self.octets) == len(other.octets) and self.length <= other.length
        return same and other.cut(self.length).octets == self.octets

    @property
    def bits(self) -> int:
        """How long prefixes of its family can be."""
        return BITS[len(self.octets)]

    @property
    def is_ipv6(self) -> bool:
        """Whether its address has 16 octets."""
        return len(self.octets) == 16

    @property
    def address(self) -> Address:
        """Its first address."""
        return Address(self.octets)

    def __str__(self) -> str:
        return f"{self.address}/{self.length}"


class SocketAddress(msgspec.Struct, frozen=True, gc=False):
    """An address and a port."""

    address: Address
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if self.address.is_ipv6 else f"{self.address}:{self.port}"


class LargeCommunity(msgspec.Struct, frozen=True, order=True, gc=False):
    """RFC 8092: an AS and two numbers of its own, u32 each."""

    administrator: int
    first: int
    second: int

    def __str__(self) -> str:
        return f"{self.administrator}:{self.first}:{self.second}"


class PrefixMatch(msgspec.Struct, frozen=True, gc=False):
    """Prefixes within a prefix, of lengths from one to another, both included; `exact` ones that is itself.

    `through` is the other end of a `through` range: prefixes that cover it and are covered by `prefix`.
    """

    prefix: Prefix
    low: int
    high: int
    through: Prefix | None = None

    def matches(self, prefix: Prefix) -> bool:
        """Whether a prefix is one of them."""
        within = self.prefix.covers(prefix) and self.low <= prefix.length <= self.high
        return within and (self.through is None or prefix.covers(self.through))


class Constant(msgspec.Struct, frozen=True, gc=False):
    """A constant of an enumeration."""

    type: str
    name: str

    def __str__(self) -> str:
        return self.name


class RecordValue(msgspec.Struct, frozen=True, gc=False):
    """A record: the name of its type, "" for none, and its fields in their order; None for what is missing."""

    type: str
    fields: tuple[tuple[str, Value], ...]

    def get(self, name: str) -> Value:
        """The field of this canonical name; None if there is none."""
        return next((value for field, value in self.fields if field == name), None)


Segment: TypeAlias = tuple[int, tuple[int, ...]]
"""A segment of an AS path, as `rotonda.bgp.as_path` has them: kind and AS numbers."""

Scalar: TypeAlias = (
    bool | int | float | str | Address | Prefix | SocketAddress | LargeCommunity | PrefixMatch | Constant | None
)  # fmt: skip
Value: TypeAlias = Scalar | RecordValue | tuple["Value", ...]
"""Lists and AS paths are tuples."""
