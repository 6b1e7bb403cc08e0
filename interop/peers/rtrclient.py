"""rtrclient of RTRlib: the client library that routers embed.  It opens with version 1, and can be told no other.

With `-e` it writes the VRPs it has once it is in step and ends; router keys it tells on its standard output.
AS numbers above 2^31 it writes as negative ones.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from interop.peers.base import AptPeer
from interop.peers.processes import LOOPBACK, PeerFailed
from interop.vrps import RouterKey, RpkiData

RTRCLIENT = AptPeer("rtrclient", "rtr-tools")

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


def _router_key(told: tuple[str, str, str]) -> RouterKey:
    asn, ski, spki = told
    return bytes.fromhex(ski.replace(":", "")), int(asn), bytes.fromhex(re.sub(r"[:\s]", "", spki))
