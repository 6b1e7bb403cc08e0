"""`rotonda check`: everything that is wrong in files."""

from __future__ import annotations

import argparse
import sys

import msgspec

from rotonda.blocks.characters import escaped
from rotonda.blocks.check import check
from rotonda.blocks.diagnostics import Diagnostic
from rotonda.blocks.places import Source
from rotonda.blocks.program import Program
from rotonda.cli.files import Unreadable, read, refuse, tell
from rotonda.cli.main import WRONG


def arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="a file, or - for standard input")
    parser.add_argument("--json", action="store_true", help="write diagnostics as JSON, to standard output")


def run(options: argparse.Namespace) -> int:
    """Check all files. 0 if they can be used, also with warnings; 2 if not."""
    found: list[dict[str, object]] = []
    sound = True
    for name in options.files:
        try:
            source = read(name)
        except Unreadable as wrong:
            sound = False
            found.append({"file": escaped(name), "severity": "error", "message": str(wrong)})
            if not options.json:
                refuse(str(wrong))
            continue
        program, diagnostics = check(source)
        sound = sound and program is not None
        if options.json:
            found += [_plain(source, each) for each in diagnostics]
            continue
        tell(source, diagnostics)
        if program is not None:
            sys.stdout.write(f"{escaped(source.name)}: {_counted(program)}\n")
    if options.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
    return 0 if sound else WRONG


def _counted(program: Program) -> str:
    numbers = {
        "unit": len(program.units),
        "filter": len(program.filters),
        "data source": len(program.sources),
        "output stream": len(program.streams),
        "instance": len(program.instances),
    }
    return ", ".join(f"{number} {word}{'' if number == 1 else 's'}" for word, number in numbers.items() if number) or (
        "nothing in it"
    )


def _plain(source: Source, found: Diagnostic) -> dict[str, object]:
    line, column = source.place(found.span.start)
    end_line, end_column = source.place(found.span.end)
    return {
        "file": escaped(source.name),
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "severity": "warning" if found.is_warning else "error",
        "message": escaped(found.message),
        "expected": escaped(found.expected),
        "hint": escaped(found.hint),
    }
