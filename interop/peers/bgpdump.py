"""bgpdump: what an MRT file says, by the library that most tools of the last twenty years read MRT with."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from interop.peers.debian import AptPeer
from interop.peers.processes import PeerFailed

BGPDUMP = AptPeer("bgpdump", "bgpdump")


def records(file: Path) -> Iterator[list[str]]:
    """Each route as its words: kind, time, B/A/W, peer's address, peer's AS, prefix, AS path, origin, next hop, ..."""
    command = [str(BGPDUMP.binary()), "-m", "-v", str(file)]
    # what it says about the file goes to a file: a pipe that nobody empties would stop it
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            yield line.rstrip("\n").split("|")
        if process.wait():
            said.seek(0)
            raise PeerFailed(f"bgpdump ended with {process.returncode} on {file}: {said.read()[-1000:]}")
