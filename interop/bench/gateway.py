"""What it costs to show a full table to other programs: its snapshot, changes, and RIS Live, for one and many clients.

    python -m interop.bench.gateway --routes 1000000 --clients 4 --followers 50

One process has the table and the gateway, another one all clients, which read octets and understand next to nothing of
them. CPU seconds are those of the gateway's thread. A turn is the time between two looks of the reactor at its sockets:
the longest one, in its thread's CPU and by the clock, which also counts what else the machine did meanwhile. A commit
is not part of it, but what the gateway does within the commit is measured by itself.
"""

from __future__ import annotations

import argparse
import json
import selectors
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rotonda.gateway.messages import place_text
from rotonda.gateway.table_stream import Table
from rotonda.gateway.words import Words
from rotonda.http.gateway import Gateway
from rotonda.http.site import api_site
from rotonda.rib.display import display
from rotonda.rib.ingresses import IngressRegistry
from rotonda.services.steady import steady
from twisted.internet import reactor as installed
from twisted.internet.stdio import StandardIO
from twisted.protocols.basic import LineOnlyReceiver

from interop.bench import filters, report
from interop.bench.mrt import NoTable, full_table
from interop.peers.ours import ENVIRONMENT
from interop.peers.processes import LOOPBACK, Daemon, PeerFailed, free_port, terminated_like_interrupted
from rotoro.table import Change, Diff, History, Ingress, Records, Snapshot

reactor: Any = installed
UNIT = "rib"
SILENCE = 2.0
"""Who hears nothing for so many seconds has everything."""
PATIENCE = 300.0
TAIL = 64
SOCKET = (
    "GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
EVENTS = "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"
FORMS = {"WebSocket": ("ws", SOCKET), "SSE": ("stream", EVENTS)}
RIS = "/v1/stream?format=json&subscribe={}"


# --- the gateway ------------------------------------------------------------------------------------------------------


class Poller:
    """Looks at sockets for the reactor, and keeps how long the reactor was away at most."""

    def __init__(self, own: Any) -> None:
        self._own = own
        self.begin()

    def begin(self) -> None:
        """Start anew."""
        self.cpu = self.wall = 0.0
        self.pause()

    def pause(self) -> None:
        """What came before does not count."""
        self._since = time.thread_time(), time.perf_counter()

    def poll(self, *words: Any) -> Any:
        """One look."""
        self.cpu = max(self.cpu, time.thread_time() - self._since[0])
        self.wall = max(self.wall, time.perf_counter() - self._since[1])
        found = self._own.poll(*words)
        self.pause()
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)


class TimedHistory(History):
    """Measures what its listeners take."""

    listening = 0.0

    def subscribe(self, listener: Callable[[Diff], None]) -> Callable[[], None]:
        """The same, by the thread's CPU."""

        def timed(diff: Diff) -> None:
            begun = time.thread_time()
            listener(diff)
            self.listening = max(self.listening, time.thread_time() - begun)

        return super().subscribe(timed)


class Units:
    """One RIB."""

    def __init__(self, history: History) -> None:
        self.ingresses = IngressRegistry()
        self._history = history
        self._table = Table(UNIT, UNIT, "Route", history, Words(display))

    def names(self) -> Collection[str]:
        """It."""
        return [UNIT]

    def tables(self, name: str) -> Mapping[str, Table]:
        """Its routes."""
        return {UNIT: self._table}

    def histories(self) -> Mapping[str, History]:
        """The same."""
        return {UNIT: self._history}

    def defaults(self) -> Collection[str]:
        """It."""
        return [UNIT]

    def host_of(self, ingress: Ingress) -> str | None:
        """It."""
        return UNIT


