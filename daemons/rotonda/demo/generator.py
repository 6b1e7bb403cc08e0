"""Writes the demo's files: a routing table as MRT, and what a validator would export to go with it.

Both are of the same synthetic Internet if they are written with the same numbers, and say in themselves that they are
synthetic. The same numbers give the same octets (compressed ones as far as zlib is the same).
"""

from __future__ import annotations

import gzip
import json
import struct
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha1
from os import PathLike
from socket import AF_INET, AF_INET6, inet_ntop
from typing import IO

import numpy as np
from numpy.typing import NDArray

from .attributes import entries
from .dice import Dice
from .roas import Roas
from .world import Table, World

TIME = 1_772_323_200
"""When all of it is said to be: 2026-03-01, midnight UTC."""

_TABLE_DUMP_V2, _PEER_INDEX_TABLE, _SUBTYPES = 13, 1, {4: 2, 6: 4}
_HEADER = struct.Struct(">IHHI")
_RIB = struct.Struct(">IHHIIB")
_AT_ONCE = 8_192
_VIEW = b"synthetic"
# The start of every SubjectPublicKeyInfo of a P-256 key (RFC 5480), to which the point is added.
_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")


def write_table(
    path: str | PathLike[str], *, prefixes4: int = 250_000, prefixes6: int = 50_000, peers: int = 4, seed: int = 1
) -> None:
    """Write a routing table as a TABLE_DUMP_V2 file (RFC 6396); compressed if the name ends with .gz.

    Each of the peers has nearly all of the prefixes. Raises ValueError for numbers that make no Internet.
    """
    world = World.make(prefixes4, prefixes6, peers, seed)
    with _opened(path) as file:
        file.write(_peer_index(world))
        sequence = 0
        for table in world.tables:
            for records in _rib_records(world, table, sequence):
                file.write(records)
            sequence += len(table.origins)


def write_vrps(
    path: str | PathLike[str], *, prefixes4: int = 250_000, prefixes6: int = 50_000, peers: int = 4, seed: int = 1
) -> None:
    """Write, as routinator does in JSON, the VRPs, router keys and ASPAs of the Internet of the same numbers.

    About half of its routes are valid, about one in a hundred is invalid, as in the real one.
    """
    world = World.make(prefixes4, prefixes6, peers, seed)
    metadata = {"generated": TIME, "generatedTime": "2026-03-01T00:00:00Z", "synthetic": True, "seed": seed}
    with _opened(path) as file:
        file.write(b'{\n  "metadata": ' + json.dumps(metadata).encode())
        _write_list(file, "roas", (line for table in world.tables for line in _roa_lines(world, table)))
        _write_list(file, "routerKeys", _router_key_lines(world))
        _write_list(file, "aspas", _aspa_lines(world))
        file.write(b"\n}\n")


@contextmanager
def _opened(path: str | PathLike[str]) -> Iterator[IO[bytes]]:
    with open(path, "wb") as file:
        if not str(path).endswith(".gz"):
            yield file
            return
        with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as compressed:
            yield compressed  # type: ignore[misc]  # typeshed's GzipFile is no IO[bytes]


def _peer_index(world: World) -> bytes:
    body = struct.pack(">IH", 0xC6336401, len(_VIEW)) + _VIEW + struct.pack(">H", len(world.peers))
    for peer in world.peers:  # type 2: an IPv4 address and an AS number of four octets
        body += struct.pack(">BIII", 2, peer.identifier, peer.address4, peer.asn)
    return _HEADER.pack(TIME, _TABLE_DUMP_V2, _PEER_INDEX_TABLE, len(body)) + body


