"""FRR's bgpd with its RPKI module, which has RTRlib inside: opens with version 1, keeps VRPs only.

It runs alone, without zebra and without a port for BGP, and is asked through vtysh.  FRR 10 is the one of a later
Debian; without zebra it loses a second now and then.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from interop.peers.base import Peer
from interop.peers.clients import Client, ClientKind
from interop.peers.debian import AptPeer, UnpackedPeer
from interop.peers.processes import LOOPBACK, Daemon, PeerFailed
from interop.vrps import RpkiData

FRR = AptPeer("frr", "frr", "/usr/lib/frr/bgpd", ("frr-rpki-rtrlib",))
FRR10 = UnpackedPeer("frr10", "frr", "trixie", "usr/lib/frr/bgpd", whole=True, others=("frr-rpki-rtrlib",))

_CONFIGURATION = """\
frr defaults traditional
rpki
 rpki polling_period 3600
 rpki retry_interval 1
 rpki cache {transport}{host} {port} preference 1
exit
router bgp 65001
 bgp router-id 192.0.2.1
"""
_ASK_SECONDS = 10


class Frr(Client):
    """bgpd with one cache."""

    def held(self) -> RpkiData:
        told = self.ask("show rpki prefix-table json")
        if '"prefixes"' not in told:  # FRR 8 complains in text, FRR 10 in JSON
            raise PeerFailed(told.strip())
        return RpkiData.from_rows(
            (f"{each['prefix']}/{each['prefixLenMin']}", each["prefixLenMax"], each["asn"])
            for each in json.loads(told)["prefixes"]
        )

    def ask(self, command: str) -> str:
        """What it answers to a command of its shell."""
        shell = [shutil.which("vtysh") or "vtysh", "--vty_socket", str(self.daemon.folder), "-c", command]
        done = subprocess.run(shell, capture_output=True, text=True, timeout=_ASK_SECONDS, check=False)
        return done.stdout or done.stderr


def start(folder: Path, port: int) -> Client:
    """FRR 8 with the cache on that port."""
    return _start(FRR, folder, port)


def start10(folder: Path, port: int) -> Client:
    """FRR 10 with the cache on that port."""
    modules = next(FRR10.folder().glob("usr/lib/*/frr/modules"), Path())
    return _start(FRR10, folder, port, "tcp ", ["--moduledir", modules])


def _start(peer: Peer, folder: Path, port: int, transport: str = "", options: Sequence[str | Path] = ()) -> Client:
    folder.chmod(0o777)  # it becomes the user frr and makes its sockets here
    configuration = folder / "frr.conf"
    configuration.write_text(_CONFIGURATION.format(transport=transport, host=LOOPBACK, port=port))
    alone = ["-S", "-Z", "-n", "-P", "0", "-p", "0", "-i", str(folder / "frr.pid"), "--vty_socket", str(folder)]
    logged = ["--log", "stdout", "--log-level", "debug"]
    words = [peer.binary(), *alone, *options, "-M", "rpki", "-f", configuration, *logged]
    return Frr(Daemon(peer.name, words, folder))


KIND = ClientKind(FRR, start, 1, needs_root=True)
KIND10 = ClientKind(FRR10, start10, 1, needs_root=True)
