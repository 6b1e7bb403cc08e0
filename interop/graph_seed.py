"""The example that the language was first described by, at work in a network of its own: run by `test_graphs_seed`.

    unshare --net python -m interop.graph_seed FOLDER

FOLDER has the file, and gets the logs. Two peers connect; one sends routes, and what the other one is sent, what the
RIBs hold and what the filters have done is written to standard output as JSON.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from interop.graphs import Running
from interop.peers.processes import wait_until
from interop.traffic.bgp import announcement, opening

OURS, FIRST, SECOND = "192.168.178.49", "192.168.178.50", "192.168.178.51"
PORT, HTTP = 178, 8080


class Peer:
    """A BGP speaker of a few lines, with a session."""

    def __init__(self, address: str, asn: int) -> None:
        self.heard = b""
        self._socket = socket.create_connection((OURS, PORT), 10, (address, 0))
        self._socket.settimeout(0.2)
        self._socket.sendall(opening(asn, address))

    def send(self, octets: bytes) -> None:
        """Send messages."""
        self._socket.sendall(octets)

    def hears(self, octets: bytes, seconds: float = 20) -> bool:
        """Whether these octets come within some seconds."""

        def came() -> bool | None:
            with contextlib.suppress(TimeoutError):
                self.heard += self._socket.recv(1 << 16)
            return True if octets in self.heard else None

        return bool(wait_until(came, seconds))


def story(folder: Path) -> dict[str, Any]:
    """Start the daemon, and see what becomes of some routes."""
    addresses = (["addr", "add", f"{own}/32", "dev", "lo"] for own in (OURS, FIRST, SECOND))
    for words in (["link", "set", "lo", "up"], *addresses):
        subprocess.run(["ip", *words], check=True)
    running = Running(folder / "app.blocks", "rotonda-1", folder, HTTP)
    try:
        running.daemon.expect_port(PORT)
        first, second = Peer(FIRST, 64497), Peer(SECOND, 64498)
        first.send(announcement((64497, 65010, 64500), ["198.51.100.0/24"]))
        first.send(announcement((64497, 64501), ["203.0.113.0/24", "192.0.2.128/25"]))
        sent_on = second.hears(bytes((24, 198, 51, 100)))
        tables = {
            name: running.get(f"/api/v1/ribs/{name}/routes")["routes"]
            for name in ("bgp-1", "rib-in", "rib-loc", "rib-out", "rib-mon")
        }
        return {
            "tables": tables,
            "sent_on": sent_on,
            "sent_back": first.hears(bytes((24, 198, 51, 100)), 1),
            "filters": running.get("/api/v1/filters"),
            "explained": running.get("/api/v1/explain?prefix=198.51.100.0/24"),
            "log": running.daemon.lines(),
        }
    finally:
        running.daemon.stop()


if __name__ == "__main__":
    json.dump(story(Path(sys.argv[1])), sys.stdout)
