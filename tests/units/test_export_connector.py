"""Tests for L{rotonda.units.export_connector}: files that are good, damaged, gone."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rotonda.rpki.exports import read_export
from rotonda.units.export_connector import Accepted, ExportTable, snapshot_of
from rotonda.units.serving import new_history
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from rotoro.table import ASPA, ROUTER_KEY, VRP4, VRP6

ONE = {"asn": "AS64496", "prefix": "192.0.2.0/24", "maxLength": 24, "ta": "x"}
TWO = {"asn": 64497, "prefix": "2001:db8::/32", "maxLength": 48, "ta": "x", "expires": 1000}


def export(*roas: dict[str, Any], **others: Any) -> bytes:
    return json.dumps({"roas": list(roas), **others}).encode()


class SnapshotTests(SynchronousTestCase):
    def test_several_exports_are_joined(self) -> None:
        aspas = [{"aspas": [{"customer": "AS1", "providers": [f"AS{number}"], "ta": "x"}]} for number in (3, 2)]
        exports = [read_export(export(ONE, **aspa), "f", 0) for aspa in aspas]
        snapshot = snapshot_of(exports)
        self.assertEqual(len(snapshot.records(VRP4)), 1)
        providers: Any = snapshot.records(ASPA).values
        self.assertEqual(providers.tolist(), [bytes([0, 0, 0, 2, 0, 0, 0, 3])])

    def test_nothing_at_all(self) -> None:
        self.assertEqual(snapshot_of([]).count, 0)


class ExportTableTests(TestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "vrps.json"
        self.history = new_history()
        self.changes = 0
        self.waiting: Deferred[Accepted] = Deferred()

    def changed(self) -> None:
        self.changes += 1

    def done(self, accepted: Accepted) -> None:
        waiting, self.waiting = self.waiting, Deferred()
        waiting.callback(accepted)

    async def read(self, octets: bytes | None, table: ExportTable | None = None) -> Accepted:
        """What becomes of a file with these octets, or of none."""
        self.path.unlink(missing_ok=True)
        if octets is not None:
            self.path.write_bytes(octets)
        waiting = self.waiting
        (table or self.table()).load()
        return await waiting

    def table(self, keep_expired: bool = False) -> ExportTable:
        return ExportTable([self.path], self.history, lambda: 2000.0, keep_expired, self.changed, self.done)

    async def test_a_good_file(self) -> None:
        accepted = await self.read(gzip.compress(export(ONE, ONE, TWO)))
        self.assertEqual((accepted.records, accepted.expired, accepted.duplicates), (1, 1, 1))
        self.assertEqual(self.changes, 1)
        again = await self.read(export(ONE))
        self.assertEqual((again.records, self.changes), (1, 1), "the same set is no change")

    async def test_expired_entries_on_request(self) -> None:
        await self.read(export(ONE, TWO), self.table(keep_expired=True))
        self.assertEqual(len(self.history.snapshot.records(VRP6)), 1)

    async def test_the_last_good_data_stays(self) -> None:
        await self.read(export(ONE))
        kept = self.history.snapshot
        for octets, word in [
            (None, "No such file"),
            (b"", "vrps.json"),
            (b"<html>", "vrps.json"),
            (b"\x1f\x8bxx", "damaged"),
        ]:
            accepted = await self.read(octets)
            self.assertIn(word, accepted.problems[0])
            self.assertIs(self.history.snapshot, kept)
        self.assertEqual(len(kept.records(ROUTER_KEY)), 0)

    async def test_a_load_during_a_load_is_done_afterwards(self) -> None:
        self.path.write_bytes(export(ONE))
        table = self.table()
        first = self.waiting
        table.load()
        table.load()
        await first
        second = await self.waiting
        self.assertEqual(second.records, 1)
        self.assertFalse(table.loading)

    async def test_one_bad_file_of_two_does_not_hold_the_other_back(self) -> None:
        other = self.path.with_name("other.json")
        table = ExportTable([self.path, other], self.history, lambda: 0.0, False, self.changed, self.done)
        other.write_bytes(b"<html>")
        self.assertEqual(len((await self.read(export(ONE), table)).problems), 1)
        self.assertFalse(self.history.ready, "what a file never said is not taken for nothing")
        other.write_bytes(export(TWO))
        await self.read(export(ONE), table)
        other.write_bytes(b"<html>")
        accepted = await self.read(export(), table)
        self.assertEqual((accepted.records, len(accepted.problems)), (1, 1))
        self.assertEqual(len(self.history.snapshot.records(VRP4)), 0)
        self.assertEqual(len(self.history.snapshot.records(VRP6)), 1)
