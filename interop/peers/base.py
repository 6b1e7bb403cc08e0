"""What a peer is: a program of others, from a package registry, that tests and benchmarks meet over loopback.

A peer says why it cannot be used (`available`), how to get it (`install`), and nothing about starting: that is a plain
function of its own module, since each takes something else.  Where the program comes from decides which kind of peer it
is: `debian` and `built`.  What is not installed on the machine itself is kept outside the checkout, in the folder of
the environment variable ROTORO_PEERS or in ~/.cache/rotoro-peers, and used again.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from twisted.trial.unittest import SkipTest, SynchronousTestCase


class CannotInstall(Exception):
    """Why this peer cannot be installed here."""


def cache_folder() -> Path:
    """Where peers are kept that are not installed on the machine."""
    return Path(os.environ.get("ROTORO_PEERS") or Path.home() / ".cache" / "rotoro-peers")


class Peer(Protocol):
    """A program of others: whether it is here, how to get it, and where it lies."""

    @property
    def name(self) -> str: ...

    @property
    def only_for_benchmarks(self) -> bool: ...

    def available(self) -> str | None:
        """None when the program is here, else the reason why not, with what to do about it."""

    def install(self) -> None:
        """Get it from its registry; raises `CannotInstall`."""

    def binary(self) -> Path:
        """The program itself; only to be asked when `available`."""

    def version(self) -> str:
        """The version that is here; only to be asked when `available`."""


def require(peer: Peer, case: SynchronousTestCase) -> None:
    """Go on only with that peer: without it a test is skipped on a user's machine and fails where CI is set."""
    reason = peer.available()
    if reason is None:
        return
    if os.environ.get("CI"):
        case.fail(reason)
    raise SkipTest(reason)


def run(command: Sequence[str | Path], folder: Path | None = None, settings: Mapping[str, str] | None = None) -> None:
    """Run a step of an installation, in view of whoever asked for it; raises `CannotInstall`."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", **(settings or {})}
    try:
        subprocess.run([str(word) for word in command], check=True, cwd=folder, env=environment)
    except (OSError, subprocess.CalledProcessError) as broken:
        raise CannotInstall(str(broken)) from broken
