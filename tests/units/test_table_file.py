"""Tests for L{rotonda.units.table_file}: files that change, break, go away and come back."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from rotonda.blocks.configs import TableSource
from rotonda.filters.world import prefixes_of
from rotonda.sources.table import TableView
from rotonda.units.table_file import LOOK_AGAIN_SECONDS, TableFile
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.sources.plain import CUSTOMER
from tests.units.puppets import Thread

HOUR = 3600.0
HEADER = b"prefix,asn,name\n"


class TableFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "customers.csv"
        self.clock = Clock()
        self.views: list[TableView] = []

    def started(self, in_thread: Any = maybeDeferred, path: Path | None = None) -> TableFile:
        config = TableSource(source_file=str(path or self.path), contains=CUSTOMER, check_update_interval=HOUR)
        unit = TableFile("m.customers", config, self.clock, self.views.append, in_thread)
        unit.startService()
        self.addCleanup(unit.stopService)
        return unit

    def write(self, *numbers: int) -> None:
        self.path.write_bytes(HEADER + b"".join(b"10.%d.0.0/16,%d,x\n" % (number, number) for number in numbers))

    @property
    def sizes(self) -> list[tuple[int, int]]:
        return [(view.version, len(view)) for view in self.views]

    def test_changes_are_told(self) -> None:
        self.write(1)
        unit = self.started()
        self.assertEqual(self.sizes, [(0, 1)])
        self.write(1, 2)
        self.clock.advance(HOUR - 1)
        self.assertEqual(self.sizes, [(0, 1)])
        self.clock.advance(1)
        self.assertEqual(self.sizes, [(0, 1), (1, 2)])
        self.assertIs(unit.view, self.views[-1])

    def test_the_same_content_is_no_change(self) -> None:
        self.write(1)
        unit = self.started()
        os.utime(self.path, (1, 1))
        self.clock.advance(HOUR)
        self.assertEqual((self.sizes, unit.problem), ([(0, 1)], None))

    def test_a_file_that_is_broken_or_gone(self) -> None:
        """The last good table stays, and the file is looked at soon again."""
        self.write(1)
        unit = self.started()
        self.path.write_bytes(HEADER + b"10.0.0.0/16,x,y\n")
        self.clock.advance(HOUR)
        self.assertEqual((unit.failures, len(unit.view or ())), (1, 1))
        self.assertIn("line 2: asn: x is not an AS number", str(unit.problem))
        self.path.unlink()
        self.clock.advance(LOOK_AGAIN_SECONDS)
        self.assertIn("No such file", str(unit.problem))
        self.write(1)
        self.clock.advance(LOOK_AGAIN_SECONDS)
        self.assertEqual((unit.problem, unit.failures, self.sizes), (None, 2, [(0, 1)]))
        self.write(1, 2)
        unit.reopen()
        self.assertEqual(self.sizes, [(0, 1), (1, 2)])

    def test_there_is_no_table_before_the_file_is_good(self) -> None:
        unit = self.started()
        self.assertIsNone(unit.view)
        self.write(1)
        self.clock.advance(LOOK_AGAIN_SECONDS)
        self.assertEqual(self.sizes, [(0, 1)])

    def test_a_file_that_changes_while_it_is_read(self) -> None:
        self.write(1)
        thread = Thread()
        self.started(thread)
        self.write(1, 2, 3)
        thread.run()
        self.clock.advance(LOOK_AGAIN_SECONDS)
        if thread.waiting:
            thread.run()
        self.assertEqual(self.sizes[-1][1], 3)

    def test_it_stops_while_it_reads(self) -> None:
        self.write(1)
        thread = Thread()
        unit = self.started(thread)
        over = unit.stopService()
        self.assertNoResult(over)
        thread.run()
        self.successResultOf(over)
        self.assertEqual((self.views, self.clock.getDelayedCalls()), ([], []))

    def test_compressed_and_damaged(self) -> None:
        path = self.path.with_suffix(".csv.gz")
        path.write_bytes(gzip.compress(HEADER + b"::/0,1,x\n"))
        unit = self.started(path=path)
        self.assertEqual(self.sizes, [(0, 1)])
        path.write_bytes(path.read_bytes()[:-9])
        unit.reopen()
        self.assertIn("damaged", str(unit.problem))

    def test_what_is_no_file(self) -> None:
        pipe, ring, folder, device, private = (
            self.path.with_name(f"{name}.csv") for name in ("pipe", "ring", "folder", "device", "private")
        )
        os.mkfifo(pipe)
        ring.symlink_to(ring)
        folder.mkdir()
        device.symlink_to("/dev/zero")
        private.write_bytes(HEADER)
        private.chmod(0)
        cases = [(path, "is not a file") for path in (pipe, folder, device)] + [(ring, "symbolic links")]
        for path, told in cases + ([(private, "Permission denied")] if os.getuid() else []):
            unit = self.started(path=path)
            self.assertIn(told, str(unit.problem))
            self.assertIn(str(path), str(unit.problem))
            self.assertEqual((unit.state, unit.age), ("BROKEN", None))

    def test_it_is_never_larger_than_it_may_be(self) -> None:
        with self.path.open("wb") as file:
            file.truncate(1 << 40)
        self.assertIn("longer than 268,435,456 octets", str(self.started().problem))

    def test_written_to_while_it_is_read(self) -> None:
        """What was half read is not used, whatever it looks like."""
        self.write(1)
        unit = self.started()
        self.write(1, 2)
        fstat, calls = os.fstat, 0

        def later(descriptor: int) -> os.stat_result:
            nonlocal calls
            calls += 1
            if calls == 2:
                with self.path.open("ab") as file:
                    file.write(b"10.3.0.0/16,3,x\n")
            return fstat(descriptor)

        self.patch(os, "fstat", later)
        self.clock.advance(HOUR)
        self.assertIn("was written to while it was read", str(unit.problem))
        self.assertEqual((unit.state, self.sizes), ("STALE", [(0, 1)]))
        self.clock.advance(LOOK_AGAIN_SECONDS)
        self.assertEqual((unit.state, self.sizes), ("CURRENT", [(0, 1), (1, 3)]))

    def test_how_it_fares(self) -> None:
        thread = Thread()
        self.write(1)
        unit = self.started(thread)
        self.assertEqual((unit.state, unit.age), ("LOADING", None))
        thread.run()
        self.clock.advance(7)
        self.assertEqual((unit.state, unit.age, unit.last_error), ("CURRENT", 7, None))

    def test_what_has_changed(self) -> None:
        self.write(1, 2)
        unit = self.started()
        first = self.views[0]
        self.write(1, 3)
        unit.reopen()
        self.write(1, 4)
        unit.reopen()
        for view, expected in ((first, "234"), (self.views[1], "34"), (self.views[2], "")):
            changed = unit.since(view)
            assert changed is not None
            self.assertEqual([str(one) for own in changed.values() for one in prefixes_of(own)],
                             [f"10.{number}.0.0/16" for number in expected])  # fmt: skip
        for number in range(20):
            self.write(1, number)
            unit.reopen()
        self.assertIsNone(unit.since(first))
        self.assertIsNotNone(unit.since(self.views[-3]))

    def test_the_same_trouble_is_told_once(self) -> None:
        self.write(1)
        unit = self.started()
        told: list[str] = []
        self.patch(unit, "log", SimpleNamespace(error=lambda *words, **more: told.append("broken"),
                                                info=lambda words, **more: told.append("good")))  # fmt: skip
        self.path.write_bytes(b"nothing")
        for _ in range(3):
            os.utime(self.path)
            unit.reopen()
        self.assertEqual((told, unit.failures), (["broken"], 3))
        self.write(1)
        unit.reopen()
        self.assertEqual(told, ["broken", "good"])
        self.assertIn("line 1: there is no column prefix", str(unit.last_error))
