"""BIRD: `protocol rpki` into tables of ROAs and, in version 3, of ASPAs; it knows no router keys.

BIRD 2 opens with version 1, BIRD 3 with 2 where ASPAs are wanted.  Both go down to 0 on an Error 4, in a connection of
their own.  They are asked through their control socket, whose lines begin with a number or go on with a space.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path

from interop.peers.base import Peer
from interop.peers.clients import Client, ClientKind
from interop.peers.debian import AptPeer, UnpackedPeer
from interop.peers.processes import LOOPBACK, Daemon, PeerFailed
from interop.vrps import RpkiData

BIRD2 = AptPeer("bird2", "bird2", "/usr/sbin/bird")
BIRD3 = UnpackedPeer("bird3", "bird3", "trixie", "usr/sbin/bird", whole=True)

_CONFIGURATION = """\
log stderr all;
router id 192.0.2.1;
roa4 table r4;
roa6 table r6;
{table}
protocol device {{}}
protocol rpki cache {{
  roa4 {{ table r4; }};
  roa6 {{ table r6; }};
  {channel}
  remote {host} port {port};
  retry keep 1;
}}
"""
_ROA = re.compile(r"^(?:\d{4}-| ) *([0-9a-f.:]+/\d+)-(\d+) AS(\d+) ", re.MULTILINE)
_ASPA = re.compile(r"^(?:\d{4}-| ) *(\d+) +\[cache .*?aspa_providers:([ \d]*)", re.MULTILINE | re.DOTALL)
_END = re.compile(rb"^(?:0\d{3}|[89]\d{3}) ", re.MULTILINE)
_WELCOME = b"0001 "
_ASK_SECONDS = 5


class Bird(Client):
    """BIRD with one cache."""

    def __init__(self, daemon: Daemon, socket_file: Path, aspas: bool) -> None:
        super().__init__(daemon)
        self._socket = socket_file
        self._aspas = aspas

    def held(self) -> RpkiData:
        rows = _ROA.findall(self.ask("show route table r4") + self.ask("show route table r6"))
        vrps = RpkiData.from_rows((prefix, int(longest), int(asn)) for prefix, longest, asn in rows)
        told = _ASPA.findall(self.ask("show route table customers all")) if self._aspas else []
        aspas = {int(customer): tuple(map(int, providers.split())) for customer, providers in told}
        return RpkiData(vrps.vrps4, vrps.vrps6, aspas=aspas)

    def ask(self, command: str) -> str:
        """What it answers on its control socket."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(_ASK_SECONDS)
            control.connect(str(self._socket))
            control.sendall(f"{command}\n".encode())
            told = b""
            while not _END.search(told.partition(b"\n")[2] if told.startswith(_WELCOME) else told):
                more = control.recv(1 << 16)
                if not more:
                    raise PeerFailed(f"BIRD hung up on {command!r}")
                told += more
        return told.decode()


def start2(folder: Path, port: int) -> Client:
    """BIRD 2 with the cache on that port."""
    return _start(BIRD2, folder, port, "", "")


def start3(folder: Path, port: int) -> Client:
    """BIRD 3 with the cache on that port, ASPAs too."""
    return _start(
        BIRD3, folder, port, "aspa table customers;", "aspa { table customers; }; min version 0; max version 2;"
    )


def _start(peer: Peer, folder: Path, port: int, table: str, channel: str) -> Client:
    configuration, control = folder / f"{peer.name}.conf", folder / f"{peer.name}.ctl"
    configuration.write_text(_CONFIGURATION.format(host=LOOPBACK, port=port, table=table, channel=channel))
    control.unlink(missing_ok=True)
    files: list[str | Path] = ["-c", configuration, "-s", control, "-P", folder / f"{peer.name}.pid"]
    return Bird(Daemon(peer.name, [peer.binary(), "-f", *files], folder), control, bool(table))


KIND2 = ClientKind(BIRD2, start2, 1)
KIND3 = ClientKind(BIRD3, start3, 2, ("aspas",), resumes=False)
