"""`rotonda COMMAND`: finds the module of the command, and nothing else."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

COMMANDS = {
    "check": "say everything that is wrong in files of the block language",
    "fmt": "lay out files of the block language",
    "explain": "ask running instances what their filters do with a route, and why",
    "graph": "draw which units are wired to which, as text or SVG",
}
"""Sub-commands, which are modules here, and what they are for."""
WRONG = 2
"""Exit status when something is wrong in a file or a command line; argparse has the same."""


def main(words: Sequence[str] | None = None) -> int:
    """Run a command; its exit status."""
    given = sys.argv[1:] if words is None else list(words)
    options = _parser(given).parse_args(given)
    run: Callable[[argparse.Namespace], int] = options.run
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rotonda", description="Works with files of the block language.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, about in COMMANDS.items():
        command = commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
        if name in given:
            module = import_module(f"rotonda.cli.{name}")
            module.arguments(command)
            command.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
