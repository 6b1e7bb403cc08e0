"""bgpkit-parser, as a program of a few lines of ours that reads messages of RIS Live and OpenBMP with it
(bgpkit_reader).
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from interop.peers.base import cache_folder, run
from interop.peers.built import BuiltPeer
from interop.peers.processes import PeerFailed

SOURCE = Path(__file__).resolve().parent / "bgpkit_reader"


@dataclass(frozen=True)
class OwnCargoPeer(BuiltPeer):
    """A program of ours around a library of others, in that version of it; built anew when the program changes.

    There is no lock file, which would name a registry: the newest libraries that fit must do.
    """

    tool = "cargo"

    def folder(self) -> Path:
        sources = b"".join(path.read_bytes() for path in _sources())
        return cache_folder() / f"{self.name}-{self.wanted}-{blake2b(sources, digest_size=4).hexdigest()}"

    def _build(self) -> None:
        with tempfile.TemporaryDirectory(prefix="rotoro-build-") as folder:
            for path in _sources():
                copy = Path(folder) / path.relative_to(SOURCE)
                copy.parent.mkdir(exist_ok=True)
                copy.write_bytes(path.read_bytes())
            run(["nice", "-n", "19", "cargo", "install", "--path", folder, "--root", self.folder()])


def _sources() -> list[Path]:
    return [SOURCE / "Cargo.toml", *sorted(SOURCE.glob("src/*.rs"))]


BGPKIT = OwnCargoPeer("bgpkit-reader", "0.23.0")


class Element(NamedTuple):
    """What the library made of one prefix of a message; a withdrawal has no next hop, no path and no communities."""

    timestamp: float
    announced: bool
    peer: str
    asn: int
    prefix: str
    next_hop: str
    path: str
    communities: tuple[str, ...]


def read(messages: Iterable[str], raw: bool = False, seconds: float = 60) -> list[Element]:
    """Read these messages (JSON, each one line); `raw`: not what their fields say but the BGP message in them.

    Raises `PeerFailed` for the first that the library refuses.
    """
    told = "".join(f"{message}\n" for message in messages).encode()
    return [_element(line) for line in _run(["--raw"] if raw else [], told, seconds)]


class FramedMessage(NamedTuple):
    """What the library made of one message of OpenBMP: fields of the header, and of the BMP message behind it."""

    version: str
    header_octets: int
    message_octets: int
    """As the header says ..."""
    octets: int
    """... and those that there are."""
    object_type: int
    timestamp: float
    collector: str
    router: str
    group: str
    kind: str
    """As the library calls it: InitiationMessage, PeerUpNotification, RouteMonitoring and so on."""
    peer: str
    """The address of the per-peer header, if there is one."""


def read_openbmp(messages: Iterable[bytes], seconds: float = 60) -> list[FramedMessage]:
    """Read these messages of OpenBMP. Raises `PeerFailed` for the first that the library refuses."""
    told = b"".join(len(message).to_bytes(4) + message for message in messages)
    return [_framed_message(line) for line in _run(["--openbmp"], told, seconds)]


def _run(options: list[str], told: bytes, seconds: float) -> list[str]:
    command = [str(BGPKIT.binary()), *options]
    done = subprocess.run(command, input=told, capture_output=True, timeout=seconds, check=False)
    if done.returncode != 0:
        raise PeerFailed(f"bgpkit-reader: {done.stderr.decode()[-1000:]}")
    return done.stdout.decode().splitlines()


def _framed_message(line: str) -> FramedMessage:
    version, header, message, octets, kind_of_object, time, *words = line.split("|")
    return FramedMessage(version, int(header), int(message), int(octets), int(kind_of_object), float(time), *words)


def _element(line: str) -> Element:
    time, kind, peer, asn, prefix, next_hop, path, communities = line.split("|")
    return Element(float(time), kind == "A", peer, int(asn), prefix, next_hop, path, tuple(communities.split()))
