"""StayRTR: an RTR cache from a JSON file; versions 0 and 1, and 2 with the ASPA layout of an old draft.

Asked in a version above the one it is given, it answers in its own at once.  An unknown version gets an Error Report in
version 0 and the connection is closed.
"""

from __future__ import annotations

from pathlib import Path

from interop.peers.debian import AptPeer, UnpackedPeer
from interop.peers.processes import LOOPBACK, Daemon

STAYRTR = AptPeer("stayrtr", "stayrtr")
STAYRTR_06 = UnpackedPeer("stayrtr-0.6", "stayrtr", "bookworm-backports", "usr/bin/stayrtr")


def start(
    folder: Path,
    vrps: Path,
    port: int,
    version: int = 1,
    peer: AptPeer | UnpackedPeer = STAYRTR,
    refresh: int = 86400,
    retry: int = 600,
) -> Daemon:
    """Serve that file; it listens when the file is read. By itself it looks at the file again only after a day."""
    words = [*_words(vrps, port, version, refresh), "-rtr.retry", str(retry)]
    return Daemon(f"stayrtr-{port}", [peer.binary(), *words], folder)


def start_tls(
    folder: Path, vrps: Path, port: int, secure: int, issued: tuple[Path, Path], peer: AptPeer | UnpackedPeer = STAYRTR
) -> Daemon:
    """The same in version 1, on another port with TLS, too, by a certificate and its key."""
    certificate, key = issued
    words = ["-tls.bind", f"{LOOPBACK}:{secure}", "-tls.cert", str(certificate), "-tls.key", str(key)]
    return Daemon(f"stayrtr-{port}", [peer.binary(), *_words(vrps, port, 1, 86400), *words], folder)


def _words(vrps: Path, port: int, version: int, refresh: int) -> list[str]:
    listening = ["-bind", f"{LOOPBACK}:{port}", "-metrics.addr", "", "-protocol", str(version)]
    return [*listening, "-cache", str(vrps), "-refresh", str(refresh), "-checktime=false", "-loglevel", "info"]
