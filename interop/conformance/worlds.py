"""Small sets of data in which everything that has an order or a limit is found."""

from __future__ import annotations

from interop.conformance.subject import Data, Key

SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004") + bytes(range(64))
"""The DER of a P-256 key (RFC 8608)."""


def key(number: int, asn: int = 64496, tail: int = 0) -> Key:
    """A router key: of one number the same identifier, of another tail another public key."""
    return bytes([number] * 20), asn, SPKI[:-1] + bytes([tail])


WORLD = Data(
    vrps=(
        ("0.0.0.0/0", 0, 0),
        ("0.0.0.1/32", 32, 1),
        ("1.0.0.0/8", 8, 256),
        ("1.0.0.0/8", 8, 1),
        ("1.0.0.0/24", 24, 1),
        ("10.0.0.0/8", 8, 64496),
        ("10.0.0.0/8", 24, 64496),
        ("10.0.0.0/16", 24, 64496),
        ("10.0.0.0/8", 24, 0),
        ("192.0.2.0/24", 24, 4294967295),
        ("255.255.255.255/32", 32, 65536),
        ("::/0", 0, 0),
        ("::1/128", 128, 1),
        ("2001:db8::/32", 48, 64496),
        ("2001:db8::/32", 48, 0),
        ("2001:db8::/33", 48, 64496),
        ("2001:db8:ffff::/48", 128, 256),
    ),
    keys=(key(1), key(1, 1), key(1, 1, 2), key(2), key(255, 4294967295)),
    aspas={1: (0,), 256: (1, 2, 3), 64496: (64497, 4294967295), 4294967295: (5,)},
)
"""Both families, AS 0, keys that differ by each of their parts, and numbers whose octets sort another way."""

CHANGED = Data(
    vrps=(
        *WORLD.vrps[2:9],
        ("10.0.0.0/16", 16, 0),
        ("172.16.0.0/12", 24, 64500),
        *WORLD.vrps[12:],
        ("2001::/16", 32, 7),
    ),
    keys=(*WORLD.keys[1:], key(1, 7), key(9)),
    aspas={1: (7, 8), 256: (1, 2, 4), 64496: (64497, 4294967295), 70000: (0,)},
)
"""Of `WORLD`: announcements, withdrawals and a replacement of each kind that can be."""


def few(*numbers: int) -> Data:
    """One VRP for each number."""
    return Data(vrps=tuple((f"10.{number}.0.0/16", 24, 64496 + number) for number in numbers))


def many(count: int) -> Data:
    """So many VRPs, up to 2^24."""
    return Data(vrps=tuple((f"{10 + (n >> 16)}.{n >> 8 & 255}.{n & 255}.0/24", 24, 1 + n % 7) for n in range(count)))


def bulky(count: int) -> Data:
    """So many router keys of 4 KiB each: few records that take long to send."""
    spki = bytes.fromhex("30820ffc") + bytes(4092)
    return Data(keys=tuple((number.to_bytes(20), 64496, spki) for number in range(count)))
