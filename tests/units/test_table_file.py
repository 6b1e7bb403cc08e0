"""Tests for L{rotonda.units.table_file}: files that change, break, go away and come back."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rotonda.blocks.configs import TableSource
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
        pipe = self.path.with_name("pipe.csv")
        os.mkfifo(pipe)
        self.assertIn("is not a file", str(self.started(path=pipe).problem))
