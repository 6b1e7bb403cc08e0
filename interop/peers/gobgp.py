"""GoBGP: speaks version 0 only; keeps VRPs.  Its two major versions are two programs with the same configuration.

A cache that refuses its connection it leaves alone for 30 seconds; one that closes it is asked again at once.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from interop.peers.base import Peer
from interop.peers.built import GoPeer
from interop.peers.clients import Client, ClientKind
from interop.peers.debian import AptPeer
from interop.peers.processes import LOOPBACK, Daemon, PeerFailed, free_port
from interop.vrps import RpkiData

GOBGP3 = AptPeer("gobgp3", "gobgpd", "/usr/bin/gobgpd")
GOBGP4 = GoPeer("gobgp4", "4.8.0", "gobgpd", module="github.com/osrg/gobgp/v4/cmd", commands=("gobgpd", "gobgp"))

_CONFIGURATION = """\
[global.config]
  as = 65001
  router-id = "192.0.2.1"
  port = -1
[[rpki-servers]]
  [rpki-servers.config]
    address = "{host}"
    port = {port}
"""
_ROW = re.compile(r"^([0-9a-f.:]+/\d+) +(\d+) +(\d+) ", re.MULTILINE)
_ASK_SECONDS = 10


class Gobgp(Client):
    """gobgpd with one cache; `asked` is its command-line client, with the port to ask at."""

    def __init__(self, daemon: Daemon, asked: list[str]) -> None:
        super().__init__(daemon)
        self._asked = asked

    def held(self) -> RpkiData:
        rows = _ROW.findall(self.ask("table", "-a", "ipv4") + self.ask("table", "-a", "ipv6"))
        return RpkiData.from_rows((prefix, int(longest), int(asn)) for prefix, longest, asn in rows)

    def ask(self, *words: str) -> str:
        """What it answers about RPKI."""
        command = [*self._asked, "rpki", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_SECONDS, check=False)
        if done.returncode:
            raise PeerFailed(done.stderr.strip() or done.stdout.strip())
        return done.stdout


def start3(folder: Path, port: int) -> Client:
    """gobgpd 3 with the cache on that port."""
    return _start(GOBGP3, folder, port)


def start4(folder: Path, port: int) -> Client:
    """gobgpd 4 with the cache on that port."""
    return _start(GOBGP4, folder, port)


def _start(peer: Peer, folder: Path, port: int) -> Client:
    configuration, api = folder / "gobgp.toml", free_port()
    configuration.write_text(_CONFIGURATION.format(host=LOOPBACK, port=port))
    words = ["-f", str(configuration), "--api-hosts", f"{LOOPBACK}:{api}", "--pprof-disable"]
    daemon = Daemon(peer.name, [peer.binary(), *words], folder)
    return Gobgp(daemon, [str(peer.binary().with_name("gobgp")), "-p", str(api)])


_DEFECTS = {
    "connection lost, session goes on": "asks for everything when it comes back, and keeps what was withdrawn meanwhile"
}

KIND3 = ClientKind(GOBGP3, start3, 0, resumes=False, patience=45, defects=_DEFECTS)
KIND4 = ClientKind(GOBGP4, start4, 0, resumes=False, patience=45, defects=_DEFECTS)
