"""StayRTR: an RTR cache from a JSON file; versions 0 and 1, and 2 with the ASPA layout of an old draft.

Asked in a version above the one it is given, it answers in its own at once.  An unknown version gets an Error Report in
version 0 and the connection is closed.
"""

from __future__ import annotations

from pathlib import Path

from interop.peers.base import AptPeer
from interop.peers.processes import LOOPBACK, Daemon

STAYRTR = AptPeer("stayrtr", "stayrtr")


def start(folder: Path, vrps: Path, port: int, version: int = 1) -> Daemon:
    """Serve that file once; it listens when the file is read.  A day passes before it looks at the file again."""
    listening = ["-bind", f"{LOOPBACK}:{port}", "-metrics.addr", "", "-protocol", str(version)]
    reading = ["-cache", str(vrps), "-refresh", "86400", "-checktime=false", "-loglevel", "info"]
    return Daemon(f"stayrtr-{port}", [STAYRTR.binary(), *listening, *reading], folder)
