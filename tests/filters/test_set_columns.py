"""Tests for L{rotonda.filters.set_columns}: the columns say what `decoded` says, set by set."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from unittest import mock

import numpy as np
from rotonda.bgp import as_path
from rotonda.bgp.attributes import ORIGINS, Attributes, decoded, parsed
from rotonda.bgp.errors import Malformed
from rotonda.bgp.mrt import MrtReader
from rotonda.filters.lists import Column, Lists
from rotonda.filters.set_columns import SetColumns, large_parts
from rotonda.rib import set_walk
from rotonda.rib.origins import origins_of
from rotonda.rib.paths import path_of
from rotonda.units.files import decompressed
from twisted.trial.unittest import SynchronousTestCase

from tests.data import shared
from tests.filters.sets import attribute, broken_set, odd_set, some_set, usual_set


def plainly(octets: bytes) -> Attributes:
    try:
        return decoded(octets)
    except Malformed:
        return Attributes()


def neighbour(path: as_path.AsPath) -> int | None:
    between = [segment for segment in path if segment[0] in (as_path.AS_SEQUENCE, as_path.AS_SET)]
    return between[0][1][0] if between and between[0][0] == as_path.AS_SEQUENCE else None


def address(octets: str | None) -> tuple[int, bytes]:
    if octets is None:
        return 0, bytes(16)
    if ":" in octets:
        return 6, IPv6Address(octets).packed
    return 4, IPv4Address(octets).packed.ljust(16, b"\0")


def extended(octets: bytes) -> list[int]:
    """The extended communities as numbers, which `decoded` does not give."""
    try:
        value = parsed(octets).get(16, (0, b""))[1]
    except Malformed:
        value = b""
    return [number for (number,) in struct.iter_unpack(">Q", value)] if len(value) % 8 == 0 else []


def told(column: Column) -> list[object]:
    return [value if known else None for value, known in zip(column.values.tolist(), column.known, strict=True)]


def rows(lists: Lists) -> list[list[object]]:
    return [lists.row(number).tolist() for number in range(len(lists))]


class Checks(SynchronousTestCase):
    def check(self, sets: Sequence[bytes]) -> None:
        columns, plain = SetColumns(sets), [plainly(octets) for octets in sets]
        self.assertEqual(len(columns), len(sets))
        self._check_scalars(columns, plain)
        self._check_paths(columns, plain, sets)
        self._check_lists(columns, plain, sets)
        hops = zip(columns.next_hop.families.tolist(), map(bytes, columns.next_hop.octets), strict=True)
        self._same(list(hops), [address(each.next_hop) for each in plain], sets)

    def _check_scalars(self, columns: SetColumns, plain: list[Attributes]) -> None:
        sets = columns.sets
        origins = [each.origin and ORIGINS.index(each.origin) for each in plain]
        self._same(told(columns.origin), origins, sets)
        for name in ("origin_as", "med", "local_pref", "only_to_customer"):
            self._same(told(getattr(columns, name)), [getattr(each, name) for each in plain], sets)
        self._same(columns.atomic_aggregate.tolist(), [each.atomic_aggregate for each in plain], sets)
        aggregators = [each.aggregator[0] if each.aggregator else None for each in plain]
        self._same(told(columns.aggregator_as), aggregators, sets)
        identifiers = [each.originator_id and int(IPv4Address(each.originator_id)) for each in plain]
        self._same(told(columns.originator_id), identifiers, sets)
        for column in (columns.origin, columns.origin_as, columns.med):
            self.assertFalse(column.values[~column.known].any())

    def _check_paths(self, columns: SetColumns, plain: list[Attributes], sets: Sequence[bytes]) -> None:
        paths = [each.as_path for each in plain]
        self._same(told(columns.neighbour_as), list(map(neighbour, paths)), sets)
        self._same(columns.path_length.tolist(), list(map(as_path.hops, paths)), sets)
        numbers = [[number for _, own in path for number in own] for path in paths]
        self._same(rows(columns.path_numbers), numbers, sets)
        table, expected = columns.path_table, [path_of(octets) for octets in sets]
        self._same(rows(Lists(table.numbers, table.offsets)), [list(path.numbers) for path in expected], sets)
        assert table.sets is not None
        self._same(table.sets.tolist(), [path.has_set for path in expected], sets)
        self.assertEqual(origins_of(sets)[0].tolist(), columns.origin_as.values.tolist())

    def _check_lists(self, columns: SetColumns, plain: list[Attributes], sets: Sequence[bytes]) -> None:
        communities = [[high << 16 | low for high, low in each.communities] for each in plain]
        self._same(rows(columns.communities), communities, sets)
        self._same(rows(columns.extended_communities), [extended(octets) for octets in sets], sets)
        large = columns.large_communities
        parts = rows(Lists(large_parts(large.values), large.offsets))  # type: ignore[arg-type]
        self._same(parts, [list(map(list, each.large_communities)) for each in plain], sets)

    def _same(self, found: Sequence[object], expected: Sequence[object], sets: Sequence[bytes]) -> None:
        self.assertEqual(len(found), len(expected))
        for row, (one, other) in enumerate(zip(found, expected, strict=True)):
            self.assertEqual(one, other, sets[row].hex())


class SetColumnsTests(Checks):
    def test_nothing(self) -> None:
        self.check([])
        self.check([b""])
        self.check([b"", usual_set(random.Random(1)), b""])

    def test_sets_in_normal_form(self) -> None:
        chance = random.Random(2)
        self.check([usual_set(chance) for _ in range(1500)])

    def test_odd_and_broken_sets_among_usual_ones(self) -> None:
        for seed, kind in enumerate((odd_set, broken_set, some_set)):
            chance = random.Random(seed)
            for count in (1, 2, 1500):
                self.check([kind(chance) for _ in range(count)])

    def test_chunks(self) -> None:
        chance = random.Random(8)
        with mock.patch.object(set_walk, "CHUNK_SETS", 3):
            self.check([some_set(chance) for _ in range(50)])

    def test_every_cut(self) -> None:
        chance = random.Random(5)
        for _ in range(5):
            octets = usual_set(chance)[:300]
            self.check([octets[:length] for length in range(len(octets) + 1)])

    def test_sets_that_go_on_and_on(self) -> None:
        unordered = attribute(201, b"") * 5000 + attribute(4, bytes(4))
        every_type = b"".join(attribute(kind, bytes(8)) for kind in range(256) if kind not in (1, 2))
        segments = attribute(2, as_path.written(((2, (1,)),) * 5000 + ((2, (2,)),)))
        cut = segments[:-1]
        broken = attribute(2, as_path.written(((2, (1,)),) * 5000) + b"\5")
        self.check([unordered, every_type, segments, cut, broken, usual_set(random.Random(6))])

    def test_paths_that_cannot_be(self) -> None:
        good = attribute(2, as_path.written(((2, (1, 2)),)))
        for value in ("0200", "02010000000102", "0200020100000001", "02010000000102000201ffffffff", "0501fbf0fbf0",
                      "0001fbf0fbf0", "020100000001" * 40 + "0200"):  # fmt: skip
            self.check([good, attribute(2, bytes.fromhex(value)), good])

    def test_of_two_next_hops_the_last_counts(self) -> None:
        plain = attribute(3, bytes((192, 0, 2, 1)))
        reach = attribute(14, bytes.fromhex("0002011020010db800000000000000000000000100"))
        self.check([plain + reach, reach + plain, reach + attribute(3, b"\1"), plain + attribute(14, b"\0\2\1")])
        self.assertEqual(SetColumns([plain + reach, reach + plain]).next_hop.families.tolist(), [6, 4])

    def test_types(self) -> None:
        columns = SetColumns([usual_set(random.Random(7))])
        for values, kind in [
            (columns.origin.values, np.uint8), (columns.origin_as.values, np.uint32), (columns.med.values, np.uint32),
            (columns.path_numbers.values, np.uint32), (columns.path_numbers.offsets, np.int64),
            (columns.communities.values, np.uint32), (columns.extended_communities.values, np.uint64),
            (columns.large_communities.values, np.dtype("S12")), (columns.path_length, np.int64),
        ]:  # fmt: skip
            self.assertEqual(values.dtype, kind)


class RealSetsTests(Checks):
    def _sets(self, path: Path) -> list[bytes]:
        reader = MrtReader("test")
        for piece in decompressed(path):
            list(reader.receive(piece))
        return reader.sets

    def test_updates_of_today(self) -> None:
        sets = self._sets(shared("mrt-updates/routeviews.updates.20260222.1530.bz2"))
        self.assertGreater(len(sets), 20_000)
        self.check(sets[::3])

    def test_a_table_of_ipv6_and_very_long_paths(self) -> None:
        for name in ("mrt-rib/bview.64k_stream_overflow.gz", "mrt-updates/ris.updates.20190101.0000.gz"):
            self.check(self._sets(shared(name))[::3])
