"""Tests for L{rotonda.services.connector}: how it is put together, on a reactor in memory."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rotonda.services import connector
from twisted.application.service import IService
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase


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

    def test_it_is_a_service_that_has_not_begun(self) -> None:
        made: Any = connector.makeService(self.options("--vrps", str(self.file)))
        self.assertTrue(IService.providedBy(made))
        self.assertFalse(made.running)

    def test_expired_entries_are_looked_for_unless_they_are_wanted(self) -> None:
        timers = [
            len(list(connector.Connector(MemoryReactorClock(), self.options("--vrps", str(self.file), *more))))
            for more in ([], ["--keep-expired"])
        ]
        self.assertEqual(timers[0], timers[1] + 1)
