"""`spec/blocks.md` holds: its tables are derived, and each of its examples says what stands below it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rotonda.blocks import tables
from rotonda.blocks.check import check
from rotonda.blocks.configs import BLOCKS
from rotonda.blocks.places import Source
from rotonda.cli.derive import TEXT, main, stale
from twisted.trial.unittest import SynchronousTestCase

from tests.data import ROOT

EXAMPLE = re.compile(r"^```blocks\n(.*?)^```\n(?:```diagnostics\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)


def examples() -> Iterator[tuple[int, str, str]]:
    """Line, text and expected errors of each example."""
    text = TEXT.read_text(encoding="utf-8")
    for found in EXAMPLE.finditer(text):
        yield text.count("\n", 0, found.start()) + 1, found[1], found[2] or ""


class ExampleTests(SynchronousTestCase):
    def test_each_example(self) -> None:
        tried = wrong = 0
        for line, words, expected in examples():
            with self.subTest(line=line):
                source = Source("example", words)
                errors = []
                for found in check(source)[1]:
                    at, column = source.place(found.span.start)
                    errors += [] if found.is_warning else [f"{at}:{column}: error: {found.message}\n"]
                self.assertEqual("".join(errors), expected)
            tried += 1
            wrong += bool(expected)
        self.assertGreater(tried, 12)
        self.assertGreater(wrong, 5)

    def test_the_one_for_everybody(self) -> None:
        """The README's file has nothing wrong in it, and nothing that looks wrong."""
        found = re.search(r"^```\n(unit .*?)^```\n", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.M)
        assert found is not None
        self.assertEqual(check(Source("README.md", found[1]))[1], [])

    def test_every_fence_is_looked_at(self) -> None:
        text = TEXT.read_text(encoding="utf-8")
        self.assertEqual(text.count("```blocks"), len(list(examples())))
        self.assertEqual(text.count("```diagnostics"), sum(bool(expected) for _, _, expected in examples()))


class DerivedTests(SynchronousTestCase):
    def test_up_to_date(self) -> None:
        """If this fails: `python -m rotonda.cli.derive`, and look at what changed."""
        self.assertEqual(stale(TEXT), "")
        self.assertEqual(TEXT, ROOT / "spec" / "blocks.md")

    def test_every_table_has_a_place(self) -> None:
        self.assertEqual(tables.missing(TEXT.read_text(encoding="utf-8")), [])

    def test_every_type_and_setting_is_there(self) -> None:
        text = TEXT.read_text(encoding="utf-8")
        for made in BLOCKS.values():
            for name in (made.WORD, *made.SETTINGS):
                self.assertIn(f"`{name}`", text)

    def test_the_command(self) -> None:
        path = Path(self.mktemp())
        path.write_text("<!-- derived: changes -->\nold\n<!-- end -->\n")
        self.assertEqual(main(["--check", "--text", str(path)]), 1)
        self.assertEqual(main(["--text", str(path)]), 0)
        self.assertIn("`prepend(Asn, U8)`", path.read_text())
        self.assertEqual(main(["--check", "--text", str(path)]), 0)

    def test_an_unknown_table(self) -> None:
        self.assertRaises(tables.UnknownTable, tables.filled, "<!-- derived: nothing -->\n<!-- end -->")
