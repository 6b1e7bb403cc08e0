"""Our router as users start it, and the port on which it finds the caches that cases play."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import numpy as np

from interop.conformance.case import demand
from interop.conformance.live import LiveLine
from interop.conformance.octets import IPV4, IPV6
from interop.conformance.serving import LOG, Taker, loads_again
from interop.conformance.subject import Records
from interop.peers import ours
from interop.peers.processes import LOOPBACK, free_port, wait_until
from interop.vrps import WIDTH, Keys


class _Accepted(LiveLine):
    """A TCP connection of a router."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._port = connection.getpeername()[1]
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class LiveRouter(Taker):
    """Our router in a process of its own; `stop` ends it. What it shows are its VRPs, over HTTP."""

    able = frozenset({LOG})
    timers = (3600, 1, 7200)
    patience = 10.0
    quiet = 0.2

    def __init__(self, folder: Path) -> None:
        self._listening = socket.create_server((LOOPBACK, 0))
        self._listening.settimeout(self.patience)
        self._http = free_port()
        self._lines: list[LiveLine] = []
        port = self._listening.getsockname()[1]
        self.daemon = ours.start_router(folder, self._http, [port], mode="rtr")
        loads_again(self)
        self.tidy()

    def stop(self) -> None:
        """End the process."""
        self.tidy()
        self._listening.close()
        self.daemon.stop()

    def connect(self) -> LiveLine:
        start = time.monotonic()
        try:
            connection, _ = self._listening.accept()
        except TimeoutError:
            demand(False, f"the router has not connected in {self.patience} s")
        self.waited = time.monotonic() - start
        self._lines.append(_Accepted(connection))
        return self._lines[-1]

    def shows(self, expected: Records) -> None:
        right = [_keys(expected, kind, family) for kind, family in ((IPV4, 4), (IPV6, 6))]
        found = wait_until(lambda: self._shows(right) or None, self.patience, 0.02)
        demand(found is not None, f"the router does not show {len(right[0])} and {len(right[1])} VRPs")

    def _shows(self, right: list[Keys]) -> bool:
        data = ours.router_data(self._http)
        shown = [right[0][:0], right[1][:0]] if data is None else [data.vrps4, data.vrps6]
        return all(np.array_equal(one, two) for one, two in zip(shown, right, strict=True))

    def log(self) -> list[str]:
        return self.daemon.lines()

    def tidy(self) -> None:
        for line in self._lines:
            line.close()
        self._lines.clear()


def _keys(records: Records, kind: int, family: int) -> Keys:
    """The records of a type as an export's keys: address, longest length, length, AS number."""
    found = [key[2:-4] + key[1:2] + key[:1] + key[-4:] for number, key in records if number == kind]
    return np.sort(np.array(found, f"S{WIDTH[family]}"))
