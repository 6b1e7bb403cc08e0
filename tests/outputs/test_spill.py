"""Tests for L{rotonda.outputs.spill}: what is on the disk is there after a crash, in order, and no more than may be."""

from __future__ import annotations

import os
from errno import EIO, ENOSPC
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.outputs.carrier import Message
from rotonda.outputs.spill import CannotSpill, Spill
from twisted.trial.unittest import SynchronousTestCase


def messages(*numbers: int) -> list[Message]:
    return [Message(f"t/{number}", b"k" if number % 2 else None, b"%d" % number) for number in numbers]


class SpillTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "spill" / "m.s"
        self.opened: list[Spill] = []
        self.addCleanup(self.close)

    def spill(self, limit: int = 1 << 20, segment: int = 100) -> Spill:
        spill = Spill(str(self.path), limit, segment)
        spill.open()
        self.opened.append(spill)
        return spill

    def fresh(self) -> Spill:
        """An empty one, with one segment for all."""
        self.close()
        for path in self.files():
            path.unlink()
        return self.spill(segment=1 << 20)

    def close(self) -> None:
        """No folder is in use any more."""
        while self.opened:
            self.opened.pop().close()

    def crashed(self, spill: Spill) -> Spill:
        """The spill as the next process finds it: of the first only what is on the disk is left."""
        os.close(spill._lock)
        spill._lock = -1
        return self.spill()

    def all(self, spill: Spill) -> list[Message]:
        read = []
        while spill.count:
            read += spill.read().messages
        return read

    def files(self) -> list[Path]:
        return sorted(self.path.glob("*.segment"))

    def test_first_in_first_out_for_its_owner_only(self) -> None:
        spill = self.spill()
        self.assertTrue(spill.append(messages(1, 2)))
        self.assertTrue(spill.append(messages(3)))
        self.assertEqual((spill.count, self.path.stat().st_mode & 0o777), (3, 0o700))
        self.assertEqual({path.stat().st_mode & 0o777 for path in self.files()}, {0o600})
        self.assertEqual(self.all(spill), messages(1, 2, 3))
        self.assertEqual(len(self.files()), 1)
        spill.remove()
        self.assertEqual((spill.octets, self.files()), (0, []))

    def test_a_crash_loses_nothing(self) -> None:
        spill = self.spill()
        for number in range(20):
            spill.append(messages(number))
        spill.read()
        again = self.crashed(spill)
        self.assertEqual((again.count, self.all(again)), (20, messages(*range(20))))
        self.assertEqual(again.told, [])
        again.append(messages(20))
        self.assertEqual(self.all(again), messages(20))

    @given(st.integers(0, 400), st.binary(max_size=40))
    @settings(deadline=None)
    def test_a_torn_segment(self, cut: int, noise: bytes) -> None:
        """What came before the damage is read; what did not is told."""
        spill = self.fresh()
        for number in range(0, 10, 2):
            spill.append(messages(number, number))
        [path] = self.files()
        whole = path.read_bytes()
        torn = whole[: max(0, len(whole) - cut)] + noise
        path.write_bytes(torn)
        again = self.crashed(spill)
        told, read = list(again.told), []
        while again.count:
            spilled = again.read()
            read += spilled.messages
            told += [spilled.told] if spilled.told else []
        frame = len(whole) // 5
        sent = [message for number in range(0, 10, 2) for message in messages(number, number)]
        self.assertEqual(read, sent[: len(read)])
        self.assertGreaterEqual(len(read) // 2, max(0, len(whole) - cut) // frame)
        self.assertEqual(bool(told), len(torn) > len(read) // 2 * frame)
        again.remove()
        self.assertEqual(self.files(), [])

    @given(st.integers(0, 10_000), st.integers(1, 255))
    @settings(deadline=None)
    def test_damage_is_counted_and_never_read(self, at: int, change: int) -> None:
        spill = self.fresh()
        for number in range(5):
            spill.append(messages(number))
        [path] = self.files()
        octets = bytearray(path.read_bytes())
        octets[at % len(octets)] ^= change
        path.write_bytes(octets)
        spilled = spill.read()
        self.assertTrue(set(spilled.messages) <= set(messages(*range(5))))
        self.assertEqual(len(spilled.messages) + spilled.damaged, 5)

    def test_no_more_than_may_be(self) -> None:
        spill = self.spill(limit=100)
        taken = 0
        while spill.append(messages(taken)):
            taken += 1
        self.assertTrue(taken)
        self.assertLessEqual(sum(path.stat().st_size for path in self.files()), 100)
        self.all(spill)
        self.assertFalse(spill.append(messages(0)))
        spill.remove()
        self.assertTrue(spill.append(messages(0)))

    def test_what_did_not_arrive_goes_before_all_else(self) -> None:
        spill = self.spill()
        spill.append(messages(5, 6))
        self.assertEqual(spill.put_back(messages(3, 4)), 2)
        self.assertEqual(self.all(spill), messages(3, 4, 5, 6))
        self.assertEqual(spill.put_back(messages(6)), 1)
        spill.close()
        self.assertEqual(self.all(self.spill()), messages(6))

    def test_what_is_put_back_has_a_limit(self) -> None:
        spill = self.spill(limit=100)
        kept = spill.put_back([Message("t", None, bytes(60_000)) for _ in range(40)])
        self.assertEqual(kept, 0)

    def test_one_process_at_a_time(self) -> None:
        spill = self.spill()
        self.assertRaisesRegex(CannotSpill, "another process uses it", self.spill)
        spill.close()
        self.spill()

    def test_folders_that_are_not_ours(self) -> None:
        self.path.mkdir(parents=True)
        self.path.chmod(0o777)
        self.assertRaisesRegex(CannotSpill, "others may write", self.spill)
        self.path.rmdir()
        self.path.symlink_to("/tmp")
        self.assertRaisesRegex(CannotSpill, "directory|symbolic", self.spill)
        self.path.unlink()
        self.path.write_text("")
        self.assertRaisesRegex(CannotSpill, "directory", self.spill)

    def test_a_full_disk(self) -> None:
        """Nothing is half there, and it goes on when there is room."""
        spill, write, left = self.spill(), os.write, [90]

        def some(file: int, octets: bytes) -> int:
            if not left[0]:
                raise OSError(ENOSPC, "No space left on device")
            written = write(file, octets[: left[0]])
            left[0] -= written
            return written

        with mock.patch.object(os, "write", some):
            spill.append(messages(1))
            self.assertRaisesRegex(CannotSpill, "No space left", spill.append, messages(*range(2, 50)))
            self.assertEqual(spill.count, 1)
            left[0] = 10_000
            spill.append(messages(2))
        again = self.crashed(spill)
        self.assertEqual((self.all(again), again.told), (messages(1, 2), []))

    def test_a_segment_that_is_gone(self) -> None:
        spill = self.spill()
        spill.append(messages(1, 2))
        self.files()[0].unlink()
        spilled = spill.read()
        self.assertEqual((spilled.messages, spilled.damaged), ([], 2))
        spill.remove()
        spill.append(messages(3))
        with mock.patch.object(os, "pread", mock.Mock(side_effect=OSError(EIO, "Input/output error"))):
            self.assertEqual(spill.read().damaged, 1)

    def test_a_disk_that_cannot_be_read_now(self) -> None:
        spill, broken = self.spill(), mock.Mock(side_effect=OSError(24, "Too many open files"))
        spill.append(messages(1))
        with mock.patch.object(os, "open", broken):
            self.assertRaisesRegex(CannotSpill, "Too many", spill.read)
        self.assertEqual(spill.read().messages, messages(1))

    def test_large_messages(self) -> None:
        spill = self.spill(1 << 30)
        sent = [Message("t", None, bytes([number]) * (1 << 20)) for number in range(5)]
        spill.append(sent)
        self.assertEqual(self.all(spill), sent)

    def test_what_else_is_there_is_left_alone(self) -> None:
        self.path.mkdir(0o700, parents=True)
        (self.path / "note").write_text("mine")
        (self.path / f"{7:016}.segment").write_bytes(b"")
        spill: Any = self.spill()
        self.assertEqual((spill.count, (self.path / "note").read_text(), self.files()), (0, "mine", []))
