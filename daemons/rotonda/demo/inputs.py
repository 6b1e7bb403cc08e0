"""What the show is about: files that the user names, or a synthetic Internet made on the spot."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import DemoFailed
from .fetch import download, is_url
from .generator import write_table, write_vrps
from .screen import Screen


@dataclass(frozen=True, slots=True)
class Size:
    """The numbers of a synthetic Internet."""

    prefixes4: int
    prefixes6: int
    peers: int
    seed: int


@dataclass(frozen=True, slots=True)
class Inputs:
    """Files that are there, and which of them are synthetic."""

    tables: tuple[Path, ...]
    vrps: Path
    synthetic_table: bool
    synthetic_vrps: bool
    seconds: float

    @property
    def mixed(self) -> bool:
        """Whether routes and VRPs are of different worlds, so that verdicts mean nothing."""
        return self.synthetic_table != self.synthetic_vrps


def prepare(tables: Sequence[str], vrps: str | None, size: Size, folder: Path, screen: Screen) -> Inputs:
    """Make, fetch or find what is needed. Raises DemoFailed."""
    started = time.monotonic()
    for name in (*tables, *([vrps] if vrps else ())):
        if not is_url(name) and not Path(name).is_file():
            raise DemoFailed(f"there is no file {name}")
    found_tables = tuple(_found(name, folder, screen) for name in tables)
    found_vrps = _found(vrps, folder, screen) if vrps else None
    if not found_tables:
        found_tables = (_made_table(size, folder, screen),)
    if found_vrps is None:
        found_vrps = _made_vrps(size, folder, screen)
    return Inputs(found_tables, found_vrps, not tables, not vrps, time.monotonic() - started)


def _found(name: str, folder: Path, screen: Screen) -> Path:
    if not is_url(name):
        path = Path(name).resolve()
        screen.say(f"{path}: {_mega(path)}")
        return path
    path = download(name, folder, screen.progress)
    screen.say(f"{name}: fetched, {_mega(path)}")
    return path


def _made_table(size: Size, folder: Path, screen: Screen) -> Path:
    screen.say(
        f"SYNTHETIC table: {size.prefixes4:,} IPv4 and {size.prefixes6:,} IPv6 prefixes, as {size.peers} peers see them"
        f" (seed {size.seed})."
    )
    path = _written(write_table, folder / "table.mrt", size, screen)
    screen.say(f"{path}: {_mega(path)}")
    return path


def _made_vrps(size: Size, folder: Path, screen: Screen) -> Path:
    path = _written(write_vrps, folder / "vrps.json", size, screen)
    screen.say(f"{path}: {_mega(path)}, SYNTHETIC VRPs, ASPAs and router keys to go with it")
    return path


def _written(write: Callable[..., None], path: Path, size: Size, screen: Screen) -> Path:
    screen.progress(f"Writing {path} ...")
    try:
        write(path, prefixes4=size.prefixes4, prefixes6=size.prefixes6, peers=size.peers, seed=size.seed)
    except ValueError as wrong:
        raise DemoFailed(f"there is no such Internet: {wrong}") from None
    return path


def _mega(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:,.1f} MB"
