"""The state digest: one u64 that two sides compare to know that they hold the same table.

It is the sum modulo 2^64 of one u64 per record, so that the order of records does not matter and a change costs what
the change weighs. It finds mistakes, not attackers: whoever can choose records can find two sets of the same sum.

The u64 of a record. All integers are big endian, all arithmetic is modulo 2^64, and `mix` is the finaliser of
SplitMix64 on `x + 0x9E3779B97F4A7C15`: xor with itself shifted right by 30, times 0xBF58476D1CE4E5B9, xor with itself
shifted right by 27, times 0x94D049BB133111EB, xor with itself shifted right by 31.

* Keys of fixed width: append zero octets up to a multiple of 8 and read words of 8 octets. Start with a seed, and for
  each word in turn make `h = mix(h xor word)`.

  | record | seed | key |
  |---|---|---|
  | VRP, IPv4 | 1 | address (4), max length (1), length (1), ASN (4) |
  | VRP, IPv6 | 2 | address (16), max length (1), length (1), ASN (4) |
  | route, IPv4 | `mix(5 xor ingress)` | address (4), length (1), path id (4) |
  | route, IPv6 | `mix(6 xor ingress)` | address (16), length (1), path id (4) |

  `ingress` is the digest of the ingress (see `Ingress`). A route has one word more, at the end: the BLAKE2b with a
  digest of 8 octets of its attribute set.
* Records of any length: the BLAKE2b with a digest of 8 octets of a tag octet, the key and the value.

  | record | tag | key | value |
  |---|---|---|---|
  | router key | 3 | SKI (20), length of the SPKI (4), SPKI, ASN (4) | none |
  | ASPA | 4 | customer ASN (4) | provider ASNs (4 each), ascending |

The time of a route is not part of it.

192.0.2.0/24-24 of AS 64496; 2001:db8::/32-48 of AS 64496; the routes to them with path id 0, ingress digest 1 and the
attribute set `40 01 01 00`; a router key with SKI `00...`, SPKI `3059` and AS 64496; AS 64496 with the providers 64497
and 64498:

>>> def hashed(seed, text, *last):
...     key = bytes.fromhex(text)
...     return hex(key_hashes(seed, np.array([key], f"S{len(key)}"), *last)[0])
>>> hashed(1, "c0000200 18 18 0000fbf0")
'0x2b7124d0a597a068'
>>> hashed(2, "20010db8000000000000000000000000 30 20 0000fbf0")
'0xf08bce8ff22f8d1b'
>>> attributes = octet_hashes([bytes.fromhex("40010100")])
>>> hashed(mix(5 ^ 1), "c0000200 18 00000000", attributes)
'0xbdeec0415a6426fe'
>>> hashed(mix(6 ^ 1), "20010db8000000000000000000000000 20 00000000", attributes)
'0x9d072706a012c766'
>>> hex(octet_hashes([bytes([3]) + bytes(20) + bytes.fromhex("00000002 3059 0000fbf0")])[0])
'0x8c58d4669aeec283'
>>> hex(octet_hashes([bytes.fromhex("04 0000fbf0 0000fbf1 0000fbf2")])[0])
'0x2338380ef8749829'
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

MODULUS = 1 << 64
_INCREMENT = 0x9E3779B97F4A7C15
_ROUNDS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_LAST_SHIFT = 31
_BLAKE2B = blake2b(digest_size=8)  # to copy it costs less than to make another: full tables have 100,000 sets and more
_BLOCK = 1 << 14  # rows: words, hashes and scratch of a block stay in the cache of the processor


def mix(word: int) -> int:
    """Scatter the bits of one u64.

    >>> hex(mix(0))
    '0xe220a8397b1dcdaf'
    """
    word = (word + _INCREMENT) % MODULUS
    for shift, factor in _ROUNDS:
        word = (word ^ word >> shift) * factor % MODULUS
    return word ^ word >> _LAST_SHIFT


def key_hashes(seed: int, keys: NDArray[Any], last: Hashes | None = None) -> Hashes:
    """The u64 of each record with a key of fixed width (dtype S<n>); `last` is one word more per record."""
    hashes = np.full(len(keys), seed, np.uint64)
    for start in range(0, len(keys), _BLOCK):
        rows = slice(start, start + _BLOCK)
        words = _words(keys[rows])
        _absorb(hashes[rows], words if last is None else [*words, last[rows]])
    return hashes


def octet_hashes(items: Iterable[bytes]) -> Hashes:
    """The BLAKE2b of 8 octets of each item, as u64."""
    return np.frombuffer(b"".join(map(digest64, items)), ">u8").astype(np.uint64)


def digest64(octets: bytes) -> bytes:
    """The BLAKE2b with a digest of 8 octets."""
    hashing = _BLAKE2B.copy()
    hashing.update(octets)
    return hashing.digest()


def total(hashes: Hashes) -> int:
    """The state digest of the records with these u64."""
    return int(hashes.sum(dtype=np.uint64))


def _words(keys: NDArray[Any]) -> list[NDArray[Any]]:
    width = -(-keys.dtype.itemsize // 8)
    return list(keys.astype(f"S{8 * width}").view(">u8").reshape(-1, width).T)


def _absorb(hashes: Hashes, words: Iterable[NDArray[Any]]) -> None:
    scratch = np.empty_like(hashes)
    for word in words:
        hashes ^= word
        _mix(hashes, scratch)


def _mix(hashes: Hashes, scratch: Hashes) -> None:
    """`mix` of each, in place."""
    hashes += np.uint64(_INCREMENT)
    for shift, factor in _ROUNDS:
        np.right_shift(hashes, np.uint64(shift), out=scratch)
        hashes ^= scratch
        hashes *= np.uint64(factor)
    np.right_shift(hashes, np.uint64(_LAST_SHIFT), out=scratch)
    hashes ^= scratch
