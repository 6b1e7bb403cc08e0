"""Whether files have changed, told by looking at them: that works on every file system and needs no reactor support."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

Seen = tuple[tuple[int, int, int] | None, ...]
"""Of each file what is different once it was written or replaced: inode, octets, nanoseconds; None if there is none."""


def look_at(paths: Iterable[Path]) -> Seen:
    """How these files lie there now."""
    return tuple(map(_seen, paths))


def _seen(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
