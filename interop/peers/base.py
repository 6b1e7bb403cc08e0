"""What a peer is: a program of others, from a package registry, that tests and benchmarks meet over loopback.

A peer says why it cannot be used (`available`), how to get it (`install`), and nothing about starting: that is a plain
function of its own module, since each takes something else.  Built peers are kept outside the checkout, in the folder
of the environment variable ROTORO_PEERS or in ~/.cache/rotoro-peers, and used again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from twisted.trial.unittest import SkipTest, SynchronousTestCase

POLICY = Path("/usr/sbin/policy-rc.d")


class CannotInstall(Exception):
    """Why this peer cannot be installed here."""


def cache_folder() -> Path:
    """Where built peers are kept."""
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


@dataclass(frozen=True)
class AptPeer:
    """A program of a Debian package."""

    name: str
    package: str
    only_for_benchmarks: bool = False

    def available(self) -> str | None:
        if shutil.which(self.name):
            return None
        return f"{self.name} is not installed: as root, python -m interop.peers install {self.name}"

    def binary(self) -> Path:
        return Path(shutil.which(self.name) or self.name)

    def version(self) -> str:
        asked = ["dpkg-query", "--show", "--showformat=${Version}", self.package]
        try:
            return subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            return "unknown"

    def install(self) -> None:
        if shutil.which("apt-get") is None:
            raise CannotInstall(f"{self.name} comes from apt, which is not here")
        if os.geteuid() != 0:
            raise CannotInstall(
                f"{self.name} comes from apt, which only root may run: sudo apt-get install {self.package}"
            )
        _run(["apt-get", "update"])
        with nothing_starts():
            _run(["apt-get", "install", "--yes", "--no-install-recommends", self.package])


@dataclass(frozen=True)
class CargoPeer:
    """A program built by cargo, in a version of our choice, into a folder of its own."""

    name: str
    wanted: str
    only_for_benchmarks: bool = False

    def available(self) -> str | None:
        if self.binary().is_file():
            return None
        return f"{self.name} {self.wanted} is not built: python -m interop.peers install {self.name}"

    def folder(self) -> Path:
        return cache_folder() / f"{self.name}-{self.wanted}"

    def binary(self) -> Path:
        return self.folder() / "bin" / self.name

    def version(self) -> str:
        return self.wanted

    def install(self) -> None:
        if shutil.which("cargo") is None:
            raise CannotInstall(f"{self.name} is built with cargo, which is not here")
        _run(["cargo", "install", self.name, "--version", self.wanted, "--locked", "--root", str(self.folder())])


def require(peer: Peer, case: SynchronousTestCase) -> None:
    """Go on only with that peer: without it a test is skipped on a user's machine and fails where CI is set."""
    reason = peer.available()
    if reason is None:
        return
    if os.environ.get("CI"):
        case.fail(reason)
    raise SkipTest(reason)


@contextlib.contextmanager
def nothing_starts() -> Iterator[None]:
    """Within: no package may start a daemon, or it would listen on every address of the machine."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    except (OSError, subprocess.CalledProcessError) as broken:
        raise CannotInstall(str(broken)) from broken
