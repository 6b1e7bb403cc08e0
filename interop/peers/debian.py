"""Peers from Debian: packages that are installed here, and programs of later releases that lie beside them.

The second kind is only unpacked, into a folder of its own, by an apt that has its own sources and lists: the machine's
stay as they are.  All of a kind are got together, since the lists of packages take longer than the packages.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from interop.peers.base import CannotInstall, cache_folder, run

POLICY = Path("/usr/sbin/policy-rc.d")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclass(frozen=True)
class AptPeer:
    """A program of a Debian package: where it lies, if not on the path, and what else it takes."""

    name: str
    package: str
    program: str = ""
    others: tuple[str, ...] = ()
    """Packages that it is of no use without."""
    only_for_benchmarks: bool = False

    def available(self) -> str | None:
        if shutil.which(self.program or self.name) and all(map(installed_version, self.others)):
            return None
        return f"{self.name} is not installed: as root, python -m interop.peers install {self.name}"

    def binary(self) -> Path:
        return Path(shutil.which(self.program or self.name) or self.program or self.name)

    def version(self) -> str:
        return installed_version(self.package) or "unknown"

    def install(self) -> None:
        self.install_all([self])

    @staticmethod
    def install_all(peers: Sequence[AptPeer]) -> None:
        """Get all of these at once."""
        names = ", ".join(peer.name for peer in peers)
        packages = sorted({package for peer in peers for package in (peer.package, *peer.others)})
        if shutil.which("apt-get") is None:
            raise CannotInstall(f"{names}: from apt, which is not here")
        if os.geteuid() != 0:
            raise CannotInstall(
                f"{names}: from apt, which only root may run: sudo apt-get install {' '.join(packages)}"
            )
        run(["apt-get", "-qq", "update"])
        with nothing_starts():
            run(["apt-get", "-qq", "install", "--yes", "--no-install-recommends", *packages])


@dataclass(frozen=True)
class UnpackedPeer:
    """A program of a later release than the machine's.

    With `whole`, everything that it needs is unpacked with it, the C library and its loader included, and it runs by
    those; without, it lives on libraries that the machine has, for instance because `AptPeer` has an older version.
    """

    name: str
    package: str
    suite: str
    program: str
    whole: bool = False
    others: tuple[str, ...] = ()
    """Packages that it is of no use without, if it comes whole."""
    only_for_benchmarks: bool = False

    def available(self) -> str | None:
        if (self.folder() / "version").is_file():
            return None
        return f"{self.name} is not unpacked: python -m interop.peers install {self.name}"

    def folder(self) -> Path:
        return cache_folder() / f"{self.package}-{self.suite}"

    def binary(self) -> Path:
        return self.folder() / ("start" if self.whole else self.program)

    def beside(self, program: str) -> Path:
        """Another program of the same package, by its place in the package."""
        return self.folder() / program

    def version(self) -> str:
        return (self.folder() / "version").read_text()

    def install(self) -> None:
        self.install_all([self])

    @classmethod
    def install_all(cls, peers: Sequence[Self]) -> None:
        """Get all of these with one look at the lists of packages."""
        with tempfile.TemporaryDirectory(prefix="rotoro-apt-") as folder:
            settings = _own_apt(Path(folder), sorted({peer.suite for peer in peers}))
            run(["apt-get", "-qq", "update"], settings=settings)
            for peer in {peer.folder(): peer for peer in peers}.values():
                peer._unpack(Path(folder) / "archives", settings)

    def _unpack(self, archives: Path, settings: dict[str, str]) -> None:
        wanted = f"{self.package}/{self.suite}"
        if self.whole:
            only = ["--yes", "--download-only", "--no-install-recommends"]
            run(["apt-get", "-qq", *only, "install", wanted, *self.others], settings=settings)
        else:
            run(["apt-get", "-qq", "download", wanted], folder=archives, settings=settings)
        unpacked = self.folder().with_suffix(".new")
        shutil.rmtree(unpacked, ignore_errors=True)
        unpacked.mkdir(parents=True)
        version = ""
        for archive in archives.glob("*.deb"):
            run(["dpkg-deb", "--extract", archive, unpacked])
            if archive.name.startswith(f"{self.package}_"):
                version = archive.name.split("_")[1].replace("%3a", ":")
            archive.unlink()
        if self.whole:
            _write_start(unpacked, self.folder(), self.package, self.program)
        (unpacked / "version").write_text(version)
        shutil.rmtree(self.folder(), ignore_errors=True)
        unpacked.rename(self.folder())


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


def installed_version(package: str) -> str | None:
    """Which version of a package is installed here."""
    asked = ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}", package]
    try:
        state, _, version = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.partition(" ")
    except (OSError, subprocess.CalledProcessError):
        return None
    return version if state == "installed" else None


def _own_apt(folder: Path, suites: Sequence[str]) -> dict[str, str]:
    """The environment in which apt knows these suites only, and no package as installed."""
    if shutil.which("apt-get") is None:
        raise CannotInstall("packages of later releases come from apt, which is not here")
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    mirror = _mirror()
    (folder / "sources.list").write_text(
        "".join(f"deb [signed-by={KEYRING}] {mirror} {suite} main\n" for suite in suites)
    )
    places = {
        "Etc::sourcelist": "sources.list",
        "Etc::sourceparts": "none",
        "State::lists": "lists",
        "State::status": "status",
        "Cache": ".",
        "Cache::archives": "archives",
    }
    own = [f'Dir::{key} "{folder / name}";\n' for key, name in places.items()]
    # who downloads must be able to write here, and this folder is ours alone
    (folder / "apt.conf").write_text("".join([*own, 'APT::Sandbox::User "root";\n']))
    return {"APT_CONFIG": str(folder / "apt.conf")}


def _mirror() -> str:
    """Where this machine has its Debian from."""
    asked = ["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages", "Component: main"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    for line in told.splitlines():
        release, _, address = line.partition(" ")
        if "-" not in release and "debian" in address:
            return address
    raise CannotInstall("this machine's apt has no Debian mirror")


def _write_start(unpacked: Path, folder: Path, package: str, program: str) -> None:
    """The program by the loader and the libraries that came with it; the process stays the one that was started."""
    found = next(unpacked.glob("usr/lib/*/ld-linux-*.so.*"), None)
    if found is None:
        raise CannotInstall(f"{program} came without a C library")
    loader = folder / found.relative_to(unpacked)
    # some packages have libraries of their own in a folder with their name
    libraries = f"{loader.parent}:{loader.parent / package}"
    start = unpacked / "start"
    start.write_text(f'#!/bin/sh\nexec {loader} --library-path {libraries} {folder / program} "$@"\n')
    start.chmod(0o755)
