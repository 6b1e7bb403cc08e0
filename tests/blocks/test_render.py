"""Diagnostics as people see them."""

from __future__ import annotations

import doctest

from rotonda.blocks import render
from rotonda.blocks.diagnostics import MOST_SHOWN, Complaints, Diagnostic
from rotonda.blocks.parse import parse
from rotonda.blocks.places import Source, Span
from twisted.trial.unittest import SynchronousTestCase


def shown(text: str, *found: Diagnostic, colour: bool = False) -> list[str]:
    return render.text(Source("app.blocks", text), found, colour=colour).split("\n")


class RenderTests(SynchronousTestCase):
    def test_a_mistake(self) -> None:
        source = Source("app.blocks", "// one\nunit rib-in: VirtualRib wiht config { };\nx = 10.0.0.1/8;\n")
        complaints = Complaints(source)
        parse(source, complaints)
        self.assertEqual(
            render.text(source, complaints.ordered()),
            "app.blocks:2:25: error: unexpected 'wiht'\n"
            " 2 | unit rib-in: VirtualRib wiht config { };\n"
            "   |                         ^^^^\n"
            "   = expected ';' or 'with'\n"
            "   = hint: did you mean with?\n"
            "app.blocks:3:5: error: 10.0.0.1/8 has bits set behind its length\n"
            " 3 | x = 10.0.0.1/8;\n"
            "   |     ^^^^^^^^^^\n"
            "   = hint: did you mean 10.0.0.0/8?\n"
            "2 errors\n",
        )

    def test_nothing(self) -> None:
        self.assertEqual(render.text(Source("a", ""), []), "")

    def test_counts(self) -> None:
        here = Span(0, 1)
        warning = Diagnostic(here, "odd", is_warning=True)
        self.assertEqual(shown("x", Diagnostic(here, "no"), warning, warning)[-2], "1 error, 2 warnings")
        self.assertEqual(shown("x", warning)[0], "app.blocks:1:1: warning: odd")

    def test_the_mark_stands_under_the_place(self) -> None:
        for line, before in [("ab X", 3), ("\tX", 4), ("\u4f60\u597d X", 5), ("e\u0301 X", 2), ("\u202e X", 9),
                             ("\0X", 8)]:  # fmt: skip
            with self.subTest(line=line):
                at = line.index("X")
                mark = shown(line, Diagnostic(Span(at, at + 1), "no"))[2]
                self.assertEqual(mark, f"   | {' ' * before}^")

    def test_wide_characters_are_marked_whole(self) -> None:
        self.assertEqual(shown("\u4f60\u597d", Diagnostic(Span(0, 2), "no"))[2], "   | ^^^^")

    def test_places_of_no_width_and_of_many_lines(self) -> None:
        self.assertEqual(shown("ab", Diagnostic(Span(2, 2), "no"))[2], "   |   ^")
        self.assertEqual(shown("ab\ncd", Diagnostic(Span(1, 5), "no"))[1:3], [" 1 | ab", "   |  ^"])

    def test_long_lines_are_cut(self) -> None:
        lines = shown("a" * 100_000 + "X" + "b" * 100_000, Diagnostic(Span(100_000, 100_001), "no"))
        self.assertEqual(lines[0], "app.blocks:1:100001: error: no")
        self.assertLess(len(lines[1]), 200)
        self.assertEqual(lines[1][lines[2].index("^")], "X")
        self.assertEqual((lines[1][5:8], lines[1][-3:]), ("...", "..."))

    def test_nothing_that_comes_from_a_file_rules_the_terminal(self) -> None:
        bad = "\x1b[2J\u202e\n"
        source = Source(f"a{bad}", f"{bad}x")
        text = render.text(source, [Diagnostic(Span(0, 1), f"m{bad}", f"e{bad}", f"h{bad}")])
        self.assertNotIn("\x1b", text)
        self.assertNotIn("\u202e", text)
        self.assertEqual(len(text.splitlines()), 6)

    def test_colour(self) -> None:
        lines = shown("x", Diagnostic(Span(0, 1), "no"), colour=True)
        self.assertIn("\x1b[1;31merror:\x1b[0m no", lines[0])

    def test_not_too_many(self) -> None:
        lines = shown("x", *[Diagnostic(Span(0, 1), "no")] * (MOST_SHOWN + 5))
        self.assertEqual(lines[-3:-1], ["... and 5 more", f"{MOST_SHOWN + 5} errors"])

    def test_examples_in_the_code(self) -> None:
        self.assertEqual(doctest.testmod(render).failed, 0)
