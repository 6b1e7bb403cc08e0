"""Tests for L{rotonda.outputs.file}: lines that stay lines, files that rotate, are moved, are full, and are cut."""

from __future__ import annotations

import csv
import json
import os
from errno import EIO, ENOSPC
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from rotonda.blocks import types
from rotonda.blocks.types import FieldOf, ListType, RecordType
from rotonda.blocks.values import RecordValue
from rotonda.outputs.file import FileSink, Fsync, csv_header, csv_lines, json_lines, one_line
from rotonda.outputs.stream import CannotWrite
from twisted.trial.unittest import SynchronousTestCase

from tests.outputs.records import SEEN, seen


class LineTests(SynchronousTestCase):
    def test_json(self) -> None:
        self.assertEqual(
            json.loads(*json_lines(SEEN)([seen(7, None)], 0.0)),
            {"prefix": "10.7.0.0/16", "asn": 7, "path": "64496 7", "marks": ["0:1", "0:2"], "note": None},
        )

    def test_csv(self) -> None:
        self.assertEqual(csv_header(SEEN), b"prefix,asn,path,marks,note\n")
        self.assertEqual(csv_lines(SEEN)([seen(7, 'a "b", c')], 0.0), [b'10.7.0.0/16,7,64496 7,0:1 0:2,"a ""b"", c"\n'])
        self.assertEqual(csv_lines(SEEN)([RecordValue("", (("asn", 1), ("more", 2)))], 0.0), [b",1,,,\n"])

    def test_records_within_records(self) -> None:
        type = RecordType("T", (FieldOf("ok", types.BOOL), FieldOf("all", ListType(SEEN)), FieldOf("one", SEEN)))
        value = RecordValue("T", (("ok", True), ("all", (seen(),)), ("one", seen())))
        row = next(csv.reader([line.decode() for line in csv_lines(type)([value], 0.0)]))
        self.assertEqual((row[0], json.loads(row[1])[0], json.loads(row[2])["asn"]), ("true", json.loads(row[2]), 1))

    @given(st.text(max_size=20))
    def test_a_record_is_one_line(self, note: str) -> None:
        row = csv_lines(SEEN)([seen(1, note)], 0.0)[0].decode()
        self.assertEqual((row.splitlines(), row.count("\n")), ([row[:-1]], 1))
        self.assertEqual(next(csv.reader(StringIO(row)))[4], one_line(note))
        if note.isprintable():
            (line,) = json_lines(SEEN)([seen(1, note)], 0.0)
            self.assertEqual((line.count(b"\n"), json.loads(line)["note"]), (1, note))


class FileSinkTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "out"

    def sink(self, *arguments: Any, **settings: Any) -> FileSink:
        sink = FileSink(str(self.path), *arguments, **settings)
        self.addCleanup(sink.close)
        return sink

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.path.parent.iterdir())}

    def test_continues_what_is_there(self) -> None:
        self.sink(b"h\n").write([b"1\n"])
        self.sink(b"h\n").write([b"2\n"])
        self.assertEqual(self.files(), {"out": b"h\n1\n2\n"})
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o640)

    def test_half_a_line_gets_an_end(self) -> None:
        for header, half, whole in (
            (b"", b'{"a', b'{"a\n'),
            (b"h\n", b'h\n1,"a', b'h\n1,"a"\n'),
            (b"h\n", b"h\n1", b"h\n1\n"),
        ):
            self.path.write_bytes(half)
            self.sink(header).write([b"2\n"])
            self.assertEqual(self.path.read_bytes(), whole + b"2\n")

    def test_a_file_with_other_columns_is_moved_away(self) -> None:
        self.path.write_bytes(b"other\n1\n")
        self.sink(b"h\n", rotate=100, keep=1).write([b"2\n"])
        self.assertEqual(self.files(), {"out": b"h\n2\n", "out.1": b"other\n1\n"})

    def test_rotation(self) -> None:
        sink = self.sink(b"h\n", rotate=8, keep=3)
        for number in range(4):
            sink.write([b"%d%d\n" % (number, part) for part in range(3)])
        self.assertEqual(self.files(), {"out": b"h\n31\n32\n", "out.1": b"h\n22\n30\n", "out.2": b"h\n20\n21\n"})
        sink.write([b"x" * 20 + b"\n", b"4\n"])
        self.assertEqual(self.files(), {"out": b"h\n4\n", "out.1": b"h\n" + b"x" * 20 + b"\n", "out.2": b"h\n31\n32\n"})

    def test_rotation_of_one_file(self) -> None:
        self.sink(rotate=5, keep=1).write([b"11\n", b"22\n", b"33\n"])
        self.assertEqual(self.files(), {"out": b"33\n"})

    @given(st.lists(st.integers(1, 9), max_size=30), st.integers(1, 20), st.integers(1, 4), st.integers(1, 5))
    def test_rotated_files_are_the_end_of_what_was_written(
        self, sizes: list[int], rotate: int, keep: int, together: int
    ) -> None:
        for path in self.path.parent.iterdir():
            path.unlink()
        lines = [bytes((97 + at % 26,)) * size + b"\n" for at, size in enumerate(sizes)]
        sink = FileSink(str(self.path), b"", rotate, keep)
        for first in range(0, len(lines), together):
            sink.write(lines[first : first + together])
        sink.close()
        files = self.files()
        self.assertLessEqual(len(files), keep)
        whole = b"".join(files[name] for name in sorted(files, reverse=True) if name != "out") + files.get("out", b"")
        self.assertTrue(b"".join(lines).endswith(whole))
        self.assertTrue(all(len(own) <= rotate or own.count(b"\n") == 1 for own in files.values()))

    def test_a_file_for_each_stretch_of_time(self) -> None:
        """On the stroke, whenever it was begun, also if the daemon was away; and never an empty one."""
        now = [1_000.0]
        sink = self.sink(b"h\n", keep=9, rotate_every=100, clock=lambda: now[0])
        sink.write([b"1\n"])
        now[0] = 1_099
        sink.write([b"2\n"])
        now[0] = 1_100
        sink.write([])
        sink.write([b"3\n"])
        now[0] = 5_000
        sink.write([b"4\n"])
        self.assertEqual(self.files(), {"out": b"h\n4\n", "out.1": b"h\n3\n", "out.2": b"h\n1\n2\n"})
        sink.close()
        os.utime(self.path, (5_050, 5_050))
        now[0] = 5_060
        again = self.sink(b"h\n", keep=9, rotate_every=100, clock=lambda: now[0])
        again.write([b"5\n"])
        self.assertEqual(self.files()["out"], b"h\n4\n5\n")
        again.close()
        os.utime(self.path, (5_060, 5_060))
        now[0] = 5_110
        self.sink(b"h\n", keep=9, rotate_every=100, clock=lambda: now[0]).write([b"6\n"])
        self.assertEqual((self.files()["out"], self.files()["out.1"]), (b"h\n6\n", b"h\n4\n5\n"))

    def test_without_lines_the_file_is_made(self) -> None:
        self.sink(b"h\n").write([])
        self.assertEqual(self.files(), {"out": b"h\n"})

    def test_what_is_brought_to_the_disk(self) -> None:
        for policy, batches, closed in ((Fsync.NEVER, 0, 0), (Fsync.ON_ROTATE, 1, 2), (Fsync.EACH_BATCH, 4, 4)):
            with mock.patch.object(os, "fsync") as fsync:
                sink = self.sink(rotate=8, keep=9, fsync=policy)
                for _ in range(3):
                    sink.write([b"123\n"])
                sink.write([b"4\n"])
                self.assertEqual(fsync.call_count, batches, policy)
                sink.close()
                self.assertEqual(fsync.call_count, closed, policy)
            for path in self.path.parent.iterdir():
                path.unlink()

    def test_what_may_not_be_on_the_disk_is_not_written(self) -> None:
        sink = self.sink(fsync=Fsync.EACH_BATCH)
        with mock.patch.object(os, "fsync", side_effect=OSError(EIO, "Input/output error")):
            cut = self.assertRaises(CannotWrite, sink.write, [b"1\n", b"2\n"])
            self.assertEqual((cut.written, self.files()), (0, {"out": b""}))
        sink.write([b"1\n", b"2\n"])
        self.assertEqual(self.files(), {"out": b"1\n2\n"})

    def test_moved_away_by_others(self) -> None:
        sink = self.sink()
        sink.write([b"1\n"])
        self.path.rename(self.path.with_suffix(".old"))
        sink.write([b"2\n"])
        sink.reopen()
        sink.write([b"3\n"])
        self.assertEqual(self.files(), {"out": b"2\n3\n", "out.old": b"1\n"})

    def test_a_full_disk(self) -> None:
        """What was written as a whole is told, half a line is taken away, and it goes on when there is room."""
        sink, left, write = self.sink(), [5], os.write

        def some(file: int, octets: bytes) -> int:
            if not left[0]:
                raise OSError(ENOSPC, "No space left on device")
            written = write(file, octets[: left[0]])
            left[0] -= written
            return written

        lines = [b"11\n", b"22\n", b"33\n"]
        with mock.patch.object(os, "write", some):
            cut = self.assertRaises(CannotWrite, sink.write, lines)
            self.assertEqual((cut.written, str(cut)), (1, f"{self.path}: No space left on device"))
            self.assertEqual(self.path.read_bytes(), b"11\n")
            left[0] = 100
            sink.write(lines[cut.written :])
        self.assertEqual(self.path.read_bytes(), b"".join(lines))

    def test_what_cannot_be_opened(self) -> None:
        for name, why in (("", "Is a directory"), ("none/out", "No such file"), ("pipe", "not a file")):
            os.mkfifo(self.path.parent / "pipe") if name == "pipe" else None
            sink = FileSink(str(self.path.parent / name))
            cut = self.assertRaises(CannotWrite, sink.write, [b"1\n"])
            self.assertIn(why, str(cut))
            self.assertEqual(cut.written, 0)

    def test_a_device(self) -> None:
        FileSink("/dev/null", b"h\n", 10, 3).write([b"1\n"] * 20)
        cut = self.assertRaises(CannotWrite, FileSink("/dev/full").write, [b"1\n"])
        self.assertIn("No space", str(cut))
        self.assertTrue(Path("/dev/null").exists())
