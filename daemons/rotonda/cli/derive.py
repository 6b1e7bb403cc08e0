"""`python -m rotonda.cli.derive` writes the derived tables of `spec/blocks.md`; `--check` compares, and fails if one is
stale.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path

from rotonda.blocks.tables import filled

TEXT = Path(__file__).resolve().parents[3] / "spec" / "blocks.md"


def stale(path: Path) -> str:
    """How the text differs from what it has to say; "" if it does not."""
    there = path.read_text(encoding="utf-8")
    names = f"{path.name} as it is", f"{path.name} as derived"
    return "".join(difflib.unified_diff(there.splitlines(True), filled(there).splitlines(True), *names))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the derived tables; 1 if `--check` finds a stale one."""
    parser = argparse.ArgumentParser(prog="python -m rotonda.cli.derive", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 with a diff if one is stale")
    parser.add_argument("--text", type=Path, default=TEXT, help="the text of the language")
    options = parser.parse_args(arguments)
    if options.check:
        difference = stale(options.text)
        sys.stdout.write(difference)
        return 1 if difference else 0
    options.text.write_text(filled(options.text.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
