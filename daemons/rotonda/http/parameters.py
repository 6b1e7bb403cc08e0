"""What people may write for numbers, prefixes and names. Each raises `Refused` with status 400, naming what was
asked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from rotonda.http.errors import Refused, excerpt, suggestion
from rotonda.rib.communities import Community
from rotonda.rib.prefixes import Prefix, UnreadablePrefix, parse_address
from rotonda.rpki.paths import Direction
from rotonda.rpki.records import parse_as_number

T = TypeVar("T")
_DIGITS = 10


def optional(parameters: Mapping[str, str], name: str, read: Callable[[str, str], T]) -> T | None:
    """A parameter, read, or None if it is not given."""
    words = parameters.get(name)
    return None if words is None else read(name, words)


def prefix(name: str, words: str) -> Prefix:
    """A prefix without host bits."""
    return _read(name, words, Prefix.parse)


def address_as_prefix(name: str, words: str) -> Prefix:
    """An address, or a prefix."""
    return _read(name, words, Prefix.parse if "/" in words else Prefix.of_address)


def address(name: str, words: str) -> bytes:
    """The octets of an address."""
    return _read(name, words, parse_address)[1]


def as_number(name: str, words: str) -> int:
    """An AS number, with or without `AS`."""
    return _read(name, words, parse_as_number, "write it like AS64496 or 64496")


def community(name: str, words: str) -> Community:
    """A standard or large community."""
    return _read(name, words, Community.parse)


def number(name: str, words: str) -> int:
    """A natural number that fits into 32 bits."""
    if not (words.isascii() and words.isdigit() and len(words) <= _DIGITS and int(words) < 1 << 32):
        raise Refused(400, f"{name}: {excerpt(words)} is not a number of 32 bits")
    return int(words)


def direction(name: str, words: str) -> Direction:
    """Where paths come from."""
    return Direction(choice([direction.value for direction in Direction])(name, words))


def choice(known: Collection[str]) -> Callable[[str, str], str]:
    """One of these words."""

    def read(name: str, words: str) -> str:
        if words not in known:
            raise Refused(400, f"{name}: there is no {excerpt(words)}", suggestion(words, known))
        return words

    return read


def choices(known: Collection[str]) -> Callable[[str, str], frozenset[str]]:
    """Some of these words, with commas between."""
    one = choice(known)
    return lambda name, words: frozenset(one(name, word) for word in words.split(","))


def _read(name: str, words: str, parse: Callable[[str], T], hint: str | None = None) -> T:
    try:
        return parse(words)
    except UnreadablePrefix as wrong:
        raise Refused(400, f"{name}: {wrong}", wrong.hint) from None
    except ValueError as wrong:
        raise Refused(400, f"{name}: {wrong}", hint) from None
