"""`trial` and `pytest` run the same tests: what only one of them finds is only half tested."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.data import ROOT

_TRIAL_LINE = re.compile(r"^( *)(\S+?)(?: \.\.\. +\[OK\])?$")


def by_pytest() -> set[str]:
    """The dotted names of what pytest collects under `tests`, without doctests."""
    options = ["--collect-only", "-q", "-p", "no:doctest", "-o", "addopts=--import-mode=importlib -p no:cacheprovider"]
    names = set()
    for line in _run("pytest", *options, "tests").splitlines():
        path, found, test = line.partition("::")
        if found:
            names.add(".".join((path.removesuffix(".py").replace("/", "."), *test.split("::"))))
    return names


def by_trial(folder: Path) -> set[str]:
    """The dotted names of what trial would run: it prints a tree of modules, classes and methods."""
    names, above = set(), {0: ""}
    for line in _run("twisted.trial", "--dry-run", f"--temp-directory={folder}", "tests").splitlines():
        match = _TRIAL_LINE.match(line)
        if match is None or line.startswith(("Running", "Ran", "PASSED")):
            continue
        depth, name = len(match[1]) // 2, match[2]
        above[depth] = name
        if depth == 2:
            names.add(".".join(above[place] for place in range(3)))
    return names


def _run(module: str, *arguments: str) -> str:
    path = os.pathsep.join([str(ROOT), str(ROOT / "daemons")])
    environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "1000"}
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


class RunnerTests(SynchronousTestCase):
    def test_both_find_the_same(self) -> None:
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        trial, pytest = by_trial(folder / "trial"), by_pytest()
        self.assertGreater(len(pytest), 100)
        self.assertEqual(sorted(pytest ^ trial), [])
