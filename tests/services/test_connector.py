"""Tests for L{rotonda.services.connector}: how it is put together, on a reactor in memory."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rotonda.services import connector
from rotonda.units.sources import SourceUnit
from twisted.application.service import IService
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tests.session.worlds import vrps


class ConnectorTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name) / "file"
        self.file.touch()

    def options(self, *words: str) -> connector.Options:
        options = connector.Options()
        options.parseOptions(words)
        return options

    def test_it_serves_what_it_has_files_for(self) -> None:
        for words, tables in [
            (["--mrt", str(self.file)], ["c.routes", "c.rpki"]),
            (["--vrps", str(self.file)], ["c.rpki"]),
        ]:
            made = connector.Connector(MemoryReactorClock(), self.options(*words, "--name", "c"))
            self.assertEqual([entry.name for entry in made.serving.tables.entries], tables)
            self.assertEqual(made.serving.rpki.end_of_rib, "--vrps" not in words, "nothing is all there is")

    def test_it_is_ready_as_long_as_there_is_data(self) -> None:
        made = connector.Connector(MemoryReactorClock(), self.options("--vrps", str(self.file), "--name", "c"))
        self.assertEqual(made.missing(), ["c.rpki"])
        history = made.serving.rpki.history
        history.commit(vrps(1))
        made.serving.report(made.serving.rpki, complete=True)
        self.assertEqual(made.missing(), [])
        history.suspend()
        self.assertEqual(made.missing(), ["c.rpki"])

    def test_it_is_a_service_that_has_not_begun(self) -> None:
        made: Any = connector.makeService(self.options("--vrps", str(self.file)))
        self.assertTrue(IService.providedBy(made))
        self.assertFalse(made.running)

    def test_what_rpki_data_is_made_from(self) -> None:
        """Each of rtrtr's units has its counterpart: json, rtr, rtr-tls, any, merge, slurm."""
        vrps, more, slurm = (str(self.file.with_name(name)) for name in ("vrps", "more", "slurm"))
        for path in (vrps, more, slurm):
            Path(path).touch()
        cache = ["--rtr", "192.0.2.1:323,preference=2"]
        for words, expected in [
            (["--vrps", vrps], "ExportSource"),
            (cache, "RtrSource"),
            (["--vrps", vrps, *cache], "MergeUnit(ExportSource, RtrSource)"),
            ([*cache, "--vrps", vrps, "--policy", "any"], "AnyUnit(RtrSource, ExportSource)"),
            (["--vrps", vrps, "--slurm", slurm], "ExceptionsUnit(ExportSource)"),
            (
                ["--vrps", vrps, "--vrps", more, "--slurm", slurm],
                "ExceptionsUnit(MergeUnit(ExportSource, ExportSource))",
            ),
        ]:
            with self.subTest(words=words):
                self.assertEqual(told(connector.rpki_source(self.options(*words))), expected)
        options = self.options(
            *cache, "--vrps", vrps, "--policy", "any", "--hold-down", "5", "--stale", "keep", "--max-age", "60"
        )
        unit: Any = connector.rpki_source(options)
        first, second = unit.sources
        self.assertEqual((unit.hold, first.keep_stale, first.preference), (5, True, 2))
        self.assertEqual((second.keep_stale, second.max_age, second.keep_expired), (True, 60, False))


def told(unit: SourceUnit) -> str:
    """The kinds of the units in a row."""
    west = ", ".join(map(told, unit.west))
    return type(unit).__name__ + (f"({west})" if west else "")
