"""The made-up full table that the benchmark reads, and the little that must be known of it beforehand.

Counting and finding the last route needs only the lengths in the records of TABLE_DUMP_V2 (RFC 6396 section 4.3), so it
is done here, by a reader that shares nothing with those that are measured.
"""

from __future__ import annotations

import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from interop.peers.ours import ROOT

GENERATOR = ROOT.parent / "shared" / "data" / "make_synthetic.py"
TABLE_DUMP_V2, RIB_IPV4_UNICAST, RIB_IPV6_UNICAST = 13, 2, 4
PREFIX = 16  # where the prefix begins in a record: after the header and the sequence number
ADDRESS_OCTETS = {RIB_IPV4_UNICAST: 4, RIB_IPV6_UNICAST: 16}


class NoTable(Exception):
    """Why there is no file to measure with."""


@dataclass(frozen=True)
class Table:
    """One MRT file."""

    file: Path
    prefixes: int
    routes: int
    last: str  # the prefix of its last record


def full_table(routes: int) -> Table:
    """So many routes of one peer, 80 % IPv4: made once, kept in the folder for temporary files, and used again."""
    file = Path(tempfile.gettempdir()) / f"rotoro-bench-table-{routes}.mrt"
    if not file.exists():
        if not GENERATOR.exists():
            raise NoTable("the generator of full tables does not lie beside this checkout: give a file with --mrt")
        unfinished = file.with_suffix(".unfinished")
        sizes = ["--v4", str(routes * 4 // 5), "--v6", str(routes - routes * 4 // 5)]
        command = [sys.executable, str(GENERATOR), "rib", "--out", str(unfinished), *sizes]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        unfinished.rename(file)
    return read_table(file)


def read_table(file: Path) -> Table:
    """Count what the file has, and by that have it in the page cache; raises `NoTable`."""
    octets = file.read_bytes()
    place, prefixes, routes, last = 0, 0, 0, (0, 0)
    while place < len(octets):
        _, kind, subtype, length = struct.unpack_from(">IHHI", octets, place)
        if kind == TABLE_DUMP_V2 and subtype in ADDRESS_OCTETS:
            last = (place + PREFIX, ADDRESS_OCTETS[subtype])
            entries = place + PREFIX + 1 + (octets[place + PREFIX] + 7) // 8
            prefixes += 1
            routes += int.from_bytes(octets[entries : entries + 2], "big")
        place += 12 + length
    if not routes:
        raise NoTable(f"{file} has no IPv4 or IPv6 unicast routes in TABLE_DUMP_V2")
    return Table(file, prefixes, routes, _prefix(octets, *last))


def _prefix(octets: bytes, place: int, width: int) -> str:
    bits = octets[place]
    packed = octets[place + 1 : place + 1 + (bits + 7) // 8].ljust(width, b"\0")
    return f"{ip_address(packed)}/{bits}"
