"""Tests for L{rotonda.outputs.log}: lines that nobody can forge, pipes that nobody reads, a syslog that goes away."""

from __future__ import annotations

import os
import socket
from logging.handlers import SysLogHandler
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from rotonda.blocks import types
from rotonda.blocks.configs import LogStream
from rotonda.blocks.settings import Choice
from rotonda.blocks.types import FieldOf, ListType, RecordType
from rotonda.blocks.values import RecordValue
from rotonda.outputs import log
from rotonda.outputs.log import (
    FACILITIES,
    LEVELS,
    LONGEST_LINE,
    DescriptorSink,
    SyslogSink,
    dated_lines,
    log_line,
    syslog_lines,
)
from rotonda.outputs.stream import CannotWrite
from twisted.trial.unittest import SynchronousTestCase

from tests.outputs.records import SEEN, seen


class LineTests(SynchronousTestCase):
    def test_fields(self) -> None:
        self.assertEqual(
            log_line(SEEN)(seen(7)), 'prefix=10.7.0.0/16 asn=AS7 path="64496 7" marks=[0:1, 0:2] note="a note"'
        )
        self.assertEqual(log_line(SEEN)(seen(7, "word")).rpartition(" ")[2], "note=word")
        self.assertNotIn("note", log_line(SEEN)(seen(7, None)))
        self.assertTrue(log_line(SEEN)(seen(7, "")).endswith('note=""'))

    def test_records_of_any_type(self) -> None:
        line = log_line(RecordType("", ()))
        self.assertEqual(line(RecordValue("", (("a", 1), ("b", "x y"), ("c", True)))), 'a=1 b="x y" c=true')

    def test_nobody_writes_lines_of_their_own(self) -> None:
        for note in (
            "a\n2026 ERROR x: all is well",
            "\r",
            "\x1b[2J",
            "a\u202eb",
            '" asn=AS1 "',
            "a\\",
            "\u2028",
            "\x85",
        ):
            for type in (types.STRING, ListType(types.STRING)):
                own = RecordType("T", (FieldOf("note", type),))
                value = note if type == types.STRING else (note,)
                line = log_line(own)(RecordValue("T", (("note", value),)))
                self.assertTrue(line.isprintable())
                self.assertEqual(line.replace("\\\\", "").replace('\\"', "").count('"'), 2)

    @given(st.text(max_size=30))
    def test_any_text_is_one_printable_word_or_quoted(self, note: str) -> None:
        line = log_line(SEEN)(seen(1, note))
        self.assertTrue(line.isprintable())
        quoted = line.partition(" note=")[2]
        self.assertTrue(quoted.isascii() or (quoted[0] == quoted[-1] == '"'))

    def test_dated(self) -> None:
        (line,) = dated_lines("m.s", "WARN", log_line(SEEN))([seen(7)], 1.5)
        self.assertTrue(line.startswith(b"1970-01-01T00:00:01.500000Z WARN m.s: prefix=10.7.0.0/16 "))
        self.assertTrue(line.endswith(b'"a note"\n'))

    def test_long_lines_are_cut_between_characters(self) -> None:
        for letter in ("x", "é", "€"):
            (line,) = dated_lines("s", "INFO", log_line(SEEN))([seen(7, letter * 10_000)], 0.0)
            self.assertLessEqual(len(line), LONGEST_LINE + 1)
            self.assertTrue(line.decode().endswith(letter + "...\n"))

    def test_syslog(self) -> None:
        (line,) = syslog_lines("s", "ERROR", "LOCAL1", log_line(SEEN), 77)([seen(7)], 0.0)
        self.assertTrue(line.startswith(b"<139>rotonda[77]: s: prefix="))
        self.assertFalse(line.endswith(b"\n"))

    def test_numbers_of_syslog(self) -> None:
        """They are those that Python's own syslog has, for all that may be said in a block."""
        known = SysLogHandler
        said = {name: known.facility_names[name.lower()] for name in FACILITIES}
        self.assertEqual(said, FACILITIES)
        self.assertEqual({name: known.priority_names[name.lower()] for name in LEVELS}, LEVELS)
        for name, own in (("level", LEVELS), ("facility", FACILITIES)):
            choice = LogStream.SETTINGS[name].type
            assert isinstance(choice, Choice)
            self.assertEqual(set(choice.constants), set(own))


class DescriptorSinkTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.read, self.write = os.pipe()
        self.addCleanup(os.close, self.read)
        self.addCleanup(os.close, self.write)
        self.sink = DescriptorSink(self.write)

    def test_lines(self) -> None:
        self.sink.write([b"1\n", b"x" * 10_000 + b"\n"])
        self.assertEqual(os.read(self.read, 20_000), b"1\n" + b"x" * 10_000 + b"\n")

    def test_a_pipe_that_nobody_reads(self) -> None:
        """It is not waited for long; what was begun goes on where it stopped."""
        lines = [bytes((97 + at,)) * 30_000 + b"\n" for at in range(5)]
        with mock.patch.object(log, "_PATIENCE_SECONDS", 0.01):
            cut = self.assertRaises(CannotWrite, self.sink.write, lines)
            self.assertIn("nobody reads it", str(cut))
            read = b""
            while cut is not None:
                lines = lines[cut.written :]
                read += os.read(self.read, 1 << 20)
                try:
                    self.sink.write(lines)
                    cut = None
                except CannotWrite as again:
                    cut = again
        read += os.read(self.read, 1 << 20)
        self.assertEqual(read, b"".join(bytes((97 + at,)) * 30_000 + b"\n" for at in range(5)))


class SyslogSinkTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "log"
        self.sink = SyslogSink(str(self.path))
        self.addCleanup(self.sink.close)

    def listen(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(made.close)
        made.bind(str(self.path))
        return made

    def test_it_goes_away_and_comes_back(self) -> None:
        first = self.listen()
        self.sink.write([b"1", b"2"])
        self.assertEqual([first.recv(100), first.recv(100)], [b"1", b"2"])
        first.close()
        cut = self.assertRaises(CannotWrite, self.sink.write, [b"3"])
        self.assertEqual(cut.written, 0)
        self.path.unlink()
        self.assertRaises(CannotWrite, self.sink.write, [b"3"])
        second = self.listen()
        self.sink.write([b"3"])
        self.assertEqual(second.recv(100), b"3")

    def test_one_that_reads_nothing(self) -> None:
        self.listen()
        with mock.patch.object(log, "_PATIENCE_SECONDS", 0.01):
            cut = self.assertRaises(CannotWrite, self.sink.write, [b"x"] * 10_000)
        self.assertGreater(cut.written, 0)
