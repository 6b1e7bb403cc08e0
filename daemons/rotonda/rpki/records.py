"""One validated payload at a time, or many at once: from the words of an export to the keys that sort.

There are two ways from words to keys, and a test keeps them equal. `parse_vrp` takes one VRP and says what is wrong
with it; `vrp_keys` takes columns of thousands, and only knows that something is. Both are as strict as the RFCs'
textual forms: no octal, no short forms, no wildcard masks, no IPv4 inside IPv6.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET, AF_INET6, inet_pton

import numpy as np
from numpy.typing import NDArray

from rotoro.table.slots import is_der_sequence

BITS = {4: 32, 6: 128}
MAX_AS_NUMBER = 0xFFFF_FFFF
MAX_PROVIDERS = (65_535 - 12) // 4
"""More do not fit into an ASPA PDU of RTR version 2, which ends at 65,535 octets."""
MAX_KEY_OCTETS = 4_096
"""BGPsec's P-256 keys have 91 (RFC 8608); a longer one than this is not a router's."""

VRP4 = np.dtype([("address", ">u4"), ("max_length", "u1"), ("length", "u1"), ("asn", ">u4")])
VRP6 = np.dtype([("high", ">u8"), ("low", ">u8"), ("max_length", "u1"), ("length", "u1"), ("asn", ">u4")])

_ONES = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_LENGTHS = np.arange(129, dtype=np.uint64)
HIGH_HOST_BITS = np.where(_LENGTHS < 64, _ONES >> np.minimum(_LENGTHS, np.uint64(63)), np.uint64(0))
"""By prefix length: the bits of an IPv6 address's upper half that the prefix leaves to hosts."""
LOW_HOST_BITS = np.where(
    _LENGTHS < 64, _ONES, np.where(_LENGTHS < 128, _ONES >> (_LENGTHS % np.uint64(64)), np.uint64(0))
)
"""The same for the lower half."""
HOST_BITS = np.uint64(0xFFFF_FFFF) >> _LENGTHS[:33]
"""The same for IPv4 addresses."""

_AS_NUMBER = re.compile(r"(?:AS)?(0|[1-9][0-9]{0,9})", re.ASCII | re.IGNORECASE)
_AS_NUMBERS = re.compile(r"(?:(?:AS)?(?:0|[1-9][0-9]{0,9})\n)*+", re.ASCII | re.IGNORECASE)
_PREFIX_LENGTHS = {str(length): length for length in range(129)}
_SKI = re.compile(r"[0-9A-Fa-f]{40}", re.ASCII)
_to_ipv4 = partial(inet_pton, AF_INET)
_to_ipv6 = partial(inet_pton, AF_INET6)


