"""rtrclient of RTRlib: the client library that routers embed.  It opens with version 1, and can be told no other.

With `-e` it writes the VRPs it has once it is in step and ends; router keys it tells on its standard output.  Without,
it goes on and tells each change.  AS numbers above 2^31 it writes as negative ones.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TypeVar

from interop.peers.clients import Client, ClientKind
from interop.peers.debian import AptPeer
from interop.peers.processes import LOOPBACK, Daemon, PeerFailed
from interop.vrps import RouterKey, RpkiData

RTRCLIENT = AptPeer("rtrclient", "rtr-tools")

T = TypeVar("T")

_CHANGE = re.compile(r"^([+-]) ([0-9a-f.:]+) +(\d+) - +(\d+) +(-?\d+)$", re.MULTILINE)
_KEY_CHANGE = re.compile(
    r"^([+-]) HOST:.*\n(ASN: +\d+\s+SKI: +[0-9a-f:]+\s+SPKI: (?:[0-9a-f]{2}[:\s]*)+)", re.MULTILINE
)
_ROW = re.compile(r"^([0-9a-f.:]+), (\d+), (\d+), (-?\d+)$", re.MULTILINE)
_ROUTER_KEY = re.compile(r"^ASN: +(\d+)\s+SKI: +([0-9a-f:]+)\s+SPKI: ((?:[0-9a-f]{2}[:\s]*)+)", re.MULTILINE)


def fetch(folder: Path, port: int, seconds: float = 20) -> RpkiData:
    """What it learns from the cache on that port of loopback; raises `PeerFailed` with what it said."""
    table = folder / "rtrclient.csv"
    command = [str(RTRCLIENT.binary()), "-e", "-t", "csv", "-o", str(table), "tcp", "-k", LOOPBACK, str(port)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=True)
    except subprocess.TimeoutExpired as late:
        said = (late.stderr or b"").decode(errors="replace")
        raise PeerFailed(f"rtrclient is not in step after {seconds:g} s: {said[-1000:]}") from late
    except subprocess.CalledProcessError as broken:
        raise PeerFailed(f"rtrclient ended with {broken.returncode}: {broken.stderr[-1000:]}") from broken
    vrps = RpkiData.from_rows(
        (f"{address}/{length}", int(max_length), int(asn) % (1 << 32))
        for address, length, max_length, asn in _ROW.findall(table.read_text())
    )
    return RpkiData(vrps.vrps4, vrps.vrps6, frozenset(map(_router_key, _ROUTER_KEY.findall(done.stdout))))


class Rtrclient(Client):
    """rtrclient as it goes on: its changes, one after the other, make up what it holds."""

    def held(self) -> RpkiData:
        told = self.daemon.log.read_text(errors="replace")
        rows: set[tuple[str, int, int]] = set()
        for sign, address, length, longest, asn in _CHANGE.findall(told):
            _change(rows, sign, (f"{address}/{length}", int(longest), int(asn) % (1 << 32)))
        keys: set[RouterKey] = set()
        for sign, key in _KEY_CHANGE.findall(told):
            _change(keys, sign, *map(_router_key, _ROUTER_KEY.findall(key)))
        vrps = RpkiData.from_rows(rows)
        return RpkiData(vrps.vrps4, vrps.vrps6, frozenset(keys))


def start(folder: Path, port: int) -> Client:
    """rtrclient with the cache on that port; it tells each line when it has one."""
    return Rtrclient(
        Daemon("rtrclient", ["stdbuf", "-oL", RTRCLIENT.binary(), "-kp", "tcp", LOOPBACK, str(port)], folder)
    )


def _change(held: set[T], sign: str, record: T) -> None:
    """One announcement or withdrawal; each must change something."""
    if (record in held) == (sign == "+"):
        raise PeerFailed(f"rtrclient tells {sign} {record}, which changes nothing")
    (held.add if sign == "+" else held.remove)(record)


def _router_key(told: tuple[str, str, str]) -> RouterKey:
    asn, ski, spki = told
    return bytes.fromhex(ski.replace(":", "")), int(asn), bytes.fromhex(re.sub(r"[:\s]", "", spki))


KIND = ClientKind(RTRCLIENT, start, 1, ("router_keys",))
