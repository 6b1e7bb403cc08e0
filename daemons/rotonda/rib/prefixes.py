"""Prefixes between the words of people and the keys of routes.

Keys compare as octets: address, length, path identifier. So what lies within a prefix is one span of a sorted column,
and what covers it is one span for each shorter length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

BITS = {4: 32, 6: 128}
OCTETS = {4: 4, 6: 16}
_NETWORK = {4: AF_INET, 6: AF_INET6}
_LENGTHS = {str(length): length for length in range(129)}
_SHOWN = 60


class UnreadablePrefix(ValueError):
    """Words that are no prefix or address; `hint` says what might have been meant."""

    def __init__(self, what: str, hint: str | None = None) -> None:
        super().__init__(what)
        self.hint = hint


@dataclass(frozen=True, slots=True, order=True)
class Prefix:
    """A prefix of IPv4 or IPv6; its order is that of routes."""

    family: int
    address: bytes
    length: int

    @staticmethod
    def parse(words: str) -> Prefix:
        """The prefix that somebody wrote. Raises UnreadablePrefix, also if bits behind the length are set.

        >>> Prefix.parse("192.0.2.0/24").text, Prefix.parse("2001:DB8:0::/32").text
        ('192.0.2.0/24', '2001:db8::/32')
        """
        address, slash, length_words = words.partition("/")
        if not slash:
            whole = Prefix.of_address(words)
            raise UnreadablePrefix(f"{_shown(words)} is an address, not a prefix", f"ask for {whole.text} or use ip=")
        family, octets = parse_address(address)
        length = _LENGTHS.get(length_words, 129)
        if length > BITS[family]:
            raise UnreadablePrefix(
                f"{_shown(words)} has no length of 0 to {BITS[family]}", f"{address}/{8 * len(octets)}"
            )
        network = Prefix(family, octets, length).cut(length)
        if network.address != octets:
            raise UnreadablePrefix(f"{_shown(words)} has bits set behind its length", f"did you mean {network.text}?")
        return network

    @staticmethod
    def of_address(words: str) -> Prefix:
        """One address as the longest prefix. Raises UnreadablePrefix."""
        family, octets = parse_address(words)
        return Prefix(family, octets, BITS[family])

    @staticmethod
    def of_key(key: bytes) -> Prefix:
        """The prefix of the key of a route."""
        octets = len(key) - 5
        return Prefix(4 if octets == 4 else 6, key[:octets], key[octets])

    @property
    def text(self) -> str:
        """As people write it (RFC 5952)."""
        return f"{inet_ntop(_NETWORK[self.family], self.address)}/{self.length}"

    @property
    def low(self) -> bytes:
        """The lowest key that a route to this prefix can have."""
        return self.address + bytes((self.length, 0, 0, 0, 0))

    @property
    def high(self) -> bytes:
        """A key above all those of this prefix and below all others."""
        return self.address + bytes((self.length + 1, 0, 0, 0, 0))

    @property
    def end(self) -> bytes:
        """A key above all those of more specific prefixes and below all others."""
        last = int.from_bytes(self.address) | (1 << BITS[self.family] - self.length) - 1
        return last.to_bytes(OCTETS[self.family]) + b"\xff\0\0\0\0"

    def cut(self, length: int) -> Prefix:
        """The prefix of that length which covers this one."""
        shift = BITS[self.family] - length
        address = int.from_bytes(self.address) >> shift << shift
        return Prefix(self.family, address.to_bytes(OCTETS[self.family]), length)


def parse_address(words: str) -> tuple[int, bytes]:
    """Family and octets of an address. Raises UnreadablePrefix."""
    family = 6 if ":" in words else 4
    try:
        return family, inet_pton(_NETWORK[family], words)
    except (OSError, ValueError):
        raise UnreadablePrefix(f"{_shown(words)} is not an address of IPv{family}") from None


def address_text(octets: bytes) -> str:
    """An address of 4 or 16 octets as people write it; nothing for none."""
    return inet_ntop(AF_INET if len(octets) == 4 else AF_INET6, octets) if octets else ""


def key_texts(keys: bytes, family: int) -> Iterator[tuple[str, int]]:
    """Words and path identifier of each of these keys of routes, which lie one behind the other."""
    octets, network = OCTETS[family], _NETWORK[family]
    for start in range(0, len(keys), octets + 5):
        at = start + octets
        yield f"{inet_ntop(network, keys[start:at])}/{keys[at]}", int.from_bytes(keys[at + 1 : at + 5])


def _shown(words: str) -> str:
    return repr(words if len(words) <= _SHOWN else words[:_SHOWN] + "...")
