"""The demo's files: always the same octets, readable by others, and lifelike."""

from __future__ import annotations

import gzip
import json
import struct
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rotonda.demo.generator import write_table, write_vrps
from rotonda.rpki.exports import read_export
from rotonda.rpki.validation import State, ValidatedSet
from twisted.trial.unittest import SynchronousTestCase

SIZES = {"prefixes4": 6_000, "prefixes6": 1_500}


@dataclass
class Dump:
    """What is in a file of TABLE_DUMP_V2, read as RFC 6396 says and with nothing of ours."""

    view: bytes = b""
    peers: list[int] = field(default_factory=list)
    routes: list[tuple[int, bytes, int, bytes]] = field(default_factory=list)  # family, prefix key, peer, attributes
    sequence: list[int] = field(default_factory=list)


def read_dump(data: bytes) -> Dump:
    dump, at = Dump(), 0
    while at < len(data):
        _, kind, subtype, size = struct.unpack_from(">IHHI", data, at)
        body, at = data[at + 12 : at + 12 + size], at + 12 + size
        assert (kind, len(body)) == (13, size)
        if subtype == 1:
            read_peers(body, dump)
        else:
            read_rib(body, 4 if subtype == 2 else 6, dump)
    return dump


def read_peers(body: bytes, dump: Dump) -> None:
    size = int.from_bytes(body[4:6], "big")
    dump.view = body[6 : 6 + size]
    at = 8 + size
    for _ in range(int.from_bytes(body[6 + size : at], "big")):
        assert body[at] == 2
        dump.peers.append(int.from_bytes(body[at + 9 : at + 13], "big"))
        at += 13
    assert at == len(body)


def read_rib(body: bytes, family: int, dump: Dump) -> None:
    dump.sequence.append(int.from_bytes(body[:4], "big"))
    octets = (body[4] + 7) // 8
    prefix = body[5 : 5 + octets].ljust(4 if family == 4 else 16, b"\0") + body[4:5]
    at = 7 + octets
    for _ in range(int.from_bytes(body[at - 2 : at], "big")):
        peer, _, size = struct.unpack_from(">HIH", body, at)
        dump.routes.append((family, prefix, peer, body[at + 8 : at + 8 + size]))
        at += 8 + size
    assert at == len(body)


def read_attributes(octets: bytes) -> list[tuple[int, int, bytes]]:
    made, at = [], 0
    while at < len(octets):
        flags, kind = octets[at], octets[at + 1]
        wide = 2 if flags & 0x10 else 1
        start = at + 2 + wide
        size = int.from_bytes(octets[at + 2 : start], "big")
        made.append((flags, kind, octets[start : start + size]))
        at = start + size
    assert at == len(octets)
    return made


def as_path(octets: bytes) -> tuple[int, ...]:
    value = next(value for _, kind, value in read_attributes(octets) if kind == 2)
    assert (value[0], len(value)) == (2, 2 + 4 * value[1])
    return struct.unpack(f">{value[1]}I", value[2:])


class GeneratorTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, name: str, **changes: int) -> bytes:
        path = self.folder / name
        write = write_vrps if ".json" in name else write_table
        write(path, **{**SIZES, **changes})
        return path.read_bytes()

    def test_the_same_numbers_give_the_same_octets(self) -> None:
        for name in ("table.mrt", "vrps.json"):
            digests = [sha256(self.write(name, **changes)).hexdigest() for changes in ({}, {"seed": 1}, {"seed": 2})]
            self.assertEqual(digests[0], digests[1])
            self.assertNotEqual(digests[0], digests[2])

    def test_a_name_that_ends_with_gz_is_compressed(self) -> None:
        for name in ("table.mrt", "vrps.json"):
            self.assertEqual(gzip.decompress(self.write(name + ".gz")), self.write(name))
            self.assertEqual(self.write(name + ".gz"), self.write(name + ".gz"))

    def test_they_say_that_they_are_synthetic(self) -> None:
        self.assertEqual(read_dump(self.write("table.mrt")).view, b"synthetic")
        self.assertIs(json.loads(self.write("vrps.json"))["metadata"]["synthetic"], True)

    def test_a_table_is_complete(self) -> None:
        dump = read_dump(self.write("table.mrt", peers=3))
        self.assertEqual(dump.sequence, list(range(7_500)))
        self.assertEqual(len(dump.peers), 3)
        self.assertEqual(Counter(family for family, _, peer, _ in dump.routes if peer == 0), {4: 6_000, 6: 1_500})
        self.assertEqual(len({(prefix, peer) for _, prefix, peer, _ in dump.routes}), len(dump.routes))
        for peer in (1, 2):
            self.assertApproximates(sum(of == peer for _, _, of, _ in dump.routes) / 7_500, 0.97, 0.02)

    def test_routes_are_lifelike(self) -> None:
        dump = read_dump(self.write("table.mrt"))
        own = [route for route in dump.routes if route[2] == 0]
        for family in (4, 6):
            mine = [route for route in own if route[0] == family]
            self.assertApproximates(len(mine) / len({attributes for *_, attributes in mine}), 6, 2)
        paths = [as_path(attributes) for *_, attributes in dump.routes]
        self.assertEqual({path[0] for path in paths}, set(dump.peers))
        self.assertApproximates(sum(len(set(path)) for path in paths) / len(paths), 4.5, 0.8)
        self.assertLess(max(map(len, paths)), 20)
        for path in paths:  # No loops: an AS is met once, if several times in a row.
            self.assertEqual(len([a for a, b in zip(path, (*path[1:], 0), strict=True) if a != b]), len(set(path)))
        origins = Counter(path[-1] for path in map(as_path, (attributes for *_, attributes in own)))
        self.assertGreater(sum(count for _, count in origins.most_common(len(origins) // 20)), len(own) * 0.3)
        self.assertLessEqual(sorted(origins.values())[len(origins) // 2], 10)

    def test_attributes_are_well_formed(self) -> None:
        lengths = {1: 1, 3: 4, 4: 4, 6: 0, 7: 8, 14: 17, 35: 4}
        multiples = {8: 4, 16: 8, 32: 12}
        seen: Counter[int] = Counter()
        routes = read_dump(self.write("table.mrt")).routes
        for family, _, _, octets in routes:
            attributes = read_attributes(octets)
            kinds = [kind for _, kind, _ in attributes]
            seen.update(kinds)
            self.assertEqual(kinds, sorted(set(kinds)))
            self.assertLessEqual({1, 2, 3 if family == 4 else 14}, set(kinds))
            for flags, kind, value in attributes:
                self.assertEqual(flags & 0xC0, {4: 0x80, 14: 0x80}.get(kind, 0x40 if kind < 7 else 0xC0))
                if kind in lengths:
                    self.assertEqual(len(value), lengths[kind])
                if kind in multiples:
                    self.assertTrue(value and len(value) % multiples[kind] == 0)
        for kind, share in ((4, 0.22), (6, 0.027), (7, 0.06), (8, 0.76), (16, 0.03), (32, 0.16), (35, 0.02)):
            self.assertApproximates(seen[kind] / len(routes), share, 0.04)

    def test_vrps_go_with_the_table(self) -> None:
        export = read_export(self.write("vrps.json"), "vrps.json", 0.0)
        self.assertEqual(export.format, "routinator JSON")
        self.assertEqual((export.problems, export.expired, export.duplicates), ((), 0, 0))
        self.assertTrue(export.router_keys and export.aspas)
        judge = ValidatedSet(export.vrps4, export.vrps6)
        dump = read_dump(self.write("table.mrt"))
        for family, kind in ((4, "S5"), (6, "S17")):
            routes = [route for route in dump.routes if route[0] == family and route[2] == 0]
            origins = np.array([as_path(attributes)[-1] for *_, attributes in routes], np.uint32)
            states = judge.validate_table(np.array([prefix for _, prefix, _, _ in routes], kind), origins)
            shares = np.bincount(states, minlength=3) / len(states)
            self.assertApproximates(shares[State.VALID], 0.53, 0.15)
            self.assertTrue(0.001 < shares[State.INVALID] < 0.04, shares)

    def test_numbers_that_make_no_internet(self) -> None:
        self.assertRaises(ValueError, self.write, "table.mrt", peers=0)
        self.assertRaises(ValueError, self.write, "table.mrt", peers=1_000)

    def test_one_family_alone_will_do(self) -> None:
        for changes, count in (({"prefixes4": 0}, 1_500), ({"prefixes6": 0}, 6_000)):
            self.assertEqual(len(read_dump(self.write("table.mrt", **changes)).sequence), count)
            self.assertEqual(read_export(self.write("vrps.json", **changes), "vrps.json", 0.0).problems, ())
