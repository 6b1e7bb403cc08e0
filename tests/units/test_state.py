"""Tests for L{rotonda.units.state}: nothing that others could have written, and nothing in part."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from rotonda.units.state import Folder, Refused
from twisted.trial.unittest import SynchronousTestCase

from tests.units.disks import Crash, Disk, fail_at

OLD, NEW = b"old", b"new and longer"


class FolderTests(SynchronousTestCase):
    def setUp(self) -> None:
        made = TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.path = Path(made.name).resolve() / "state"
        self.file = self.path / "c.table"

    def open(self, path: Path | None = None, user: int | None = None) -> Folder:
        folder = Folder(path or self.path, "c", user=(lambda: user) if user is not None else os.geteuid)
        folder.open()
        self.addCleanup(folder.close)
        return folder

    def read(self) -> bytes | None:
        folder = self.open()
        try:
            return folder.read("table", 100)
        finally:
            folder.close()

    def refused(self, why: str) -> None:
        folder = Folder(self.path, "c")

        def read() -> None:
            folder.open()
            try:
                folder.read("table", 100)
            finally:
                folder.close()

        self.assertIn(why, str(self.assertRaises(Refused, read)))

    def test_for_its_owner_only(self) -> None:
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        folder = self.open()
        folder.replace("table", [OLD])
        self.assertEqual([self.path.stat().st_mode & 0o777, self.file.stat().st_mode & 0o777], [0o700, 0o600])
        self.assertEqual(folder.read("table", 100), OLD)

    def test_what_is_not_there(self) -> None:
        self.assertIsNone(self.read())
        self.assertRaises(FileNotFoundError, self.open, self.path / "deeper" / "still")

    def test_replaced_as_a_whole(self) -> None:
        folder = self.open()
        (self.path / "c.table.new").write_bytes(b"what a crash left")
        for whole in (OLD, NEW, b"", bytes(3 << 20)):
            folder.replace("table", [whole[:1], b"", whole[1:]])
            self.assertEqual(folder.read("table", 4 << 20), whole)
        self.assertEqual(sorted(os.listdir(self.path)), ["c.lock", "c.table"])

    def test_only_one_process(self) -> None:
        first = self.open()
        self.refused("another process keeps c there")
        first.close()
        self.open()

    def test_folders_that_must_not_be_believed(self) -> None:
        real = self.path.with_name("real")
        real.mkdir()
        self.path.symlink_to(real)
        self.refused("symbolic link")
        self.path.unlink()
        self.path.write_bytes(b"")
        self.refused("no folder")
        self.path.unlink()
        self.path.mkdir()
        self.assertRaises(Refused, self.open, None, os.geteuid() + 1)
        for mode in (0o770, 0o707, 0o1777):
            self.path.chmod(mode)
            self.refused("others may write to it")

    def test_files_that_must_not_be_believed(self) -> None:
        self.open().close()
        elsewhere = self.path / "elsewhere"
        elsewhere.write_bytes(OLD)
        self.file.symlink_to(elsewhere)
        self.refused("symbolic link")
        self.file.unlink()
        self.file.mkdir()
        self.refused("of type 'd'")
        self.file.rmdir()
        os.mkfifo(self.file)
        self.refused("of type 'p'")
        self.file.unlink()
        self.file.write_bytes(OLD)
        self.file.chmod(0o666)
        self.refused("others may write to it")
        self.file.chmod(0o600)
        self.assertEqual(self.read(), OLD)
        self.file.write_bytes(bytes(101))
        self.refused("101 octets, and 100 are the limit")

    def test_another_users_file(self) -> None:
        folder = self.open()
        folder.replace("table", [OLD])
        folder._user = lambda: os.geteuid() + 1
        self.assertIn("belongs to user", str(self.assertRaises(Refused, folder.read, "table", 100)))

    def test_after_the_end(self) -> None:
        folder = self.open()
        folder.close()
        self.assertRaises(OSError, folder.replace, "table", [OLD])
        self.assertRaises(OSError, folder.read, "table", 100)


class DiskTests(SynchronousTestCase):
    """Each thing that is done to the disk, gone wrong."""

    def setUp(self) -> None:
        self.disk = Disk(Random(1))
        self.folder = self.disk.folder()
        self.folder.open()
        self.folder.replace("table", [OLD])

    def test_the_order(self) -> None:
        done: list[str] = []
        self.disk.before = done.append
        self.folder.replace("table", [NEW])
        self.assertEqual([what for what in done if what != "write"], ["create", "sync", "rename", "sync"])
        self.assertLess(done.index("create"), done.index("write"))
        self.assertLess(len(done) - done[::-1].index("write") - 1, done.index("sync"))

    def test_a_disk_that_fails(self) -> None:
        for number in (errno.ENOSPC, errno.EIO, errno.EROFS):
            for count in range(20):
                with self.subTest(number=number, count=count):
                    self.disk.before = fail_at(count, OSError(number, "failed"))
                    try:
                        self.folder.replace("table", [NEW])
                    except OSError:
                        self.assertIn(self.folder.read("table", 100), (OLD, NEW))
                    else:
                        self.assertEqual(self.folder.read("table", 100), NEW)
                    self.assertEqual(sorted(self.disk.names), ["c.table"], "nothing in part")
                    self.disk.before = lambda what: None
                    self.folder.replace("table", [OLD])

    def test_a_machine_that_stops(self) -> None:
        seen = set()
        for seed in range(400):
            disk = Disk(Random(seed))
            folder = disk.folder()
            folder.open()
            folder.replace("table", [OLD])
            disk.before = fail_at(seed % 12, Crash())
            try:
                folder.replace("table", [NEW])
                expected = {NEW}
            except Crash:
                expected = {OLD, NEW}
            disk.before = lambda what: None
            disk.crash()
            folder = disk.folder()
            folder.open()
            found = folder.read("table", 100)
            self.assertIn(found, expected)
            seen.add(found)
            folder.replace("table", [NEW])
            self.assertEqual(folder.read("table", 100), NEW)
        self.assertEqual(seen, {OLD, NEW})
