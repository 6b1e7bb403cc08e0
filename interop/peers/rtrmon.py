"""rtrdump and rtrmon of StayRTR: what a cache says as JSON, once, or as it changes.

Both ask in a version of their own choice, 2 unless told otherwise, and give up when it is refused.  They read ASPAs
only in the layout of an old draft.  rtrmon compares two sources: with one that is empty, the difference is everything.
It goes on asking in version 1 and hears of changes by asking.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from interop.peers.clients import Client, ClientKind
from interop.peers.debian import AptPeer, UnpackedPeer
from interop.peers.processes import LOOPBACK, Daemon, PeerFailed, free_port
from interop.vrps import RouterKey, RpkiData

RTRDUMP = AptPeer("rtrdump", "stayrtr")
RTRDUMP_06 = UnpackedPeer("rtrdump-0.6", "stayrtr", "bookworm-backports", "usr/bin/rtrdump")
RTRMON = AptPeer("rtrmon", "stayrtr")

_ASK_SECONDS = 5


def dump(
    folder: Path,
    port: int,
    version: int,
    peer: AptPeer | UnpackedPeer = RTRDUMP,
    seconds: float = 10,
    authority: Path | None = None,
) -> RpkiData:
    """What rtrdump gets from the cache on that port in that version; raises `PeerFailed` with what it said.

    With an authority it speaks TLS, and trusts that authority alone.
    """
    file = folder / "rtrdump.json"
    words = ["-connect", f"{LOOPBACK}:{port}", "-rtr.version", str(version), "-file", str(file), "-loglevel", "error"]
    environment = None
    if authority is not None:
        words += ["-type", "tls"]
        # where programs in Go look for those whom the system believes
        environment = {**os.environ, "SSL_CERT_FILE": str(authority), "SSL_CERT_DIR": str(folder)}
    try:
        command = [str(peer.binary()), *words]
        subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=True, env=environment)
    except subprocess.TimeoutExpired as late:
        raise PeerFailed(f"{peer.name} has not ended after {seconds:g} s") from late
    except subprocess.CalledProcessError as broken:
        raise PeerFailed(f"{peer.name} ended with {broken.returncode}: {broken.stderr[-500:].strip()}") from broken
    told: dict[str, Any] = json.loads(file.read_text())
    vrps = RpkiData.from_rows((roa["prefix"], roa["maxLength"], roa["asn"]) for roa in told["roas"])
    return RpkiData(vrps.vrps4, vrps.vrps6, frozenset(map(_router_key, told.get("bgpsec_keys") or ())))


class Rtrmon(Client):
    """rtrmon with one cache, which it asks every second, and with nothing to compare it with."""

    def __init__(self, daemon: Daemon, http: int) -> None:
        super().__init__(daemon)
        self._http = http

    def held(self) -> RpkiData:
        with urlopen(f"http://{LOOPBACK}:{self._http}/diff.json", timeout=_ASK_SECONDS) as answer:
            told: list[dict[str, Any]] = json.load(answer)["only-primary"] or []
        there = [each for each in told if each["visible"]]
        vrps = RpkiData.from_rows(
            (each["prefix"], each["max-length"], each["asn"]) for each in there if "bgpsec" not in each
        )
        keys = frozenset(_router_key(each["bgpsec"]) for each in there if "bgpsec" in each)
        return RpkiData(vrps.vrps4, vrps.vrps6, keys)


def start(folder: Path, port: int) -> Client:
    """rtrmon with the cache on that port."""
    nothing, http = folder / "nothing.json", free_port()
    nothing.write_text('{"roas": []}')
    sources = ["-primary.host", f"tcp://{LOOPBACK}:{port}", "-secondary.host", str(nothing)]
    often = ["-primary.refresh", "1s", "-secondary.refresh", "1s", "-grace.period", "1s"]
    daemon = Daemon("rtrmon", [RTRMON.binary(), *sources, *often, "-addr", f"{LOOPBACK}:{http}"], folder)
    return Rtrmon(daemon, http)


def _router_key(told: dict[str, Any]) -> RouterKey:
    return bytes.fromhex(told["ski"]), int(told["asn"]), base64.b64decode(told["pubkey"])


_ENDS = "ends when its cache closes the connection"

KIND = ClientKind(
    RTRMON,
    start,
    1,
    ("router_keys",),
    defects={
        "connection lost, session goes on": _ENDS,
        "session change": _ENDS,
        "RIB: restart": _ENDS,
        "downgrade to version 0": "takes note of the lower version, and asks in version 1 for ever",
    },
)
