"""Our cache with a story to play: what takes daemons an hour or luck happens here on a word.

`python -m interop.peers.scripted_cache PORT` has the cache session and the connection of our daemons around a history
that begins where it is told: at the last serial but one, in some versions only, with timers of a second.  It takes
orders as lines on its standard input, and tells every PDU that a router sends as a line on its standard output.

    load FILE                   commit what this export says
    begin [session=N] [serial=N] [versions=0,1] [refresh=S] [retry=S] [expire=S]
                                a new history with the data of the old one; who is connected has to come again
    cut FILE                    hang up, and only then commit what this export says; session and history stay
    away / back                 hang up and listen no more / listen again
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from secrets import randbits
from typing import Any, NamedTuple

import numpy as np
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.stdio import StandardIO
from twisted.protocols.basic import LineReceiver

from interop.peers.ours import ENVIRONMENT
from interop.peers.processes import LOOPBACK, Daemon
from interop.vrps import RpkiData
from rotoro.net.server import ServerFactory
from rotoro.session.base import Session
from rotoro.session.cache import CacheData, CacheSession
from rotoro.session.effects import Effect
from rotoro.session.payload import Timers
from rotoro.session.tables import ServedTables
from rotoro.table import ASPA, ROUTER_KEY, VRP4, VRP6, History, Records, Slot, Snapshot
from rotoro.wire.decoder import Foreign
from rotoro.wire.pdu import Pdu
from rotoro.wire.rtr import ErrorReport

SERIAL_QUERY, RESET_QUERY, ERROR_REPORT = 1, 2, 10
DEFAULTS = {"session": 1, "serial": 0, "refresh": 3600, "retry": 1, "expire": 7200}
ASKED = re.compile(r"asked: version (\d+), type (\d+), session (-?\d+), serial (-?\d+)(?:, (.*))?$")


class Asked(NamedTuple):
    """A PDU of a router. `serial` is -1 where there is none; `session` is the code of an Error Report."""

    version: int
    kind: int
    session: int
    serial: int
    text: str


class ScriptedCache(Daemon):
    """Such a cache in a process of its own, serving what it was told last."""

    def __init__(self, folder: Path, port: int, data: RpkiData, **how: object) -> None:
        command = [sys.executable, "-m", "interop.peers.scripted_cache", str(port)]
        super().__init__(f"scripted-cache-{port}", command, folder, ENVIRONMENT, commanded=True)
        self.port = port
        self._orders = 0
        self.load(data)
        self.begin(**how)
        self.back()

    def load(self, data: RpkiData) -> None:
        """Serve this from now on."""
        self._order(f"load {self._file(data)}")

    def cut(self, data: RpkiData) -> None:
        """Lose all routers, then go on with this: they come back and find changes."""
        self._order(f"cut {self._file(data)}")

    def begin(self, **how: object) -> None:
        """Begin a new session with all versions."""
        self._order(" ".join(["begin", *(f"{key}={value}" for key, value in how.items())]))

    def away(self) -> None:
        """Be gone, as if the cache had ended."""
        self._order("away")

    def back(self) -> None:
        """Be there again, with the same session and data."""
        self._order("back")

    def asked(self) -> list[Asked]:
        """What routers have sent so far, in this order."""
        found = (ASKED.match(line) for line in self.lines())
        return [Asked(int(each[1]), int(each[2]), int(each[3]), int(each[4]), each[5] or "") for each in found if each]

    def _file(self, data: RpkiData) -> Path:
        file = self.folder / f"{self.name}-{self._orders}.json"
        data.write_routinator(file)
        return file

    def _order(self, order: str) -> None:
        self._orders += 1
        self.tell(order)
        self.expect(lambda: self._done() >= self._orders or None, f"done: {order}", 20, 0.01)

    def _done(self) -> int:
        return sum(line.startswith("done: ") for line in self.lines())


class WatchedSession(CacheSession):
    """A conversation with a router that tells what the router says."""

    def receive(self, version: int, pdu: Pdu, now: float) -> list[Effect]:
        session, serial, said = getattr(pdu, "session", -1), getattr(pdu, "serial", -1), ""
        if isinstance(pdu, ErrorReport):
            session, said = pdu.code, f", {pdu.text!r} about {pdu.offending.hex()}"
        kind = pdu.type_number if isinstance(pdu, Foreign) else pdu.number
        print(f"asked: version {version}, type {kind}, session {session}, serial {serial}{said}", flush=True)
        return super().receive(version, pdu, now)

    def answer_at_once(self, version: int, pdu: Pdu, now: float) -> None:
        """There is no way past being watched."""


class Routers(ServerFactory):
    """The connections of routers, in some versions only."""

    versions: tuple[int, ...]
    data: CacheData

    def _choose(self, first: int) -> Session:
        return WatchedSession(self.data, self.versions)

    def hang_up(self) -> None:
        """End all connections, as the kernel does for a process that has ended."""
        for connection in list(self.connections):
            assert connection.transport is not None
            connection.transport.loseConnection()


class Script(LineReceiver):
    """The orders, and the port that they are about."""

    delimiter = b"\n"

    def __init__(self, reactor: Any, port: int) -> None:
        self._reactor = reactor
        self._number = port
        self._port: Any = None
        self._snapshot = Snapshot.of({})
        self._routers: Routers | None = None

    def lineReceived(self, line: bytes) -> None:
        """One order."""
        verb, *words = line.decode().split()
        orders: dict[str, Callable[..., Deferred[None] | None]] = {
            "load": self._load,
            "begin": self._begin,
            "cut": self._cut,
            "away": self._away,
            "back": self._back,
        }
        maybeDeferred(orders[verb], *words).addCallbacks(lambda _: print("done:", verb, flush=True), print)

    def connectionLost(self, reason: object = None) -> None:
        """Whoever gave the orders is gone."""
        if self._reactor.running:
            self._reactor.stop()

    def _load(self, file: str) -> None:
        self._snapshot = snapshot_of(RpkiData.from_json(Path(file).read_bytes()))
        if self._routers is not None and self._routers.data.history.commit(self._snapshot) is not None:
            self._routers.changed()

    def _cut(self, file: str) -> None:
        assert self._routers is not None
        self._routers.hang_up()
        self._load(file)

    def _begin(self, *words: str) -> None:
        told = dict(word.split("=") for word in words)
        versions = tuple(int(version) for version in told.pop("versions", "0,1,2").split(","))
        numbers = DEFAULTS | {key: int(value) for key, value in told.items()}
        history = History(randbits(64), numbers.pop("serial"))
        history.commit(self._snapshot)
        data = CacheData.of(history, numbers.pop("session"), Timers(**numbers))
        before, self._routers = self._routers, Routers(self._reactor, ServedTables(), data)
        self._routers.data, self._routers.versions = data, versions
        if before is not None and self._port is not None:
            self._port.factory = self._routers
            before.hang_up()

    def _away(self) -> Deferred[None]:
        assert self._routers is not None
        self._routers.hang_up()
        gone: Deferred[None] = self._port.stopListening()
        return gone

    def _back(self) -> None:
        self._port = self._reactor.listenTCP(self._number, self._routers, interface=LOOPBACK)


def snapshot_of(data: RpkiData) -> Snapshot:
    """The data as a table."""
    keys = sorted(
        ski + len(spki).to_bytes(4, "big") + spki + asn.to_bytes(4, "big") for ski, asn, spki in data.router_keys
    )
    providers = [np.array(data.aspas[customer], ">u4").tobytes() for customer in sorted(data.aspas)]
    records: dict[Slot, Records] = {
        VRP4: Records.of(VRP4, data.vrps4),
        VRP6: Records.of(VRP6, data.vrps6),
        ROUTER_KEY: Records.of(ROUTER_KEY, keys),
        ASPA: Records.of(ASPA, np.array(sorted(data.aspas), ">u4").view("S4"), providers),
    }
    return Snapshot.of(records)


def main() -> None:
    """Play until the standard input ends."""
    from twisted.internet import reactor

    StandardIO(Script(reactor, int(sys.argv[1])))
    reactor.run()


if __name__ == "__main__":
    main()
