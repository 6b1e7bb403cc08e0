"""Tests for L{rotonda.units.exceptions_unit}: local exceptions that are good, broken, and change."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rotonda.rpki.exceptions import NO_EXCEPTIONS
from rotonda.rpki.sources import SourceState
from rotonda.units.exceptions_unit import ExceptionsUnit
from twisted.application.service import MultiService
from twisted.internet import reactor
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase

from rotoro.table import EMPTY, Snapshot
from tests.rpki.test_slurm import octets, slurm
from tests.session.worlds import vrps
from tests.units.puppets import Ear, Puppet, Thread

CURRENT, STALE, EXPIRED, CONNECTING, GONE = SourceState


def without(*numbers: int) -> dict[str, Any]:
    """A file that takes these of `vrps` away, and adds the one with number 9."""
    return slurm(
        prefixFilters=[{"prefix": f"10.{number}.0.0/16"} for number in numbers],
        prefixAssertions=[{"asn": 64496 + 9, "prefix": "10.9.0.0/16", "maxPrefixLength": 24}],
    )


class ExceptionsUnitTests(TestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "local.json"
        self.more = Path(folder.name) / "more.json"
        self.clock, self.source = Clock(), Puppet(name="source")

    async def start(self, *paths: Path) -> None:
        self.unit = ExceptionsUnit(source=self.source, paths=paths or [self.path])
        self.ear = Ear(self, self.unit)
        parent = MultiService()
        self.unit.start(parent, self.clock)
        parent.startService()
        self.addCleanup(parent.stopService)
        await self.read()

    async def write(self, data: bytes, path: Path | None = None) -> None:
        """A file gets this content, which is noticed."""
        (path or self.path).write_bytes(data)
        self.clock.pump([1.0] * 3)
        await self.read()

    net: Any = reactor

    async def read(self) -> None:
        while self.unit.readings.loading:
            await deferLater(self.net, 0.001)

    def assertNow(self, state: SourceState, snapshot: Snapshot | None) -> None:
        self.assertEqual((self.unit.state, self.unit.snapshot), (state, snapshot))

    async def test_data_and_its_changes(self) -> None:
        self.path.write_bytes(octets(without(1)))
        self.source.say(vrps(1, 2))
        await self.start()
        self.assertNow(CURRENT, vrps(2, 9))
        self.assertTrue(self.unit.complete)
        self.source.say(vrps(1, 2, 3))
        self.source.say(vrps(2, 3))
        self.source.say(vrps(2, 3, 9))
        self.assertNow(CURRENT, vrps(2, 3, 9))
        self.source.say(vrps(2, 3), STALE)
        self.assertNow(STALE, vrps(2, 3, 9))
        self.assertEqual(self.ear.changes, [1])
        self.source.say(None)
        self.assertNow(GONE, None)
        self.source.say(EMPTY)
        self.assertNow(CURRENT, vrps(9))

    async def test_a_changed_file(self) -> None:
        self.path.write_bytes(octets(without(1)))
        self.source.say(vrps(1, 2))
        await self.start()
        await self.write(octets(without(2)))
        self.assertNow(CURRENT, vrps(1, 9))
        self.assertEqual(self.ear.changes, [2])

    async def test_a_broken_file_leaves_what_was_in_force(self) -> None:
        self.path.write_bytes(octets(without(1)))
        self.source.say(vrps(1, 2))
        await self.start()
        await self.write(b"{")
        self.assertIn("local.json", self.unit.problem or "")
        self.source.say(vrps(1, 2, 3))
        self.assertNow(CURRENT, vrps(2, 3, 9))
        self.path.unlink()
        self.clock.pump([1.0] * 3)
        await self.read()
        self.assertIn("No such file", self.unit.problem or "")
        await self.write(octets(without(2)))
        self.assertNow(CURRENT, vrps(1, 3, 9))
        self.assertEqual((self.unit.problem, self.unit.errors), (None, 2))

    async def test_nothing_is_told_before_the_files_were_good(self) -> None:
        self.path.write_bytes(b"{")
        self.source.say(vrps(1))
        await self.start()
        self.assertNow(CONNECTING, None)
        self.assertFalse(self.unit.complete)
        await self.write(octets(without(1)))
        self.assertNow(CURRENT, vrps(9))

    async def test_what_comes_while_a_thread_makes_all_anew(self) -> None:
        self.path.write_bytes(octets(without(1)))
        await self.start()
        thread = Thread()
        self.unit.aside._small, self.unit.aside._in_thread = 0, thread
        self.source.say(vrps(1, 2))
        self.source.say(vrps(1, 2, 3))
        self.assertNow(CONNECTING, None)
        thread.run()
        self.assertNow(CURRENT, vrps(2, 9))
        await self.write(octets(without(2)))
        thread.run()
        self.assertNow(CURRENT, vrps(2, 3, 9))
        thread.run()
        self.assertNow(CURRENT, vrps(1, 3, 9))
        self.source.say(vrps(3))
        self.assertNow(CURRENT, vrps(3, 9))
        self.unit.use(NO_EXCEPTIONS)
        self.source.say(None)
        thread.run()
        self.assertNow(GONE, None)
        self.assertEqual((thread.waiting, self.ear.changes), (0, [1, 2, 1]))

    async def test_a_failure_is_made_up_for_with_the_next_news(self) -> None:
        self.path.write_bytes(octets(without(1)))
        self.source.say(vrps(1, 2))
        await self.start()
        thread = Thread()
        self.unit.aside._small, self.unit.aside._in_thread = 0, thread
        self.unit.use(NO_EXCEPTIONS)
        thread.fail(MemoryError())
        self.assertEqual(len(self.flushLoggedErrors(MemoryError)), 1)
        self.assertFalse(self.unit.complete)
        self.source.say(vrps(1, 2, 3))
        thread.run()
        self.assertNow(CURRENT, vrps(1, 2, 3))
        self.assertTrue(self.unit.complete)

    async def test_files_that_contradict_each_other(self) -> None:
        self.path.write_bytes(octets(without(1)))
        self.more.write_bytes(octets(slurm(prefixFilters=[{"prefix": "10.2.0.0/16"}])))
        self.source.say(vrps(1, 2, 3))
        await self.start(self.path, self.more)
        self.assertNow(CURRENT, vrps(3, 9))
        await self.write(octets(slurm(prefixFilters=[{"prefix": "10.0.0.0/8"}])), self.more)
        self.assertNow(CURRENT, vrps(3, 9))
        for word in ("local.json", "more.json", "10.0.0.0/8", "neither is used"):
            self.assertIn(word, self.unit.problem or "")