class Orders(LineOnlyReceiver):
    """Does what it is told, and says what was measured."""

    delimiter = b"\n"

    def __init__(self, history: TimedHistory) -> None:
        self._history = history
        reactor._poller = self._poller = Poller(reactor._poller)
        self._cpu = 0.0
        self._diff: Diff | None = None

    def lineReceived(self, line: bytes) -> None:
        """One order."""
        words = line.decode().split()
        if words[0] == "begin":
            self._history.listening, self._cpu = 0.0, time.thread_time()
            self._poller.begin()
        elif words[0] == "prepare":
            self._diff = changed(self._history.snapshot, float(words[1]))
        elif words[0] == "change":
            assert self._diff is not None
            self._history.commit_diff(self._diff)
            self._poller.pause()
            self._cpu = time.thread_time() - self._history.listening
        else:
            own, told = self._poller, time.thread_time() - self._cpu
            print("measured", json.dumps([told, own.cpu, own.wall, self._history.listening]), flush=True)
            return
        print(place_text(self._history.position), flush=True)
        self._poller.pause()


def changed(snapshot: Snapshot, share: float) -> Diff:
    """This share of each slot's routes, evenly spread: each gets the attribute set of another one."""
    changes = {}
    for slot, records in snapshot.items():
        rows = np.arange(0, len(records), max(1, round(1 / share)))
        before = records.take(rows)
        assert before.values is not None
        other = np.roll(before.values, 1)
        differ = other != before.values
        before = before.take(differ)
        changes[slot] = Change(before, Records(before.keys, other[differ], before.times))
    return Diff.of(changes)


def serve(file: Path, port: int) -> None:
    """Be the gateway."""
    steady(reactor)  # as our daemons are
    history = TimedHistory(1)
    history.commit(filters.table(file))
    gateway = Gateway(reactor, Units(history), time.time)
    reactor.listenTCP(port, api_site(gateway.routes()), interface=LOOPBACK, backlog=200)
    StandardIO(Orders(history))
    print("ready", flush=True)
    reactor.run()


# --- the clients ------------------------------------------------------------------------------------------------------


class Told(NamedTuple):
    """What clients were told: seconds until the last octet, octets in all, messages of RIS Live of each."""

    seconds: float
    octets: int
    messages: int


class Clients:
    """Connections that ask for the same."""

    def __init__(self, port: int, request: str, count: int) -> None:
        self._sockets = [socket.create_connection((LOOPBACK, port)) for _ in range(count)]
        self._request = request
        self._selector = selectors.DefaultSelector()
        for number, each in enumerate(self._sockets):
            each.setblocking(False)
            self._selector.register(each, selectors.EVENT_READ, number)

    def ask(self) -> None:
        """Send the request."""
        for each in self._sockets:
            each.sendall(self._request.encode())

    def read(self, since: float, last: bytes = b"", counted: bytes = b"") -> Told:
        """Read until nothing comes; each ends with `last`, and has as many of what is `counted` as the others."""
        buffer, octets, heard = bytearray(1 << 20), 0, since
        tails, counts = [b""] * len(self._sockets), [0] * len(self._sockets)
        while time.perf_counter() < heard + SILENCE or not octets:
            if time.perf_counter() > since + PATIENCE:
                raise PeerFailed("the gateway does not come to an end")
            for key, _ in self._selector.select(0.2):
                got = self._sockets[key.data].recv_into(buffer)
                if not got:
                    raise PeerFailed("the gateway has closed a connection")
                octets, heard = octets + got, time.perf_counter()
                if counted:
                    text = tails[key.data][1 - len(counted) :] + buffer[:got]
                    counts[key.data] += text.count(counted)
                tails[key.data] = (tails[key.data] + bytes(buffer[max(0, got - TAIL) : got]))[-TAIL:]
        if not all(last in tail for tail in tails) or len(set(counts)) != 1:
            raise PeerFailed(f"clients have not all of it: {counts[:3]} {tails[0]!r}")
        return Told(heard - since, octets, counts[0])

    def close(self) -> None:
        """They go."""
        for each in self._sockets:
            each.close()
        self._selector.close()


