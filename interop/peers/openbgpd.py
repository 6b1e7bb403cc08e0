"""OpenBGPD: 7.7 opens with version 1, 8.8 with 2 when told that it must be 2; it keeps VRPs, and ASPAs since 8.

It does not show the sets that it has, only how many prefixes and customers are in them, so that is what is compared: a
prefix with several ASes or max lengths counts once.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np

from interop.peers.base import Peer
from interop.peers.clients import Client, ClientKind
from interop.peers.debian import AptPeer, UnpackedPeer
from interop.peers.processes import LOOPBACK, Daemon, PeerFailed, free_port
from interop.vrps import Keys, RpkiData

OPENBGPD7 = AptPeer("openbgpd7", "openbgpd", "/usr/sbin/bgpd")
OPENBGPD8 = UnpackedPeer("openbgpd8", "openbgpd", "bookworm-backports", "usr/sbin/bgpd")

_CONFIGURATION = """\
AS 65001
router-id 192.0.2.1
fib-update no
socket "{folder}/{name}.sock"
listen on {host} port {bgp}
rtr {host} {{
  port {port}
  {versions}
}}
"""
_HOME = Path("/run/openbgpd")
"""Where it locks itself in; whoever boots with systemd has it."""
_SETS = re.compile(r"^(ROA|ASPA) .*?(\d+|-) +(\d+|-) +(\d+|-) +\S+$", re.MULTILINE)
_ASK_SECONDS = 5


class Openbgpd(Client):
    """bgpd with one cache."""

    def __init__(self, daemon: Daemon, asked: list[str]) -> None:
        super().__init__(daemon)
        self._asked = asked

    def differences(self, expected: RpkiData) -> list[str]:
        sets = {kind: counts for kind, *counts in _SETS.findall(self.ask("show", "sets"))}
        if "ROA" not in sets:
            raise PeerFailed("no ROA set")
        shown = {"IPv4 prefixes": sets["ROA"][0], "IPv6 prefixes": sets["ROA"][1]}
        wanted = {"IPv4 prefixes": _prefixes(expected.vrps4), "IPv6 prefixes": _prefixes(expected.vrps6)}
        if "ASPA" in sets:
            shown["customers"], wanted["customers"] = sets["ASPA"][2], len(expected.aspas)
        return [f"{shown[what]} {what}, not {wanted[what]}" for what in wanted if shown[what] != str(wanted[what])]

    def ask(self, *words: str) -> str:
        """What it answers to its control program."""
        command = [*self._asked, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_SECONDS, check=False)
        if done.returncode:
            raise PeerFailed(done.stderr.strip())
        return done.stdout


def start7(folder: Path, port: int) -> Client:
    """OpenBGPD 7 with the cache on that port."""
    return _start(OPENBGPD7, folder, port)


def start8(folder: Path, port: int) -> Client:
    """OpenBGPD 8 with the cache on that port, in version 1."""
    return _start(OPENBGPD8, folder, port)


def start8_aspa(folder: Path, port: int) -> Client:
    """OpenBGPD 8 with the cache on that port, in version 2 and no other."""
    return _start(OPENBGPD8, folder, port, "min-version 2")


def _start(peer: Peer, folder: Path, port: int, versions: str = "") -> Client:
    _HOME.mkdir(exist_ok=True)
    configuration = folder / f"{peer.name}.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            folder=folder, name=peer.name, host=LOOPBACK, bgp=free_port(), port=port, versions=versions
        )
    )
    configuration.chmod(0o600)  # it refuses one that others may read
    control = str(peer.binary().with_name("bgpctl"))
    daemon = Daemon(peer.name, [peer.binary(), "-d", "-v", "-f", configuration], folder)
    return Openbgpd(daemon, [control, "-s", str(folder / f"{peer.name}.sock")])


def _prefixes(keys: Keys) -> int:
    """How many different prefixes these VRPs have: address and length, without max length and AS number."""
    width = keys.dtype.itemsize
    octets = keys.view(np.uint8).reshape(-1, width)
    columns = [*range(width - 6), width - 5]
    return len(np.unique(octets[:, columns], axis=0))


# after a Cache Reset it waits for a timer of its own, of about 15 s, before it asks for everything
KIND7 = ClientKind(
    OPENBGPD7,
    start7,
    1,
    needs_root=True,
    counts_only=True,
    patience=30,
    defects={"downgrade to version 0": "answers Error 4 in version 0 with an Error 8, and asks in version 1 for ever"},
)
KIND8 = ClientKind(OPENBGPD8, start8, 1, needs_root=True, counts_only=True, patience=30)
KIND8_ASPA = ClientKind(
    OPENBGPD8, start8_aspa, 2, ("aspas",), called="openbgpd8, ASPA", needs_root=True, counts_only=True, patience=30
)
