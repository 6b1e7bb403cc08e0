"""Tests for L{rotoro.derive.__main__}: writes, and tells what is stale."""

from __future__ import annotations

import io
import shutil
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rotoro.derive.__main__ import derived, main, stale
from tests.data import ROOT


class MainTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.spec = Path(tempfile.mkdtemp())
        (self.spec / "vectors").mkdir()
        shutil.copy(ROOT / "spec" / "vectors" / "rtr.json", self.spec / "vectors")
        self.addCleanup(shutil.rmtree, self.spec)

    def _main(self, *arguments: str) -> tuple[int, str]:
        said = io.StringIO()
        with redirect_stdout(said):
            code = main(["--spec", str(self.spec), *arguments])
        return code, said.getvalue()

    def test_nothing_there(self) -> None:
        code, said = self._main("--check")
        self.assertEqual(code, 1)
        self.assertIn("+# Every PDU", said)

    def test_writes_what_the_check_wants(self) -> None:
        self.assertEqual(self._main(), (0, ""))
        self.assertEqual(self._main("--check"), (0, ""))
        self.assertTrue(all(path.exists() for path in derived(self.spec)))

    def test_stale(self) -> None:
        self._main()
        path = self.spec / "pdus.md"
        path.write_text(path.read_text().replace("Serial Notify (type 0)", "Serial Notify (type 99)"))
        code, said = self._main("--check")
        self.assertEqual(code, 1)
        self.assertIn("--- pdus.md as it is\n+++ pdus.md as derived\n", said)
        self.assertIn("-### Serial Notify (type 99)\n+### Serial Notify (type 0)\n", said)
        self.assertEqual(list(stale(self.spec)), [path])
