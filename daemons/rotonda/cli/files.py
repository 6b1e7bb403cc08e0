"""How commands read files, and tell what is wrong with them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from rotonda.blocks.characters import escaped
from rotonda.blocks.check import check
from rotonda.blocks.diagnostics import Diagnostic
from rotonda.blocks.places import Source
from rotonda.blocks.program import Program
from rotonda.blocks.render import text

MOST_OCTETS = 4 << 20
"""Of a file; what is more is no configuration."""
STANDARD_INPUT = "-"


class Unreadable(Exception):
    """A file that cannot be read; says which one, and why."""


def read(name: str) -> Source:
    """The text of a file, or of standard input for `-`. Raises Unreadable."""
    shown = "standard input" if name == STANDARD_INPUT else name
    try:
        octets = _octets(name)
    except OSError as wrong:
        raise Unreadable(f"{escaped(shown)}: {wrong.strerror or wrong}") from None
    if len(octets) > MOST_OCTETS:
        raise Unreadable(f"{escaped(shown)}: longer than {MOST_OCTETS:,} octets")
    try:
        return Source(shown, octets.decode("utf-8"))
    except UnicodeDecodeError as wrong:
        line = octets.count(b"\n", 0, wrong.start) + 1
        raise Unreadable(f"{escaped(shown)}: not UTF-8 in line {line}") from None


def _octets(name: str) -> bytes:
    if name == STANDARD_INPUT:
        return sys.stdin.buffer.read(MOST_OCTETS + 1)
    with open(name, "rb") as file:
        return file.read(MOST_OCTETS + 1)


def tell(source: Source, diagnostics: Sequence[Diagnostic]) -> None:
    """Write what is wrong to standard error, in colours if that is a terminal."""
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    sys.stderr.write(text(source, diagnostics, colour=colour))


def refuse(words: str) -> None:
    """Write one line to standard error."""
    sys.stderr.write(f"rotonda: {words}\n")


def checked(name: str) -> Program | None:
    """The program of a file; None if there is none, which has been told."""
    try:
        source = read(name)
    except Unreadable as wrong:
        refuse(str(wrong))
        return None
    program, diagnostics = check(source)
    if program is None:
        tell(source, diagnostics)
    return program
