"""`rotonda fmt`: to standard output, into the file, or only a look."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.cli.runs import rotonda

ROUGH = "unit rib:PhysicalRib with config{on_failure:ACCEPT}; // why\n"
FINE = "unit rib: PhysicalRib with config {\n    on_failure: ACCEPT\n}; // why\n"


class FormatTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.path = folder / "a.blocks"
        self.path.write_text(ROUGH)

    def test_to_standard_output(self) -> None:
        self.assertEqual(rotonda("fmt", str(self.path)), (0, FINE, ""))
        self.assertEqual(rotonda("fmt", "-", given=ROUGH.encode()).out, FINE)
        self.assertEqual(self.path.read_text(), ROUGH)

    def test_check(self) -> None:
        self.assertEqual(rotonda("fmt", "--check", str(self.path)), (1, f"{self.path} has another layout\n", ""))
        self.path.write_text(FINE)
        self.assertEqual(rotonda("fmt", "--check", str(self.path)), (0, "", ""))

    def test_write(self) -> None:
        self.path.chmod(0o640)
        link = self.path.with_name("link.blocks")
        link.symlink_to(self.path.name)
        self.assertEqual(rotonda("fmt", "--write", str(link)), (0, "", ""))
        self.assertEqual((self.path.read_text(), link.is_symlink()), (FINE, True))
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o640)
        self.assertEqual(sorted(os.listdir(self.path.parent)), ["a.blocks", "link.blocks"])

    def test_what_is_sound_is_not_written_again(self) -> None:
        self.path.write_text(FINE)
        before = self.path.stat().st_ino
        rotonda("fmt", "--write", str(self.path))
        self.assertEqual(self.path.stat().st_ino, before)

    def test_a_file_with_mistakes_stays_as_it_is(self) -> None:
        self.path.write_text("unit {")
        ran = rotonda("fmt", "--write", str(self.path))
        self.assertEqual(ran.status, 2)
        self.assertIn("a.blocks:1:6: error:", ran.err)
        self.assertEqual(self.path.read_text(), "unit {")

    def test_several(self) -> None:
        missing = str(self.path.with_name("missing"))
        ran = rotonda("fmt", "--check", missing, str(self.path))
        self.assertEqual((ran.status, ran.out), (2, f"{self.path} has another layout\n"))
