"""What is not given is made, said to be synthetic, and goes together."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from rotonda.demo.errors import DemoFailed
from rotonda.demo.generator import write_table
from rotonda.demo.inputs import Inputs, Size, prepare
from rotonda.demo.screen import Screen
from twisted.trial.unittest import SynchronousTestCase

SMALL = Size(prefixes4=300, prefixes6=50, peers=2, seed=7)


class InputsTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.out = StringIO()

    def prepare(self, tables: list[str], vrps: str | None, size: Size = SMALL) -> Inputs:
        return prepare(tables, vrps, size, self.folder, Screen(self.out))

    def test_by_default_everything_is_synthetic_and_says_so(self) -> None:
        inputs = self.prepare([], None)
        self.assertEqual((inputs.synthetic_table, inputs.synthetic_vrps, inputs.mixed), (True, True, False))
        self.assertIn(
            "SYNTHETIC table: 300 IPv4 and 50 IPv6 prefixes, as 2 peers see them (seed 7)", self.out.getvalue()
        )
        self.assertIn("SYNTHETIC VRPs", self.out.getvalue())
        expected = self.folder / "expected.mrt"
        write_table(expected, prefixes4=300, prefixes6=50, peers=2, seed=7)
        self.assertEqual(inputs.tables[0].read_bytes(), expected.read_bytes())

    def test_files_are_used_where_they_lie(self) -> None:
        for name in ("a.mrt", "b.mrt", "vrps.csv"):
            (self.folder / name).write_bytes(b"x")
        tables = [str(self.folder / name) for name in ("a.mrt", "b.mrt")]
        inputs = self.prepare(tables, str(self.folder / "vrps.csv"))
        self.assertEqual([path.name for path in (*inputs.tables, inputs.vrps)], ["a.mrt", "b.mrt", "vrps.csv"])
        self.assertEqual((inputs.synthetic_table, inputs.synthetic_vrps, inputs.mixed), (False, False, False))
        self.assertNotIn("SYNTHETIC", self.out.getvalue())

    def test_real_and_synthetic_data_together_is_known_to_be_so(self) -> None:
        (self.folder / "a.mrt").write_bytes(b"x")
        self.assertTrue(self.prepare([str(self.folder / "a.mrt")], None).mixed)
        self.assertTrue(self.prepare([], str(self.folder / "a.mrt")).mixed)

    def test_what_cannot_be(self) -> None:
        with self.assertRaisesRegex(DemoFailed, "there is no file missing.mrt"):
            self.prepare(["missing.mrt"], None)
        with self.assertRaisesRegex(DemoFailed, "no such Internet: 99 peers"):
            self.prepare([], None, Size(prefixes4=300, prefixes6=50, peers=99, seed=1))
        with self.assertRaisesRegex(DemoFailed, "only http and https"):
            self.prepare(["ftp://127.0.0.1/x"], None)
