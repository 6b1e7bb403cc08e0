"""Tests for L{rotonda.units.mrt_connector}: archives in one order, read again, damaged."""

from __future__ import annotations

import struct
from pathlib import Path
from tempfile import TemporaryDirectory

from rotonda.bgp.mrt import Damage
from rotonda.demo.generator import write_table
from rotonda.units.mrt_connector import Loaded, MrtTable, damage_text
from rotonda.units.serving import new_history
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from rotoro.table import AttributeStore, RouteSlot

PEER, LOCAL = bytes([192, 0, 2, 9]), bytes([192, 0, 2, 1])
ATTRIBUTES = bytes.fromhex("400101004002060201 0000fbf0 400304 c0000209".replace(" ", ""))


def record(subtype: int, body: bytes) -> bytes:
    return struct.pack(">IHHI", 1_700_000_000, 16, subtype, len(body)) + body


def session(body: bytes) -> bytes:
    return struct.pack(">IIHH", 64496, 65000, 0, 1) + PEER + LOCAL + body


def update(withdrawn: bytes = b"", announced: bytes = b"") -> bytes:
    attributes = ATTRIBUTES if announced else b""
    body = struct.pack(">H", len(withdrawn)) + withdrawn + struct.pack(">H", len(attributes)) + attributes + announced
    return record(4, session(b"\xff" * 16 + struct.pack(">HB", 19 + len(body), 2) + body))


def state(old: int, new: int) -> bytes:
    return record(5, session(struct.pack(">HH", old, new)))


ONE, TWO = bytes([24, 198, 51, 100]), bytes([24, 203, 0, 113])


class MrtTableTests(TestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.paths = [Path(folder.name) / name for name in ("rib.mrt", "updates.mrt")]
        self.store, self.history = AttributeStore(), new_history()
        self.waiting: Deferred[Loaded] = Deferred()
        self.changes = 0
        clock = iter(range(1_000_000))
        self.table = MrtTable(self.paths, self.store, self.history, lambda: next(clock) / 1000, self.changed, self.done)

    def changed(self) -> None:
        self.changes += 1

    def done(self, loaded: Loaded) -> None:
        waiting, self.waiting = self.waiting, Deferred()
        waiting.callback(loaded)

    async def load(self, *contents: bytes) -> Loaded:
        for path, octets in zip(self.paths, contents, strict=True):
            path.write_bytes(octets)
        waiting = self.waiting
        self.table.load()
        return await waiting

    def keys(self) -> list[bytes]:
        return [
            own.key(row)
            for slot, own in self.history.snapshot.items()
            for row in range(len(own))
            if isinstance(slot, RouteSlot)
        ]

    async def test_archives_are_one_story(self) -> None:
        loaded = await self.load(update(announced=ONE) + update(announced=TWO), update(withdrawn=ONE))
        self.assertEqual((loaded.archives, loaded.problems), (2, []))
        self.assertEqual([key[:4] for key in self.keys()], [TWO[1:] + b"\0"])

    async def test_the_end_of_a_session_withdraws_its_routes(self) -> None:
        await self.load(update(announced=ONE + TWO), state(6, 1))
        self.assertEqual(self.keys(), [])
        self.assertTrue(self.history.ready)

    async def test_read_again_it_moves_in_one_step(self) -> None:
        await self.load(update(announced=ONE), update(announced=TWO))
        position, changes = self.history.position, self.changes
        await self.load(update(announced=ONE), update(announced=TWO))
        self.assertEqual(self.history.position, position, "the same table is no change")
        await self.load(update(announced=TWO), update(withdrawn=ONE))
        self.assertEqual(self.history.position, position.next())
        self.assertEqual(self.changes, changes + 1)
        self.assertEqual(len(self.keys()), 1)

    async def test_what_cannot_be_read_leaves_the_table_alone(self) -> None:
        await self.load(update(announced=ONE), update(announced=TWO))
        kept = self.history.snapshot
        good = update(announced=ONE)
        for octets, word in [(b"", "empty"), (good[:8], "no route"), (b"\x1f\x8b" + good, "damaged")]:
            loaded = await self.load(good, octets)
            self.assertIn(word, loaded.problems[0])
            self.assertIn("updates.mrt", loaded.problems[0])
            self.assertIs(self.history.snapshot, kept)
        self.paths[1].unlink()
        waiting = self.waiting
        self.table.load()
        self.assertIn("No such file", (await waiting).problems[0])
        self.assertIs(self.history.snapshot, kept)

    async def test_a_cut_archive_is_used_only_if_it_has_grown(self) -> None:
        """An archive that is being written ends anywhere; one that has lost its end is no reason to lose routes."""
        three = bytes([24, 192, 0, 2])
        await self.load(update(announced=ONE), update(announced=TWO) + update(announced=three))
        kept = self.history.snapshot
        loaded = await self.load(update(announced=ONE), update(announced=TWO) + update(announced=three)[:30])
        self.assertIn("it is cut: 1 routes where it had 2", loaded.problems[0])
        self.assertIs(self.history.snapshot, kept)
        grown = update(announced=TWO) + update(announced=three) + update(withdrawn=ONE)
        loaded = await self.load(update(announced=ONE), grown + update(announced=ONE)[:30])
        self.assertEqual((loaded.problems, len(self.keys())), ([], 2))

    async def test_the_first_reading_gives_what_there_is(self) -> None:
        loaded = await self.load(update(announced=ONE), b"")
        self.assertEqual(len(self.keys()), 1)
        self.assertIn("empty", loaded.problems[0])

    async def test_a_damaged_record_is_told_and_skipped(self) -> None:
        bad = bytearray(update(announced=ONE))
        bad[-4] = 200
        loaded = await self.load(bytes(bad) + update(announced=TWO), update(announced=TWO))
        self.assertEqual((loaded.damaged, len(self.keys())), (1, 1))

    async def test_the_table_grows_in_steps(self) -> None:
        write_table(self.paths[0], prefixes4=40_000, prefixes6=2_000, peers=4)
        waiting = self.waiting
        self.paths[1].write_bytes(update(announced=ONE))
        self.table.load()
        loaded = await waiting
        self.assertGreater(self.changes, 1)
        self.assertEqual(self.history.snapshot.count, loaded.rows)

    def test_a_damage_in_one_line(self) -> None:
        text = damage_text("a.mrt", Damage(100, 7, "prefix length 200", b"\xc8\0"))
        self.assertEqual(text, "a.mrt: record 7 at octet 100: prefix length 200 [c800]")
