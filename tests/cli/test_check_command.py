"""`rotonda check`: statuses, lines for people, JSON for programs; and that it is there at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from rotonda.cli.files import MOST_OCTETS
from twisted.trial.unittest import SynchronousTestCase

from tests.cli.runs import rotonda
from tests.data import ROOT

EXAMPLE = ROOT / "spec" / "examples" / "edge.blocks"
WRONG = "unit rib: PhysicalRibb with config {};\n"
MRT = 'unit mrt: MrtConnector with config { files: ["a"] };\n'


class CheckTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def file(self, name: str, octets: str | bytes) -> str:
        path = self.folder / name
        path.write_bytes(octets.encode() if isinstance(octets, str) else octets)
        return str(path)

    def test_a_sound_file(self) -> None:
        ran = rotonda("check", str(EXAMPLE))
        self.assertEqual((ran.status, ran.err), (0, ""))
        counted = "11 units, 6 filters, 3 data sources, 5 output streams, 2 instances"
        self.assertEqual(ran.out, f"{EXAMPLE}: {counted}\n")

    def test_a_warning_is_no_error(self) -> None:
        ran = rotonda("check", self.file("a.blocks", MRT))
        self.assertEqual(ran.status, 0)
        self.assertIn("a.blocks:1:6: warning: there is no instance", ran.err)

    def test_errors(self) -> None:
        name = self.file("a.blocks", WRONG)
        ran = rotonda("check", name, str(EXAMPLE))
        self.assertEqual(ran.status, 2)
        self.assertEqual(ran.err.splitlines()[:3], [
            f"{name}:1:11: error: there is no unit of type PhysicalRibb",
            " 1 | unit rib: PhysicalRibb with config {};",
            "   |           ^^^^^^^^^^^^",
        ])  # fmt: skip
        self.assertIn("did you mean PhysicalRib?", ran.err)
        self.assertIn("11 units", ran.out)

    def test_standard_input(self) -> None:
        ran = rotonda("check", "-", given=WRONG.encode())
        self.assertEqual((ran.status, ran.err.partition(" error")[0]), (2, "standard input:1:11:"))
        self.assertEqual(rotonda("check", "-").out, "standard input: nothing in it\n")

    def test_json(self) -> None:
        ran = rotonda("check", "--json", self.file("a.blocks", "\n" + WRONG), str(self.folder / "b.blocks"))
        self.assertEqual((ran.status, ran.err), (2, ""))
        wrong, missing = json.loads(ran.out)
        self.assertEqual((wrong["line"], wrong["column"], wrong["end_column"]), (2, 11, 23))
        self.assertEqual((wrong["severity"], wrong["hint"]), ("error", "did you mean PhysicalRib?"))
        self.assertIn("No such file", missing["message"])
        self.assertEqual(json.loads(rotonda("check", "--json", str(EXAMPLE)).out), [])

    def test_what_cannot_be_read(self) -> None:
        cases = {
            str(self.folder): "Is a directory",
            str(self.folder / "missing"): "No such file or directory",
            str(self.folder / ("x" * 5000)): "File name too long",
            self.file("latin.blocks", b"// fine\n// \xe9\n"): "not UTF-8 in line 2",
            self.file("large.blocks", b" " * (MOST_OCTETS + 1)): "longer than 4,194,304 octets",
        }
        for name, words in cases.items():
            with self.subTest(words=words):
                ran = rotonda("check", name)
                self.assertEqual(ran.status, 2)
                self.assertRegex(ran.err, f"^rotonda: .*: {words}\n$")

    def test_an_endless_file(self) -> None:
        self.assertIn("longer than", rotonda("check", "/dev/zero").err)

    def test_hidden_characters_are_not_passed_on(self) -> None:
        ran = rotonda("check", self.file("a.blocks", "unit \x1b[2Jrib\u202e;\n"))
        self.assertEqual(ran.status, 2)
        self.assertNotRegex(ran.err, "[\x1b\u202e]")
        ran = rotonda("check", str(self.folder / "\x1b[2Jx\udcff"))
        self.assertRegex(ran.err, "<U\\+001B>\\[2Jx<U\\+DCFF>: No such file")

    def test_command_lines_that_are_wrong(self) -> None:
        for words in ((), ("check",), ("chek", "x"), ("check", "--jsn", "x"), ("fmt", "--check", "--write", "x")):
            with self.subTest(words=words):
                ran = rotonda(*words)
                self.assertEqual(ran.status, 2)
                self.assertIn("usage: rotonda", ran.err)

    def test_help_names_all_commands(self) -> None:
        ran = rotonda("--help")
        self.assertEqual(ran.status, 0)
        for name in ("check", "fmt", "graph"):
            self.assertRegex(ran.out, rf"\n +{name} ")


class StartTests(SynchronousTestCase):
    def run_alone(self, *words: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join((str(ROOT), str(ROOT / "daemons")))
        around = {**os.environ, "PYTHONPATH": path}
        return subprocess.run([sys.executable, *words], env=around, capture_output=True, text=True, check=False)

    def test_nothing_heavy_is_loaded(self) -> None:
        code = (
            "import sys; from rotonda.cli.main import main; "
            f"main(['check', {str(EXAMPLE)!r}]); "
            "print(sorted({'twisted', 'numpy', 'lark', 'zope', 'asyncio', 'difflib'} & sys.modules.keys()))"
        )
        loaded = self.run_alone("-c", code).stdout.splitlines()[-1]
        self.assertIn(loaded, ("[]", "['lark']"))  # lark only where the tables of the grammar are not derived yet

    def test_whoever_reads_may_go(self) -> None:
        command = f"{sys.executable} -m rotonda.cli.main fmt {EXAMPLE} | true"
        path = os.pathsep.join((str(ROOT), str(ROOT / "daemons")))
        ran = subprocess.run(
            ["sh", "-c", command], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
        )
        self.assertEqual(ran.stderr, "")
