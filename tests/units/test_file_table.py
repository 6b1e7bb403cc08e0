"""Tests for L{rotonda.units.file_table}: readings that fail, overlap, and are stopped."""

from __future__ import annotations

from threading import Event

from rotonda.units.file_table import FileTable, Outcome
from rotonda.units.serving import new_history
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from rotoro.table import EMPTY, Snapshot
from tests.session.worlds import vrps


class Slow(FileTable[Outcome]):
    """A table whose reading takes as long as the test wants."""

    go: Event
    broken: Exception | None = None
    found: Snapshot = EMPTY

    def _outcome(self) -> Outcome:
        return Outcome()

    async def _read(self, outcome: Outcome) -> None:
        await deferToThread(self.go.wait, 10)
        if self.broken is not None:
            raise self.broken
        await self._commit(self.found)


class FileTableTests(TestCase):
    timeout = 20

    def setUp(self) -> None:
        self.outcomes: list[Outcome] = []
        self.changes = 0
        self.history = new_history()
        self.table = Slow([], self.history, lambda: 0.0, self.changed, self.outcomes.append)
        self.table.go = Event()
        self.addCleanup(self.table.go.set)

    def changed(self) -> None:
        self.changes += 1

    async def test_readings_during_a_reading_are_one_after_it(self) -> None:
        for _ in range(3):
            self.table.load()
        self.table.go.set()
        await self.settled()
        self.assertEqual((len(self.outcomes), self.changes), (2, 1))

    async def test_a_mistake_of_ours_is_told_and_the_next_reading_is_another(self) -> None:
        self.table.go.set()
        self.table.broken = KeyError("a bug")
        self.table.load()
        await self.settled()
        self.assertEqual([outcome.problems for outcome in self.outcomes], [["reading failed; see the log"]])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.table.broken, self.table.found = None, vrps(1)
        self.table.load()
        await self.settled()
        self.assertEqual((self.outcomes[-1].problems, self.history.snapshot), ([], vrps(1)))

    async def test_stopped_while_it_reads(self) -> None:
        self.table.load()
        self.table.load()
        stopping = self.table.stop()
        self.assertNoResult(stopping)
        self.table.go.set()
        await stopping
        self.assertEqual((self.history.ready, self.outcomes, self.table.loading), (False, [], False))
        self.table.load()
        self.assertFalse(self.table.loading)
        await self.table.stop()

    async def settled(self) -> None:
        while self.table.loading:
            await deferToThread(lambda: None)