@dataclass(frozen=True, slots=True, order=True)
class Vrp:
    """One AS that may announce one prefix, down to a longest length (RFC 6811 section 2)."""

    family: int
    address: int
    max_length: int
    length: int
    asn: int

    @property
    def prefix(self) -> str:
        """The prefix as people write it."""
        address = IPv4Address(self.address) if self.family == 4 else IPv6Address(self.address)
        return f"{address}/{self.length}"

    def key(self) -> bytes:
        """The octets that sort: address, longest length, length, AS number; 10 for IPv4, 22 for IPv6."""
        address = self.address.to_bytes(BITS[self.family] // 8, "big")
        return address + bytes((self.max_length, self.length)) + self.asn.to_bytes(4, "big")


def parse_as_number(value: int | str) -> int:
    """The AS number that an export means: `64496`, `"64496"` or `"AS64496"`.

    Raises ValueError for anything else: asdot, leading zeros, signs, what needs more than 32 bits.
    """
    if isinstance(value, str):
        match = _AS_NUMBER.fullmatch(value)
        if match is None:
            raise ValueError(f"{value[:40]!r} is not an AS number")
        value = int(match[1])
    if not 0 <= value <= MAX_AS_NUMBER:
        raise ValueError(f"an AS number has 32 bits, {value} does not fit")
    return value


def parse_vrp(asn: int | str, prefix: str, max_length: int | None) -> tuple[Vrp, bool]:
    """One VRP, and whether host bits had to be cleared; without a longest length it is the prefix's own.

    Raises ValueError that says what is wrong (RFC 6482 section 3, RFC 6811 section 2).
    """
    number = parse_as_number(asn)
    family, address, length = parse_prefix(prefix)
    longest = length if max_length is None else max_length
    if not length <= longest <= BITS[family]:
        raise ValueError(f"a maxLength of {longest} where {length} to {BITS[family]} is possible")
    network = address >> (BITS[family] - length) << (BITS[family] - length)
    return Vrp(family, network, longest, length, number), network != address


def parse_prefix(text: str) -> tuple[int, int, int]:
    """Family (4 or 6), address and length of a prefix; host bits stay as they are. Raises ValueError."""
    words, _, length_words = text.partition("/")
    family = 6 if ":" in words else 4
    length = _PREFIX_LENGTHS.get(length_words)
    if length is None or length > BITS[family]:
        raise ValueError(f"{text[:60]!r} has no prefix length of 0 to {BITS[family]}")
    try:
        packed = _to_ipv6(words) if family == 6 else _to_ipv4(words)
    except (OSError, ValueError):
        raise ValueError(f"{text[:60]!r} does not start with an IPv{family} address") from None
    address = int.from_bytes(packed, "big")
    if family == 6 and ("." in words or (length >= 96 and address >> 32 == 0xFFFF)):
        raise ValueError(f"{text[:60]!r} is IPv4 inside IPv6")
    return family, address, length


def vrp_keys(
    asns: Sequence[int | str], prefixes: Sequence[str], max_lengths: Sequence[int | None]
) -> tuple[NDArray[np.bytes_], NDArray[np.bytes_]]:
    """The S10 and S22 keys of many VRPs, unsorted.

    Raises ValueError if any of them is not quite as it should be, host bits included; `parse_vrp` tells which and why.
    """
    try:
        return _vrp_keys(asns, prefixes, max_lengths)
    except (KeyError, OSError, OverflowError, TypeError) as error:
        raise ValueError(str(error)) from error


def _vrp_keys(
    asns: Sequence[int | str], prefixes: Sequence[str], max_lengths: Sequence[int | None]
) -> tuple[NDArray[np.bytes_], NDArray[np.bytes_]]:
    count = len(prefixes)
    _demand(set(map(str.count, prefixes, "/" * count)) <= {1})
    words = "/".join(prefixes).split("/") if count else []
    addresses = words[0::2]
    lengths = np.fromiter(map(_PREFIX_LENGTHS.__getitem__, words[1::2]), np.uint8, count)
    numbers = _as_numbers(asns)
    if None in max_lengths:
        max_lengths = [length if given is None else given for given, length in zip(max_lengths, lengths, strict=True)]
    longest = np.fromiter(max_lengths, np.uint8, count)
    _demand(bool((longest >= lengths).all()))
    six = np.fromiter((":" in address for address in addresses), np.bool_, count)
    ipv4 = [address for address in addresses if ":" not in address]
    ipv6 = [address for address in addresses if ":" in address]
    return (
        _keys4(b"".join(map(_to_ipv4, ipv4)), longest[~six], lengths[~six], numbers[~six]),
        _keys6(b"".join(map(_to_ipv6, ipv6)), longest[six], lengths[six], numbers[six], any("." in a for a in ipv6)),
    )


def _demand(regular: bool) -> None:
    if not regular:
        raise ValueError("something among these entries is irregular")


def _as_numbers(values: Sequence[int | str]) -> NDArray[np.uint32]:
    kinds = set(map(type, values))
    if kinds == {str}:
        text = "\n".join(values) + "\n"  # type: ignore[arg-type]
        _demand(_AS_NUMBERS.fullmatch(text) is not None)
        values = list(map(int, text.upper().replace("AS", "").split()))
    else:
        _demand(kinds <= {int})
    return np.fromiter(values, np.uint32, len(values))


Octets = NDArray[np.uint8]


def _keys4(addresses: bytes, longest: Octets, lengths: Octets, asns: NDArray[np.uint32]) -> NDArray[np.bytes_]:
    rows = np.empty(len(lengths), VRP4)
    rows["address"] = np.frombuffer(addresses, ">u4")
    _demand(bool((longest <= 32).all()))
    _demand(not (rows["address"] & HOST_BITS[lengths]).any())
    return _filled(rows, longest, lengths, asns)


def _keys6(
    addresses: bytes, longest: Octets, lengths: Octets, asns: NDArray[np.uint32], dotted: bool
) -> NDArray[np.bytes_]:
    rows = np.empty(len(lengths), VRP6)
    halves = np.frombuffer(addresses, ">u8").reshape(-1, 2)
    rows["high"], rows["low"] = halves[:, 0], halves[:, 1]
    _demand(not dotted and bool((longest <= 128).all()))
    _demand(not ((rows["high"] & HIGH_HOST_BITS[lengths]) | (rows["low"] & LOW_HOST_BITS[lengths])).any())
    mapped = (rows["high"] == 0) & (rows["low"] >> np.uint64(32) == 0xFFFF) & (lengths >= 96)
    _demand(not mapped.any())
    return _filled(rows, longest, lengths, asns)


def _filled(rows: NDArray[np.void], longest: Octets, lengths: Octets, asns: NDArray[np.uint32]) -> NDArray[np.bytes_]:
    rows["max_length"], rows["length"], rows["asn"] = longest, lengths, asns
    return rows.view(f"S{rows.dtype.itemsize}")


def parse_router_key(asn: int | str, ski: str, public_key: str) -> bytes:
    """The record of a BGPsec router key: SKI, length and octets of the key, AS number.

    `ski` is 40 hexadecimal digits in either case; `public_key` is base64 of a DER SubjectPublicKeyInfo in either
    alphabet, padded or not, as the validators disagree on both. Raises ValueError.
    """
    number = parse_as_number(asn)
    if _SKI.fullmatch(ski) is None:
        raise ValueError(f"{ski[:60]!r} is not a subject key identifier of 40 hexadecimal digits")
    if len(public_key) > MAX_KEY_OCTETS * 4 // 3 + 4:
        raise ValueError(f"a router's key has at most {MAX_KEY_OCTETS} octets, this is {len(public_key)} in base64")
    key = _base64(public_key)
    if not is_der_sequence(key):
        raise ValueError(f"{public_key[:60]!r} is not base64 of a DER SubjectPublicKeyInfo")
    return bytes.fromhex(ski) + len(key).to_bytes(4, "big") + key + number.to_bytes(4, "big")


def _base64(text: str) -> bytes:
    plain = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        raise ValueError(f"{text[:60]!r} is not base64") from None


def parse_aspa(customer: int | str, providers: Iterable[int | str]) -> tuple[int, set[int]]:
    """The customer and its providers. Raises ValueError for what no ASPA can say (draft-ietf-sidrops-aspa-profile)."""
    number = parse_as_number(customer)
    if number == 0:
        raise ValueError("AS0 is nobody's customer")
    numbers = set(map(parse_as_number, providers))
    if not numbers:
        raise ValueError(f"AS{number} without any provider; nobody at all would be AS0")
    if number in numbers:
        raise ValueError(f"AS{number} as its own provider")
    return number, numbers


def joined_providers(lists: Sequence[bytes]) -> bytes:
    """The providers of one customer that any of these lists names: ascending, each once, in four octets each.

    AS0 says "no providers", so any other one outdoes it (8210bis). Nothing at all if there are more than fit into an
    ASPA PDU: the customer is then better off without an ASPA than with some of its providers left out.
    """
    if len(lists) == 1:
        return lists[0]
    numbers = {octets[at : at + 4] for octets in lists for at in range(0, len(octets), 4)}
    numbers = numbers - {bytes(4)} or numbers
    return b"".join(sorted(numbers)) if len(numbers) <= MAX_PROVIDERS else b""
