"""routinator: a validator that is also a cache of RTR, RTR over TLS and HTTP.

Here it has no trust anchor: all its data comes from a file of local exceptions (RFC 8416), which it reads again every
few seconds.  That way it knows VRPs and router keys; of ASPAs in such a file it takes no note.  Its refresh timer
counts down to its next look at the file and may be 0.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

from interop.peers.built import CargoPeer
from interop.peers.processes import LOOPBACK, Daemon
from interop.vrps import RpkiData

# the libraries that its authors had are not in every registry any more
ROUTINATOR = CargoPeer("routinator", "0.15.3", locked=False)

REFRESH_SECONDS = 1


def start(
    folder: Path,
    exceptions: Path,
    port: int,
    secure: int = 0,
    issued: tuple[Path, Path] | None = None,
    refresh: int = REFRESH_SECONDS,
) -> Daemon:
    """Serve what that file adds on a port and, with a certificate and its key, on another with TLS."""
    configuration, tals = folder / "routinator.conf", folder / "tals"
    (folder / "repository").mkdir(exist_ok=True)
    tals.mkdir(exist_ok=True)
    configuration.write_text(f'repository-dir = "{folder / "repository"}"\n')
    nothing = ["--no-rir-tals", "--extra-tals-dir", str(tals), "--disable-rsync", "--disable-rrdp"]
    known = ["--exceptions", str(exceptions), "--enable-bgpsec", "--enable-aspa"]
    often = ["--refresh", str(refresh), "--min-refresh", str(refresh)]
    serving = ["--rtr", f"{LOOPBACK}:{port}"]
    if issued is not None:
        certificate, key = issued
        serving += ["--rtr-tls", f"{LOOPBACK}:{secure}", "--rtr-tls-cert", str(certificate), "--rtr-tls-key", str(key)]
    command: list[str | Path] = [ROUTINATOR.binary(), "-v", "-c", configuration, *nothing, *known, "server"]
    return Daemon(f"routinator-{port}", [*command, *often, *serving], folder)


def write_exceptions(data: RpkiData, path: Path) -> None:
    """The VRPs and router keys as local exceptions; put in place at once, since the file may be read at any moment."""
    vrps = [{"asn": asn, "prefix": prefix, "maxPrefixLength": max_length} for prefix, max_length, asn in data.rows()]
    keys = [
        {"asn": asn, "SKI": _text(ski), "routerPublicKey": _text(spki)} for ski, asn, spki in sorted(data.router_keys)
    ]
    told = {
        "slurmVersion": 1,
        "validationOutputFilters": {"prefixFilters": [], "bgpsecFilters": []},
        "locallyAddedAssertions": {"prefixAssertions": vrps, "bgpsecAssertions": keys},
    }
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(told))
    beside.rename(path)


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")
