"""Where tests find the data that others made, if this checkout has it beside it."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SkipTest

ROOT = Path(__file__).resolve().parent.parent
_BESIDE = ROOT.parent / "shared" / "data"
SHARED: Path | None = _BESIDE if _BESIDE.is_dir() else None


def shared(name: str) -> Path:
    """One file of the shared data; a checkout without it skips the test and says so."""
    if SHARED is None:
        raise SkipTest("the shared routing data does not lie beside this checkout")
    return SHARED / name
