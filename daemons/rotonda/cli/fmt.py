"""`rotonda fmt`: the canonical layout of files."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from rotonda.blocks.characters import escaped
from rotonda.blocks.format import CannotFormat, formatted
from rotonda.cli.files import STANDARD_INPUT, Unreadable, read, refuse, tell
from rotonda.cli.main import WRONG

OTHERWISE = 1
"""Exit status of `--check` if a file has another layout."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="a file, or - for standard input")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file has another layout")
    how.add_argument("--write", action="store_true", help="write the files themselves, not standard output")


def run(options: argparse.Namespace) -> int:
    """Lay out all files. 0 if that could be done, 2 if a file cannot be read or has mistakes."""
    return max(_one(name, options) for name in options.files)


def _one(name: str, options: argparse.Namespace) -> int:
    try:
        source = read(name)
        text = formatted(source)
    except Unreadable as wrong:
        refuse(str(wrong))
        return WRONG
    except CannotFormat as wrong:
        tell(source, wrong.diagnostics)
        return WRONG
    is_same = text == source.text
    if options.check:
        if not is_same:
            sys.stdout.write(f"{escaped(source.name)} has another layout\n")
        return 0 if is_same else OTHERWISE
    if not options.write or name == STANDARD_INPUT:
        sys.stdout.write(text)
        return 0
    return 0 if is_same else _written(name, text)


def _written(name: str, text: str) -> int:
    """The file is replaced as a whole: whoever reads it meanwhile has the one or the other."""
    target = Path(os.path.realpath(name))
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", newline="", dir=target.parent, prefix=f".{target.name[:100]}.", delete=False
        ) as file:
            try:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                shutil.copymode(target, file.name)
                os.replace(file.name, target)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as wrong:
        refuse(f"{escaped(name)}: {wrong.strerror or wrong}")
        return WRONG
    return 0