def _rib_records(world: World, table: Table, sequence: int) -> Iterator[bytes]:
    """The RIB records of a family, some thousands at a time; the number of the first is `sequence`."""
    subtype = _SUBTYPES[table.prefixes.family]
    of_set = list(entries(world, table, TIME))
    octets = table.prefixes.addresses.astype(">u8").tobytes()
    lengths, sets = table.prefixes.lengths.tolist(), table.sets.tolist()
    for start in range(0, len(sets), _AT_ONCE):
        parts = []
        for row in range(start, min(start + _AT_ONCE, len(sets))):
            length, rib_entries = lengths[row], of_set[sets[row]]
            prefix = octets[8 * row : 8 * row + (length + 7) // 8]
            size = 5 + len(prefix) + len(rib_entries)
            parts += [_RIB.pack(TIME, _TABLE_DUMP_V2, subtype, size, sequence + row, length), prefix, rib_entries]
        yield b"".join(parts)


def _write_list(file: IO[bytes], name: str, lines: Iterable[str]) -> None:
    file.write(f',\n  "{name}": [\n    '.encode() + ",\n    ".join(lines).encode() + b"\n  ]")


def _roa_lines(world: World, table: Table) -> Iterator[str]:
    roas = Roas.of(world, table)
    family = table.prefixes.family
    packed = roas.addresses.astype(">u8").tobytes()
    anchors = _trust_anchors(family, roas.addresses)
    rows = zip(roas.lengths.tolist(), roas.max_lengths.tolist(), roas.asns.tolist(), anchors, strict=True)
    for row, (length, max_length, asn, anchor) in enumerate(rows):
        address = packed[8 * row : 8 * row + 8]
        text = inet_ntop(AF_INET, address[:4]) if family == 4 else inet_ntop(AF_INET6, address + bytes(8))
        yield f'{{ "asn": "AS{asn}", "prefix": "{text}/{length}", "maxLength": {max_length}, "ta": "{anchor}" }}'


def _trust_anchors(family: int, addresses: NDArray[np.uint64]) -> list[str]:
    if family == 6:
        of_block = {0x2A: "ripe", 0x26: "arin", 0x24: "apnic", 0x28: "lacnic", 0x2C: "afrinic"}
        return [of_block[block] for block in (addresses >> np.uint64(56)).tolist()]
    return [_anchor(block) for block in (addresses >> np.uint64(56)).tolist()]


def _anchor(number: int) -> str:
    """A trust anchor for an AS or an IPv4 /8, each as often as in the real RPKI."""
    share = number * 61 % 100
    return (
        "ripe"
        if share < 44
        else "apnic"
        if share < 67
        else "arin"
        if share < 85
        else "lacnic"
        if share < 95
        else "afrinic"
    )


def _router_key_lines(world: World) -> Iterator[str]:
    """Keys in the right form, though their points are not of the curve: nobody can ever sign with them."""
    count = max(4, len(world.asns) // 200)
    dice = Dice(world.seed, "router keys")
    points = dice.bits(8 * count).astype(">u8").tobytes()
    for number, place in enumerate(dice.below(count, len(world.asns)).tolist()):
        point = b"\4" + points[64 * number : 64 * number + 64]
        key = urlsafe_b64encode(_P256 + point).decode().rstrip("=")
        ski = sha1(point, usedforsecurity=False).hexdigest().upper()  # RFC 6487 section 4.8.2
        asn = world.asns[place]
        yield f'{{ "asn": "AS{asn}", "SKI": "{ski}", "routerPublicKey": "{key}", "ta": "{_anchor(asn)}" }}'


def _aspa_lines(world: World) -> Iterator[str]:
    """One AS in seven says truly who its providers are; those that have none say so with AS0."""
    says = Dice(world.seed, "ASPA").shares(len(world.asns)) < 1 / 7
    customers = sorted((world.asns[place], place) for place in np.flatnonzero(says).tolist())
    for asn, place in customers:
        providers = sorted(world.asns[provider] for provider in world.providers[place]) or [0]
        listed = ", ".join(f'"AS{provider}"' for provider in providers)
        yield f'{{ "customer": "AS{asn}", "providers": [{listed}], "ta": "{_anchor(asn)}" }}'
