"""Tests for L{rotonda.units.export_source}: exports that are good, damaged, gone, and growing old."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rotonda.rpki.sources import SourceState
from rotonda.units.export_source import LOOK_SECONDS, SWEEP_SECONDS, CannotFetch, ExportSource, Fetched, FileFetch
from twisted.application.service import MultiService
from twisted.internet import reactor
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase

from rotoro.table import VRP4, VRP6
from tests.units.puppets import Ear

CURRENT, STALE, EXPIRED, CONNECTING, GONE = SourceState

ONE = {"asn": "AS64496", "prefix": "192.0.2.0/24", "maxLength": 24, "ta": "x"}
TWO = {"asn": 64497, "prefix": "2001:db8::/32", "maxLength": 48, "ta": "x", "expires": 1000}
THREE = {"asn": 64498, "prefix": "198.51.100.0/24", "maxLength": 24, "ta": "x", "expires": 1010}


def export(*roas: dict[str, Any], **others: Any) -> bytes:
    return json.dumps({"roas": list(roas), **others}).encode()


class Hands:
    """A place where a test lays exports."""

    name = "hands"

    def __init__(self) -> None:
        self.lies_there: Fetched | Exception | None = CannotFetch("hands: empty")

    async def fetch(self) -> Fetched | None:
        if isinstance(self.lies_there, Exception):
            raise self.lies_there
        return self.lies_there

    def watch(self, parent: MultiService, reactor: Any, changed: Any) -> None:
        self.changed = changed


class ExportCase(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(500)
        self.hands = Hands()

    def start(self, **options: Any) -> ExportSource:
        self.source = ExportSource(name="export", fetch=self.hands, clock=self.clock.seconds, **options)
        self.ear = Ear(self, self.source)
        self.parent = MultiService()
        self.source.start(self.parent, self.clock)
        self.parent.startService()
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(self.parent.stopService)
        return self.source

    async def lay(self, octets: bytes | Exception | None, modified: float = 500.0) -> None:
        """Lay this there, and wait until it was looked at."""
        await self.read()  # what may be under way
        self.hands.lies_there = Fetched(octets, modified) if isinstance(octets, bytes) else octets
        self.hands.changed()
        await self.read()

    net: Any = reactor

    async def read(self) -> None:
        while self.source.readings.loading:
            await deferLater(self.net, 0.001)

    def counts(self) -> tuple[int, int]:
        snapshot = self.source.snapshot
        assert snapshot is not None
        return len(snapshot.records(VRP4)), len(snapshot.records(VRP6))


class ExportSourceTests(ExportCase):
    async def test_a_good_one_and_its_changes(self) -> None:
        source = self.start()
        await self.lay(export(ONE, ONE, TWO))
        self.assertEqual((source.state, self.counts(), source.problem), (CURRENT, (1, 1), None))
        await self.lay(export(ONE))
        self.assertEqual((self.ear.changes, self.counts()), ([1], (1, 0)))
        shown = source.shown()
        self.assertEqual((shown.state, shown.mode, shown.records, shown.age), ("current", "routinator JSON", 1, 0))

    async def test_nothing_yet(self) -> None:
        source = self.start()
        await self.read()
        self.assertEqual((source.state, source.problem, source.errors), (CONNECTING, "hands: empty", 1))
        self.assertFalse(source.complete, "a first load that failed is none")
        await self.lay(export())
        self.assertEqual((source.state, self.counts(), source.complete), (CURRENT, (0, 0), True))

    async def test_p_09_the_last_good_data_stays(self) -> None:
        source = self.start()
        await self.lay(export(ONE))
        kept = source.snapshot
        wrong: list[tuple[bytes | Exception, str]] = [
            (CannotFetch("hands: cold"), "cold"),
            (b"", "empty"),
            (b"<html>", "neither"),
        ]
        for octets, word in wrong:
            await self.lay(octets)
            self.assertEqual(source.state, STALE)
            self.assertIs(source.snapshot, kept)
            self.assertIn(word, source.problem or "")
        await self.lay(None)
        self.assertEqual((source.state, source.problem, source.errors), (CURRENT, None, 4))
        await self.lay(RuntimeError("what nobody thought of"))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual((source.state, source.errors), (STALE, 5))
        self.assertIn("reading failed", source.problem or "")

    async def test_entries_leave_when_they_expire_also_when_nothing_can_be_read(self) -> None:
        source = self.start()
        await self.lay(export(ONE, TWO, THREE))
        await self.lay(CannotFetch("hands: gone"))
        self.clock.advance(499)
        self.assertEqual(self.counts(), (2, 1))
        self.clock.advance(1)
        self.assertEqual(self.counts(), (2, 0))
        self.clock.advance(SWEEP_SECONDS - 1)
        self.assertEqual(self.counts(), (2, 0), "those that expire soon after leave together")
        self.clock.advance(1)
        self.assertEqual(self.counts(), (1, 0))
        self.assertEqual((source.state, self.ear.changes), (STALE, [1, 1]))

    async def test_what_has_expired_while_it_was_read(self) -> None:
        self.start()
        await self.lay(export(ONE, TWO))
        self.hands.lies_there = Fetched(export(ONE, TWO, THREE), 500.0)
        self.hands.changed()
        self.clock.advance(500)
        await self.read()
        self.assertEqual(self.counts(), (2, 0))

    async def test_nothing_is_left(self) -> None:
        source = self.start()
        await self.lay(export(TWO))
        self.clock.advance(500)
        self.assertEqual(
            (source.state, self.counts(), source.problem), (EXPIRED, (0, 0), "export: every entry has expired")
        )
        self.clock.advance(5000)
        self.assertEqual(source.state, EXPIRED)
        await self.lay(export(TWO))
        self.assertEqual((source.state, self.counts()), (EXPIRED, (0, 0)))

    async def test_expired_entries_on_request(self) -> None:
        self.clock.advance(5000)
        self.start(keep_expired=True)
        await self.lay(export(ONE, TWO))
        self.assertEqual(self.counts(), (1, 1))

    async def test_p_08_all_of_it_can_be_too_old(self) -> None:
        for keep, then in ((False, GONE), (True, EXPIRED)):
            with self.subTest(keep=keep):
                source = self.start(max_age=100, keep_stale=keep)
                now = self.clock.seconds()
                await self.lay(export(ONE), now - 40)
                self.assertEqual((source.state, source.shown().expires_in), (CURRENT, 60))
                self.clock.advance(59.9)
                self.assertEqual(source.state, CURRENT)
                self.clock.advance(0.1)
                self.assertEqual((source.state, source.snapshot is None), (then, not keep))
                self.assertEqual(source.problem, "export: older than 100 s")
                await self.lay(export(ONE), self.clock.seconds())
                self.assertEqual((source.state, self.counts()), (CURRENT, (1, 0)))
                await self.parent.stopService()

    async def test_a_clock_that_is_set_back_makes_it_good_again(self) -> None:
        source, wall = self.start(max_age=100), [601.0]
        source.clock = lambda: wall[0]
        await self.lay(export(ONE))
        self.assertEqual((source.state, source.problem), (GONE, "export: older than 100 s"))
        wall[0] = 550.0
        self.clock.advance(LOOK_SECONDS)
        self.assertEqual((source.state, source.problem, self.counts()), (CURRENT, None, (1, 0)))

    async def test_a_look_during_a_look_is_done_afterwards(self) -> None:
        self.start()
        await self.lay(export(ONE))
        self.hands.changed()
        self.hands.lies_there = Fetched(export(ONE, THREE), 500.0)
        self.hands.changed()
        await self.read()
        self.assertEqual(self.counts(), (2, 0))


class FileFetchTests(TestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "vrps.json"

    async def test_what_lies_in_a_file(self) -> None:
        for octets in (b"{}", gzip.compress(b"{}")):
            self.path.write_bytes(octets)
            os.utime(self.path, (1000, 1000))
            fetched = await FileFetch(self.path).fetch()
            self.assertEqual(fetched, Fetched(b"{}", 1000))

    async def test_what_cannot_be_had(self) -> None:
        fetch = FileFetch(self.path)
        for octets, word in [(None, "No such file"), (b"\x1f\x8bxx", "damaged")]:
            if octets is not None:
                self.path.write_bytes(octets)
            with self.assertRaisesRegex(CannotFetch, word):
                await fetch.fetch()

    def test_it_is_looked_at(self) -> None:
        clock, parent, calls = Clock(), MultiService(), list[None]()
        FileFetch(self.path).watch(parent, clock, lambda: calls.append(None))
        parent.startService()
        self.addCleanup(parent.stopService)
        self.path.write_bytes(b"{}")
        clock.pump([1.0] * 4)
        self.assertEqual(len(calls), 1)
