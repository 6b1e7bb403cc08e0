"""What the command line may say; the show itself is played in interop/test_demo.py."""

from __future__ import annotations

import contextlib
from io import StringIO
from pathlib import Path

from rotonda.demo.__main__ import DEFAULT, main, parser
from twisted.trial.unittest import SynchronousTestCase


class CommandLineTests(SynchronousTestCase):
    def test_by_default_a_synthetic_table_and_no_end(self) -> None:
        options = parser().parse_args([])
        self.assertEqual((options.mrt, options.vrps, options.seconds, options.check), ([], None, None, False))
        self.assertEqual((options.prefixes4, options.peers, options.seed), (DEFAULT.prefixes4, DEFAULT.peers, 1))

    def test_everything(self) -> None:
        words = "--mrt a --mrt https://b/c --vrps d --keep-expired --seconds 1.5 --json e --keep f --ports 9000"
        options = parser().parse_args([*words.split(), "--prefixes4", "10,000"])
        self.assertEqual((options.mrt, options.vrps, options.keep_expired), (["a", "https://b/c"], "d", True))
        self.assertEqual((options.seconds, options.json, options.keep), (1.5, Path("e"), Path("f")))
        self.assertEqual((options.ports, options.prefixes4), (9_000, 10_000))

    def test_nonsense_is_refused(self) -> None:
        for words in ("--seconds -1", "--seconds nan", "--ports 0", "--ports 65533", "--peers -1", "--seed x", "more"):
            with (
                self.subTest(words=words),
                contextlib.redirect_stderr(StringIO()),
                self.assertRaises(SystemExit) as end,
            ):
                parser().parse_args(words.split())
            self.assertEqual(end.exception.code, 2)

    def test_a_show_that_cannot_be_ends_with_1(self) -> None:
        with contextlib.redirect_stderr(StringIO()) as errors, contextlib.redirect_stdout(StringIO()):
            status = main(["--mrt", "missing.mrt"])
        self.assertEqual((status, errors.getvalue()), (1, "The demo failed: there is no file missing.mrt\n"))