class Server:
    """The gateway's process."""

    def __init__(self, folder: Path, file: Path) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", __spec__.name, "--serve", str(self.port), "--mrt", str(file)]
        self.daemon = Daemon("gateway", command, folder, ENVIRONMENT, commanded=True)
        self.daemon.expect_line("ready", 120)

    def order(self, order: str) -> str:
        """Have this done, and wait until it is; returns what was said: where the table stands, or what was measured."""
        before = len(self.daemon.lines())
        self.daemon.tell(order)
        return self.daemon.expect(lambda: next(iter(self.daemon.lines()[before:]), None), order, 120)

    def measured(self, what: str, count: int, told: Told) -> list[str]:
        """A row of the report."""
        cpu, turn_cpu, turn_wall, listening = json.loads(self.order("report").removeprefix("measured "))
        rate = f"{told.messages * count / told.seconds:,.0f}" if told.messages else ""
        row = [what, str(count), report.seconds(told.seconds), report.seconds(cpu), f"{told.octets / 1e6:.0f}", rate]
        return [*row, f"{1e3 * turn_cpu:.1f}", f"{1e3 * turn_wall:.1f}", f"{1e3 * listening:.2f}"]


def snapshot_and_change(server: Server, form: str, count: int, share: float) -> list[list[str]]:
    """The table for so many clients, then a change of it."""
    which, request = FORMS[form]
    clients = Clients(server.port, request.format(path=f"/api/v1/units/{UNIT}/{which}"), count)
    try:
        server.order("begin")
        since = time.perf_counter()
        clients.ask()
        rows = [server.measured(f"snapshot, {form}", count, clients.read(since, b'"records":'))]
        server.order(f"prepare {share}")
        rows.append(told_of_change(server, clients, f"change of {share:.0%}, {form}", count, b'"last":true}'))
    finally:
        clients.close()
    return rows


def change(server: Server, count: int, share: float) -> list[str]:
    """A change for so many clients who have the table already."""
    which, request = FORMS["WebSocket"]
    place = server.order("begin")
    clients = Clients(server.port, request.format(path=f"/api/v1/units/{UNIT}/{which}?since={place}"), count)
    try:
        clients.ask()
        server.order(f"prepare {share}")
        return told_of_change(server, clients, f"change of {share:.0%}, WebSocket", count, b'"last":true}')
    finally:
        clients.close()


def ris_live(server: Server, count: int, share: float) -> list[str]:
    """The same as RIS Live tells it."""
    clients = Clients(server.port, EVENTS.format(path=RIS), count)
    try:
        clients.ask()
        server.order(f"prepare {share}")
        return told_of_change(server, clients, f"change of {share:.0%}, RIS Live", count, b"", b'"ris_message"')
    finally:
        clients.close()


def told_of_change(
    server: Server, clients: Clients, what: str, count: int, last: bytes, counted: bytes = b""
) -> list[str]:
    """Change the table; a row of the report."""
    server.order("begin")
    since = time.perf_counter()
    server.order("change")
    return server.measured(what, count, clients.read(since, last, counted))


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print markdown."""
    options = _parser().parse_args(words)
    if options.serve:
        serve(options.mrt, options.serve)
        return 0
    try:
        file = options.mrt or full_table(options.routes).file
    except NoTable as missing:
        print(missing, file=sys.stderr)
        return 1
    rows: list[list[str]] = []
    with terminated_like_interrupted(), tempfile.TemporaryDirectory(prefix="rotoro-bench-") as folder:
        server = Server(Path(folder), file)
        with server.daemon:
            for form in FORMS:
                for count in (1, options.clients):
                    rows += snapshot_and_change(server, form, count, 0.01)
            rows.append(change(server, options.followers, 0.01))
            rows += [ris_live(server, count, 0.05) for count in (1, options.followers)]
    header = ["", "clients", "seconds", "CPU s", "MB", "messages/s", "turn, CPU ms", "turn, ms", "in the commit, ms"]
    print(f"A table of {options.routes:,} routes. {report.machine()}.\n\n{report.table(header, rows)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m interop.bench.gateway", description=__doc__)
    parser.add_argument("--routes", type=int, default=1_000_000, help="of a made-up table")
    parser.add_argument("--mrt", type=Path, help="another file instead of the made-up table")
    parser.add_argument("--clients", type=int, default=4, help="who get a snapshot at the same time")
    parser.add_argument("--followers", type=int, default=50, help="who get a change at the same time")
    parser.add_argument("--serve", type=int, default=0, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
