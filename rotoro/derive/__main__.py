"""`python -m rotoro.derive` writes all that is derived into `spec`; `--check` compares, and fails if one is stale."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path

from rotoro.derive import diagrams, spec_text, vectors, wireshark
from rotoro.session import cache, follower, peer, router

MACHINES: dict[str, diagrams.Transitions] = {
    "RTR: the router": router.TRANSITIONS,
    "RTR: the cache": cache.TRANSITIONS,
    "Rotoro: the peer that serves": peer.TRANSITIONS,
    "Rotoro: the peer that follows": follower.TRANSITIONS,
}
"""The transition tables that `spec/sessions.md` draws, by their titles."""

SPEC = Path(__file__).resolve().parents[2] / "spec"


def derived(spec: Path) -> dict[Path, str]:
    """Every derived file and what has to stand in it."""
    files = {
        "pdus.md": spec_text.chapter(),
        "sessions.md": diagrams.chapter(MACHINES),
        "vectors/rotoro.json": vectors.written(spec / "vectors" / "rtr.json"),
        "rotoro.lua": wireshark.dissector(),
    }
    return {spec / name: text for name, text in files.items()}


def stale(spec: Path) -> dict[Path, str]:
    """Every derived file that does not say what it has to, and the difference."""
    found: dict[Path, str] = {}
    for path, text in derived(spec).items():
        there = path.read_text(encoding="utf-8") if path.exists() else ""
        if there != text:
            lines = difflib.unified_diff(
                there.splitlines(True), text.splitlines(True), f"{path.name} as it is", f"{path.name} as derived"
            )
            found[path] = "".join(lines)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the derived files; 1 if `--check` finds a stale one."""
    parser = argparse.ArgumentParser(prog="python -m rotoro.derive", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 with a diff if one is stale")
    parser.add_argument("--spec", type=Path, default=SPEC, help="the folder of the specification")
    options = parser.parse_args(arguments)
    if options.check:
        differences = stale(options.spec)
        sys.stdout.writelines(differences.values())
        return 1 if differences else 0
    for path, text in derived(options.spec).items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
