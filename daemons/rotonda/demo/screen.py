"""The terminal: titles, lines, and one line that changes. Only letters, in colour where somebody sees them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TextIO

_BOLD, _GREEN, _YELLOW, _RED = "1", "32", "33", "31"
_SECONDS_BETWEEN = 2.0
"""How often a changing line is printed again where it cannot be overwritten."""
_WIDTH = 100


class Screen:
    """Where the demo is told. `live` is for terminals, whose lines can be overwritten."""

    def __init__(
        self, out: TextIO, colour: bool = False, live: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._out = out
        self._colour = colour
        self._live = live
        self._clock = clock
        self._next = 0.0
        self._pending = False
        self._parts = 0

    @staticmethod
    def of(out: TextIO, environment: Mapping[str, str]) -> Screen:
        """A screen that does what this output can do and this user wants (https://no-color.org)."""
        terminal = out.isatty() and environment.get("TERM") != "dumb"
        return Screen(out, terminal and not environment.get("NO_COLOR"), terminal)

    def title(self, text: str) -> None:
        """A part of the story begins."""
        self._parts += 1
        self._line("")
        self._line(self._painted(_BOLD, f"{self._parts}  {text}"))

    def say(self, text: str = "") -> None:
        """One line of the part."""
        self._line(f"   {text}" if text else "")

    def good(self, text: str) -> None:
        """One line that tells of success."""
        self.say(self._painted(_GREEN, text))

    def warn(self, text: str) -> None:
        """One line that should not be overlooked."""
        self.say(self._painted(_YELLOW, f"Note: {text}"))

    def fail(self, text: str) -> None:
        """What went wrong, maybe in several lines."""
        for line in text.splitlines():
            self._line(self._painted(_RED, line))

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Rows of words under each other."""
        for line in aligned(rows):
            self.say(line)

    def progress(self, text: str) -> None:
        """The changing line; what comes next stands below it."""
        if self._live:
            self._out.write(f"\r\x1b[2K   {text[: _WIDTH - 4]}")
            self._pending = True
        elif self._clock() >= self._next:
            self._next = self._clock() + _SECONDS_BETWEEN
            self._out.write(f"   {text}\n")
        self._out.flush()

    def _line(self, text: str) -> None:
        if self._pending:
            self._out.write("\r\x1b[2K")
            self._pending = False
        self._next = 0.0
        self._out.write(text + "\n")
        self._out.flush()

    def _painted(self, how: str, text: str) -> str:
        return f"\x1b[{how}m{text}\x1b[0m" if self._colour else text


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """The rows as lines with their columns below each other.

    >>> aligned([["prefix", "origin"], ["192.0.2.0/24", "AS64496"]])
    ['prefix        origin', '192.0.2.0/24  AS64496']
    """
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in table]


def by_family(counts: Mapping[str, int]) -> str:
    """How many of each family.

    >>> by_family({"ipv4": 1234, "ipv6": 5})
    '1,234 IPv4 and 5 IPv6'
    """
    return f"{counts.get('ipv4', 0):,} IPv4 and {counts.get('ipv6', 0):,} IPv6"


def shortened(text: str, width: int) -> str:
    """The text, or its beginning and three dots.

    >>> shortened("64496 64497 64498", 12)
    '64496 644...'
    """
    return text if len(text) <= width else text[: width - 3] + "..."
