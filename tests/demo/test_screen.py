"""Plain words everywhere, colour and changing lines only where somebody sees them."""

from __future__ import annotations

from io import StringIO

from rotonda.demo.screen import Screen, aligned, by_family, shortened
from twisted.trial.unittest import SynchronousTestCase


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


class ScreenTests(SynchronousTestCase):
    def told(self, out: StringIO, environment: dict[str, str]) -> str:
        screen = Screen.of(out, environment)
        screen.title("Loading")
        screen.progress("half of it")
        screen.good("all of it")
        screen.warn("odd")
        screen.title("Next")
        return out.getvalue()

    def test_a_file_gets_plain_lines(self) -> None:
        expected = "\n1  Loading\n   half of it\n   all of it\n   Note: odd\n\n2  Next\n"
        self.assertEqual(self.told(StringIO(), {}), expected)

    def test_a_terminal_gets_colour_unless_it_is_not_wanted(self) -> None:
        overwritten = "   half of it\r\x1b[2K"
        coloured = self.told(Terminal(), {"TERM": "xterm"})
        self.assertIn("\x1b[1m1  Loading\x1b[0m", coloured)
        self.assertIn(overwritten, coloured)
        plain = self.told(Terminal(), {"TERM": "xterm", "NO_COLOR": "1"})
        self.assertNotIn("\x1b[1m", plain)
        self.assertIn(overwritten, plain)
        self.assertNotIn("\x1b", self.told(Terminal(), {"TERM": "dumb"}))

    def test_a_file_is_not_flooded_with_progress(self) -> None:
        now = [10.0]
        out = StringIO()
        screen = Screen(out, clock=lambda: now[0])
        for second in range(50):
            now[0] = 10 + second / 10
            screen.progress(f"{second}")
        self.assertEqual(out.getvalue().split(), ["0", "20", "40"])

    def test_several_lines_of_failure_each_stand_alone(self) -> None:
        out = StringIO()
        Screen(out, colour=True).fail("first\nsecond")
        self.assertEqual(out.getvalue(), "\x1b[31mfirst\x1b[0m\n\x1b[31msecond\x1b[0m\n")

    def test_words(self) -> None:
        self.assertEqual(aligned([["a", "bbb"], ["aa", "b"]]), ["a   bbb", "aa  b"])
        self.assertEqual(by_family({"ipv6": 1_000}), "0 IPv4 and 1,000 IPv6")
        self.assertEqual([shortened("abcdef", width) for width in (6, 5)], ["abcdef", "ab..."])
