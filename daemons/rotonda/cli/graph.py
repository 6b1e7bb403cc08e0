"""`rotonda graph`: the wiring of instances as a picture."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rotonda.blocks import wiring_svg, wiring_text
from rotonda.blocks.characters import escaped
from rotonda.blocks.configs import BLOCKS
from rotonda.blocks.diagnostics import suggestion
from rotonda.blocks.program import Program
from rotonda.blocks.wiring import Layout, layout
from rotonda.cli.files import STANDARD_INPUT, checked, refuse
from rotonda.cli.main import WRONG

MOST_NODES = 20_000
"""Units of an instance that are drawn."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("file", metavar="FILE", help="a file, or - for standard input")
    parser.add_argument("--instance", metavar="NAME", help="only this one")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--svg", metavar="OUT", help="write SVG to a file, or - for standard output")
    how.add_argument("--text", action="store_true", help="write text to standard output, as is done without --svg")


def run(options: argparse.Namespace) -> int:
    """Draw. 0 if that could be done, 2 if the file is wrong or has no such instance."""
    program = checked(options.file)
    if program is None:
        return WRONG
    layouts = _layouts(program, options.instance)
    if layouts is None:
        return WRONG
    if options.svg is None:
        sys.stdout.write("\n".join(wiring_text.drawn(each) for each in layouts))
        return 0
    return _write(options.svg, wiring_svg.drawn(layouts, {word: made.CATEGORY for (_, word), made in BLOCKS.items()}))


def _layouts(program: Program, name: str | None) -> Sequence[Layout] | None:
    chosen = [each for each in program.instances.values() if name in (None, each.name)]
    if not chosen:
        known = ", ".join(program.instances)
        hint = suggestion(name or "", program.instances)
        words = f"there is no instance {escaped(name)}" if name is not None else "there is no instance"
        refuse(f"{words}{f'; there are: {known}' if known else ''}{f'; {hint}' if hint else ''}")
        return None
    for each in chosen:
        if sum(map(len, each.paths)) > MOST_NODES:
            refuse(f"the graph of {each.name} is too large to be drawn")
            return None
    return [layout(program, each) for each in chosen]


def _write(name: str, text: str) -> int:
    if name == STANDARD_INPUT:
        sys.stdout.write(text)
        return 0
    try:
        with open(name, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as wrong:
        refuse(f"{escaped(name)}: {wrong.strerror or wrong}")
        return WRONG
    return 0
