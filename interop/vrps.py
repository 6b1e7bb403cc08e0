"""Made-up RPKI data of any size, the same for the same seed, as record keys and in the JSON that every cache reads.

The keys are what everybody's answer is compared by: `S10` = address, max length, length, AS number of an IPv4 VRP and
`S22` for IPv6, big-endian and sorted, so that two sets are equal when two arrays are.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Keys: TypeAlias = "NDArray[np.bytes_]"
Octets: TypeAlias = "NDArray[np.uint8]"
RouterKey: TypeAlias = tuple[bytes, int, bytes]  # subject key identifier, AS number, subject public key info

WIDTH = {4: 10, 6: 22}
# the DER of "a P-256 public key follows", with which every BGPsec router key begins (RFC 8608 section 3)
P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200") + b"\x04"


def sorted_keys(rows: Octets) -> Keys:
    """Rows of octets, one record each, as sorted fixed-width keys."""
    packed = np.ascontiguousarray(rows)
    return np.sort(packed.view(f"S{packed.shape[1]}").reshape(-1))


@dataclass(frozen=True)
class RpkiData:
    """One state of a cache: VRPs as sorted keys, router keys, and the providers of each customer AS."""

    vrps4: Keys
    vrps6: Keys
    router_keys: frozenset[RouterKey] = frozenset()
    aspas: dict[int, tuple[int, ...]] = field(default_factory=dict)

    @property
    def vrp_count(self) -> int:
        return len(self.vrps4) + len(self.vrps6)

    @property
    def duplicates(self) -> int:
        """VRPs that are in it more than once: never, in a set."""
        return self.vrp_count - len(np.unique(self.vrps4)) - len(np.unique(self.vrps6))

    def digest(self) -> str:
        """A name for exactly this set of VRPs."""
        summed = hashlib.sha256(len(self.vrps4).to_bytes(8, "big"))
        summed.update(self.vrps4.tobytes())
        summed.update(self.vrps6.tobytes())
        return summed.hexdigest()

    def differences(self, other: Self) -> list[str]:
        """What one has and the other has not, some of each kind, for the message of a test; nothing when equal."""
        kinds = {
            "VRPs": (set(self.rows()), set(other.rows())),
            "router keys": (self.router_keys, other.router_keys),
            "ASPAs": (set(self.aspas.items()), set(other.aspas.items())),
        }
        told = [
            f"{len(here - there)} {kind} {what}: {sorted(here - there)[:5]}"
            for kind, (one, two) in kinds.items()
            for what, here, there in (("missing", one, two), ("too many", two, one))
            if here - there
        ]
        return told + ([f"{other.duplicates} VRPs twice"] if other.duplicates else [])

    def without(self, *kinds: str) -> Self:
        """The same without `router_keys` or `aspas`: what remains where a peer or a version has no place for those."""
        empty: dict[str, Any] = {"router_keys": frozenset(), "aspas": {}}
        return replace(self, **{kind: empty[kind] for kind in kinds})

    @classmethod
    def from_rows(cls, rows: Iterable[tuple[str, int, int]]) -> Self:
        """From (prefix, max length, AS number): for what other programs print.  Sorted, but not made unique."""
        packed: dict[int, list[bytes]] = {4: [], 6: []}
        for prefix, max_length, asn in rows:
            address, _, length = prefix.partition("/")
            key = ip_address(address).packed + bytes([max_length, int(length)]) + asn.to_bytes(4, "big")
            packed[4 if len(key) == WIDTH[4] else 6].append(key)
        keys4, keys6 = (np.sort(np.array(packed[family], dtype=f"S{WIDTH[family]}")) for family in (4, 6))
        return cls(keys4, keys6)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """From the JSON that routinator, rtrtr and our own daemons write; AS numbers with or without "AS"."""
        told: dict[str, Any] = json.loads(text)
        vrps = cls.from_rows((roa["prefix"], roa["maxLength"], _asn(roa["asn"])) for roa in told["roas"])
        keys = frozenset(
            (bytes.fromhex(key["SKI"]), _asn(key["asn"]), _unpadded(key["routerPublicKey"]))
            for key in told.get("routerKeys", [])
        )
        aspas = {_asn(each["customer"]): tuple(map(_asn, each["providers"])) for each in told.get("aspas", [])}
        return cls(vrps.vrps4, vrps.vrps6, keys, aspas)

    def rows(self) -> list[tuple[str, int, int]]:
        """Every VRP as (prefix, max length, AS number)."""
        return [row for family, keys in ((4, self.vrps4), (6, self.vrps6)) for row in _rows(keys, WIDTH[family])]

    def write_routinator(self, path: Path) -> None:
        """As `routinator vrps --format jsonext` shows it: what rtrtr, stayrtr and our connector read."""
        self._write(
            path,
            routerKeys=[
                {"asn": f"AS{asn}", "SKI": ski.hex().upper(), "routerPublicKey": _text(spki), "ta": "test"}
                for ski, asn, spki in sorted(self.router_keys)
            ],
            aspas=[
                {"customer": f"AS{customer}", "providers": [f"AS{each}" for each in providers], "ta": "test"}
                for customer, providers in sorted(self.aspas.items())
            ],
        )

    def write_rpki_client(self, path: Path) -> None:
        """With router keys where rpki-client has them: what stayrtr needs to serve those."""
        self._write(
            path,
            bgpsec_keys=[
                {"asn": asn, "ski": ski.hex().upper(), "pubkey": _text(spki), "ta": "test"}
                for ski, asn, spki in sorted(self.router_keys)
            ],
        )

    def _write(self, path: Path, **others: list[dict[str, Any]]) -> None:
        roas = [
            {"asn": f"AS{asn}", "prefix": prefix, "maxLength": max_length, "ta": "test"}
            for prefix, max_length, asn in self.rows()
        ]
        metadata = {"generated": 1767225600, "generatedTime": "2026-01-01T00:00:00Z"}
        path.write_text(json.dumps({"metadata": metadata, "roas": roas, **others}))


def generate(count: int, seed: int = 1, share4: float = 0.8, router_keys: int = 0, aspas: int = 0) -> RpkiData:
    """So many different VRPs: several max lengths, AS 0, 2- and 4-octet AS numbers, some prefixes of many ASes."""
    chance = np.random.default_rng(seed)
    count4 = round(count * share4)
    return RpkiData(
        _vrps(chance, count4, 4, 8, 24, 32),
        _vrps(chance, count - count4, 6, 19, 48, 64),
        frozenset(
            (chance.bytes(20), int(chance.integers(1, 1 << 32)), P256 + chance.bytes(64)) for _ in range(router_keys)
        ),
        {
            int(customer): tuple(sorted(map(int, chance.choice(1 << 32, chance.integers(1, 6), replace=False))))
            for customer in chance.choice(np.arange(1, 400_000), aspas, replace=False)
        },
    )


def _vrps(chance: np.random.Generator, count: int, family: int, shortest: int, usual: int, longest: int) -> Keys:
    """Unique keys; drawn with some to spare, because a draw may repeat itself."""
    drawn = count + count // 4 + 100
    length = np.minimum(shortest + chance.geometric(0.15, drawn) - 1, usual)
    length = np.where(chance.random(drawn) < 0.5, usual, length).astype(np.uint8)
    longer = np.where(chance.random(drawn) < 0.3, chance.integers(0, longest - usual + 1, drawn), 0)
    asn = np.where(chance.random(drawn) < 0.02, 0, chance.integers(1, 70_000, drawn) * chance.integers(1, 3, drawn))
    asn = np.where(chance.random(drawn) < 0.01, np.uint32(4_200_000_000) + asn, asn)
    rows = np.zeros((drawn, WIDTH[family]), dtype=np.uint8)
    octets = WIDTH[family] - 6
    rows[:, :octets] = _networks(chance.integers(0, 256, (drawn, octets), dtype=np.uint8), length)
    if family == 6:
        rows[:, 0] = 0x20 | rows[:, 0] & 0x0F
    rows[:, octets] = np.minimum(length + longer, longest)
    rows[:, octets + 1] = length
    shared = np.flatnonzero(chance.random(drawn - 1) < 0.05)
    rows[shared + 1, : octets + 2] = rows[shared, : octets + 2]
    rows[:, octets + 2 :] = asn.astype(">u4").view(np.uint8).reshape(-1, 4)
    unique = np.unique(sorted_keys(rows))
    return np.sort(chance.permutation(unique)[:count])


def _networks(addresses: Octets, length: Octets) -> Octets:
    """The addresses with every bit beyond the prefix length cleared."""
    bits = np.arange(addresses.shape[1] * 8) < length[:, np.newaxis]
    return addresses & np.packbits(bits, axis=1)


def _rows(keys: Keys, width: int) -> list[tuple[str, int, int]]:
    raw, octets = keys.tobytes(), width - 6
    rows = (raw[start : start + width] for start in range(0, len(raw), width))
    return [
        (
            str(ip_network((row[:octets], row[octets + 1]))),
            row[octets],
            int.from_bytes(row[octets + 2 :], "big"),
        )
        for row in rows
    ]


def _asn(told: str | int) -> int:
    return told if isinstance(told, int) else int(re.sub("^AS", "", told))


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _unpadded(text: str) -> bytes:
    """Base64 as routinator writes it: without the padding."""
    return base64.b64decode(text + "=" * (-len(text) % 4))
