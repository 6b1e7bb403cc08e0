"""Peers that are built from a registry of sources, in a version of our choice, each into a folder of its own."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from interop.peers.base import CannotInstall, cache_folder, run


@dataclass(frozen=True)
class BuiltPeer:
    """What both kinds have: `program`, if that is not the name, in version `wanted` lies in PROGRAM-WANTED/bin."""

    name: str
    wanted: str
    program: str = ""
    only_for_benchmarks: bool = False

    tool = ""
    """What builds it."""

    def available(self) -> str | None:
        if self.binary().is_file():
            return None
        return f"{self.name} {self.wanted} is not built: python -m interop.peers install {self.name}"

    def folder(self) -> Path:
        return cache_folder() / f"{self.program or self.name}-{self.wanted}"

    def binary(self) -> Path:
        return self.folder() / "bin" / (self.program or self.name)

    def version(self) -> str:
        return self.wanted

    def install(self) -> None:
        if shutil.which(self.tool) is None:
            raise CannotInstall(f"{self.name} is built with {self.tool}, which is not here")
        self._build()

    def _build(self) -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class CargoPeer(BuiltPeer):
    """A program built by cargo; `locked` with exactly the libraries that its authors tried it with.

    Not all registries have all of those for ever, so that for some programs the newest that fit must do.
    """

    locked: bool = True

    tool = "cargo"

    def _build(self) -> None:
        options = ["--locked"] if self.locked else []
        name = self.program or self.name
        run(["cargo", "install", name, "--version", self.wanted, *options, "--root", self.folder()])


@dataclass(frozen=True)
class GoPeer(BuiltPeer):
    """Programs built by Go: some commands of one module."""

    module: str = ""
    commands: tuple[str, ...] = ()

    tool = "go"

    def _build(self) -> None:
        commands = [f"{self.module}/{command}@v{self.wanted}" for command in self.commands]
        run(["go", "install", *commands], settings={"GOBIN": str(self.folder() / "bin")})
